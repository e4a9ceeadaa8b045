"""Losses of vectors: distances and angles, each with its gradients from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.reference_impls.in_numpy.policy import (
    Array,
    check_choices,
    number,
    quiet,
    reduce,
    relu,
    rows,
    signs,
    upstream,
)


@quiet
def triplet_margin(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: float = 1.0,
    p: int = 2,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """max(0, Δ − (‖a − n‖_p − ‖a − p‖_p)), with p 1 or 2; at coincident points a norm has gradient 0

    Squares are not scaled: differences past the root of the dtype's range overflow, or count as 0.

    Shapes: anchor, positive, negative (N, D), weight (N,); or (D,) and (); the result (N,) or ().
    Dtypes: the three of one floating dtype, kept.
    Raises: ValueError for unequal shapes or dtypes, or a parameter without meaning.
    Source: Schroff, Kalenichenko and Philbin 2015, without the squares; Balntas et al. 2016.
    """
    check_choices(p=p)
    dtype, a, near, far = rows(anchor=anchor, positive=positive, negative=negative)
    d = number("margin", margin, dtype) - (_norm(a - far, p) - _norm(a - near, p))
    return reduce(relu(d), dtype, reduction, weight)


@quiet
def triplet_margin_grad(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: float = 1.0,
    p: int = 2,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> tuple[Any, Any, Any]:
    """(u − v, −u, v) where the loss is not 0, u and v the slopes of ‖a − p‖, ‖a − n‖; times the cotangent."""
    check_choices(p=p)
    dtype, a, near, far = rows(anchor=anchor, positive=positive, negative=negative)
    d = number("margin", margin, dtype) - (_norm(a - far, p) - _norm(a - near, p))
    slope = np.where(d <= 0, d.dtype.type(0), d.dtype.type(1))
    up = (upstream(cotangent, slope, reduction, weight) * slope)[..., None]
    u, v = up * _norm_slope(a - near, p), up * _norm_slope(a - far, p)
    return (u - v).astype(dtype), (-u).astype(dtype), v.astype(dtype)


@quiet
def cosine_embedding(
    x1: Any, x2: Any, targets: Any, *, margin: float = 0.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """1 − cos for y = 1, max(0, cos − Δ) for y = −1; a zero vector has cos 0 and gradient 0

    Squares are not scaled: coordinates past the root of the dtype's range overflow, or count as 0.

    Shapes: x1 and x2 (N, D), targets and weight (N,); or (D,) and (); the result (N,) for "none", else ().
    Dtypes: x1 and x2 of one floating dtype, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes or dtypes, a label outside {−1, +1}, or a parameter without meaning.
    Source: torch.nn.CosineEmbeddingLoss.
    """
    dtype, a, b = rows(x1=x1, x2=x2)
    cos = _cosine(a, b)
    y = signs(targets, cos, "the rows of x1")
    loss = np.where(y == 1, 1 - cos, relu(cos - number("margin", margin, dtype)))
    return reduce(loss, dtype, reduction, weight)


@quiet
def cosine_embedding_grad(
    x1: Any,
    x2: Any,
    targets: Any,
    *,
    margin: float = 0.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> tuple[Any, Any]:
    """∂cos/∂x₁ = (x₂/‖x₂‖ − cos x₁/‖x₁‖) / ‖x₁‖, times −1 for y = 1, 1 for y = −1 where cos > Δ, else 0."""
    dtype, a, b = rows(x1=x1, x2=x2)
    cos = _cosine(a, b)
    y = signs(targets, cos, "the rows of x1")
    slope = np.where((y == -1) & (cos - number("margin", margin, dtype) <= 0), 0, -y)
    up = (upstream(cotangent, slope, reduction, weight) * slope)[..., None]
    na, nb, c = _norm(a, 2)[..., None], _norm(b, 2)[..., None], cos[..., None]
    zero = na * nb == 0
    first = np.where(zero, 0, up * (b / nb - c * (a / na)) / na)
    second = np.where(zero, 0, up * (a / na - c * (b / nb)) / nb)
    return first.astype(dtype), second.astype(dtype)


def _norm(x: Array, p: int) -> Array:
    return np.asarray(np.abs(x).sum(-1) if p == 1 else np.sqrt((x * x).sum(-1)))


def _norm_slope(x: Array, p: int) -> Array:
    """∂‖x‖/∂x, 0 for the zero vector."""
    n = _norm(x, p)[..., None]
    return np.sign(x) if p == 1 else np.where(n == 0, 0, x / n)


def _cosine(a: Array, b: Array) -> Array:
    dot, norms = (a * b).sum(-1), _norm(a, 2) * _norm(b, 2)
    # dot · 0 and not 0: the NaN of the other vector stays
    return np.asarray(np.where(norms == 0, dot * 0, dot / norms))
