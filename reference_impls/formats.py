"""The floating-point formats under test: rounding, ulp and neighbours in exact rationals (IEEE 754-2019, §3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from flint import fmpq

Extended = fmpq | float  # a rational, or one of the floats inf, -inf, nan


def exact(x: float) -> Extended:
    """The rational that a float is; infinities and NaN stay floats."""
    x = float(x)
    return fmpq(*x.as_integer_ratio()) if math.isfinite(x) else x


def power_of_two(k: int) -> fmpq:
    return fmpq(1 << k) if k >= 0 else fmpq(1, 1 << -k)


def log2_floor(q: fmpq) -> int:
    """⌊log₂ |q|⌋ for q ≠ 0."""
    n, d = abs(int(q.p)), int(q.q)
    k = n.bit_length() - d.bit_length()
    return k if (n >= d << k if k >= 0 else n << -k >= d) else k - 1


def is_power_of_two(q: fmpq) -> bool:
    n, d = abs(int(q.p)), int(q.q)
    return n != 0 and n & (n - 1) == 0 and d & (d - 1) == 0


@dataclass(frozen=True)
class Format:
    """A binary format with `precision` significant bits and normal exponents `emin`…`emax`."""

    name: str
    precision: int
    emin: int
    emax: int

    @cached_property
    def unit(self) -> fmpq:
        """u, the unit roundoff: half the distance from 1 to the next number."""
        return power_of_two(-self.precision)

    @cached_property
    def tiny(self) -> fmpq:
        """The smallest normal number."""
        return power_of_two(self.emin)

    @cached_property
    def subnormal(self) -> fmpq:
        """η, the smallest positive number."""
        return power_of_two(self.emin - self.precision + 1)

    @cached_property
    def largest(self) -> fmpq:
        return power_of_two(self.emax + 1) - power_of_two(self.emax - self.precision + 1)

    @cached_property
    def overflow(self) -> fmpq:
        """From here on round-to-nearest gives infinity."""
        return self.largest + power_of_two(self.emax - self.precision)

    def ulp(self, q: fmpq) -> fmpq:
        """The spacing of the format's numbers at |q|."""
        k = self.emin if q == 0 else max(log2_floor(q), self.emin)
        return power_of_two(min(k, self.emax) - self.precision + 1)

    def round(self, q: Extended) -> Extended:
        """Round to nearest, ties to even."""
        if not isinstance(q, fmpq) or q == 0:
            return q
        if abs(q) >= self.overflow:
            return math.inf if q > 0 else -math.inf
        quantum = self.ulp(q)
        steps = q / quantum
        n, d = int(steps.p), int(steps.q)
        if d == 1:
            return q
        low, rest = divmod(n, d)
        up = 2 * rest > d or (2 * rest == d and low & 1)
        return (low + 1 if up else low) * quantum

    def holds(self, q: fmpq) -> bool:
        """Is q a number of this format?"""
        return self.round(q) == q

    def rounding_error(self, q: fmpq) -> fmpq:
        """|fl(q) − q| of one correctly rounded operation with the exact result q; 0 past the overflow threshold."""
        rounded = self.round(q)
        return abs(rounded - q) if isinstance(rounded, fmpq) else fmpq(0)

    def gamma(self, n: int) -> fmpq | None:
        """Higham's γ_n = n u / (1 − n u) (Accuracy and Stability of Numerical Algorithms, 2nd ed., Lemma 3.1)."""
        nu = n * self.unit
        return nu / (1 - nu) if nu < 1 else None

    def step(self, x: float, ulps: int) -> float:
        """The number `ulps` places above (below, if negative) x in this format."""
        q = exact(x)
        assert isinstance(q, fmpq)
        for _ in range(abs(ulps)):
            up = ulps > 0
            size = self.ulp(q)
            if q != 0 and (q > 0) != up and is_power_of_two(q) and abs(q) > self.tiny:
                size = size / 2  # the spacing halves below a power of two
            q = q + size if up else q - size
        return to_float(self.round(q))


def to_float(q: Extended) -> float:
    """The nearest float64 (correctly rounded)."""
    if isinstance(q, float):
        return q
    try:
        return int(q.p) / int(q.q)
    except OverflowError:
        return math.inf if q > 0 else -math.inf


FORMATS = {
    f.name: f
    for f in (
        Format("float16", 11, -14, 15),
        Format("bfloat16", 8, -126, 127),
        Format("float32", 24, -126, 127),
        Format("float64", 53, -1022, 1023),
    )
}
