"""Losses of a score and a real target, sample by sample."""

from __future__ import annotations

import torch

from hingeproof.reference_impls.in_torch.policy import floating, number, reduce, same_shape, wide


def epsilon_insensitive(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    epsilon: float = 0.1,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, |s − t| − ε)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, rounded to that of the scores.
    Raises: ValueError for unequal shapes, ε < 0, or a parameter without meaning.
    Source: Vapnik 1995.
    """
    return reduce(_outside(scores, targets, epsilon), scores.dtype, reduction, weight)


def squared_epsilon_insensitive(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    epsilon: float = 0.1,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, |s − t| − ε)²

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, rounded to that of the scores.
    Raises: ValueError for unequal shapes, ε < 0, or a parameter without meaning.
    Source: Vapnik 1995; Ho and Lin 2012, without ½.
    """
    d = _outside(scores, targets, epsilon)
    return reduce(d * d, scores.dtype, reduction, weight)


def _outside(scores: torch.Tensor, targets: torch.Tensor, epsilon: float) -> torch.Tensor:
    """How far the score lies outside the tube around its target."""
    (s,) = floating(scores=scores)
    same_shape("scores", scores, "targets", targets)
    t = wide(targets.to(scores.dtype))
    return torch.relu((s - t).abs() - number("epsilon", epsilon, scores))
