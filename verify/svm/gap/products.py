"""Exact sums of products of float64 columns, at the speed of a BLAS.

Every column is cut into slices, integers of few bits times a power of two (Ozaki, Ogita, Oishi, Rump 2012).
Products of two slices, summed over a block of rows, are integers below 2^53: no order of summation and no fused
operation rounds them.
"""

from __future__ import annotations

import numpy as np
from flint import fmpq

from hingeproof.svm.exact import Array, power
from hingeproof.svm.gap.rows import MOST

ROOM = 53 - (MOST.bit_length() - 1)  # bits of the product of two slices
LEAST = -1074  # exponent of the smallest float
FLUSH = 512  # blocks whose sums an int64 holds


def tops(greatest: Array) -> Array:
    """Exponents e with every number of a column at most 2^e."""
    exponent = np.frexp(greatest)[1].astype(np.int64)
    return np.asarray(np.where(greatest > 0, exponent, LEAST))


def exponents(top: Array, bits: int, level: int) -> Array:
    """The unit of each column in a slice, as an exponent of two."""
    return np.asarray(np.maximum(top - bits * (level + 1), LEAST))


def slices(values: Array, top: Array, bits: int) -> list[Array]:
    """Integers I_0, I_1, … of at most `bits` bits with values = Σ_s I_s · 2^exponents(top, bits, s), exactly."""
    out: list[Array] = []
    rest = values
    while True:
        unit = exponents(top, bits, len(out))
        # adding 1.5·2^(unit + 52) leaves the multiples of 2^unit (Rump, Ogita, Oishi 2008)
        wall = np.ldexp(1.5, unit + 52)
        part = rest + wall
        part -= wall
        rest = rest - part
        # 2^-unit in two steps, as one may overflow
        half = -unit // 2
        part *= np.ldexp(1.0, half)
        part *= np.ldexp(1.0, -unit - half)
        out.append(part)
        if not rest.any():
            return out


class Products:
    """Σ LᵀR over blocks of rows, exactly. `left` is None where L is 0 or 1 throughout."""

    def __init__(self, left: Array | None, right: Array) -> None:
        self.left, self.right = left, right
        self.left_bits = 1 if left is None else ROOM // 2
        self.right_bits = ROOM - 1 if left is None else ROOM // 2
        self.sums: dict[tuple[int, int], Array] = {}
        self.totals: dict[tuple[int, int], Array] = {}
        self.added = 0

    def add(self, L: Array, R: Array) -> None:
        """Take in a block."""
        right = slices(R, self.right, self.right_bits)
        beside = np.hstack(right)
        if L is R:
            left, over = right, beside
        else:
            left = [L] if self.left is None else slices(L, self.left, self.left_bits)
            over = np.hstack(left)
        whole = over.T @ beside
        a, b = L.shape[1], R.shape[1]
        for s in range(len(left)):
            for t in range(len(right)):
                part = whole[s * a : (s + 1) * a, t * b : (t + 1) * b].astype(np.int64)
                if (s, t) in self.sums:
                    self.sums[s, t] += part
                else:
                    self.sums[s, t] = part
        self.added += 1
        if self.added % FLUSH == 0:
            self._flush()

    def _flush(self) -> None:
        for key, part in self.sums.items():
            self.totals[key] = self.totals.get(key, 0) + part.astype(object)
        self.sums = {}

    def total(self, a: int, b: int) -> list[list[fmpq]]:
        """The sum, as rationals by row."""
        self._flush()
        units = {}
        for s, t in self.totals:
            rows = np.zeros(a, np.int64) if self.left is None else exponents(self.left, self.left_bits, s)
            units[s, t] = rows[:, None] + exponents(self.right, self.right_bits, t)
        least = min((int(unit.min()) for unit in units.values()), default=0)
        out = [[0] * b for _ in range(a)]  # times 2^least
        for key, part in self.totals.items():
            shift = (units[key] - least).tolist()
            for i, j in zip(*(v.tolist() for v in np.nonzero(part)), strict=True):
                out[i][j] += int(part[i, j]) << shift[i][j]
        return [[fmpq(v) * power(least) for v in line] for line in out]


def twofold(a: Array, b: Array) -> tuple[Array, Array]:
    """Floats h and l with a·b = h + l, exactly, where no product is below 2^-900 or above 2^900 (Dekker 1971)."""

    def halves(v: Array) -> tuple[Array, Array]:
        c = v * 134217729.0  # 2^27 + 1 (Veltkamp)
        high = c - (c - v)
        return high, v - high

    h = a * b
    a1, a2 = halves(a)
    b1, b2 = halves(b)
    return h, a2 * b2 - (((h - a1 * b1) - a2 * b1) - a1 * b2)
