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
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")


@jax.custom_jvp  # type: ignore[untyped-decorator]
def _relu(x: Array) -> Array:
    """max(0, x) with slope 0 at 0, and NaN for NaN."""
    return jnp.maximum(0, x)


@_relu.defjvp  # type: ignore[untyped-decorator]
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (slope,) = primals, tangents
    # alone XLA fuses a maximum with the sum, beside a gradient it fuses this with it; jax.nn.relu keeps one array more
    return jnp.where(x <= 0, 0, x), jnp.where(x <= 0, 0, slope)


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
    return _reduce(_relu(margin - scores * targets), reduction)


def perceptron(scores: Array, targets: Array, *, reduction: str = "mean") -> Array:
    """max(0, −y s)

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: scores and targets of one floating dtype; targets −1 or +1, not checked.
    Raises: ValueError for unequal shapes or an unknown reduction.
    Source: Rosenblatt 1958.
    """
    _same(scores, targets, jnp.shape(scores))
    return _reduce(_relu(-(scores * targets)), reduction)  # not (−y) s: −1 as uint8 is 255


def crammer_singer(scores: Array, targets: Array, *, margin: float = 1.0, reduction: str = "mean") -> Array:
    """max(0, max_{k≠c} Δ − (s_c − s_k)); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets (N,); the result (N,) for "none", else ().
    Dtypes: scores floating; targets any integer dtype, in 0..K−1, not checked.
    Raises: ValueError for other shapes or an unknown reduction.
    Source: Crammer and Singer 2001.
    """
    return _reduce(_behind(scores, targets, margin), reduction)


def multiclass_perceptron(scores: Array, targets: Array, *, reduction: str = "mean") -> Array:
    """max(0, max_{k≠c} s_k − s_c); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets (N,); the result (N,) for "none", else ().
    Dtypes: scores floating; targets any integer dtype, in 0..K−1, not checked.
    Raises: ValueError for other shapes or an unknown reduction.
    Source: Rosenblatt 1958; Duda and Hart 1973.
    """
    return _reduce(_behind(scores, targets, 0.0), reduction)


def _own(scores: Array, targets: Array) -> Array:
    return jnp.asarray(targets)[:, None] == jnp.arange(scores.shape[1], dtype=jnp.asarray(targets).dtype)


def _behind(scores: Array, targets: Array, margin: Any) -> Array:
    _same(scores, targets, jnp.shape(scores)[:-1])
    return _rows(scores, targets, margin)


@jax.custom_vjp  # type: ignore[untyped-decorator]
def _rows(scores: Array, targets: Array, margin: Any) -> Array:
    return _forward(scores, targets, margin)[0]


def _forward(scores: Array, targets: Array, margin: Any) -> tuple[Array, Any]:
    mine = jnp.take_along_axis(scores, jnp.asarray(targets)[:, None], 1)[:, 0]
    rival = jnp.where(_own(scores, targets), -jnp.inf, scores).max(1)
    loss = _relu(margin - (mine - rival)).astype(scores.dtype)
    return loss, (scores, targets, rival, loss)


def _backward(kept: Any, up: Array) -> tuple[Array, None, None]:
    scores, targets, rival, loss = kept
    own = _own(scores, targets)
    column = jnp.arange(scores.shape[1], dtype=jnp.int32)
    first = jnp.where((scores == rival[:, None]) & ~own, column, scores.shape[1]).min(1)
    slope = jnp.where(loss > 0, up, 0)[:, None]
    gradient = jnp.where(column == first[:, None], slope, jnp.where(own, -slope, 0))
    return gradient.astype(scores.dtype), None, None


_rows.defvjp(_forward, _backward)


def triplet_margin(
    anchor: Array, positive: Array, negative: Array, *, margin: float = 1.0, reduction: str = "mean"
) -> Array:
    """max(0, Δ − (‖a − n‖₂ − ‖a − p‖₂)); at coincident points a norm has gradient 0

    Shapes: anchor, positive, negative (N, D); the result (N,) for "none", else ().
    Dtypes: the three of one floating dtype.
    Raises: ValueError for unequal shapes or an unknown reduction.
    Source: Schroff, Kalenichenko and Philbin 2015, without the squares; Balntas et al. 2016.
    """
    for x in (positive, negative):
        _same(anchor, x, jnp.shape(anchor))
    return _reduce(_farther(anchor, positive, negative, margin), reduction)


@jax.custom_vjp  # type: ignore[untyped-decorator]
def _farther(anchor: Array, near: Array, far: Array, margin: Any) -> Array:
    return _triplet_forward(anchor, near, far, margin)[0]


def _triplet_forward(anchor: Array, near: Array, far: Array, margin: Any) -> tuple[Array, Any]:
    norms = [jnp.sqrt(((anchor - x) ** 2).sum(1)) for x in (near, far)]
    loss = _relu(margin - (norms[1] - norms[0])).astype(anchor.dtype)
    return loss, (anchor, near, far, norms, loss)


def _triplet_backward(kept: Any, up: Array) -> tuple[Array, Array, Array, None]:
    anchor, near, far, norms, loss = kept
    slope = jnp.where(loss > 0, up, 0)
    to_near, to_far = (jnp.where(norm == 0, 0, slope / norm)[:, None] for norm in norms)
    # the barrier: otherwise XLA forms the differences once more, and keeps one in memory
    of_near, of_far = jax.lax.optimization_barrier(((near - anchor) * to_near, (anchor - far) * to_far))
    return -(of_near + of_far), of_near, of_far, None


_farther.defvjp(_triplet_forward, _triplet_backward)
