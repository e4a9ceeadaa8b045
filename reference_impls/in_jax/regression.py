"""Losses of a score and a real target, sample by sample."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from hingeproof.reference_impls.in_jax.policy import floating, number, reduce, same_shape, wide


def epsilon_insensitive(
    scores: Array,
    targets: Array,
    *,
    epsilon: float = 0.1,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """max(0, |s − t| − ε)

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, rounded to that of the scores.
    Raises: ValueError for unequal shapes, ε < 0, or a parameter without meaning.
    Source: Vapnik 1995.
    """
    dtype, d = _outside(scores, targets, epsilon)
    return reduce(d, dtype, reduction, weight)


def squared_epsilon_insensitive(
    scores: Array,
    targets: Array,
    *,
    epsilon: float = 0.1,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """max(0, |s − t| − ε)²

    Shapes: scores, targets and weight equal, any; the result likewise for "none", else ().
    Dtypes: scores floating, kept; targets any real dtype, rounded to that of the scores.
    Raises: ValueError for unequal shapes, ε < 0, or a parameter without meaning.
    Source: Vapnik 1995; Ho and Lin 2012, without ½.
    """
    dtype, d = _outside(scores, targets, epsilon)
    return reduce(d * d, dtype, reduction, weight)


def _outside(scores: Array, targets: Array, epsilon: float) -> tuple[Any, Array]:
    """The dtype, and how far the score lies outside the tube around its target."""
    dtype, s = floating(scores=scores)
    same_shape("scores", scores, "targets", targets)
    t = wide(jnp.asarray(targets).astype(dtype))
    return dtype, jax.nn.relu(jnp.abs(s - t) - number("epsilon", epsilon, dtype))
