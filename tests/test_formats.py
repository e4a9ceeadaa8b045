"""Rounding, spacing and neighbours of each format, against NumPy and ml_dtypes, which know nothing of rationals."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from flint import fmpq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hingeproof.reference_impls.formats import (
    FORMATS,
    Format,
    exact,
    is_power_of_two,
    log2_floor,
    power_of_two,
    to_float,
)
from hingeproof.reference_impls.margins import GAPS

DTYPES: dict[str, Any] = {
    "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64,
}  # fmt: skip
BITS: dict[str, Any] = {"float16": np.uint16, "bfloat16": np.uint16, "float32": np.uint32, "float64": np.uint64}
each = pytest.mark.parametrize("name", FORMATS)
narrow = pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
quick = settings(max_examples=150, deadline=None, database=None)


def rational(x: Any) -> fmpq:
    q = exact(float(x))
    assert isinstance(q, fmpq)
    return q


def finite(x: Any) -> bool:
    with np.errstate(invalid="ignore"):  # a signalling NaN of bfloat16 is looked at by way of float32
        return bool(np.isfinite(x))


def number(name: str, pattern: int) -> Any:
    """The format's number with these bits (the low ones, as many as it has)."""
    bits = np.dtype(BITS[name])
    return np.array(pattern % (1 << (8 * bits.itemsize)), dtype=bits).view(DTYPES[name])[()]


def next_to(x: Any, direction: float) -> Any:
    kind = type(x)
    with np.errstate(all="ignore"):
        return np.nextafter(x, kind(direction))


patterns = st.integers(0, 2**64 - 1)
low_patterns = st.integers(0, 2**11) | patterns  # small patterns are subnormals


@each
def test_the_constants_are_those_of_the_dtype(name: str) -> None:
    fmt, info = FORMATS[name], ml_dtypes.finfo(DTYPES[name])
    assert fmt.largest == rational(info.max)
    assert fmt.tiny == rational(info.tiny)
    assert fmt.subnormal == rational(info.smallest_subnormal)
    assert 2 * fmt.unit == rational(info.eps)
    assert fmt.largest < fmt.overflow == fmt.largest + fmt.ulp(fmt.largest) / 2


@narrow
@quick
@given(st.floats(allow_nan=False) | st.floats(allow_nan=False, width=32))
@example(65520.0)
@example(math.nextafter(65520.0, 0))
@example(2.0**-25)
@example(math.nextafter(2.0**-25, 1))
@example(2.0**-134)
@example(3 * 2.0**-25)
@example(1 + 2.0**-11)
@example(1 + 3 * 2.0**-11)
@example(-1 - 2.0**-8)
@example(1 + 2.0**-24)
@example(float(np.finfo(np.float32).max) * (1 + 2.0**-25))
def test_a_double_rounds_as_numpy_casts_it(name: str, x: float) -> None:
    with np.errstate(all="ignore"):
        cast = float(np.float64(x).astype(DTYPES[name]))
        rounded_twice = name == "bfloat16" and x != float(np.float32(x))  # ml_dtypes goes by way of float32
    if not rounded_twice:
        assert to_float(FORMATS[name].round(exact(x))) == cast


@each
@quick
@given(low_patterns, st.integers(-9, 9))
def test_rounding_is_to_the_nearer_neighbour_and_to_even_between(name: str, pattern: int, eighths: int) -> None:
    fmt, x = FORMATS[name], number(name, pattern)
    up = next_to(x, math.inf)
    if not (finite(x) and finite(up)):
        return
    low, high = rational(x), rational(up)
    t = fmpq(abs(eighths) % 9, 8)
    even = x if int(np.asarray(x).view(BITS[name])) % 2 == 0 else up
    expected = low if t < fmpq(1, 2) else high if t > fmpq(1, 2) else rational(even)
    assert fmt.round(low + t * (high - low)) == expected
    assert fmt.rounding_error(low + t * (high - low)) == abs(low + t * (high - low) - expected)
    assert fmt.round(-low - t * (high - low)) == -expected
    assert fmt.holds(low)
    assert not fmt.holds((low + high) / 2)


@each
@quick
@given(low_patterns)
def test_ulp_is_the_gap_to_the_next_number_away_from_zero(name: str, pattern: int) -> None:
    x = abs(number(name, pattern))
    if not finite(x):
        return
    up = next_to(x, math.inf)
    gap = rational(up) - rational(x) if finite(up) else rational(x) - rational(next_to(x, 0.0))
    assert FORMATS[name].ulp(rational(x)) == gap
    assert FORMATS[name].ulp(-rational(x)) == gap


@each
@quick
@given(low_patterns, st.integers(-3, 3))
@example(0, -2)
@example(0, 1)
@example(1, -3)
def test_steps_are_nextafter(name: str, pattern: int, ulps: int) -> None:
    x = number(name, pattern)
    if not finite(x):
        return
    expected = x
    for _ in range(abs(ulps)):
        expected = next_to(expected, math.copysign(math.inf, ulps))
    if finite(expected):
        assert FORMATS[name].step(float(x), ulps) == float(expected)


