"""What every reference does around its formula: checks, labels, the arithmetic dtype, reductions.

float16 and bfloat16 are computed in float32 and rounded once, at the end. A label outside its set raises
where labels can be looked at without waiting (concrete, on the CPU); elsewhere it makes its sample NaN.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64")
REDUCTIONS = ("mean", "sum", "none")


def wide(x: jax.Array) -> jax.Array:
    """The array in the dtype that is computed in."""
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


# -- parameters ----------------------------------------------------------------------------------------------


def check_choices(*, reduction: str = "mean", p: int = 1) -> None:
    """Raise ValueError for a reduction or a norm that there is not."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")
    if p not in (1, 2):
        raise ValueError(f"p={p!r} is not supported: pass 1 or 2")


def number(name: str, value: Any, dtype: Any) -> jax.Array:
    """A parameter, rounded to the dtype of the scores. A traced one is not looked at."""
    if not isinstance(value, jax.core.Tracer):
        info = jnp.finfo(dtype)
        if not abs(value) <= float(info.max):
            raise ValueError(f"{name}={value!r} is not finite in {dtype}: pass a finite number")
        if name == "gamma" and value <= float(info.smallest_subnormal) / 2:
            raise ValueError(f"gamma={value!r} is not positive in {dtype}: pass a number > 0, or use hinge")
        if name == "epsilon" and value < 0:
            raise ValueError(f"epsilon={value!r} is negative: pass a number >= 0")
    return wide(jnp.asarray(value, dtype))


# -- inputs --------------------------------------------------------------------------------------------------


def same_shape(first: str, x: Any, second: str, y: Any) -> None:
    """Raise ValueError where two shapes differ: nothing is broadcast."""
    if np.shape(x) != np.shape(y):
        raise ValueError(
            f"{first} have shape {np.shape(x)} but {second} have shape {np.shape(y)}: "
            "nothing is broadcast; reshape one so that they are equal"
        )


def floating(**inputs: Any) -> tuple[Any, ...]:
    """The dtype of the inputs, then the inputs in the dtype that is computed in; one shape, one dtype."""
    arrays = {name: jnp.asarray(x) for name, x in inputs.items()}
    (first, x), *others = arrays.items()
    if x.dtype.name not in FLOATS:
        raise ValueError(f"{first} have dtype {x.dtype}: pass float16, bfloat16, float32 or float64")
    for name, other in others:
        same_shape(first, x, name, other)
        if other.dtype != x.dtype:
            raise ValueError(f"{first} have dtype {x.dtype} but {name} have {other.dtype}: convert one of them")
    return (x.dtype, *(wide(x) for x in arrays.values()))


def rows(**inputs: Any) -> tuple[Any, ...]:
    """As `floating`, for inputs of shape (N, K) or (K,)."""
    name, x = next(iter(inputs.items()))
    if np.ndim(x) not in (1, 2) or np.shape(x)[-1] == 0:
        raise ValueError(f"{name} have shape {np.shape(x)}: pass (N, K) or (K,) with K >= 1")
    return floating(**inputs)


# -- labels --------------------------------------------------------------------------------------------------


def signs(targets: Any, scores: jax.Array, name: str = "scores") -> jax.Array:
    """Labels as −1 and +1 in the dtype that is computed in; any other label is NaN, or raises."""
    targets = array(targets)
    same_shape(name, scores, "targets", targets)
    if jnp.iscomplexobj(targets):
        raise ValueError(f"targets have dtype {targets.dtype}: pass real labels, -1 or +1")
    seen = looked_at(targets)
    if seen is not None:
        insist((seen == 1) | (seen == -1), seen, "is not in {-1, +1}")
    t = jnp.asarray(targets)
    y = t if jnp.issubdtype(t.dtype, jnp.floating) else t.astype(scores.dtype)
    return jnp.where(jnp.abs(y) == 1, y, jnp.nan).astype(scores.dtype)


