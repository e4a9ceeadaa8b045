"""Both ends of a gap counted anew, for the checker: from the data, a point and a width to exact rationals.

NumPy computes margins one column at a time with a running error bound; a sign within it is settled exactly. Sums are of
digits: every number is cut into small integers, whose products add up below 2^53.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hingeproof.svm.checker import MULTICLASS, BadData, Rejected, read

Array = np.ndarray[Any, Any]
Vector = list[Fraction]
ROWS = 8_192  # of a block, 2^13
BITS = 17  # of a digit: 17 + 17 + 13 < 53
WEIGHTED_BITS = 12  # 12 + 12 + 12 + 13 < 53
EPS = 2.0**-52
SCALE = 4_800  # sums are integers times 2^-SCALE: three of the smallest numbers multiplied are


def near(value: Fraction) -> float:
    """The nearest float, infinite where there is none."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


@dataclass
class _Piece:
    """Over the samples of one constraint and piece: Σ r v, and Σ r v vᵀ; integers times 2^-SCALE."""

    vector: list[int]
    matrix: list[list[int]]

    @property
    def sums(self) -> Vector:
        return [Fraction(v, 1 << SCALE) for v in self.vector]

    def times(self, line: Vector) -> Vector:
        """The matrix times a vector."""
        return [_dot([Fraction(v, 1 << SCALE) for v in row], line) for row in self.matrix]


