"""Rows block by block: an array, a memory-mapped file and sparse rows give the same blocks, and so the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hingeproof.errors import UsageError
from hingeproof.svm.exact import Array

MOST = 2**12  # rows of a block: 2^12 products of slices add up below 2^53 (products.py)
CELLS = 2**14  # numbers of a block: it stays in a core's cache
LARGEST = 2.0**500


def blocks(X: Any) -> Iterator[tuple[slice, Array]]:
    """Where, and the float64 rows there. The next block overwrites them."""
    n, d = X.shape
    step = max(64, min(MOST, 1 << ((CELLS // d).bit_length() - 1)))
    buffer = np.empty((step, d))
    for start in range(0, n, step):
        part = X[start : start + step]
        rows = buffer[: part.shape[0]]
        rows[...] = part.toarray() if sparse.issparse(part) else part
        yield slice(start, start + len(rows)), rows


def take(X: Any, at: Array) -> Array:
    """Some rows, as float64."""
    part = X[at]
    return np.array(part.toarray() if sparse.issparse(part) else part, dtype=np.float64)


@dataclass(frozen=True)
class Range:
    """The least and the greatest number of each column."""

    low: Array
    high: Array

    @property
    def greatest(self) -> Array:
        return np.maximum(np.abs(self.low), np.abs(self.high))


def scan(X: Any) -> Range:
    """Look at every number once. Raises: UsageError naming row and column of one that cannot be used."""
    if len(X.shape) != 2 or not X.shape[0] or not X.shape[1]:
        raise UsageError(f"X has shape {X.shape}: it must be (n, d), with at least one row and one column")
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for at, rows in blocks(X):
        low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
        if not (np.maximum(np.abs(low), np.abs(high)) <= LARGEST).all():  # true of NaN too
            i, j = (int(v[0]) for v in np.nonzero(~(np.abs(rows) <= LARGEST)))
            value = rows[i, j]
            why = "above 2^500: divide that column" if np.isfinite(value) else "not a finite number"
            raise UsageError(f"row {at.start + i}, column {j}: {value} is {why}")
    return Range(low, high)
