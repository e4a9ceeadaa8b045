"""Sets of sub-gradients, and exact membership in them up to a box of derived rounding errors.

A set is a Minkowski sum of groups, each the convex hull of a few points. Two cases cover the family:
- at most one group is more than a point and it is a segment: membership is an intersection of intervals;
- every point is a difference e_i − e_j or a single ±e_i: the set, with its box, is a generalised permutohedron
  (Postnikov 2009; Fujishige 2005, §2), whose facets have normals in {0, 1}^K ∪ {0, −1}^K; all of them are tried.

`excess` says by how much. `holds` says only whether, and in O(K) for the two sets that many classes give: a star of
segments, and the hull of a star's points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from flint import fmpq

ZERO = fmpq(0)
Point = dict[int, fmpq]
Group = tuple[Point, ...]
_WIDEST = 14  # coordinates whose cuts are all tried


class TooWide(Exception):
    """Membership is not decided: neither a star nor few enough coordinates."""


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

    def holds(self, gradient: Sequence[fmpq]) -> bool:
        """Is it a member, up to the box?

        Raises: TooWide where deciding that would take more than 2^14 cuts.
        """
        rest = [g - f for g, f in zip(gradient, self.fixed, strict=True)]
        parts = _connected([g for g in self.free if any(g)])
        free = {k for part in parts for group in part for point in group for k in point}
        if any(abs(r) > b for k, (r, b) in enumerate(zip(rest, self.box, strict=True)) if k not in free):
            return False
        return all(_part_holds(part, rest, self.box) for part in parts)


def _connected(groups: list[Group]) -> list[list[Group]]:
    """Groups that share coordinates, directly or through others, together."""
    parts: list[tuple[set[int], list[Group]]] = []
    for group in groups:
        touched = {k for point in group for k in point}
        apart = [p for p in parts if not p[0] & touched]
        near = [p for p in parts if p[0] & touched]
        parts = [*apart, (touched.union(*(p[0] for p in near)), [*(g for p in near for g in p[1]), group])]
    return [part for _, part in parts]


def _part_holds(part: list[Group], rest: list[fmpq], box: Sequence[fmpq]) -> bool:
    touched = sorted({k for group in part for point in group for k in point})
    if len(part) == 1 and len(part[0]) == 2:
        steps = {k: i for i, k in enumerate(touched)}
        p, q = ({steps[k]: x for k, x in point.items()} for point in part[0])
        return _segment_excess((p, q), [rest[k] for k in touched], [box[k] for k in touched]) <= 0
    answer = _star_holds(part, rest, box) if len(part) > 1 else _hull_holds(part[0], rest, box)
    if answer is not None:
        return answer
    if len(touched) > _WIDEST:
        raise TooWide(f"{len(touched)} coordinates are tied to one another")
    small = [rest[k] for k in touched], [box[k] for k in touched]
    steps = {k: i for i, k in enumerate(touched)}
    return _cut_excess([tuple({steps[k]: x for k, x in p.items()} for p in g) for g in part], *small) <= 0


def _centre(points: list[Point]) -> int:
    """The coordinate that most points move."""
    count: dict[int, int] = {}
    for point in points:
        for k in point:
            count[k] = count.get(k, 0) + 1
    return max(count, key=lambda k: count[k])


def _star_holds(part: list[Group], rest: list[fmpq], box: Sequence[fmpq]) -> bool | None:
    """Segments that each move a coordinate of their own and the centre; None where they are not such."""
    if any(len(group) != 2 for group in part):
        return None
    centre = _centre([point for group in part for point in group])
    own = [k for p, q in part for k in {*p, *q} - {centre}]
    steps = [q.get(k, ZERO) - p.get(k, ZERO) for k, (p, q) in zip(own, part, strict=False)]
    if len(own) != len(part) or len(set(own)) != len(own) or not all(steps):
        return None
    low = high = ZERO  # of what the segments add up to at the centre
    for k, step, (p, q) in zip(own, steps, part, strict=True):
        start = p.get(k, ZERO)
        ends = sorted(((rest[k] - start - box[k]) / step, (rest[k] - start + box[k]) / step))
        first, last = max(ends[0], ZERO), min(ends[1], fmpq(1))
        if first > last:
            return False
        at = sorted(p.get(centre, ZERO) * (1 - t) + q.get(centre, ZERO) * t for t in (first, last))
        low, high = low + at[0], high + at[1]
    return bool(low - box[centre] <= rest[centre] <= high + box[centre])


def _hull_holds(group: Group, rest: list[fmpq], box: Sequence[fmpq]) -> bool | None:
    """The hull of points that move a coordinate of their own and, all alike, the centre, and perhaps of 0.

    None where they are not such.
    """
    moving = [p for p in group if p]
    centre = _centre(moving)
    own = [k for p in moving for k in p if k != centre]
    reaches = {p.get(centre, ZERO) for p in moving}
    if len(own) != len(moving) or len(set(own)) != len(own) or len(reaches) != 1:
        return None
    (reach,) = reaches
    low = high = ZERO  # of the shares' sum
    for k, p in zip(own, moving, strict=True):
        ends = sorted(((rest[k] - box[k]) / p[k], (rest[k] + box[k]) / p[k]))
        if ends[0] > 1 or ends[1] < 0:
            return False
        low, high = low + max(ends[0], ZERO), high + min(ends[1], fmpq(1))
    if len(moving) == len(group):
        low, high = max(low, fmpq(1)), min(high, fmpq(1))
    high = min(high, fmpq(1))
    if low > high:
        return False
    at = sorted((reach * low, reach * high))
    return bool(at[0] - box[centre] <= rest[centre] <= at[1] + box[centre])


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
