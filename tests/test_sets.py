"""Membership in sets of sub-gradients, against a linear program that knows nothing of permutohedra."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from hingeproof.reference_impls.sets import Group, Point, SubGradients

quick = settings(max_examples=60, deadline=None, database=None)
eighths = st.integers(-8, 8).map(lambda n: fmpq(n, 8))
boxes = st.sampled_from([fmpq(0), fmpq(1, 16), fmpq(1, 4)])


def beyond(s: SubGradients, g: list[fmpq]) -> float:
    """min t such that g lies in the set with its box widened by t everywhere: above 0 exactly for what is outside.

    Over t and weights λ ≥ 0, one sum to 1 for each group: |g − Σ λ_i p_i| ≤ box + t, coordinate by coordinate.
    """
    points = [(i, p) for i, group in enumerate(s.groups) for p in group]
    sums = np.array(
        [[float(p.get(k, fmpq(0)).p) / float(p.get(k, fmpq(0)).q) for _, p in points] for k in range(len(g))]
    )
    sums = sums.reshape(len(g), len(points))
    at = np.array([float(x.p) / float(x.q) for x in g])
    box = np.array([float(x.p) / float(x.q) for x in s.box])
    one = np.ones((len(g), 1))
    weights = np.array([[float(i == j) for i, _ in points] for j in range(len(s.groups))])
    answer = optimize.linprog(
        [*np.zeros(len(points)), 1.0],
        A_ub=np.block([[sums, -one], [-sums, -one]]),
        b_ub=np.concatenate([at + box, box - at]),
        A_eq=np.hstack([weights, np.zeros((len(s.groups), 1))]) if s.groups else None,
        b_eq=np.ones(len(s.groups)) if s.groups else None,
        bounds=[(0, None)] * len(points) + [(None, None)],
    )
    assert answer.status == 0
    return float(answer.fun)


def gap(plus: int, minus: int, size: fmpq) -> Point:
    return {plus: size, minus: -size}


@st.composite
def weston_watkins(draw: Any, width: int) -> tuple[Group, ...]:
    """One group a rival class: a point or a segment, along e_k − e_c."""
    c, size = draw(st.integers(0, width - 1)), draw(st.sampled_from([fmpq(1), fmpq(-3, 4)]))
    ends = [draw(st.sampled_from([(0,), (1,), (0, 1), (fmpq(1, 2), 1)])) for _ in range(width)]
    return tuple(tuple(gap(k, c, size * t) for t in ends[k]) for k in range(width) if k != c)


@st.composite
def crammer_singer(draw: Any, width: int) -> tuple[Group, ...]:
    """One hull: the tied rivals', and 0 where the maximum is 0."""
    c, size = draw(st.integers(0, width - 1)), draw(st.sampled_from([fmpq(1), fmpq(-3, 4)]))
    tied = draw(st.sets(st.sampled_from([k for k in range(width) if k != c]), min_size=1))
    zero: Group = ({},) if draw(st.booleans()) else ()
    return (tuple(gap(k, c, size) for k in sorted(tied)) + zero,)


@st.composite
def multilabel(draw: Any, width: int) -> tuple[Group, ...]:
    """One segment or point a pair of a label inside and one outside."""
    inside = draw(st.sets(st.integers(0, width - 1), min_size=1, max_size=width - 1))
    out = []
    for j, k in product(sorted(inside), range(width)):
        if k not in inside:
            out.append(tuple(gap(k, j, t / width) for t in draw(st.sampled_from([(fmpq(1),), (fmpq(0), fmpq(1))]))))
    return tuple(out)


@st.composite
def one_vs_rest(draw: Any, width: int) -> tuple[Group, ...]:
    signs = [draw(st.sampled_from([1, -1])) for _ in range(width)]
    ends = [draw(st.sampled_from([(0,), (1,), (0, 1)])) for _ in range(width)]
    return tuple(tuple({k: fmpq(signs[k] * t)} for t in ends[k]) for k in range(width))


SHAPES = {f.__name__: f for f in (weston_watkins, crammer_singer, multilabel, one_vs_rest)}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@st.composite
def sets(draw: Any, shape: Any) -> SubGradients:
    width = draw(st.integers(2, 4))
    return SubGradients(draw(shape(width)), tuple(draw(boxes) for _ in range(width)))


def member(data: Any, s: SubGradients) -> list[fmpq]:
    """A point of the set: a mixture of each group's points, moved within the box."""
    g = [fmpq(0)] * len(s.box)
    for group in s.groups:
        shares = [data.draw(st.integers(0, 4)) for _ in group]
        shares[0] += not sum(shares)
        for p, share in zip(group, shares, strict=True):
            for k, x in p.items():
                g[k] += x * fmpq(share, sum(shares))
    return [x + b * data.draw(st.sampled_from([-1, 0, 1])) for x, b in zip(g, s.box, strict=True)]


@shapes
@quick
@given(st.data())
def test_a_mixture_moved_within_the_box_is_a_member(shape: Any, data: Any) -> None:
    s = data.draw(sets(shape))
    assert s.excess(member(data, s)) == 0


