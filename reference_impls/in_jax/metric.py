"""Losses of vectors: distances and angles."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from hingeproof.reference_impls.in_jax.policy import check_choices, number, reduce, rows, signs


def triplet_margin(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: int = 2,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
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
    return reduce(jax.nn.relu(d), dtype, reduction, weight)


def cosine_embedding(
    x1: Array,
    x2: Array,
    targets: Array,
    *,
    margin: float = 0.0,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """1 − cos for y = 1, max(0, cos − Δ) for y = −1; a zero vector has cos 0 and gradient 0

    Squares are not scaled: coordinates past the root of the dtype's range overflow, or count as 0.

    Shapes: x1 and x2 (N, D), targets and weight (N,); or (D,) and (); the result (N,) for "none", else ().
    Dtypes: x1 and x2 of one floating dtype, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes or dtypes, a label outside {−1, +1}, or a parameter without meaning.
    Source: torch.nn.CosineEmbeddingLoss.
    """
    dtype, a, b = rows(x1=x1, x2=x2)
    dot, norms = (a * b).sum(-1), _norm(a, 2) * _norm(b, 2)
    zero = norms == 0
    # dot · 0 and not 0: the NaN of the other vector stays, and the gradient is 0
    cos = jnp.where(zero, dot * 0, dot / jnp.where(zero, 1.0, norms))
    y = signs(targets, cos, "the rows of x1")
    apart = jax.nn.relu(cos - number("margin", margin, dtype))
    loss = jnp.where(y == 1, 1 - cos, jnp.where(y == -1, apart, jnp.nan))
    return reduce(loss, dtype, reduction, weight)


def _norm(x: Array, p: int) -> Array:
    if p == 1:
        return (x * jnp.sign(x)).sum(-1)  # |x|, with slope 0 at 0: jnp.abs has slope 1 there
    squares = (x * x).sum(-1)
    zero = squares == 0
    # the root is kept away from 0, where its slope is infinite: no 0 · inf in any derivative
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squares)))
