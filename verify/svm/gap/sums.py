"""Which piece of the loss each sample is on, decided exactly, and the exact sums over each piece.

With v = (x, 1, t) a margin is u = v·λ, λ known by cell. On a flat piece a multiplier is constant and what counts is
Σ r v; on a curved one it is linear in u, and Σ r v vᵀ says all. Both ends of the gap are algebra on these (ends.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from hingeproof.errors import UsageError
from hingeproof.svm.exact import Array, U, integers, power, product, rounded
from hingeproof.svm.gap.objective import Objective, Theta, Z
from hingeproof.svm.gap.products import Products, tops, twofold
from hingeproof.svm.gap.rows import MOST

Vector = list[fmpq]
Matrix = list[list[fmpq]]


@dataclass(frozen=True)
class Curved:
    """Samples whose multipliers on `cells` move together: Σ r v vᵀ; tight: their multipliers add up to 1."""

    cells: tuple[int, ...]
    tight: bool
    matrix: Matrix


@dataclass(frozen=True)
class Sums:
    """By cell Σ r v of the samples whose multiplier is 1, and what is curved."""

    flat: list[Vector]
    curved: list[Curved]


def lambdas(o: Objective, theta: Theta) -> list[Vector]:
    """λ of each cell: u = v·λ."""
    out = []
    for cell in o.cells:
        line = [sum((s * t[j] for s, t in zip(cell.direction, theta, strict=True) if s), Z) for j in range(o.d + 1)]
        line[o.d] += cell.constant
        out.append([*line, fmpq(cell.target)] if o.width > o.d + 1 else line)
    return out


def gather(o: Objective, theta: Theta, width: fmpq) -> Sums:
    """The sums at a point, for multipliers u/width cut to [0, 1] (u > 0 gives 1 where the width is 0). One pass."""
    look = _Sorter(o, theta, width)
    keep = _Keeper(o)
    for at, V in o.blocks():
        r = None if o.weights is None else o.weights[at]
        keep.take(V, r, look.block(V, o.y[at]))
    return keep.sums()


# -- deciding ----------------------------------------------------------------------------------------------------------

Pattern = tuple[tuple[int, ...], bool]


@dataclass(frozen=True)
class Sorted:
    """Of a block: which constraints have multiplier 1 (by cell), and the rows of each curved pattern."""

    flat: Array
    curved: dict[Pattern, Array]


class _Sorter:
    def __init__(self, o: Objective, theta: Theta, width: fmpq) -> None:
        self.o, self.width = o, width
        self.capped = o.capped
        self.lambdas = lambdas(o, theta)
        self.theta = np.array([[rounded(v) for v in line] for line in theta])
        # |Σ v θ| and what is added to it, at most: an error bound of any margin (Higham 2002, §3.1)
        reach = np.abs(self.theta).max(axis=0) * (1 if o.scores == 1 else 2)
        self.constant = max(abs(rounded(cell.constant)) for cell in o.cells)
        target = [1.0] if o.width > o.d + 1 else []
        self.reach = np.concatenate([reach, target])
        self.under = o.width * 2.0**-500 * float(np.finfo(float).tiny) + 2.0**-1000 * (o.width + 8)
        self.error = self._error(o.range.greatest)

    def _error(self, size: Array) -> Array:
        """Of a margin, where the columns have at most this size."""
        o = self.o
        bound = (o.width + 10) * 2 * U * (size @ self.reach + self.constant)
        return np.asarray(bound + size.sum(axis=-1) * 2.0**-1073 + self.under)

    def block(self, V: Array, y: Array) -> Sorted:
        o = self.o
        u = o.margins(V[:, : o.d + 1] @ self.theta.T, y)
        cells = o.cells_of(y)
        if o.loss == "crammer_singer":
            return self._leaders(V, u, cells)
        high = rounded(self.width)
        edge = self.error + abs(high) * 2 * U
        flat = u >= high + edge if self.capped else np.zeros(u.shape, dtype=bool)
        curved = (u >= self.error) & ~flat if self.width else np.zeros(u.shape, dtype=bool)
        doubt = (np.abs(u) < self.error) | (self.capped & (np.abs(u - high) < edge))
        rows, columns = np.nonzero(doubt)
        if len(rows):
            one, two = self._decide(V, u, cells, rows, columns)
            flat[rows, columns], curved[rows, columns] = one, two
        patterns: dict[Pattern, Array] = {}
        if curved.any():
            for cell in np.unique(cells[curved]).tolist():
                patterns[(cell,), False] = np.nonzero(curved & (cells == cell))[0]
        return Sorted(self._by_cell(flat, cells), patterns)

    def _decide(self, V: Array, u: Array, cells: Array, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Flat and curved, of constraints in doubt: by the error bound of their own row, then exactly."""
        own, error = u[rows, columns], self._error(np.abs(V[rows]))
        high = rounded(self.width)
        edge = error + abs(high) * 2 * U
        flat = (own >= high + edge) & self.capped
        positive = own >= error
        open_ = (np.abs(own) < error) | (self.capped & (np.abs(own - high) < edge))
        at = np.flatnonzero(open_)
        exact = self._exact(V[rows[at]], cells[rows[at], columns[at]])
        for i, value in zip(at.tolist(), exact, strict=True):
            flat[i] = self.capped and value >= self.width and value > 0
            positive[i] = value > 0
        return flat, positive & ~flat & (self.width != 0)

    def _exact(self, V: Array, cells: Array) -> Vector:
        """u exactly, of rows on their cells."""
        out = [Z] * len(V)
        for cell in np.unique(cells).tolist():
            at = np.flatnonzero(cells == cell)
            flat, e = integers(V[at].ravel())
            unit = power(e)
            for i, dot in zip(at.tolist(), product(flat, len(at), self.lambdas[cell]), strict=True):
                out[i] = dot * unit
        return out

    def _by_cell(self, flat: Array, cells: Array) -> Array:
        """0 and 1 by row and cell."""
        out = np.zeros((len(flat), len(self.o.cells)))
        rows, columns = np.nonzero(flat)
        out[rows, cells[rows, columns]] = 1.0
        return out

    def _leaders(self, V: Array, u: Array, cells: Array) -> Sorted:
        """Crammer–Singer: the one constraint that leads by more than the width, or the face of the simplex."""
        rows = np.arange(len(u))
        top = u.argmax(axis=1)
        first = u[rows, top]
        rest = u.copy()
        rest[rows, top] = -np.inf
        second = np.maximum(rest.max(axis=1), 0.0)
        edge = 2 * self.error + abs(rounded(self.width)) * 4 * U
        sure = first - rounded(self.width) >= second + edge
        flat = np.zeros(u.shape, dtype=bool)
        flat[rows[sure], top[sure]] = True
        faces: dict[Pattern, list[int]] = defaultdict(list)
        for i in np.flatnonzero(~sure & (first > -self.error)).tolist():
            others = np.flatnonzero(np.isfinite(u[i]))
            free, tight = self._face(self._exact(np.repeat(V[i : i + 1], len(others), axis=0), cells[i, others]))
            if tight and len(free) == 1:
                flat[i, others[free[0]]] = True
            elif free:
                faces[tuple(int(cells[i, others[k]]) for k in free), tight].append(i)
        return Sorted(self._by_cell(flat, cells), {key: np.array(v) for key, v in faces.items()})

    def _face(self, u: Vector) -> tuple[list[int], bool]:
        """Where the projection of u/width on {a ≥ 0, Σ a ≤ 1} is not 0, and whether it adds up to 1."""
        order = sorted(range(len(u)), key=lambda k: u[k], reverse=True)
        if self.width == 0:
            return ([order[0]], True) if u[order[0]] > 0 else ([], False)
        positive = [k for k in order if u[k] > 0]
        if sum((u[k] for k in positive), Z) <= self.width:
            return sorted(positive), False
        total, free = Z, list[int]()
        for k in order:
            if (total + u[k] - self.width) < u[k] * (len(free) + 1):
                free.append(k)
                total += u[k]
            else:
                break
        return sorted(free), True