@each
@pytest.mark.parametrize("power", [-3, 0, 1, 7])
@pytest.mark.parametrize("ulps", [-2, -1, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_steps_cross_powers_of_two(name: str, power: int, ulps: int, sign: int) -> None:
    x = expected = DTYPES[name](sign * 2.0**power)
    for _ in range(abs(ulps)):
        expected = next_to(expected, math.copysign(math.inf, ulps))
    assert FORMATS[name].step(float(x), ulps) == float(expected)


@each
def test_a_step_past_the_largest_number_is_infinite(name: str) -> None:
    assert FORMATS[name].step(to_float(FORMATS[name].largest), 1) == math.inf


@each
def test_overflow_begins_half_an_ulp_past_the_largest(name: str) -> None:
    fmt = FORMATS[name]
    below = fmt.overflow - fmpq(1, 10**30)
    assert fmt.round(fmt.overflow) == math.inf
    assert fmt.round(-fmt.overflow) == -math.inf
    assert fmt.round(below) == fmt.largest
    assert fmt.round(-below) == -fmt.largest
    assert fmt.rounding_error(fmt.overflow) == 0


@each
def test_ties_at_the_bottom_go_to_even(name: str) -> None:
    fmt = FORMATS[name]
    eta = fmt.subnormal
    assert [fmt.round(eta * fmpq(n, 2)) / eta for n in range(-5, 6)] == [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2]
    assert fmt.round(eta * fmpq(1, 2) + fmpq(1, 10**400)) == eta
    # the last subnormals run into the first normal number without a gap
    assert fmt.round(fmt.tiny - eta / 4) == fmt.tiny
    assert fmt.holds(fmt.tiny - eta)


@pytest.mark.parametrize("x", [math.inf, -math.inf])
def test_infinities_round_to_themselves(x: float) -> None:
    assert all(fmt.round(x) == x for fmt in FORMATS.values())


def test_nan_stays_nan() -> None:
    assert all(math.isnan(fmt.round(math.nan)) for fmt in FORMATS.values())
    assert math.isnan(exact(math.nan))


@quick
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_and_back(x: float) -> None:
    assert to_float(exact(x)) == x


@quick
@given(st.fractions(), st.integers(-1200, 1200))
def test_to_float_is_the_correctly_rounded_double(x: Any, k: int) -> None:
    q = fmpq(x.numerator, x.denominator) * power_of_two(k)
    assert to_float(q) == to_float(FORMATS["float64"].round(q))


@quick
@given(st.fractions().filter(bool), st.integers(-200, 200))
def test_the_floor_of_a_logarithm(x: Any, k: int) -> None:
    q = fmpq(x.numerator, x.denominator) * power_of_two(k)
    assert power_of_two(log2_floor(q)) <= abs(q) < power_of_two(log2_floor(q) + 1)


def test_powers_of_two() -> None:
    assert [is_power_of_two(fmpq(n, 4)) for n in (-4, 0, 1, 2, 3, 4, 6, 8)] == [
        True, False, True, True, False, True, False, True,
    ]  # fmt: skip
    assert not is_power_of_two(fmpq(2, 3))


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100])
@each
def test_gamma_bounds_a_product_of_rounding_factors(name: str, n: int) -> None:
    """Higham 2002, Lemma 3.1: ∏ (1 + δ_i)^{±1} = 1 + θ_n with |θ_n| ≤ γ_n; extremes (1 + u)^n and (1 − u)^{−n}."""
    fmt = FORMATS[name]
    gamma = fmt.gamma(n)
    assert gamma is not None
    assert gamma == n * fmt.unit / (1 - n * fmt.unit)
    assert (1 + fmt.unit) ** n - 1 <= gamma
    assert 1 / (1 - fmt.unit) ** n - 1 <= gamma


def test_gamma_ends_where_n_u_reaches_one() -> None:
    fmt = Format("tiny", 3, -3, 3)
    assert fmt.gamma(7) == 7
    assert fmt.gamma(8) is None
    assert fmt.gamma(9) is None


@pytest.mark.parametrize("name", ["float16", "float32"])
@quick
@given(st.data())
def test_e_z_is_the_rounding_of_numpy_in_all_three_orders(name: str, data: Any) -> None:
    """interfaces.md: Δ − (a − b), (Δ − a) + b and (Δ + b) − a each round their first operation, then once more."""
    fmt, width = FORMATS[name], 16 if name == "float16" else 32
    a, b, m = (DTYPES[name](data.draw(st.floats(-8, 8, width=width))) for _ in range(3))
    (term,) = GAPS.terms([rational(a), rational(b)], 0, {"margin": rational(m)}, fmt)
    z, d = rational(a) - rational(b), rational(m) - rational(a) + rational(b)
    firsts = zip((a - b, m - a, m + b), (z, rational(m) - rational(a), rational(m) + rational(b)), strict=True)
    assert term.error == max(abs(rational(got) - want) for got, want in firsts)
    for got in (m - (a - b), (m - a) + b, (m + b) - a):
        assert fmt.round(d - term.error) <= rational(got) <= fmt.round(d + term.error)
