"""Losses of a score and a real target, sample by sample, each with its gradient from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.reference_impls.in_numpy.policy import (
    Array,
    floating,
    number,
    quiet,
    reduce,
    relu,
    same_shape,
    upstream,
    wide,
)


@quiet
def epsilon_insensitive(
    scores: Any, targets: Any, *, epsilon: float = 0.1, reduction: str = "mean", weight: Any = None
) -> Any:
    """max(0, |s − t| − ε)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, rounded to that of the scores.
    Raises: ValueError for unequal shapes, ε < 0, or a parameter without meaning.
    Source: Vapnik 1995.
    """
    dtype, residual, epsilon = _residual(scores, targets, epsilon)
    return reduce(relu(np.abs(residual) - epsilon), dtype, reduction, weight)


@quiet
def epsilon_insensitive_grad(
    scores: Any,
    targets: Any,
    *,
    epsilon: float = 0.1,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """The sign of s − t where |s − t| > ε, else 0; times the cotangent. As for `epsilon_insensitive`."""
    dtype, residual, epsilon = _residual(scores, targets, epsilon)
    slope = np.where(np.abs(residual) - epsilon <= 0, 0, np.sign(residual))
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


@quiet
def squared_epsilon_insensitive(
    scores: Any, targets: Any, *, epsilon: float = 0.1, reduction: str = "mean", weight: Any = None
) -> Any:
    """max(0, |s − t| − ε)²

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, rounded to that of the scores.
    Raises: ValueError for unequal shapes, ε < 0, or a parameter without meaning.
    Source: Vapnik 1995; Ho and Lin 2012, without ½.
    """
    dtype, residual, epsilon = _residual(scores, targets, epsilon)
    d = relu(np.abs(residual) - epsilon)
    return reduce(d * d, dtype, reduction, weight)


@quiet
def squared_epsilon_insensitive_grad(
    scores: Any,
    targets: Any,
    *,
    epsilon: float = 0.1,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """2 sign(s − t) max(0, |s − t| − ε); times the cotangent. As for `squared_epsilon_insensitive`."""
    dtype, residual, epsilon = _residual(scores, targets, epsilon)
    slope = 2 * np.sign(residual) * relu(np.abs(residual) - epsilon)
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)


def _residual(scores: Any, targets: Any, epsilon: float) -> tuple[Any, Array, Any]:
    """The dtype, s − t, and ε."""
    dtype, s = floating(scores=scores)
    same_shape("scores", scores, "targets", targets)
    t = wide(np.asarray(targets).astype(dtype))
    return dtype, s - t, number("epsilon", epsilon, dtype)