@dataclass(frozen=True)
class Stated:
    loss: str
    bias: str
    values: dict[str, Fraction]
    ridge: Fraction
    X: Array
    y: Array
    classes: int
    weights: Array | None
    by_class: list[Fraction] | None  # factors by label, in the order of their numbers

    def factor(self, own: int) -> Fraction:
        """The weight of the class that has a constraint."""
        if self.by_class is None:
            return Fraction(1)
        return self.by_class[own if self.scores == 1 else own // self.scores]

    @property
    def scores(self) -> int:
        return self.classes if self.loss in MULTICLASS else 1

    @property
    def C(self) -> Fraction:
        return self.values["C"] if "C" in self.values else 1 / (self.values["nu"] * len(self.X))

    @property
    def kappa(self) -> Fraction:
        """φ(u) = sup a·u − κa²/2."""
        return self.values["gamma"] if self.loss == "smooth_hinge" else Fraction(int(self.loss == "squared_hinge"), 2)

    def constraints(self) -> list[tuple[dict[int, int], Fraction, int]]:
        """(sign by score, constant, factor of the target) of every kind of constraint."""
        if self.loss == "epsilon_insensitive":
            return [({0: -1}, -self.values["epsilon"], 1), ({0: 1}, -self.values["epsilon"], -1)]
        margin = self.values.get("margin", Fraction(0))
        if self.scores == 1:
            return [({0: 1}, margin, 0), ({0: -1}, margin, 0)]
        return [
            ({k: 1, own: -1} if k != own else {}, margin, 0) for own in range(self.scores) for k in range(self.scores)
        ]

    def point(self, c: dict[str, Any], what: str) -> list[Vector]:
        """w and b, one line a score."""
        w, b = (c["w"], c["b"]) if self.loss in MULTICLASS else ([c["w"]], [c["b"]])
        if not isinstance(w, list) or not isinstance(b, list) or len(w) != self.scores or len(b) != self.scores:
            raise Rejected(f"{what}w or {what}b has the wrong length")
        if any(not isinstance(line, list) or len(line) != self.X.shape[1] for line in w):
            raise Rejected(f"{what}w has the wrong length")
        return [[read(v, f"{what}w or {what}b") for v in [*line, s]] for line, s in zip(w, b, strict=True)]

    def blocks(self) -> Iterator[tuple[Array, Array, Array | None]]:
        for start in range(0, len(self.X), ROWS):
            at = slice(start, start + ROWS)
            rows = np.array(self.X[at], dtype=np.float64)
            if self.X.dtype.kind in "iu" and (np.abs(rows) >= 2.0**53).any():
                raise BadData(f"rows {start} and on: integers from 2^53, which float64 may round")
            if not (np.abs(rows) <= 2.0**500).all():
                i, j = (int(v[0]) for v in np.nonzero(~(np.abs(rows) <= 2.0**500)))
                raise BadData(f"row {start + i}, column {j}: {rows[i, j]} is not a number up to 2^500")
            y = self.y[at] if len(self.y) else np.ones(len(rows))
            yield rows, y, None if self.weights is None else self.weights[at]

    def digest(self) -> str:
        sha = hashlib.sha256()
        for rows, _, _ in self.blocks():
            sha.update((rows + 0.0).astype("<f8").tobytes())
        sha.update((self.y + 0.0).astype("<f8").tobytes())
        return sha.hexdigest()

    # -- the two ends ------------------------------------------------------------------------------------------------

    def primal(self, theta: list[Vector]) -> Fraction:
        """The objective of a point."""
        found = _Walk(self, theta, self.kappa).run()
        loss, kappa = found.top, self.kappa
        for own, (line, flat, curved) in enumerate(zip(found.lines, found.flat, found.curved, strict=True)):
            total = flat.sums
            part = _dot(total, line) - kappa / 2 * total[self.X.shape[1]]
            if kappa:
                part += _dot(curved.times(line), line) / (2 * kappa)
            loss += self.factor(own) * part
        value = self.C * loss + sum((v * v for line in theta for v in line[:-1]), Fraction(0)) / 2
        if self.bias == "regularised":
            value += self.ridge / 2 * sum((line[-1] ** 2 for line in theta), Fraction(0))
        return value + (theta[0][-1] if self.loss == "one_class" else 0)

    def dual(self, c: Any) -> Fraction:
        """The dual objective at multipliers that are u/width cut to [0, 1] (projected, in Crammer–Singer)."""
        if not isinstance(c, dict) or set(c) != {"w", "b", "width"}:
            raise Rejected("dual has not w, b and width")
        theta, width = self.point(c, "dual "), read(c["width"], "width")
        if width <= 0 or (self.kappa and width != self.kappa):
            raise Rejected("width must be above 0, and that of the loss where it is smooth")
        d, K, kappa = self.X.shape[1], self.scores, self.kappa
        found = _Walk(self, theta, width).run()
        pulled, gain = [[Fraction(0)] * (d + 1) for _ in range(K)], Fraction(0)
        for own, (constraint, line) in enumerate(zip(self.constraints(), found.lines, strict=True)):
            flat, curved = found.flat[own], found.curved[own]
            factor = self.factor(own)
            sums, moved = [factor * v for v in flat.sums], [factor * v for v in curved.times(line)]
            total = [a + b / width + c for a, b, c in zip(sums, moved, found.single[own], strict=True)]
            signs, constant, target = constraint
            gain += constant * total[d] + (target * total[-1] if target else 0)
            if kappa:
                squares = sums[d] + _dot(moved, line) / width**2
                gain -= kappa / 2 * squares
            for k, sign in signs.items():
                pulled[k] = [a + sign * b for a, b in zip(pulled[k], total[: d + 1], strict=True)]
        wanted = Fraction(-1 if self.loss == "one_class" else 0)
        if self.bias == "free" and any(self.C * line[d] != wanted for line in pulled):
            raise Rejected("the multipliers do not balance: Σ of them over the free bias")
        value = self.C * gain - self.C**2 / 2 * sum((v * v for line in pulled for v in line[:d]), Fraction(0))
        if self.bias == "regularised":
            value -= self.C**2 / (2 * self.ridge) * sum((line[d] ** 2 for line in pulled), Fraction(0))
        return value


def _dot(a: Sequence[Fraction], b: Vector) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


class _Walk:
    """One walk over the rows: which piece each constraint is on, and the sums over the pieces."""

    def __init__(self, problem: Stated, theta: list[Vector], width: Fraction) -> None:
        self.problem, self.theta, self.width = problem, theta, width
        self.d = problem.X.shape[1]
        self.size = self.d + 1 + (problem.loss == "epsilon_insensitive")
        self.lines: list[Vector] = []
        for signs, constant, target in problem.constraints():
            line = [sum((s * theta[k][j] for k, s in signs.items()), Fraction(0)) for j in range(self.d + 1)]
            line[self.d] += constant
            self.lines.append([*line, Fraction(target)][: self.size])
        count = len(self.lines)
        self.flat = [self._empty() for _ in range(count)]
        self.curved = [self._empty() for _ in range(count)]
        self.single = [[Fraction(0)] * self.size for _ in range(count)]  # Crammer–Singer, sample by sample
        self.top = Fraction(0)

    def _empty(self) -> _Piece:
        return _Piece([0] * self.size, [[0] * self.size for _ in range(self.size)])

    def run(self) -> _Walk:
        for rows, y, r in self.problem.blocks():
            V = np.hstack([rows, np.ones((len(rows), 1))])
            if self.size > self.d + 1:
                V = np.hstack([V, y[:, None]])
            flat, curved = self._leading(V, y, r) if self.problem.loss == "crammer_singer" else self._apart(V, y)
            _add(V, r, {k: v for k, v in flat.items() if len(v)}, self.flat, square=False)
            _add(V, r, {k: v for k, v in curved.items() if len(v)}, self.curved, square=True)
        return self

    def _margin(self, V: Array, own: int) -> tuple[Array, Array]:
        """u of a constraint, and an error bound: column by column, each product and sum rounded once."""
        u, size = np.zeros(len(V)), np.zeros(len(V))
        with np.errstate(over="ignore", invalid="ignore"):
            for j, value in enumerate(self.lines[own]):
                term = V[:, j] * near(value)
                u += term
                size += np.abs(term)
            error = (self.size + 4) * EPS * size + self.size * 2.0**-500
        return u, np.where(np.isfinite(u) & np.isfinite(error), error, np.inf)

    def _exact(self, v: Sequence[float], own: int) -> Fraction:
        return _dot([Fraction(x) for x in v], self.lines[own])

    def _of(self, y: Array) -> dict[int, Array]:
        """The samples that have each constraint."""
        everyone = np.arange(len(y))
        if self.problem.loss == "epsilon_insensitive":
            return {0: everyone, 1: everyone}
        if self.problem.scores == 1:
            return {0: np.flatnonzero(y < 0), 1: np.flatnonzero(y > 0)}
        K = self.problem.scores
        return {int(c) * K + k: np.flatnonzero(y == c) for c in range(K) for k in range(K) if k != c}

    def _apart(self, V: Array, y: Array) -> tuple[dict[int, Array], dict[int, Array]]:
        """Every constraint by itself: flat where u ≥ width, curved between 0 and that."""
        capped, width = self.problem.loss != "squared_hinge", self.width
        top = near(width)
        flats, curves = {}, {}
        for own, at in self._of(y).items():
            u, error = self._margin(V[at], own)
            slack = error + top * EPS
            flat, curved = (u > top + slack) & capped, u > error
            doubt = (np.abs(u) <= error) | (capped & (np.abs(u - top) <= slack))
            for i in np.flatnonzero(doubt).tolist():
                value = self._exact(V[at[i]].tolist(), own)
                flat[i], curved[i] = capped and value >= width and value > 0, value > 0
            flats[own], curves[own] = at[flat], at[curved & ~flat] if width else at[:0]
        return flats, curves

    def _leading(self, V: Array, y: Array, r: Array | None) -> tuple[dict[int, Array], dict[int, Array]]:
        """Crammer–Singer: a constraint that leads by the width has all; other samples are looked at one by one."""
        K, n = self.problem.scores, len(y)
        u, error = np.full((n, K), -np.inf), np.zeros((n, K))
        for own, at in self._of(y).items():
            u[at, own % K], error[at, own % K] = self._margin(V[at], own)
        worst = error.max(axis=1)
        first = u.argmax(axis=1)
        lead = u[np.arange(n), first]
        rest = u.copy()
        rest[np.arange(n), first] = 0.0
        ahead = lead - np.maximum(rest, 0.0).max(axis=1)
        top = near(self.width)
        sure = ahead > top + 3 * worst + top * EPS
        flats: dict[int, list[int]] = defaultdict(list)
        for i in np.flatnonzero(sure).tolist():
            flats[int(y[i]) * K + int(first[i])].append(i)
        for i in np.flatnonzero(~sure & ~(lead < -worst)).tolist():
            weight = Fraction(1) if r is None else Fraction(float(r[i]))
            self._one(V[i].tolist(), int(y[i]), weight * self.problem.factor(int(y[i]) * K))
        return {own: np.array(at) for own, at in flats.items()}, {}

    def _one(self, v: list[float], y: int, r: Fraction) -> None:
        """The multipliers of one sample: u/width less the level that makes them add up to at most 1."""
        K = self.problem.scores
        u = {y * K + k: self._exact(v, y * K + k) for k in range(K) if k != y}
        if not self.width:
            self.top += r * max(Fraction(0), max(u.values()))
            return
        z = {own: value / self.width for own, value in u.items()}
        level = Fraction(0)
        if sum((value for value in z.values() if value > 0), Fraction(0)) > 1:
            # the level is where Σ max(0, z − level) = 1; it is one of K − 1 candidates
            high: list[Fraction] = sorted(z.values(), reverse=True)
            levels = [(sum(high[:m], Fraction(0)) - 1) / m for m in range(1, K)]
            level = next(t for t in levels if sum((max(value - t, Fraction(0)) for value in high), Fraction(0)) == 1)
        for own, value in z.items():
            a = max(value - level, Fraction(0)) * r
            if a:
                self.single[own] = [s + a * Fraction(x) for s, x in zip(self.single[own], v, strict=True)]


def _digits(values: Array, bits: int) -> tuple[list[Array], Array]:
    """Integers below 2^bits with values = Σ_l digit_l · 2^(e − bits·(l + 1)), and e by column. Raises: BadData."""
    e = np.frexp(np.abs(values).max(axis=0))[1].astype(np.int64)
    rest = np.ldexp(values, -e)
    if not (np.ldexp(rest, e) == values).all():
        raise BadData("a column holds numbers more than 2^1000 apart: scale the data")
    out: list[Array] = []
    while rest.any() or not out:
        rest = rest * 2.0**bits
        digit = np.trunc(rest)
        rest = rest - digit
        out.append(digit)
    return out, e


def _add(V: Array, r: Array | None, rows: dict[int, Array], into: list[_Piece], *, square: bool) -> None:
    """Add the exact sums over some rows of a block to the pieces."""
    if not rows:
        return
    bits = BITS if r is None else WEIGHTED_BITS
    used = np.unique(np.concatenate(list(rows.values())))
    place = np.zeros(len(V), np.int64)
    place[used] = np.arange(len(used))
    digits, e = _digits(V[used], bits)
    heavy, f = ([np.ones((len(used), 1))], None) if r is None else _digits(r[used, None], bits)
    m, levels = V.shape[1], len(digits)
    wide = np.hstack(digits)
    exponent = [int(e[j]) - bits * (l + 1) for l in range(levels) for j in range(m)]
    for own, at in rows.items():
        part = wide[place[at]]
        for h, weight in enumerate(heavy):
            shift = SCALE + (0 if f is None else int(f[0]) - bits * (h + 1))
            scaled = part * weight[place[at]]
            _collect(scaled.sum(axis=0), exponent, shift, into[own].vector)
            if square:
                for i, line in enumerate((scaled.T @ part).tolist()):
                    _collect(line, exponent, shift + exponent[i], into[own].matrix[i % m])


def _collect(sums: Any, exponent: list[int], shift: int, into: list[int]) -> None:
    m = len(into)
    for i, value in enumerate(sums):
        if value:
            into[i % m] += int(value) << (exponent[i] + shift)
