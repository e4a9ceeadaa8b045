"""Losses of a score and a label in {−1, +1}, sample by sample."""

from __future__ import annotations

import math

import torch

from hingeproof.reference_impls.in_torch.policy import floating, number, reduce, signs


def hinge(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, Δ − y s)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Vapnik 1995.
    """
    (s,) = floating(scores=scores)
    y = signs(targets, s)
    d = number("margin", margin, scores) - y * s
    return reduce(torch.relu(d), scores.dtype, reduction, weight)


def squared_hinge(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, Δ − y s)²

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Cortes and Vapnik 1995, with σ = 2.
    """
    (s,) = floating(scores=scores)
    y = signs(targets, s)
    d = torch.relu(number("margin", margin, scores) - y * s)
    return reduce(d * d, scores.dtype, reduction, weight)


def perceptron(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, −y s)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or an unknown reduction.
    Source: Rosenblatt 1958.
    """
    (s,) = floating(scores=scores)
    y = signs(targets, s)
    return reduce(torch.relu(-y * s), scores.dtype, reduction, weight)


def smooth_hinge(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    gamma: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """With d = Δ − y s: 0 for d ≤ 0, d²/(2γ) for 0 < d < γ, d − γ/2 for d ≥ γ

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, γ ≤ 0, or a parameter without meaning.
    Source: Rennie and Srebro 2005 (γ = 1); Shalev-Shwartz and Zhang 2013.
    """
    (s,) = floating(scores=scores)
    y = signs(targets, s)
    d = number("margin", margin, scores) - y * s
    gamma = number("gamma", gamma, scores)
    curved = d < gamma
    bend = torch.where(curved, torch.relu(d), 0.0)  # no inf · 0 in the other branch's gradient
    return reduce(torch.where(curved, bend * (bend / gamma) / 2, d - gamma / 2), scores.dtype, reduction, weight)


def modified_huber(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """With z = y s: 0 for z ≥ 1, (1 − z)² for −1 ≤ z < 1, −4z for z < −1

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or an unknown reduction.
    Source: Zhang 2004.
    """
    (s,) = floating(scores=scores)
    z = signs(targets, s) * s
    curved = z >= -1
    bend = torch.where(curved, torch.relu(1 - z), 0.0)  # no inf · 0 in the other branch's gradient
    return reduce(torch.where(curved, bend * bend, -4 * z), scores.dtype, reduction, weight)


def ramp(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """min(1, max(0, 1 − y s)), with gradient 0 at both kinks

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or an unknown reduction.
    Source: Collobert, Sinz, Weston and Bottou 2006.
    """
    (s,) = floating(scores=scores)
    z = signs(targets, s) * s
    # z decides, not 1 − z: that rounds to 1 for small z > 0, where the slope is not 0
    return reduce(torch.where(z <= 0, 1.0, torch.relu(1 - z)), scores.dtype, reduction, weight)


def hinge_embedding(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """x for y = 1, max(0, Δ − x) for y = −1; the scores x are distances

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Hadsell, Chopra and LeCun 2006, without the squares.
    """
    (x,) = floating(scores=scores)
    y = signs(targets, x)
    apart = torch.relu(number("margin", margin, scores) - x)
    loss = torch.where(y == 1, x, torch.where(y == -1, apart, math.nan))
    return reduce(loss, scores.dtype, reduction, weight)


def margin_ranking(
    x1: torch.Tensor,
    x2: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 0.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, Δ − y (x₁ − x₂)): y = 1 wants x₁ above x₂

    Shapes: x1, x2, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: x1 and x2 of one floating dtype, kept; targets any real dtype, −1 or +1.
    Raises: ValueError for unequal shapes or dtypes, a label outside {−1, +1}, or a parameter without meaning.
    Source: Herbrich, Graepel and Obermayer 2000.
    """
    a, b = floating(x1=x1, x2=x2)
    y = signs(targets, a, "x1 and x2")
    d = number("margin", margin, x1) - y * (a - b)
    return reduce(torch.relu(d), x1.dtype, reduction, weight)
