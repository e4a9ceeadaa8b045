"""Losses of a score and a label in {−1, +1}, sample by sample, each with its gradient from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.reference_impls.in_numpy.policy import floating, number, quiet, reduce, relu, signs, upstream


@quiet
def hinge(scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None) -> Any:
    """max(0, Δ − y s)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Vapnik 1995.
    """
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    d = number("margin", margin, dtype) - y * s
    return reduce(relu(d), dtype, reduction, weight)


@quiet
def hinge_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """−y where y s < Δ, else 0; times the cotangent, of the output's shape. The rest is as for `hinge`."""
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    d = number("margin", margin, dtype) - y * s
    slope = np.where(d <= 0, 0, -y)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def squared_hinge(
    scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """max(0, Δ − y s)²

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Cortes and Vapnik 1995, with σ = 2.
    """
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    d = relu(number("margin", margin, dtype) - y * s)
    return reduce(d * d, dtype, reduction, weight)


@quiet
def squared_hinge_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """−2 y max(0, Δ − y s); times the cotangent, of the output's shape. As for `squared_hinge`."""
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    slope = -2 * y * relu(number("margin", margin, dtype) - y * s)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def perceptron(scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """max(0, −y s)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or an unknown reduction.
    Source: Rosenblatt 1958.
    """
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    return reduce(relu(-y * s), dtype, reduction, weight)


@quiet
def perceptron_grad(scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None, cotangent: Any) -> Any:
    """−y where y s < 0, else 0; times the cotangent, of the output's shape. As for `perceptron`."""
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    slope = np.where(y * s >= 0, 0, -y)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def smooth_hinge(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    gamma: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """With d = Δ − y s: 0 for d ≤ 0, d²/(2γ) for 0 < d < γ, d − γ/2 for d ≥ γ

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, γ ≤ 0, or a parameter without meaning.
    Source: Rennie and Srebro 2005 (γ = 1); Shalev-Shwartz and Zhang 2013.
    """
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    d = number("margin", margin, dtype) - y * s
    gamma = number("gamma", gamma, dtype)
    loss = np.where(d < gamma, relu(d) * (relu(d) / gamma) / 2, d - gamma / 2)
    return reduce(loss, dtype, reduction, weight)


@quiet
def smooth_hinge_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    gamma: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """−y min(1, max(0, Δ − y s) / γ); times the cotangent, of the output's shape. As for `smooth_hinge`."""
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    d = number("margin", margin, dtype) - y * s
    gamma = number("gamma", gamma, dtype)
    slope = -y * np.where(d < gamma, relu(d) / gamma, 1)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def modified_huber(scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """With z = y s: 0 for z ≥ 1, (1 − z)² for −1 ≤ z < 1, −4z for z < −1

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or an unknown reduction.
    Source: Zhang 2004.
    """
    dtype, s = floating(scores=scores)
    z = signs(targets, s) * s
    loss = np.where(z >= -1, relu(1 - z) * relu(1 - z), -4 * z)
    return reduce(loss, dtype, reduction, weight)


@quiet
def modified_huber_grad(
    scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None, cotangent: Any
) -> Any:
    """0 for z ≥ 1, −2 y (1 − z) down to −1, then −4 y; times the cotangent. As for `modified_huber`."""
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    z = y * s
    slope = y * np.where(z >= -1, -2 * relu(1 - z), -4)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def ramp(scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """min(1, max(0, 1 − y s)), with gradient 0 at both kinks

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or an unknown reduction.
    Source: Collobert, Sinz, Weston and Bottou 2006.
    """
    dtype, s = floating(scores=scores)
    z = signs(targets, s) * s
    return reduce(np.where(z <= 0, 1, relu(1 - z)), dtype, reduction, weight)


@quiet
def ramp_grad(scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None, cotangent: Any) -> Any:
    """−y where 0 < y s < 1, else 0; times the cotangent, of the output's shape. The rest is as for `ramp`."""
    dtype, s = floating(scores=scores)
    y = signs(targets, s)
    z = y * s
    # z decides, not 1 − z: that rounds to 1 for small z > 0, where the slope is not 0
    slope = np.where((z <= 0) | (z >= 1), 0, -y)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def hinge_embedding(
    scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """x for y = 1, max(0, Δ − x) for y = −1; the scores x are distances

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Hadsell, Chopra and LeCun 2006, without the squares.
    """
    dtype, x = floating(scores=scores)
    y = signs(targets, x)
    loss = np.where(y == 1, x, relu(number("margin", margin, dtype) - x))
    return reduce(loss, dtype, reduction, weight)


@quiet
def hinge_embedding_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """1 for y = 1; −1 for y = −1 where x < Δ, else 0; times the cotangent. As for `hinge_embedding`."""
    dtype, x = floating(scores=scores)
    y = signs(targets, x)
    apart = number("margin", margin, dtype) - x <= 0
    slope = np.where((y == -1) & apart, 0, y)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def margin_ranking(
    x1: Any, x2: Any, targets: Any, *, margin: float = 0.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """max(0, Δ − y (x₁ − x₂)): y = 1 wants x₁ above x₂

    Shapes: x1, x2, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: x1 and x2 of one floating dtype, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes or dtypes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Herbrich, Graepel and Obermayer 2000.
    """
    dtype, a, b = floating(x1=x1, x2=x2)
    y = signs(targets, a, "x1 and x2")
    d = number("margin", margin, dtype) - y * (a - b)
    return reduce(relu(d), dtype, reduction, weight)


@quiet
def margin_ranking_grad(
    x1: Any,
    x2: Any,
    targets: Any,
    *,
    margin: float = 0.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> tuple[Any, Any]:
    """(−y, y) where y (x₁ − x₂) < Δ, else 0; times the cotangent. The rest is as for `margin_ranking`."""
    dtype, a, b = floating(x1=x1, x2=x2)
    y = signs(targets, a, "x1 and x2")
    d = number("margin", margin, dtype) - y * (a - b)
    slope = np.where(d <= 0, 0, -y)
    grad = (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)
    return grad, -grad
