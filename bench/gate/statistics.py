"""The statistics of the paired gate: log-ratios of blocks within process pairs. NumPy and SciPy; no timing here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
RESAMPLES = 2_000
LEVEL = 0.99
Decision = Literal["regression", "improvement", "equivalent", "inconclusive"]


@dataclass(frozen=True)
class Estimate:
    """The median log-ratio of all blocks, its interval, and the standard error of the bootstrap."""

    center: float
    low: float
    high: float
    error: float
    narrow: tuple[float, float]  # the 90 % interval: two one-sided tests at 5 %

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def log_ratios(base: Sequence[float], head: Sequence[float]) -> Array:
    """log(head / base), block by block."""
    out: Array = np.log(np.asarray(head, float) / np.asarray(base, float))
    return out


def estimate(pairs: Sequence[Array], *, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES) -> Estimate:
    """Median and hierarchical bootstrap interval: process pairs are drawn first, then the blocks within each.

    Blocks of one pair share their luck (memory layout, the neighbour's load), so they are not independent: a
    bootstrap of blocks alone would be far too sure of itself. The median of all blocks weighs the pairs equally, as
    each is cut to the same number of blocks.
    """
    blocks = min(len(p) for p in pairs)
    table = np.stack([np.asarray(p)[:blocks] for p in pairs])
    random = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for i in range(resamples):
        rows = random.integers(0, len(table), len(table))
        columns = random.integers(0, blocks, (len(table), blocks))
        drawn[i] = np.median(table[rows[:, None], columns])
    tail = (1 - level) / 2
    low, high, five, ninety_five = np.quantile(drawn, [tail, 1 - tail, 0.05, 0.95])
    return Estimate(float(np.median(table)), float(low), float(high), float(drawn.std(ddof=1)), (five, ninety_five))


@dataclass(frozen=True)
class Judged:
    """What a case came to. Effects are fractions: 0.05 is five percent slower than the base."""

    decision: Decision
    effect: float
    low: float
    high: float
    floor: float
    smallest: float
    p: float


def judge(pairs: Estimate, lane: Estimate, *, threshold: float = 0.02, equivalence: float = 0.03) -> Judged:
    """Regression: the interval's lower end is over max(threshold, floor). Equivalent: TOST within ±equivalence.

    floor: how far from 1 the base was from itself (the A/A lane). Where that lane's own interval leaves out 1, these
    intervals are too narrow on this machine, and the whole of it is the floor. `smallest`: the effect that these blocks
    would have shown. `p`: one-sided, that the slow-down is not over max(threshold, floor), by the bootstrap's standard
    error.
    """
    from scipy.stats import norm

    at_odds = lane.low > 0 or lane.high < 0
    floor = max(abs(lane.low), abs(lane.high)) if at_odds else abs(lane.center)
    limit = max(math.log1p(threshold), floor)
    decision: Decision = "inconclusive"
    if pairs.low > limit:
        decision = "regression"
    elif pairs.high < -limit:
        decision = "improvement"
    elif -math.log1p(equivalence) < pairs.narrow[0] and pairs.narrow[1] < math.log1p(equivalence):
        decision = "equivalent"
    error = max(pairs.error, 1e-9)
    return Judged(
        decision, math.expm1(pairs.center), math.expm1(pairs.low), math.expm1(pairs.high), math.expm1(floor),
        math.expm1(limit + pairs.half_width), float(norm.sf((pairs.center - limit) / error)),
    )  # fmt: skip


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values: a case is flagged where its own is at most the false discovery rate wanted."""
    from scipy.stats import false_discovery_control

    return [] if not ps else [float(p) for p in false_discovery_control(np.asarray(ps), method="bh")]


def clopper_pearson(hits: int, runs: int, level: float = 0.95) -> tuple[float, float]:
    """Exact bounds of a proportion."""
    from scipy.stats import binomtest

    interval = binomtest(hits, runs).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)
