"""Siblings of the losses that optax has, for use under jit: as little as the formula needs, and no checks of labels.

They stand beside the references under names of their own and are verified like a stranger's code.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def _reduce(loss: Array, reduction: str) -> Array:
    if reduction == "mean":
        return loss.sum() / loss.size
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")


def _same(scores: Array, targets: Array, shape: tuple[int, ...]) -> None:
    if jnp.shape(targets) != shape:
        raise ValueError(f"scores have shape {jnp.shape(scores)} but targets have shape {jnp.shape(targets)}")


def hinge(scores: Array, targets: Array, *, margin: float = 1.0, reduction: str = "mean") -> Array:
    """max(0, Δ − y s)

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: scores and targets of one floating dtype; targets −1 or +1, not checked.
    Raises: ValueError for unequal shapes or an unknown reduction.
    Source: Vapnik 1995.
    """
    _same(scores, targets, jnp.shape(scores))
    return _reduce(jax.nn.relu(margin - targets * scores), reduction)


def perceptron(scores: Array, targets: Array, *, reduction: str = "mean") -> Array:
    """max(0, −y s)

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: scores and targets of one floating dtype; targets −1 or +1, not checked.
    Raises: ValueError for unequal shapes or an unknown reduction.
    Source: Rosenblatt 1958.
    """
    _same(scores, targets, jnp.shape(scores))
    return _reduce(jax.nn.relu(-(targets * scores)), reduction)  # not (−y) s: −1 as uint8 is 255


def crammer_singer(scores: Array, targets: Array, *, margin: float = 1.0, reduction: str = "mean") -> Array:
    """max(0, max_{k≠c} Δ − (s_c − s_k)); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets (N,); the result (N,) for "none", else ().
    Dtypes: scores floating; targets any integer dtype, in 0..K−1, not checked.
    Raises: ValueError for other shapes or an unknown reduction.
    Source: Crammer and Singer 2001.
    """
    _same(scores, targets, jnp.shape(scores)[:-1])
    return _reduce(_rows(scores, targets, margin), reduction)


def _value(scores: Array, targets: Array, margin: Any) -> Array:
    return _forward(scores, targets, margin)[0]


def _own(scores: Array, targets: Array) -> Array:
    return jnp.asarray(targets)[:, None] == jnp.arange(scores.shape[1], dtype=jnp.asarray(targets).dtype)


def _forward(scores: Array, targets: Array, margin: Any) -> tuple[Array, Any]:
    own = _own(scores, targets)
    # sums and maxima over a mask: XLA fuses them into one pass, a gather it does not
    mine = jnp.where(own, scores, 0).sum(1)
    worst = jnp.where(own, -jnp.inf, scores).max(1)
    loss = jax.nn.relu(margin - (mine - worst)).astype(scores.dtype)
    return loss, (scores, targets, worst, loss)


def _backward(kept: Any, up: Array) -> tuple[Array, None, None]:
    scores, targets, worst, loss = kept
    own = _own(scores, targets)
    column = jnp.arange(scores.shape[1], dtype=jnp.int32)
    tied = (scores == worst[:, None]) & ~own
    first = jnp.where(tied, column, scores.shape[1]).min(1)
    slope = jnp.where(loss > 0, up, 0)[:, None]
    return jnp.where(column == first[:, None], slope, jnp.where(own, -slope, 0)).astype(scores.dtype), None, None


_rows = jax.custom_vjp(_value)
_rows.defvjp(_forward, _backward)
