"""What is derived of φ, against facts worked by hand and against the definitions themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction as F
from typing import Any

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from hingeproof.reference_impls import losses
from hingeproof.reference_impls.phi import Phi

INF = math.inf


def q(x: Any) -> fmpq:
    x = F(x)
    return fmpq(x.numerator, x.denominator)


@dataclass(frozen=True)
class Facts:
    """By hand. zero_one: bounds the 0–1 loss; falls: nowhere increasing; at: values; limits at −∞ and +∞."""

    phi: Phi
    convex: bool
    falls: bool
    kinks: tuple[Any, ...]
    lipschitz: Any
    smoothness: Any
    zero_from: Any
    zero_one: bool
    limits: tuple[Any, Any]
    at: dict[Any, Any]
    nonnegative: bool = True


H = F(1, 2)
FACTS = {
    "hinge": Facts(
        losses.hinge_phi(q(1)), True, True, (1,), 1, None, 1, True, (INF, 0), {-1: 2, 0: 1, H: H, 1: 0, 3: 0}
    ),
    # Δ = ½ gives ½ at z = 0, below the 0–1 loss
    "hinge ½": Facts(losses.hinge_phi(q(H)), True, True, (H,), 1, None, H, False, (INF, 0), {0: H, H: 0}),
    "squared": Facts(
        losses.squared_hinge_phi(q(1)), True, True, (), None, 2, 1, True, (INF, 0), {-1: 4, 0: 1, H: F(1, 4), 2: 0}
    ),
    "perceptron": Facts(losses.perceptron_phi(), True, True, (0,), 1, None, 0, False, (INF, 0), {-2: 2, 0: 0, 1: 0}),
    # γ = ½: slope from −1 at Δ − γ = ½ to 0 at 1, so φ″ = 1/γ = 2
    "smooth": Facts(
        losses.smooth_hinge_phi(q(1), q(H)), True, True, (), 1, 2, 1, False, (INF, 0),
        {0: F(3, 4), H: F(1, 4), F(3, 4): F(1, 16), 1: 0},
    ),
    "modified Huber": Facts(
        losses.modified_huber_phi(), True, True, (), 4, 2, 1, True, (INF, 0), {-2: 8, -1: 4, 0: 1, H: F(1, 4), 1: 0}
    ),
    "ramp": Facts(
        losses.ramp_phi(), False, True, (0, 1), 1, None, 1, True, (1, 0), {-9: 1, 0: 1, F(1, 4): F(3, 4), 1: 0}
    ),
    "ε": Facts(
        losses.epsilon_phi(q(H)), True, False, (-H, H), 1, None, None, False, (INF, INF), {-2: F(3, 2), 0: 0, 1: H}
    ),
    "ε = 0, |z|": Facts(losses.epsilon_phi(q(0)), True, False, (0,), 1, None, None, False, (INF, INF), {-2: 2, 3: 3}),
    "squared ε": Facts(
        losses.squared_epsilon_phi(q(H)), True, False, (), None, 2, None, False, (INF, INF),
        {-2: F(9, 4), H: 0, 1: F(1, 4)},
    ),
    "identity": Facts(
        losses.identity_phi(q(1)), True, False, (), 1, 0, None, False, (-INF, INF), {-1: -1, 2: 2}, nonnegative=False
    ),
    "1 − z": Facts(
        losses.distance_phi(q(0)), True, True, (), 1, 0, None, False, (INF, -INF), {0: 1, 2: -1}, nonnegative=False
    ),
    "excess": Facts(losses.excess_phi(q(H)), True, False, (H,), 1, None, None, False, (0, INF), {0: 0, 2: F(3, 2)}),
    "z²": Facts(Phi.of([], [[0, 0, 1]]), True, False, (), None, 2, None, False, (INF, INF), {-3: 9, 0: 0}),
    "−z²": Facts(
        Phi.of([], [[0, 0, -1]]), False, False, (), None, 2, None, False, (-INF, -INF), {2: -4}, nonnegative=False
    ),
    "constant": Facts(Phi.of([], [[5]]), True, True, (), 0, 0, None, True, (5, 5), {-1: 5, 1: 5}),
    "min(0, z)": Facts(
        Phi.of([0], [[0, 1], [0]]), False, False, (0,), 1, None, 0, False, (-INF, 0), {-1: -1, 1: 0}, nonnegative=False
    ),
}  # fmt: skip
CONVEX = [name for name, facts in FACTS.items() if facts.convex]
each = pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
rationals = st.fractions(min_value=-4, max_value=4, max_denominator=12)


@each
def test_the_derived_facts_are_those_worked_by_hand(facts: Facts) -> None:
    phi = facts.phi
    assert phi.convex is facts.convex
    assert bool(phi.nonincreasing) is facts.falls
    assert phi.kinks == tuple(map(q, facts.kinks))
    assert phi.lipschitz == (None if facts.lipschitz is None else q(facts.lipschitz))
    assert phi.smoothness == (None if facts.smoothness is None else q(facts.smoothness))
    assert phi.zero_from == (None if facts.zero_from is None else q(facts.zero_from))
    assert bool(phi.bounds_zero_one) is facts.zero_one
    assert bool(phi.nonnegative) is facts.nonnegative
    for sign, limit in zip((-1, 1), facts.limits, strict=True):
        assert phi.limit(sign) == (limit if isinstance(limit, float) else q(limit))


@each
def test_values_are_those_worked_by_hand(facts: Facts) -> None:
    for z, value in facts.at.items():
        assert facts.phi(q(z)) == q(value), z


@each
@settings(max_examples=40, deadline=None, database=None)
@given(rationals, rationals, rationals)
def test_the_facts_hold_by_their_definitions(facts: Facts, a: F, b: F, c: F) -> None:
    phi, (low, middle, high) = facts.phi, sorted(map(q, (a, b, c)))
    at = [phi(z) for z in (low, middle, high)]
    if low < high and facts.convex:
        t = (middle - low) / (high - low)
        assert at[1] <= (1 - t) * at[0] + t * at[2]
    if facts.falls:
        assert at[0] >= at[1] >= at[2]
    if phi.lipschitz is not None:
        assert abs(at[2] - at[0]) <= phi.lipschitz * (high - low)
    if phi.smoothness is not None:
        assert abs(phi.slopes(high)[0] - phi.slopes(low)[0]) <= phi.smoothness * (high - low)
    if phi.zero_from is not None:
        assert phi(max(low, phi.zero_from)) == 0
        assert phi(phi.zero_from - fmpq(1, 1000)) != 0
    if facts.zero_one:
        assert at[0] >= (1 if low <= 0 else 0)
    inside = [phi(low + (high - low) * fmpq(i, 16)) for i in range(17)]
    assert phi.hull(low, high)[0] <= min(inside)
    assert phi.hull(low, high)[1] >= max(inside)
    slopes = [s for i in range(17) for s in phi.slopes(low + (high - low) * fmpq(i, 16))]
    assert phi.slope_hull(low, high)[0] <= min(slopes)
    assert phi.slope_hull(low, high)[1] >= max(slopes)


@each
@settings(max_examples=40, deadline=None, database=None)
@given(rationals)
def test_one_sided_slopes_are_the_limits_of_difference_quotients(facts: Facts, z: F) -> None:
    """On a quadratic f(z + h) = f + a h + b h², so a = (4 f(h/2) − f(h) − 3 f) / h without error."""
    phi = facts.phi
    for at in (q(z), *phi.breaks):
        expected = [(4 * phi(at + h / 2) - phi(at + h) - 3 * phi(at)) / h for h in (fmpq(-1, 10**6), fmpq(1, 10**6))]
        assert list(phi.one_sided_slopes(at)) == expected
        assert phi.slopes(at) == (min(expected), max(expected))
        assert (at in phi.kinks) == (expected[0] != expected[1])


def test_the_hull_of_values_sees_the_vertex_of_a_parabola() -> None:
    assert [FACTS[n].phi.hull(q(-2), q(1)) for n in ("z²", "−z²")] == [(0, 4), (-4, 0)]


GRID = [fmpq(n, 24) for n in range(-24 * 12, 24 * 12 + 1)]


@pytest.mark.parametrize("name", CONVEX)
def test_the_conjugate_is_the_supremum_over_a_grid(name: str) -> None:
    """Slopes of n/4 have their maximiser on the grid of 24ths; a supremum that is still growing at its ends is +∞."""
    phi = FACTS[name].phi
    values = [phi(z) for z in GRID]
    for u in (fmpq(n, 4) for n in range(-20, 21)):
        gains = [u * z - v for z, v in zip(GRID, values, strict=True)]
        grows = gains[0] > gains[1] or gains[-1] > gains[-2]
        assert phi.conjugate(u) == (None if grows else max(gains)), u


@pytest.mark.parametrize("name", CONVEX)
@settings(max_examples=40, deadline=None, database=None)
@given(rationals, rationals)
def test_fenchel_young(name: str, z: F, u: F) -> None:
    phi, conjugate = FACTS[name].phi, FACTS[name].phi.conjugate(q(u))
    if conjugate is not None:
        assert phi(q(z)) + conjugate >= q(u) * q(z)
    for slope in phi.slopes(q(z)):
        of_slope = phi.conjugate(slope)
        assert of_slope is not None
        assert phi(q(z)) + of_slope == slope * q(z)


def test_the_conjugate_of_a_function_that_is_not_convex_is_refused() -> None:
    with pytest.raises(ValueError, match="convex φ only"):
        losses.ramp_phi().conjugate(q(0))


@pytest.mark.parametrize("name", ["hinge", "hinge ½", "perceptron", "ramp", "ε", "ε = 0, |z|", "identity", "min(0, z)"])
def test_a_square_is_the_product_with_itself(name: str) -> None:
    phi = FACTS[name].phi
    assert all((phi**2)(z) == phi(z) ** 2 for z in GRID)
    assert phi**1 == phi


@pytest.mark.parametrize(("phi", "exponent"), [("squared", 2), ("smooth", 2), ("hinge", 3), ("hinge", 0)])
def test_other_powers_are_refused(phi: str, exponent: int) -> None:
    with pytest.raises(ValueError, match="piecewise linear"):
        FACTS[phi].phi ** exponent


@pytest.mark.parametrize(
    ("breaks", "pieces", "message"),
    [
        ([1, 0], [[0], [0], [0]], "ascending breaks"),
        ([0], [[0]], "one piece more"),
        ([], [], "one piece more"),
        ([0], [[1], [0]], "do not join at 0"),
        ([0, 0], [[1], [5], [0]], "do not join at 0"),
    ],
)
def test_what_is_no_function_is_refused(breaks: list[int], pieces: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Phi.of(breaks, pieces)


def test_empty_pieces_are_dropped() -> None:
    assert Phi.of([0, 0, 0], [[0, -1], [7], [8], [0]]) == losses.perceptron_phi()
    assert Phi.of([0, 0, 1, 1], [[0, -1], [7], [0], [8], [-1, 1]]) == Phi.of([0, 1], [[0, -1], [0], [-1, 1]])


def test_the_end_of_the_margin_is_the_least_even_where_a_break_changes_nothing() -> None:
    assert Phi.of([0, 1], [[0, -1], [0], [0]]).zero_from == 0


@each
def test_the_pieces_around_their_anchors_are_the_pieces(facts: Facts) -> None:
    for (anchor, (c0, c1, c2)), (p0, p1, p2) in zip(facts.phi.around, facts.phi.pieces, strict=True):
        assert all(
            c0 + c1 * (z - anchor) + c2 * (z - anchor) ** 2 == p0 + p1 * z + p2 * z**2 for z in (q(-2), q(0), q(3))
        )
    assert all(facts.phi.peak(z) >= abs(facts.phi(z)) <= facts.phi.magnitude(z) for z in GRID)


@pytest.mark.parametrize(
    ("phi", "text"),
    [
        (losses.hinge_phi(q(1)), r"\begin{cases} -z + 1 & z < 1 \\ 0 & 1 \le z \end{cases}"),
        (losses.identity_phi(q(0)), "z"),
        (losses.distance_phi(q(0)), "-z + 1"),
        (Phi.of([], [[0, -1, 2]]), "2z^2 - z"),
        (Phi.of([], [[0]]), "0"),
    ],
)
def test_latex(phi: Phi, text: str) -> None:
    assert phi.latex() == text
