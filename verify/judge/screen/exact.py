"""The rational oracle's word on one sample, as the laws have it: the screen accepts, and this alone rejects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flint import fmpq

from hingeproof.properties.batch import show
from hingeproof.properties.laws.gradient import describe_set, in_range, show_row, singular
from hingeproof.properties.laws.selection import chosen
from hingeproof.properties.laws.value import describe
from hingeproof.reference_impls.formats import Extended, Format
from hingeproof.reference_impls.oracle import Evaluation, Interval
from hingeproof.reference_impls.sets import TooWide

Kind = Literal["value", "nan", "infinity", "zero", "gradient", "zero_gradient", "masked"]


@dataclass(frozen=True)
class Said:
    """What is said of one answer: judged at all, and if it is wrong, which kind of wrong, with what was allowed."""

    judged: bool = True
    kind: Kind | None = None
    expected: str = ""
    got: str = ""


UNJUDGED, GOOD = Said(judged=False), Said()


def of_value(e: Evaluation, weight: fmpq | None, got: Extended) -> Said:
    """A value: NaN and infinities as limits, 0 exactly past the margin, else within the interval."""
    interval = e.interval(weight)
    if interval is None:
        return UNJUDGED
    if e.finite and e.terms and all(t.low == t.high == 0 for t in e.terms):
        return GOOD if got == 0 else Said(True, "zero", "0.0 exactly", show(got))
    return of_interval(interval, got)


def of_interval(interval: Interval, got: Extended) -> Said:
    """A number against what may be answered."""
    if interval.allows(got):
        return GOOD
    center = interval.center
    kind: Kind = "value" if isinstance(center, fmpq) else "nan" if math.isnan(center) else "infinity"
    return Said(True, kind, describe(interval), show(got))


def of_gradient(
    fmt: Format, row: Sequence[Extended], e: Evaluation, multiplier: fmpq, products: int, got: Sequence[Extended]
) -> Said:
    """A gradient: 0 exactly past the margin and at masked classes, else in the sub-differential."""
    allowed = e.sub_gradients(multiplier, products)
    if allowed is None or singular(e) or not in_range(allowed, fmt.largest):
        return UNJUDGED
    if e.terms and all(t.flat for t in e.terms) and any(g != 0 for g in got):
        return Said(True, "zero_gradient", "0.0 in every component", show_row(got))
    masked = [k for k, x in enumerate(row) if x == -math.inf]
    if any(got[k] != 0 for k in masked):
        return Said(True, "masked", f"0.0 in components {masked}", show_row(got))
    finite = [g for g in got if isinstance(g, fmpq)]
    try:
        if len(finite) == len(got) and allowed.holds(finite):
            return GOOD
    except TooWide:
        return UNJUDGED
    return Said(True, "gradient", describe_set(allowed), show_row(got))


def selection(e: Evaluation, multiplier: fmpq, got: Sequence[Extended]) -> Counter[str]:
    """Which sub-gradients were taken at the sample's kinks."""
    return Counter(chosen(e, multiplier, got) if e.kinked and multiplier != 0 else ())
