"""Which values are surely within the oracle's bound, and which surely have none."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.judge.screen.block import Chunk, asked, greatest, look, some, summed
from hingeproof.judge.screen.overflow import bounds_exist
from hingeproof.judge.screen.shape import Hulls
from hingeproof.judge.screen.wide import Array, errors, number, rounded
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.oracle import amplification, value_roundings

_MORE = 1 + 2.0**-10  # far more than the wide dtype's roundings


def judge_values(block: Chunk, got: Array, *, thorough: bool) -> tuple[Array, Array]:
    """Two masks over the samples: accepted, and without a bound. What is in neither is open."""
    counts = roundings(block)
    once = counts <= 1
    if once.all() or not once.any():
        return _judged(block, got, counts, thorough)
    accepted, unbounded = np.zeros(len(block), bool), np.zeros(len(block), bool)
    for where in (once, ~once):
        accepted[where], unbounded[where] = _judged(block.take(where), got[where], counts[where], thorough)
    return accepted, unbounded


def roundings(block: Chunk) -> Array:
    """The oracle's count: for each sample, or one for all (without axes)."""
    terms = np.asarray(block.margins.terms)
    counts = asked(lambda t: value_roundings(block.loss, block.phi if t else None, t), terms)
    return np.asarray(counts + block.scalings + (block.weight is not None))


def _judged(block: Chunk, got: Array, counts: Array, thorough: bool) -> tuple[Array, Array]:
    strict = bool(counts.max() <= 1)
    dtype = block.dtype(strict)
    seen = None if dtype is None else look(block, dtype, thorough)
    nothing = np.zeros(len(block), bool)
    if dtype is None or seen is None:
        return nothing, nothing
    present = block.margins.present
    gather = greatest if block.loss.aggregate == "max" else summed
    low = gather(seen.low, present)
    high = low if seen.low is seen.high else gather(seen.high, present)
    accepted: Array
    if strict:
        accepted, unbounded = _rounded_once(block, low, high, got, dtype), nothing
    else:
        slack = slack_of(block, seen, counts, dtype)
        scaled = [end * multiple(block, dtype) for end in (low, high)]
        accepted = _within(block, min_of(*scaled), max_of(*scaled), slack, got)
        bounded, unbounded = bounds_exist(block, seen, scaled, dtype)
        accepted &= bounded
        unbounded |= np.isnan(slack)
    # past the margin only 0 is right, whatever the bound
    accepted &= (got == 0) | some((seen.low != 0) | (seen.high != 0), present)
    return accepted, unbounded


def min_of(a: Array, b: Array) -> Array:
    return a if a is b else np.minimum(a, b)


def max_of(a: Array, b: Array) -> Array:
    return a if a is b else np.maximum(a, b)


def multiple(block: Chunk, dtype: Any) -> Any:
    """Factor times weight."""
    factor = block.factor(dtype)
    return factor if block.weight is None else factor * block.weight.astype(dtype)


def _rounded_once(block: Chunk, low: Array, high: Array, got: Array, dtype: Any) -> Array:
    """Where the oracle allows one rounding, both ends are rounded; it is float64 arithmetic that rounds float64."""
    fmt, factor = block.arithmetic.format, block.factor(dtype)
    ends = [low * factor] if low is high else [low * factor, high * factor]
    if fmt.precision == 53 and not block.whole:  # scaled down into the subnormal range it would be rounded twice
        ends = [np.where((e != 0) & (np.abs(e) < to_float(fmt.tiny)), np.nan, e) for e in ends]
    ends = [rounded(e, fmt) for e in ends]
    within: Array = (got == ends[0]) if len(ends) == 1 else (got >= min_of(*ends)) & (got <= max_of(*ends))
    return within | _flushed(block, ends, got)


def _flushed(block: Chunk, ends: list[Array], got: Array) -> Array | bool:
    """Under flush a result below the smallest normal may count as 0."""
    if not block.arithmetic.flush:
        return False
    tiny = to_float(block.arithmetic.format.tiny) / _MORE
    return np.asarray((got == 0) & np.logical_or.reduce([np.abs(e) < tiny for e in ends]))


def slack_of(block: Chunk, seen: Hulls, counts: Array, dtype: Any) -> Array:
    """γ_n · magnitude + n · η · amplification, less the share kept for the wide dtype's own roundings."""
    relative, absolute = errors(block.arithmetic, int(counts.max()), dtype)
    factor = np.abs(block.factor(dtype))
    weight = 1 if block.weight is None else np.abs(block.weight.astype(dtype))
    magnitude = summed(seen.magnitude, block.margins.present) * factor * weight
    amplified = np.where(np.asarray(block.margins.terms) > 0, number(amplification(block.phi), dtype), 1)
    scale = np.maximum(weight, 1) * np.maximum(factor, 1) * amplified
    slack: Array = relative[counts] * magnitude + absolute[counts] * scale
    return slack


def _within(block: Chunk, low: Array, high: Array, slack: Array, got: Array) -> Array:
    fmt = block.arithmetic.format
    inside: Array = (got >= low - slack) & (got <= high + slack)
    if np.isinf(got).any():
        overflow = to_float(fmt.overflow) if fmt.precision < 53 else number(fmt.overflow, low.dtype.type)
        inside = np.where(got == np.inf, high + slack >= overflow, inside)
        inside = np.where(got == -np.inf, low - slack <= -overflow, inside)
    return inside | _flushed(block, [low, high], got)
