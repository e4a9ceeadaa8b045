"""The shape φ of a margin loss: a continuous piecewise polynomial of degree at most two, held in exact rationals.

Everything a law needs to know of φ is derived here: sub-gradients, kinks, convexity, constants, conjugate. Nothing is
declared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from flint import fmpq

Poly = tuple[fmpq, fmpq, fmpq]  # c0 + c1 z + c2 z²
ZERO = fmpq(0)
Number = int | fmpq


def _poly(coefficients: Sequence[Number]) -> Poly:
    padded = [fmpq(c) for c in coefficients] + [ZERO] * (3 - len(coefficients))
    return (padded[0], padded[1], padded[2])


def _at(p: Poly, z: fmpq) -> fmpq:
    return p[0] + z * (p[1] + z * p[2])


def _slope(p: Poly, z: fmpq) -> fmpq:
    return p[1] + 2 * z * p[2]


def _extreme(values: list[fmpq | float], pick: Callable[[list[fmpq]], fmpq]) -> fmpq | float:
    """min or max of rationals and infinities (which do not compare with one another)."""
    infinity = -math.inf if pick is min else math.inf
    return infinity if infinity in values else pick([v for v in values if isinstance(v, fmpq)])


@dataclass(frozen=True)
class Phi:
    """`pieces[i]` holds between `breaks[i-1]` and `breaks[i]`; the function is continuous at each break."""

    breaks: tuple[fmpq, ...]
    pieces: tuple[Poly, ...]

    @classmethod
    def of(cls, breaks: Iterable[Number], pieces: Iterable[Sequence[Number]]) -> Phi:
        """Build from break points in ascending order and coefficients in ascending powers; empty pieces are dropped.

        Raises:
            ValueError: the breaks do not ascend, the counts do not fit, or the pieces do not join.
        """
        cuts, polys = [fmpq(b) for b in breaks], [_poly(p) for p in pieces]
        if len(polys) != len(cuts) + 1 or cuts != sorted(cuts):
            raise ValueError("a piecewise polynomial needs ascending breaks and one piece more than breaks")
        kept_cuts, kept = [], [polys[0]]
        for i, cut in enumerate(cuts):
            if i + 1 < len(cuts) and cuts[i + 1] == cut:
                continue  # of breaks that coincide, only the piece after the last remains
            if polys[i + 1] != kept[-1]:
                kept_cuts.append(cut)
                kept.append(polys[i + 1])
        phi = cls(tuple(kept_cuts), tuple(kept))
        for i, b in enumerate(phi.breaks):
            if _at(phi.pieces[i], b) != _at(phi.pieces[i + 1], b):
                raise ValueError(f"the pieces do not join at {b}")
        return phi

    @cached_property
    def _hash(self) -> int:
        return hash((self.breaks, self.pieces))

    def __hash__(self) -> int:  # of rationals it is slow, and facts about φ are cached by φ
        return self._hash

    def __pow__(self, exponent: int) -> Phi:
        if exponent == 1:
            return self
        if exponent != 2 or self.degree > 1:
            raise ValueError("only a piecewise linear φ can be squared here")
        return Phi(self.breaks, tuple((a * a, 2 * a * b, b * b) for a, b, _ in self.pieces))

    def _sides(self, z: fmpq) -> tuple[Poly, Poly]:
        """The pieces that hold just left and just right of z."""
        left = sum(1 for b in self.breaks if b < z)
        right = sum(1 for b in self.breaks if b <= z)
        return self.pieces[left], self.pieces[right]

    def __call__(self, z: fmpq) -> fmpq:
        return _at(self._sides(z)[1], z)

    def slopes(self, z: fmpq) -> tuple[fmpq, fmpq]:
        """The interval of Clarke sub-gradients at z (for convex φ the sub-differential)."""
        left, right = (_slope(p, z) for p in self._sides(z))
        return (left, right) if left <= right else (right, left)

    def one_sided_slopes(self, z: fmpq) -> tuple[fmpq, fmpq]:
        """The left and the right derivative at z."""
        left, right = self._sides(z)
        return _slope(left, z), _slope(right, z)

    def _marks(self, a: fmpq, b: fmpq) -> list[fmpq]:
        return [a, *(c for c in self.breaks if a < c < b), b]

    def slope_hull(self, a: fmpq, b: fmpq) -> tuple[fmpq, fmpq]:
        """The hull of all sub-gradients over [a, b]."""
        # slopes are piecewise linear, so the extremes lie at the ends and on both sides of each break
        bounds = [self.slopes(m) for m in ((a,) if a == b else self._marks(a, b))]
        return min(lo for lo, _ in bounds), max(hi for _, hi in bounds)

    def hull(self, a: fmpq, b: fmpq) -> tuple[fmpq, fmpq]:
        """The least and the greatest value over [a, b]."""
        if a == b:
            value = self(a)
            return value, value
        marks = self._marks(a, b)
        stationary = [-p[1] / (2 * p[2]) for p in self.pieces if p[2] != 0]
        values = [self(m) for m in (*marks, *(s for s in stationary if a < s < b))]
        return min(values), max(values)

    def limit(self, sign: int) -> float | fmpq:
        """The limit of φ at +∞ (sign > 0) or −∞: a rational, or an infinity."""
        p = self.pieces[-1 if sign > 0 else 0]
        leading = p[2] if p[2] != 0 else p[1] * sign
        return p[0] if leading == 0 else math.inf if leading > 0 else -math.inf

    # -- derived facts ---------------------------------------------------------------------------------------------

    @property
    def degree(self) -> int:
        return max(2 if p[2] != 0 else 1 if p[1] != 0 else 0 for p in self.pieces)

    @cached_property
    def kinks(self) -> tuple[fmpq, ...]:
        """Where φ is not differentiable."""
        return tuple(b for b in self.breaks if self.slopes(b)[0] != self.slopes(b)[1])

    @cached_property
    def convex(self) -> bool:
        return all(p[2] >= 0 for p in self.pieces) and all(
            left <= right for left, right in map(self.one_sided_slopes, self.breaks)
        )

    @cached_property
    def nonincreasing(self) -> bool:
        return self._slope_extremes()[1] <= 0

    @property
    def lipschitz(self) -> fmpq | None:
        """The least Lipschitz constant, or None where there is none."""
        low, high = self._slope_extremes()
        return None if isinstance(low, float) or isinstance(high, float) else max(-low, high)

    @property
    def smoothness(self) -> fmpq | None:
        """The least Lipschitz constant of φ′, or None where φ has a kink."""
        return None if self.kinks else max(abs(2 * p[2]) for p in self.pieces)

    @cached_property
    def zero_from(self) -> fmpq | None:
        """The least z from which on φ is 0 for ever: the end of the margin. None where there is none."""
        if self.pieces[-1] != _poly([0]):
            return None
        return self.breaks[-1] if self.breaks else None

    @property
    def bounds_zero_one(self) -> bool:
        """φ ≥ 1 on z ≤ 0 and φ ≥ 0 everywhere: then the loss is an upper bound of the 0–1 loss."""
        return self._least(None, ZERO) >= 1 and self.nonnegative

    @cached_property
    def nonnegative(self) -> bool:
        return self._least(None, None) >= 0

    def _least(self, low: fmpq | None, high: fmpq | None) -> fmpq | float:
        """The infimum over (low, high); None is an infinity."""
        inner = [*self.breaks, *(-p[1] / (2 * p[2]) for p in self.pieces if p[2] != 0)]
        values: list[fmpq | float] = [
            self.limit(-1) if low is None else self(low),
            self.limit(1) if high is None else self(high),
            *(self(b) for b in inner if (low is None or b > low) and (high is None or b < high)),
        ]
        return _extreme(values, min)

    def _slope_extremes(self) -> tuple[fmpq | float, fmpq | float]:
        slopes: list[fmpq | float] = [s for b in self.breaks for s in self.one_sided_slopes(b)]
        for p, sign in ((self.pieces[0], -1), (self.pieces[-1], 1)):
            slopes.append(p[1] if p[2] == 0 else math.inf * sign * (1 if p[2] > 0 else -1))
        return _extreme(slopes, min), _extreme(slopes, max)

    def conjugate(self, slope: fmpq) -> fmpq | None:
        """The convex conjugate φ*(u) = sup_z u z − φ(z) at u = slope, or None where it is +∞ (Rockafellar 1970, §12).

        Raises:
            ValueError: φ is not convex.
        """
        if not self.convex:
            raise ValueError("the conjugate is derived for convex φ only")
        for b in self.breaks:
            low, high = self.slopes(b)
            if low <= slope <= high:
                return slope * b - self(b)
        for i, p in enumerate(self.pieces):
            if p[2] != 0:
                z = (slope - p[1]) / (2 * p[2])
                if (i == 0 or z >= self.breaks[i - 1]) and (i == len(self.breaks) or z <= self.breaks[i]):
                    return slope * z - _at(p, z)
            elif not self.breaks and p[1] == slope:
                return -p[0]
        return None

    # -- for the forward error bound -------------------------------------------------------------------------------

    @cached_property
    def around(self) -> tuple[tuple[fmpq, Poly], ...]:
        """Each piece as (anchor a, coefficients in d = z − a), a being the nearest root of φ among the breaks.

        This is how the formulas are evaluated, `d = Δ − z` first, so it is what the error bound counts.
        """
        roots = [b for b in self.breaks if self(b) == 0]
        out = []
        for i, p in enumerate(self.pieces):
            edges = [self.breaks[j] for j in (i - 1, i) if 0 <= j < len(self.breaks)]
            near = edges[0] if edges else ZERO
            a = min(roots, key=lambda r: abs(r - near)) if roots else ZERO
            out.append((a, (_at(p, a), _slope(p, a), p[2])))
        return tuple(out)

    def _local(self, z: fmpq) -> tuple[fmpq, Poly]:
        """|z − a| and the coefficients around a of the piece at z."""
        anchor, around = self.around[sum(1 for b in self.breaks if b <= z)]
        return abs(z - anchor), around

    def magnitude(self, z: fmpq) -> fmpq:
        """Σ |c_k| |z − a|^k of the piece at z: what relative rounding errors are relative to."""
        d, (c0, c1, c2) = self._local(z)
        return abs(c0) + d * (abs(c1) + d * abs(c2))

    def greatest_magnitude(self, a: fmpq, b: fmpq) -> fmpq:
        """The largest magnitude over [a, b]."""
        ends = [self.magnitude(a), self.magnitude(b)]
        for i, cut in enumerate(self.breaks):  # grows with the distance from the anchor: largest at an end of a piece
            if a < cut <= b:
                for anchor, (c0, c1, c2) in self.around[i : i + 2]:
                    d = abs(cut - anchor)
                    ends.append(abs(c0) + d * (abs(c1) + d * abs(c2)))
        return max(ends)

    def peak(self, z: fmpq) -> fmpq:
        """The largest intermediate result: the square before its coefficient."""
        d, (_, _, c2) = self._local(z)
        return max(self.magnitude(z), d * d if c2 != 0 else d)

    def latex(self, variable: str = "z") -> str:
        """The definition by cases, in LaTeX."""
        if not self.breaks:
            return _poly_latex(self.pieces[0], variable)
        rows = []
        for i, p in enumerate(self.pieces):
            low = f"{self.breaks[i - 1]} \\le {variable}" if i else variable
            high = f" < {self.breaks[i]}" if i < len(self.breaks) else ""
            rows.append(f"{_poly_latex(p, variable)} & {low}{high}")
        return "\\begin{cases} " + " \\\\ ".join(rows) + " \\end{cases}"


def _poly_latex(p: Poly, variable: str) -> str:
    text = ""
    for c, name in ((p[2], f"{variable}^2"), (p[1], variable), (p[0], "")):
        if c != 0:
            size = "" if abs(c) == 1 and name else str(abs(c))
            text += (" - " if c < 0 else " + ") + size + name
    return text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text[3:] or "0"