# -- adding up ---------------------------------------------------------------------------------------------------------


class _Keeper:
    """Exact sums, block by block."""

    def __init__(self, o: Objective) -> None:
        self.o, size = o, o.range.greatest
        self.top = tops(size)
        self.heavy = None if o.weights is None else float(o.weights.max())
        cells = len(o.cells)
        self.flat = Products(None if self.heavy is None else np.repeat(tops(np.array([self.heavy])), cells), self.top)
        self.curved: dict[Pattern, _Square] = {}

    def take(self, V: Array, r: Array | None, what: Sorted) -> None:
        at = np.flatnonzero(what.flat.any(axis=1))
        if len(at):
            L = what.flat[at]
            self.flat.add(L if r is None else L * r[at, None], V[at])
        for pattern, rows in what.curved.items():
            if pattern not in self.curved:
                self.curved[pattern] = _Square(self.top, self.heavy)
            self.curved[pattern].add(V[rows], None if r is None else r[rows])

    def sums(self) -> Sums:
        o = self.o
        flat = [_scaled(v, o.factor(cell)) for cell, v in enumerate(self.flat.total(len(o.cells), o.width))]
        curved = []
        for (cells, tight), square in self.curved.items():
            factor = o.factor(cells[0])  # one sample's cells have one class
            curved.append(Curved(cells, tight, [_scaled(line, factor) for line in square.total()]))
        return Sums(flat, curved)


def _scaled(v: Vector, factor: fmpq) -> Vector:
    return v if factor == 1 else [factor * x for x in v]


class _Square:
    """Σ r v vᵀ, exactly; rows are collected until they fill a block."""

    def __init__(self, top: Array, heavy: float | None) -> None:
        left = top if heavy is None else top + tops(np.array([heavy]))
        self.top, self.products, self.count = top, Products(left, top), 0
        self.held: list[tuple[Array, Array | None]] = []

    def add(self, V: Array, r: Array | None) -> None:
        if self.count + len(V) > MOST:
            self._empty()
        self.held.append((V, r))
        self.count += len(V)

    def _empty(self) -> None:
        V = np.concatenate([rows for rows, _ in self.held])
        weights = [r for _, r in self.held if r is not None]
        if not weights:
            self.products.add(V, V)
        else:
            r = np.concatenate(weights)[:, None]
            size = np.abs(r * V)
            if ((size < 2.0**-900) & (V != 0) & (r != 0)).any():
                raise UsageError("a weight times a number of its row is below 2^-900: scale the data")
            for part in twofold(r, V):
                self.products.add(part, V)
        self.held, self.count = [], 0

    def total(self) -> Matrix:
        if self.held:
            self._empty()
        return self.products.total(len(self.top), len(self.top))


def dot(a: Sequence[fmpq], b: Sequence[fmpq]) -> fmpq:
    return sum((x * y for x, y in zip(a, b, strict=True)), Z)


def times(matrix: Matrix, vector: Vector) -> Vector:
    return [dot(line, vector) for line in matrix]