def classes(targets: Any, scores: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(index (…, 1), own (…, K): is this column the sample's class?, known (…): is the label a class?)"""
    targets = integers(targets)
    k = scores.shape[-1]
    same_shape("scores without their last dimension", scores[..., 0], "targets", targets)
    seen = looked_at(targets)
    if seen is not None:
        insist((seen >= 0) & (seen < k), seen, f"is not a class index in 0..{k - 1} (scores have {k} columns)")
    index, known = _indices(targets, k)
    return index[..., None], index[..., None] == jnp.arange(k), known


def label_sets(targets: Any, scores: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(member (…, K): is this class among the labels before −1?, known (…): is the row a set of classes?)"""
    targets = integers(targets)
    k = scores.shape[-1]
    same_shape("scores", scores, "targets", targets)
    t = jnp.asarray(targets)
    signed = jnp.issubdtype(t.dtype, jnp.signedinteger)
    padding = t == -1 if signed else jnp.zeros(t.shape, bool)
    before = jnp.cumsum(padding, -1) == 0
    index, inside = _indices(targets, k)
    named = (index[..., None] == jnp.arange(k)) & (before & inside)[..., None]
    again = (named & (jnp.cumsum(named, -2) > 1)).any(-1)
    seen, seen_before, seen_again = looked_at(targets), looked_at(before), looked_at(again)
    if seen is not None and seen_before is not None and seen_again is not None:
        accepted = ~seen_before | ((seen >= 0) & (seen < k))
        insist(accepted, seen, f"is neither -1 nor a class index in 0..{k - 1} (scores have {k} columns)")
        insist(~seen_again, seen, "stands twice in its row: labels are a set, remove the duplicate")
    return named.any(-2), ((~before | inside) & ~again).all(-1)


def array(x: Any) -> Any:
    """The argument in its own dtype: outside x64 mode jnp.asarray would wrap 64-bit labels."""
    return x if isinstance(x, jax.Array) else np.asarray(x)


def integers(targets: Any) -> Any:
    """The labels as an array. Raises: ValueError where they are no integers."""
    targets = array(targets)
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise ValueError(f"targets have dtype {targets.dtype}: pass integers, e.g. targets.astype(int)")
    return targets


def _indices(targets: Any, k: int) -> tuple[jax.Array, jax.Array]:
    """Each label as an index within range, and whether it was one."""
    t = jnp.asarray(targets)
    t = t.astype(jnp.int32) if t.dtype.itemsize < 4 else t  # K may lie past the end of a small dtype
    known = (t >= 0) & (t < k)
    return jnp.where(known, t, 0).astype(jnp.int32), known


def looked_at(x: Any) -> np.ndarray[Any, Any] | None:
    """The values, where they can be had without waiting for a device: not traced, and on the CPU."""
    if isinstance(x, jax.core.Tracer):
        return None
    if isinstance(x, jax.Array) and any(device.platform != "cpu" for device in x.devices()):
        return None
    return np.asarray(x)


def insist(known: np.ndarray[Any, Any], targets: np.ndarray[Any, Any], complaint: str) -> None:
    """Raise for the first label that is not known."""
    if known.all():
        return
    at = np.argwhere(~known)[0].tolist()
    label = targets[tuple(at)].item()
    shown = int(label) if float(label).is_integer() else label
    raise ValueError(f"{f'targets{at}' if at else 'targets'} = {shown} {complaint}")


# -- the end of every loss -----------------------------------------------------------------------------------


def reduce(loss: jax.Array, dtype: Any, reduction: str, weight: Any) -> jax.Array:
    """Weigh the losses of the samples, reduce them, and round to the dtype of the scores."""
    check_choices(reduction=reduction)
    if weight is not None:
        same_shape("the losses of the samples", loss, "weight", weight)
        loss = loss * jnp.asarray(weight).astype(loss.dtype)
    if reduction == "mean":
        # each loss is divided before adding: a finite mean never overflows on the way
        n = loss.size
        loss = (loss / n).sum() if n else loss.sum() * math.nan
    elif reduction == "sum":
        loss = loss.sum()
    return loss.astype(dtype)
