"""Exact sums of products: as Fractions have them, whatever the exponents and the number of blocks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hingeproof.svm.gap import products
from hingeproof.svm.gap.products import Products, slices, tops, twofold
from hingeproof.svm.gap.recount import _digits

FLOATS = st.floats(-(2.0**500), 2.0**500) | st.sampled_from([5e-324, -5e-324, 2.0**-1022, 1 - 2.0**-53, 2.0**500])
TABLES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=FLOATS)


def exactly(L: Any, R: Any) -> list[list[Fraction]]:
    columns = [[[Fraction(v) for v in column] for column in M.T.tolist()] for M in (L, R)]
    return [[sum((a * b for a, b in zip(l, r, strict=True)), Fraction(0)) for r in columns[1]] for l in columns[0]]


def added(L: Any, R: Any, left: Any, blocks: int) -> list[list[Fraction]]:
    found = Products(left, tops(np.abs(R).max(axis=0)))
    for at in np.array_split(np.arange(len(L)), blocks):
        found.add(L[at], R[at])
    total = found.total(L.shape[1], R.shape[1])
    return [[Fraction(int(v.p), int(v.q)) for v in line] for line in total]


@settings(max_examples=100, deadline=None)
@given(TABLES, st.integers(1, 3))
def test_products(table: Any, blocks: int) -> None:
    blocks = min(blocks, len(table))
    assert added(table, table[::-1].copy(), tops(np.abs(table).max(axis=0)), blocks) == exactly(table, table[::-1])
    same = Products(tops(np.abs(table).max(axis=0)), tops(np.abs(table).max(axis=0)))
    same.add(table, table)
    total = same.total(table.shape[1], table.shape[1])
    assert [[Fraction(int(v.p), int(v.q)) for v in line] for line in total] == exactly(table, table)
    picks = (table > 0).astype(np.float64)
    assert added(picks, table, None, blocks) == exactly(picks, table)


def test_sums_leave_int64_before_they_overflow(monkeypatch: Any) -> None:
    monkeypatch.setattr(products, "FLUSH", 2)
    ones = np.full((5, 1), 1 - 2.0**-53)
    assert added(ones, ones, tops(np.array([1.0])), 5) == exactly(ones, ones)


def test_a_full_block_of_the_largest_slices_is_exact() -> None:
    """4,096 products of slices nearly as large as their bits allow: two bits more, and sums would pass 2^53."""
    full = (2.0**21 - np.random.default_rng(0).integers(1, 1_000, (4_096, 2))) / 2.0**21
    assert added(full, full[:, ::-1].copy(), tops(full.max(axis=0)), 1) == exactly(full, full[:, ::-1])


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_slices_and_digits_add_up(table: Any) -> None:
    top = tops(np.abs(table).max(axis=0))
    parts = slices(table, top, 20)
    for j in range(table.shape[1]):
        for i in range(len(table)):
            units = [int(products.exponents(top, 20, s)[j]) for s in range(len(parts))]
            whole = sum(
                (Fraction(float(p[i, j])) * Fraction(2) ** e for p, e in zip(parts, units, strict=True)), Fraction(0)
            )
            assert whole == Fraction(float(table[i, j]))
    assert max(float(np.abs(p).max()) for p in parts) <= 2.0**20
    if np.abs(table[table != 0]).min(initial=1) > 2.0**-400:
        digits, e = _digits(table, 17)
        for j in range(table.shape[1]):
            whole = [
                sum(
                    (
                        Fraction(float(d[i, j])) * Fraction(2) ** (int(e[j]) - 17 * (s + 1))
                        for s, d in enumerate(digits)
                    ),
                    Fraction(0),
                )
                for i in range(len(table))
            ]
            assert whole == [Fraction(v) for v in table[:, j].tolist()]


@settings(deadline=None)
@given(st.floats(2.0**-300, 2.0**300), st.floats(-(2.0**500), 2.0**500).filter(lambda v: v == 0 or abs(v) > 2.0**-500))
def test_a_product_in_two_floats(r: float, x: float) -> None:
    high, low = twofold(np.array([r]), np.array([x]))
    assert Fraction(float(high[0])) + Fraction(float(low[0])) == Fraction(r) * Fraction(x)
