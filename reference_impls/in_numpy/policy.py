"""What every reference does around its formula: checks, labels, the arithmetic dtype, reductions.

float16 and bfloat16 (of ml_dtypes) are computed in float32 and rounded once, at the end. A gradient is the
slope of a sample's loss, times what `upstream` says stands before that loss in the output.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
FLOATS = ("float16", "bfloat16", "float32", "float64")
REDUCTIONS = ("mean", "sum", "none")
FINFO: Any = ml_dtypes.finfo  # it has no annotations

quiet = np.errstate(all="ignore")  # overflow, and inf − inf, are answers here; as a decorator it is reusable


def wide(x: Array) -> Array:
    """The array in the dtype that is computed in."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def relu(d: Array) -> Array:
    """max(0, d), with NaN kept."""
    return np.where(d <= 0, d.dtype.type(0), d)


# -- parameters ----------------------------------------------------------------------------------------------


def check_choices(*, reduction: str = "mean", p: int = 1) -> None:
    """Raise ValueError for a reduction or a norm that there is not."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")
    if p not in (1, 2):
        raise ValueError(f"p={p!r} is not supported: pass 1 or 2")


def number(name: str, value: float, dtype: Any) -> Any:
    """A parameter, rounded to the dtype of the scores."""
    info = FINFO(dtype)
    if not abs(value) <= float(info.max):
        raise ValueError(f"{name}={value!r} is not finite in {dtype}: pass a finite number")
    if name == "gamma" and value <= float(info.smallest_subnormal) / 2:
        raise ValueError(f"gamma={value!r} is not positive in {dtype}: pass a number > 0, or use hinge")
    if name == "epsilon" and value < 0:
        raise ValueError(f"epsilon={value!r} is negative: pass a number >= 0")
    return wide(np.asarray(value).astype(dtype))[()]


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
    arrays = {name: np.asarray(x) for name, x in inputs.items()}
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


def signs(targets: Any, scores: Array, name: str = "scores") -> Array:
    """Labels as −1 and +1 in the dtype that is computed in."""
    t = np.asarray(targets)
    same_shape(name, scores, "targets", t)
    if np.iscomplexobj(t):
        raise ValueError(f"targets have dtype {t.dtype}: pass real labels, -1 or +1")
    exact = t.astype(np.float32) if t.dtype.itemsize < 4 else t  # bool and bfloat16 have no == with every number
    insist((exact == 1) | (exact == -1), t, "is not in {-1, +1}")
    return t.astype(scores.dtype)


def classes(targets: Any, scores: Array) -> tuple[Array, Array]:
    """(index (…, 1), own (…, K): is this column the sample's class?)"""
    t = integers(targets)
    k = scores.shape[-1]
    same_shape("scores without their last dimension", scores[..., 0], "targets", t)
    insist((t >= 0) & (t < k), t, f"is not a class index in 0..{k - 1} (scores have {k} columns)")
    index = t.astype(np.intp)[..., None]
    return index, index == np.arange(k)


def members(targets: Any, scores: Array) -> Array:
    """(…, K): is this class among the labels before −1?"""
    t = integers(targets)
    k = scores.shape[-1]
    same_shape("scores", scores, "targets", t)
    before = np.cumsum(t == -1, -1) == 0
    known = ~before | ((t >= 0) & (t < k))
    insist(known, t, f"is neither -1 nor a class index in 0..{k - 1} (scores have {k} columns)")
    named = (t[..., None] == np.arange(k)) & before[..., None]
    again = (named & (np.cumsum(named, -2) > 1)).any(-1)
    insist(~again, t, "stands twice in its row: labels are a set, remove the duplicate")
    return np.asarray(named.any(-2))


def integers(targets: Any) -> Array:
    """The labels as an array. Raises: ValueError where they are no integers."""
    t = np.asarray(targets)
    if t.dtype.kind not in "iu":
        raise ValueError(f"targets have dtype {t.dtype}: pass integers, e.g. targets.astype(int)")
    return t


def insist(known: Any, targets: Array, complaint: str) -> None:
    """Raise for the first label that is not known."""
    if np.all(known):
        return
    at = np.argwhere(~np.asarray(known))[0].tolist()
    label = targets[tuple(at)].item()
    shown = int(label) if float(label).is_integer() else label
    raise ValueError(f"{f'targets{at}' if at else 'targets'} = {shown} {complaint}")


# -- the end of every loss -----------------------------------------------------------------------------------


def weights(weight: Any, loss: Array) -> Array:
    """One weight a sample, in the dtype that is computed in."""
    same_shape("the losses of the samples", loss, "weight", weight)
    return np.asarray(weight).astype(loss.dtype)


def reduce(loss: Array, dtype: Any, reduction: str, weight: Any) -> Any:
    """Weigh the losses of the samples, reduce them, and round to the dtype of the scores."""
    check_choices(reduction=reduction)
    if weight is not None:
        loss = loss * weights(weight, loss)
    if reduction == "mean":
        # each loss is divided before adding: a finite mean never overflows on the way
        n = loss.dtype.type(loss.size)
        loss = (loss / n).sum() if loss.size else loss.sum() * loss.dtype.type(math.nan)
    elif reduction == "sum":
        loss = loss.sum()
    return loss.astype(dtype)


def upstream(cotangent: Any, slope: Array, reduction: str, weight: Any) -> Array:
    """∂output/∂(a sample's loss), times the cotangent. `slope` has their shape and dtype."""
    check_choices(reduction=reduction)
    up = np.asarray(cotangent).astype(slope.dtype)
    if np.shape(up) != (np.shape(slope) if reduction == "none" else ()):
        raise ValueError(f"cotangent has shape {np.shape(up)}: pass the shape of the output, reduction={reduction!r}")
    if reduction == "mean":
        up = up / slope.dtype.type(max(slope.size, 1))
    up = np.broadcast_to(up, np.shape(slope))
    return up if weight is None else up * weights(weight, slope)