@shapes
@quick
@given(st.data())
def test_membership_is_that_of_the_linear_program(shape: Any, data: Any) -> None:
    """All numbers are multiples of 1/48, so what is outside is outside by far more than the program's tolerance."""
    s = data.draw(sets(shape))
    balanced = data.draw(st.booleans())  # gradients over classes mostly sum to 0: else everything would be outside
    g = [data.draw(eighths) for _ in s.box]
    if balanced and shape is not one_vs_rest:
        g[-1] = -sum(g[:-1], fmpq(0))
    t = beyond(s, g)
    assert (s.excess(g) > 0) == (t > 1e-7), t


@shapes
@quick
@given(st.data())
def test_a_member_moved_a_little_is_judged_as_by_the_linear_program(shape: Any, data: Any) -> None:
    s = data.draw(sets(shape))
    g = member(data, s)
    k = data.draw(st.integers(0, len(g) - 1))
    g[k] += data.draw(st.sampled_from([fmpq(1, 64), fmpq(-1, 64)]))
    t = beyond(s, g)
    assert (s.excess(g) > 0) == (t > 1e-7), t


@shapes
@quick
@given(st.data())
def test_just_inside_and_just_outside(shape: Any, data: Any) -> None:
    """At the furthest point of the boxed set in a direction: 2⁻⁸⁰ further is outside, 2⁻⁸⁰ back into the box is not."""
    s = data.draw(sets(shape))
    d = [data.draw(st.sampled_from([-2, -1, 1, 3])) for _ in s.box]
    g = [(1 if x > 0 else -1) * b for x, b in zip(d, s.box, strict=True)]
    for group in s.groups:
        best = max(group, key=lambda p: sum((x * d[k] for k, x in p.items()), fmpq(0)))
        g = [x + best.get(k, fmpq(0)) for k, x in enumerate(g)]
    tiny = fmpq(1, 2**80)
    assert s.excess(g) == 0
    for k, x in enumerate(d):
        out = list(g)
        out[k] += tiny if x > 0 else -tiny
        assert s.excess(out) > 0
        if s.box[k] > 0:
            out[k] -= 2 * (out[k] - g[k])
            assert s.excess(out) == 0


@quick
@given(st.lists(st.tuples(eighths, eighths), min_size=1, max_size=4), st.data())
def test_a_segment_in_any_direction(ends: list[tuple[fmpq, fmpq]], data: Any) -> None:
    """The losses with one margin need no special direction: cosine and triplet."""
    p, q = ({k: e[i] for k, e in enumerate(ends)} for i in (0, 1))
    s = SubGradients(((p, q),), tuple(data.draw(boxes) for _ in ends))
    assert s.excess(member(data, s)) == 0
    g = [data.draw(eighths) for _ in ends]
    t = beyond(s, g)
    assert (s.excess(g) > 0) == (t > 1e-7), t


def test_a_set_without_groups_is_its_box() -> None:
    s = SubGradients((), (fmpq(0), fmpq(1, 4)))
    assert s.excess([fmpq(0), fmpq(-1, 4)]) == 0
    assert s.excess([fmpq(0), fmpq(1, 2)]) == fmpq(1, 4)
    assert s.excess([fmpq(-1), fmpq(0)]) == 1


def test_the_interval_of_each_coordinate() -> None:
    s = SubGradients(((gap(0, 1, fmpq(1)), {}), ({0: fmpq(2)},)), (fmpq(1), fmpq(1)))
    assert s.hull() == [(2, 3), (-1, 0)]
    assert s.fixed == [2, 0]
    assert len(s.free) == 1


@st.composite
def crammer_singer(draw: Any, width: int) -> tuple[Group, ...]:
    """One group: a hull of e_k − e_c over tied classes, perhaps with 0."""
    c, size = draw(st.integers(0, width - 1)), draw(st.sampled_from([fmpq(1), fmpq(-3, 4)]))
    tied = draw(st.lists(st.sampled_from([k for k in range(width) if k != c]), min_size=1, unique=True))
    zero: Group = ({},) * draw(st.integers(0, 1))
    return ((*(gap(k, c, size) for k in tied), *zero),)


@st.composite
def several_centres(draw: Any, width: int) -> tuple[Group, ...]:
    """Segments of pairs drawn anyhow: stars, chains and cycles."""
    pairs = draw(st.lists(st.permutations(range(width)).map(lambda p: tuple(p[:2])), min_size=1, max_size=5))
    return tuple((gap(a, b, fmpq(1)), {}) for a, b in pairs)


@pytest.mark.parametrize("draw_set", [weston_watkins, crammer_singer, several_centres])
@settings(max_examples=400, deadline=None, database=None)
@given(st.data())
def test_whether_is_by_how_much_at_most_0(draw_set: Any, data: Any) -> None:
    width = data.draw(st.integers(2, 5))
    groups = data.draw(draw_set(width))
    box = tuple(data.draw(boxes) for _ in range(width))
    points = [data.draw(st.sampled_from(g)) for g in groups]
    nudge = st.sampled_from([fmpq(0), fmpq(0), fmpq(1, 16), fmpq(-1, 4), fmpq(5, 16)])
    at = [sum((p.get(k, fmpq(0)) for p in points), fmpq(0)) + data.draw(nudge) for k in range(width)]
    s = SubGradients(groups, box)
    assert s.holds(at) == (s.excess(at) <= 0)
