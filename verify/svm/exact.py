"""Exact sums and products of float64 arrays: mantissas as integers, one common power of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat, nmod_mat

Array = np.ndarray[Any, Any]
PRIME = 2**61 - 1
U = 2.0**-53


def rational(x: float) -> fmpq:
    """The exact value of a float."""
    return fmpq(*float(x).as_integer_ratio())


def power(e: int) -> fmpq:
    """2^e."""
    return fmpq(1 << e) if e >= 0 else fmpq(1, 1 << -e)


def mantissas(values: Array) -> tuple[Array, Array]:
    """Odd (or zero) integers m and exponents e with values = m·2^e, exactly."""
    fraction, e = np.frexp(values.astype(np.float64))
    m = (fraction * 2.0**53).astype(np.int64)
    e = e.astype(np.int64) - 53
    low = (m & -m).astype(np.float64)
    shift = np.where(m == 0, 0, np.frexp(low)[1] - 1)
    return m >> shift, np.where(m == 0, 0, e + shift)


def sums(values: Array, columns: Array, count: int) -> list[fmpq]:
    """The exact sum of the values of each column."""
    out = [fmpq(0)] * count
    if not len(values):
        return out
    m, e = mantissas(values)
    least = int(e.min())
    span = int(e.max()) - least + 1
    keys, at = np.unique(columns.astype(np.int64) * span + (e - least), return_inverse=True)
    # |m| < 2^53 is split in halves of 27 and 26 bits: up to 2^26 of them add up exactly in float64
    high = np.bincount(at, weights=(m >> 26).astype(np.float64))
    low = np.bincount(at, weights=(m & (2**26 - 1)).astype(np.float64))
    totals: dict[int, int] = {}
    for key, h, l in zip(keys.tolist(), high.tolist(), low.tolist(), strict=True):
        column, up = divmod(key, span)
        totals[column] = totals.get(column, 0) + (((int(h) << 26) + int(l)) << up)
    unit = power(least)
    for column, total in totals.items():
        out[column] = fmpq(total) * unit
    return out


def integers(values: Array) -> tuple[list[int], int]:
    """Integers and one exponent e with values = integers·2^e, exactly."""
    m, e = mantissas(values)
    if not len(m):
        return [], 0
    some = m != 0
    least = int(e[some].min()) if some.any() else 0
    if int(np.max(np.where(some, e - least, 0), initial=0)) < 9 and int(np.abs(m).max(initial=0)) < 2**53:
        return np.where(some, m << np.where(some, e - least, 0), 0).tolist(), least
    shifts = np.where(some, e - least, 0).tolist()
    return [a << s for a, s in zip(m.tolist(), shifts, strict=True)], least


def pivots(columns: Sequence[Sequence[int]]) -> list[int]:
    """The leftmost maximal set of independent columns, found modulo a prime (so it can only be too small)."""
    if not columns or not columns[0]:
        return []
    rows = [[c[i] % PRIME for c in columns] for i in range(len(columns[0]))]
    reduced, rank = nmod_mat(len(rows), len(columns), [v for row in rows for v in row], PRIME).rref()
    table = reduced.tolist()
    found, at = [], 0
    for r in range(rank):
        while int(table[r][at]) == 0:
            at += 1
        found.append(at)
    return found


def common(values: Sequence[fmpq]) -> tuple[list[fmpz], fmpz]:
    """Numerators over one common denominator."""
    if not values:
        return [], fmpz(1)
    numerators, denominator = fmpq_mat(len(values), 1, list(values)).numer_denom()
    return numerators.entries(), denominator


def product(matrix: list[int], rows: int, vector: Sequence[fmpq]) -> list[fmpq]:
    """A dense integer matrix (by rows) times a rational vector."""
    n, d = common(vector)
    if not rows:
        return []
    if not n:
        return [fmpq(0)] * rows
    dots = (fmpz_mat(rows, len(n), matrix) * fmpz_mat(len(n), 1, n)).entries()
    return [fmpq(x, d) for x in dots]


def rounded(value: fmpq) -> float:
    """The float nearest to a rational; infinite where it overflows."""
    try:
        return int(value.p) / int(value.q)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
