"""Where a series changed: e-divisive (Matteson and James 2014, J. Am. Stat. Assoc. 109, §2), on log-ratios.

The energy distance between the points before and after a split needs no model of the noise; a permutation test says
whether it is more than luck. A change must last: no segment is shorter than two points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

PERSISTENCE = 2
LEVEL = 0.05
PERMUTATIONS = 399
SMALLEST = 0.02  # changes below two percent are found now and then, and matter to nobody

Array = np.ndarray[Any, Any]


def energies(distances: Array) -> Array:
    """Q of every split of a segment: mn/(m+n) (2 E|X−Y| − E|X−X′| − E|Y−Y′|), by the matrix of its distances."""
    n = len(distances)
    total = np.zeros((n + 1, n + 1))
    total[1:, 1:] = distances.cumsum(0).cumsum(1)
    out = np.full(n + 1, -np.inf)
    for at in range(PERSISTENCE, n - PERSISTENCE + 1):
        m, k = at, n - at
        before, after = total[at, at], total[n, n] - total[n, at] - total[at, n] + total[at, at]
        between = total[at, n] - total[at, at]
        within = before / (m * (m - 1)) + after / (k * (k - 1))
        out[at] = m * k / (m + k) * (2 * between / (m * k) - within)
    return out


def change_points(values: Sequence[float], *, level: float = LEVEL, seed: int = 0) -> list[int]:
    """The indices at which a new stretch begins, in order. Values are positive: they are compared as logarithms."""
    logs = np.log(np.asarray(values, float))
    random = np.random.default_rng(seed)
    found: list[int] = []
    left = [(0, len(logs))]
    while left:
        low, high = left.pop()
        at = _split(logs[low:high], random, level)
        if at is not None:
            found.append(low + at)
            left += [(low, low + at), (low + at, high)]
    return _large(logs, sorted(found))


def _split(x: Array, random: np.random.Generator, level: float) -> int | None:
    """The best split of a stretch, if it is significant."""
    if len(x) < 2 * PERSISTENCE:
        return None
    distances = np.abs(x[:, None] - x[None, :])
    q = energies(distances)
    at = int(q.argmax())
    beaten = 0
    for _ in range(PERMUTATIONS):
        order = random.permutation(len(x))
        beaten += energies(distances[np.ix_(order, order)]).max() >= q[at] - 1e-12
        if beaten > level * (PERMUTATIONS + 1):
            return None
    return at


def _large(logs: Array, points: list[int]) -> list[int]:
    """Only steps between the medians of neighbouring stretches that matter."""
    bounds = [0, *points, len(logs)]
    kept = []
    for i, at in enumerate(points):
        step = np.median(logs[at : bounds[i + 2]]) - np.median(logs[bounds[i] : at])
        if abs(step) >= math.log1p(SMALLEST):
            kept.append(at)
    return kept


def rises(values: Sequence[float | None]) -> list[int]:
    """Where a number without noise (failures, worst ulp) rose, and stayed up for two points or is the newest."""
    found = []
    for i in range(1, len(values)):
        before, now = values[i - 1] or 0.0, values[i] or 0.0
        stays = i + 1 == len(values) or (values[i + 1] or 0.0) > before
        if now > before and stays:
            found.append(i)
    return found
