"""Sets of sub-gradients, and exact membership in them up to a box of derived rounding errors.

A set is a Minkowski sum of groups, each the convex hull of a few points. Two cases cover the family:
- at most one group is more than a point and it is a segment: membership is an intersection of intervals;
- every point is a difference e_i − e_j or a single ±e_i: the set, with its box, is a generalised permutohedron
  (Postnikov 2009; Fujishige 2005, §2), whose facets have normals in {0, 1}^K ∪ {0, −1}^K; all of them are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from flint import fmpq

ZERO = fmpq(0)
Point = dict[int, fmpq]
Group = tuple[Point, ...]


@dataclass(frozen=True)
class SubGradients:
    """`box[k]` is the rounding error allowed in coordinate k."""

    groups: tuple[Group, ...]
    box: tuple[fmpq, ...]

    @property
    def fixed(self) -> list[fmpq]:
        """The sum of the groups that are a single point."""
        out = [ZERO] * len(self.box)
        for group in self.groups:
            if len(group) == 1:
                for k, x in group[0].items():
                    out[k] += x
        return out

    @property
    def free(self) -> list[Group]:
        return [g for g in self.groups if len(g) > 1]

    def hull(self) -> list[tuple[fmpq, fmpq]]:
        """The interval of each coordinate, without the box."""
        low = self.fixed
        high = list(low)
        for group in self.free:
            for k in range(len(self.box)):
                values = [p.get(k, ZERO) for p in group]
                low[k] += min(values)
                high[k] += max(values)
        return list(zip(low, high, strict=True))

    def excess(self, gradient: Sequence[fmpq]) -> fmpq:
        """0 for a member; else by how much some direction's support is exceeded beyond the box."""
        rest = [g - f for g, f in zip(gradient, self.fixed, strict=True)]
        free = self.free
        if not free:
            return max([abs(r) - b for r, b in zip(rest, self.box, strict=True)] + [ZERO])
        if len(free) == 1 and len(free[0]) == 2:
            return _segment_excess(free[0], rest, self.box)
        return _cut_excess(free, rest, self.box)


def _segment_excess(ends: Group, rest: list[fmpq], box: Sequence[fmpq]) -> fmpq:
    """Is some t in [0, 1] with |rest − (p + t (q − p))| ≤ box? The intervals of t, coordinate by coordinate."""
    p, q = ends
    low, high, worst = ZERO, fmpq(1), ZERO
    steepest = max(abs(q.get(k, ZERO) - p.get(k, ZERO)) for k in range(len(rest)))
    for k, (r, b) in enumerate(zip(rest, box, strict=True)):
        offset, direction = r - p.get(k, ZERO), q.get(k, ZERO) - p.get(k, ZERO)
        if direction == 0:
            worst = max(worst, abs(offset) - b)
            continue
        a, c = sorted(((offset - b) / direction, (offset + b) / direction))
        low, high = max(low, a), min(high, c)
    return max(worst, (low - high) * steepest)


def _cut_excess(free: list[Group], rest: list[fmpq], box: Sequence[fmpq]) -> fmpq:
    worst = ZERO
    for direction in _cuts(len(rest)):
        support = sum(
            (max(sum((p.get(k, ZERO) for k in direction[1]), ZERO) * direction[0] for p in g) for g in free), ZERO
        )
        reach = sum((rest[k] for k in direction[1]), ZERO) * direction[0]
        slack = sum((box[k] for k in direction[1]), ZERO)
        worst = max(worst, reach - support - slack)
    return worst


def _cuts(width: int) -> Iterator[tuple[int, list[int]]]:
    for chosen in product((False, True), repeat=width):
        cut = [k for k in range(width) if chosen[k]]
        if cut:
            yield 1, cut
            yield -1, cut
