"""A batch's sum or mean, judged with the samples' bounds added up as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hingeproof.judge.screen import exact
from hingeproof.judge.screen.block import Chunk, greatest, summed
from hingeproof.judge.screen.blocks import blocks
from hingeproof.judge.screen.exact import GOOD, UNJUDGED, Said
from hingeproof.judge.screen.overflow import rough_peak
from hingeproof.judge.screen.value import multiple, roundings, slack_of
from hingeproof.judge.screen.wide import Array, errors, number, rounded, wide
from hingeproof.properties.batch import Batch, show
from hingeproof.properties.laws.reductions import reduced_interval, reduction_roundings
from hingeproof.reference_impls.formats import exact as rational
from hingeproof.reference_impls.formats import to_float

_RATIONAL = 1 << 13  # samples that the oracle adds up, at a millisecond each
_UNIT = 2.0**-45  # of all that is added up: far more than the wide dtype's roundings


@dataclass
class _Sums:
    """Over a batch: exact losses, what they may be off here, the samples' bounds at least and at most, magnitudes."""

    center: Any = 0
    unsure: Any = 0
    bounds: Any = 0
    most: Any = 0
    size: Any = 0
    peak: Any = 0


def judge_reduced(batch: Batch, value: float, reduction: str) -> Said:
    """Is a sum or mean within the bound that the laws derive for it?

    What lies inside by these sums is right. The rest is added up in rationals; of more than 8,192 samples it is
    rejected outside of four times the bound, and else not judged.
    """
    with np.errstate(all="ignore"):
        sums = _sums(batch)
        said = None if sums is None else _compared(batch, value, reduction, sums)
    if said is not None:
        return said
    if batch.size > _RATIONAL:
        return UNJUDGED
    interval = reduced_interval(batch, reduction)
    return UNJUDGED if interval is None else exact.of_interval(interval, rational(value))


def _sums(batch: Batch) -> _Sums | None:
    dtype = wide(batch.format)
    if dtype is None or any(x is not None and not np.isfinite(x.astype(float)).all() for x in (batch.weight,)):
        return None
    out = _Sums()
    for _, block in blocks(batch):
        if block is None or block.shape(dtype) is None or (block.infinite != 0).any():
            return None
        _add(out, block.finite, dtype)
    return out


def _add(out: _Sums, block: Chunk, dtype: Any) -> None:
    m, table = block.margins, block.shape(dtype)
    assert table is not None
    z = m.x.astype(dtype) if m.y is None else m.x.astype(dtype) - m.y
    seen = table.at(lambda mark: z - mark)
    by = np.broadcast_to(multiple(block, dtype), (len(block),))
    gather = greatest if block.loss.aggregate == "max" else summed
    reach = np.abs(m.x) + (0 if m.y is None else np.abs(m.y)) + 1 + max(abs(p.anchor) for p in table.pieces)
    steep: Array = np.maximum.reduce([abs(p.c1) + 2 * abs(p.c2) * reach for p in table.pieces] + [0 * reach])
    counts = roundings(block)
    slack = np.where(counts > 1, slack_of(block, seen, np.maximum(counts, 2), dtype), 0)
    size = summed(seen.magnitude, m.present) * np.abs(by)
    unit = number(block.arithmetic.format.unit, dtype)
    out.center += (gather(seen.low, m.present) * by).sum()
    out.unsure += (summed(steep * reach, m.present) * np.abs(by)).sum() * np.finfo(dtype).eps * 8
    out.bounds += slack.sum()
    out.most += (slack * 2 + summed(steep * m.error() + 0 * z, m.present) * np.abs(by) + 4 * unit * size).sum()
    out.most += len(block) * number(block.arithmetic.underflow, dtype)
    out.size += size.sum()
    out.peak += (
        rough_peak(block)
        * np.maximum(1, np.abs(by)).sum()
        * max(1, *(abs(to_float(f / block.base)) for f in block.factors))
    )


def _compared(batch: Batch, value: float, reduction: str, sums: _Sums) -> Said | None:
    """Good, surely bad, or not known from these sums alone."""
    dtype = wide(batch.format)
    assert dtype is not None
    n = reduction_roundings(reduction, batch.size)
    relative, absolute = errors(batch.arithmetic, max(n, 2), dtype)
    if np.isnan(relative[-1]):
        return UNJUDGED if batch.size > 1 else None
    if batch.size < 2 or reduction not in ("sum", "mean") or not sums.peak < to_float(batch.format.largest):
        return None
    over = batch.size if reduction == "mean" else 1
    slack = relative[-1] * sums.size / over + absolute[-1] * batch.size
    off = abs(dtype(value) - sums.center / over)
    unsure = (sums.unsure + _UNIT * np.finfo(dtype).eps / np.finfo(np.float64).eps * sums.size) / over
    if rounded(np.array([float(value)]), batch.format)[0] != value:
        unsure += 4 * number(batch.format.unit, dtype) * abs(dtype(value))  # a wider answer has a narrower interval
    if off + unsure <= sums.bounds / over + slack:
        return GOOD
    most = (sums.most / over + slack * 2 + unsure) * 4
    if batch.size > _RATIONAL and (np.isnan(off) or off > most):
        about = f"{show(rational(float(sums.center / over)))}, to within {float(most):.2g}"
        return Said(True, "value", about, show(rational(value)))
    return None
