"""Timing runs: per case the median with an interval, the share of the roof, and what changed between two runs."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from functools import lru_cache
from statistics import median

import msgspec

from hingeproof.runs.timings import Timing

LEVEL = 0.99
FLOOR = 0.05  # two runs one after the other differ by as much without any cause; the paired gate sees less
RESAMPLES = 1000


class Span(msgspec.Struct, frozen=True):
    """An estimate with the ends of its 99 % interval."""

    low: float
    middle: float
    high: float


class Slower(msgspec.Struct, frozen=True):
    """A case's time in the head over that in the base, each as a ratio to the frozen kernel of its own run."""

    case: str
    change: Span | None
    verdict: str  # slower, faster, same, inconclusive, or why there is none
    base: float | None
    head: float | None


def interval(samples: Sequence[float]) -> Span | None:
    """Return the median with its distribution-free interval (order statistics of the binomial), if there are enough."""
    if not samples:
        return None
    ordered = sorted(samples)
    rank = _rank(len(ordered))
    middle = median(ordered)
    if rank is None:
        return Span(ordered[0], middle, ordered[-1])
    return Span(ordered[rank], middle, ordered[len(ordered) - 1 - rank])


@lru_cache(maxsize=256)
def _rank(n: int) -> int | None:
    """Return the greatest r with P(Binomial(n, ½) ≤ r) ≤ (1 − level)/2; None where n is too small for one."""
    below, rank = 0.0, None
    for r in range(n // 2):
        below += math.comb(n, r) / 2**n if n < 1000 else math.exp(_log_comb(n, r) - n * math.log(2))
        if below > (1 - LEVEL) / 2:
            break
        rank = r
    return rank


def _log_comb(n: int, r: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(r + 1) - math.lgamma(n - r + 1)


def compare(base: Iterable[Timing], head: Iterable[Timing], *, comparable: bool) -> list[Slower]:
    """Return the change of every case that both runs timed, worst first.

    comparable: whether the environments are the same; where not, no change is called slower or faster.
    """
    before = {row.case: row for row in base if row.status == "measured"}
    found = []
    for row in head:
        was = before.get(row.case)
        if was is not None:
            found.append(_slower(row, was, comparable=comparable))
    order = ("slower", "not measured in the head", "faster", "inconclusive", "same")
    return sorted(found, key=lambda s: (order.index(s.verdict) if s.verdict in order else 9, s.case))


def _slower(row: Timing, was: Timing, *, comparable: bool) -> Slower:
    if row.status != "measured":
        return Slower(row.case, None, "not measured in the head", None, None)
    by_ratio = bool(row.ratios and was.ratios)
    if not by_ratio and not comparable:
        return Slower(row.case, None, "not comparable: other machine, no frozen kernel beside it", None, None)
    mine, theirs = (row.ratios, was.ratios) if by_ratio else (row.calls, was.calls)
    if not mine or not theirs:
        return Slower(row.case, None, "no blocks were recorded", None, None)
    change = _bootstrap(row.case, theirs, mine)
    verdict = "inconclusive"
    if change.low > 1 + FLOOR:
        verdict = "slower" if comparable else "slower, in another environment"
    elif change.high < 1 - FLOOR:
        verdict = "faster" if comparable else "faster, in another environment"
    elif change.low >= 1 - FLOOR and change.high <= 1 + FLOOR:
        verdict = "same"
    return Slower(row.case, change, verdict, median(theirs), median(mine))


def _bootstrap(name: str, base: list[float], head: list[float]) -> Span:
    """Return the ratio of medians with its percentile interval, seeded by the case: the same each time."""
    chance = random.Random(name)
    ratios = sorted(
        median(chance.choices(head, k=len(head))) / median(chance.choices(base, k=len(base))) for _ in range(RESAMPLES)
    )
    cut = int((1 - LEVEL) / 2 * RESAMPLES)
    return Span(ratios[cut], median(head) / median(base), ratios[RESAMPLES - 1 - cut])


def seconds(value: float) -> str:
    """Return a time with its unit: `1.23 ms`."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9)):
        if value * scale >= 1 or unit == "ns":
            return f"{value * scale:.3g} {unit}"
    raise AssertionError
