"""What is given to the oracle: decimals, tables and labels, refused by name where float64 does not hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.errors import UsageError
from hingeproof.svm.exact import Array

SMALLEST, LARGEST = Fraction(1, 10**200), Fraction(10**200)  # parameters: floats hold them, and their squares


@dataclass(frozen=True)
class Wide:
    """A table with integers that float64 cannot hold: the nearest float64, and what they leave, also exact."""

    values: Array
    lost: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)


def decimal(name: str, value: Any) -> fmpq:
    """A parameter, read as an exact decimal or rational."""
    if isinstance(value, fmpq):
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        # an exponent of millions is refused before it is made a number
        exponent = re.search(r"[eE]([+-]?\d+)\s*$", str(value))
        if exponent is not None and abs(int(exponent[1])) > 1_000:
            raise UsageError(f"{name} is {value}: it must lie between 1e-200 and 1e200")
        f = Fraction(repr(float(value)) if isinstance(value, float | np.floating) else str(value))
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise UsageError(f"{name} {value!r} is not a number: give a decimal such as 0.1") from error
    if f and not SMALLEST <= abs(f) <= LARGEST:
        raise UsageError(f"{name} is {value}: it must lie between 1e-200 and 1e200")
    return fmpq(f.numerator, f.denominator)


def matrix(X: Any) -> tuple[Any, Array | None]:
    """Float64 rows, dense or CSR, and what they lost of integers beyond 2^53.

    Raises: UsageError naming row and column of what is no finite number, and the kind of array that is not taken.
    """
    X, lost = (_sparse(X), None) if sparse.issparse(X) else _dense(X)
    values = X.data if sparse.issparse(X) else X
    if values.size and float(np.abs(values).max()) > 2.0**500:
        row, column = _largest(X)
        raise UsageError(
            f"row {row}, column {column}: {X[row, column]} is above 2^500, where floating-point solvers overflow: "
            "divide that column"
        )
    if not X.shape[0] or not X.shape[1]:
        raise UsageError(f"X has shape {X.shape}: there is nothing to separate (n = {X.shape[0]}, d = {X.shape[1]})")
    return X, lost


def _sparse(X: Any) -> Any:
    _refuse_kind(X.dtype, "X")
    if X.dtype.kind in "iu" and X.nnz and ((X.data > 2**53) | (X.data < -(2**53))).any():
        raise UsageError("X is sparse and has integers beyond 2^53, which float64 rounds: give it dense")
    X = sparse.csr_array(X, dtype=np.float64)
    X.sum_duplicates()
    if not np.isfinite(X.data).all():
        at = int(np.flatnonzero(~np.isfinite(X.data))[0])
        row = int(np.searchsorted(X.indptr, at, side="right")) - 1
        raise UsageError(f"row {row}, column {X.indices[at]}: {X.data[at]} is not a finite number")
    return X


def _dense(X: Any) -> tuple[Array, Array | None]:
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        X = _frame(X)
    if isinstance(X, Wide):
        return _finite(X.values), X.lost
    if isinstance(X, np.ma.MaskedArray):
        raise UsageError("X is a masked array: fill what is masked, or leave those rows out")
    try:
        table = np.asarray(X)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(_no_number(X) or f"X is not an array of numbers: {error}") from error
    if table.dtype.kind == "f" and isinstance(X, list | tuple):
        _not_rounded(X)
    if table.dtype.kind == "O":
        raise UsageError(_no_number(X) or "X is an object array: give float64 or 64-bit integers")
    if table.dtype.kind in "US":
        try:
            table = table.astype(np.float64)
        except ValueError as error:
            raise UsageError(_no_number(X) or f"X is not an array of numbers: {error}") from error
    _refuse_kind(table.dtype, "X")
    if table.ndim != 2:
        raise UsageError(f"X has shape {table.shape}: it must be (n, d)")
    return wide(table) if table.dtype.kind in "iu" else (_finite(table.astype(np.float64)), None)


def _frame(X: Any) -> Any:
    """A data frame by its columns, so that an integer beside floats is not rounded."""
    columns = [np.asarray(X[name]) for name in X.columns]
    for name, column in zip(X.columns, columns, strict=True):
        _refuse_kind(column.dtype, f"column {name} of X")
    return joined(columns)


def _finite(table: Array) -> Array:
    if not np.isfinite(table).all():
        row, column = (int(v[0]) for v in np.nonzero(~np.isfinite(table)))
        raise UsageError(f"row {row}, column {column}: {table[row, column]} is not a finite number")
    return table


def _not_rounded(X: Any) -> None:
    """Raises: UsageError where NumPy has rounded an integer of a list, because there are floats beside it."""
    for i, row in enumerate(X):
        for j, cell in enumerate(row if isinstance(row, list | tuple) else ()):
            if isinstance(cell, int) and not exact_float(cell):
                raise UsageError(
                    f"row {i}, column {j}: the integer {cell} is rounded beside floats: give an integer array"
                )


def joined(columns: Sequence[Any]) -> Any:
    """Columns of float64 or 64-bit integers side by side: an array, or `Wide` where float64 would round an integer."""
    parts = [wide(c) if c.dtype.kind in "iu" else (c.astype(np.float64), None) for c in columns]
    values = np.stack([v for v, _ in parts], axis=1)
    if all(lost is None for _, lost in parts):
        return values
    return Wide(values, np.stack([np.zeros(len(values)) if lost is None else lost for _, lost in parts], axis=1))


def _refuse_kind(dtype: Any, what: str) -> None:
    """Raises: UsageError for numbers that float64 would round or cut."""
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise UsageError(f"{what} has dtype {dtype}, which float64 does not hold: give float64 or 64-bit integers")


def exact_float(value: int) -> bool:
    """Whether float64 holds an integer."""
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def wide(table: Array) -> tuple[Array, Array | None]:
    """Integers as nearest float64, and what that loses (None where nothing is lost)."""
    high, low = (table >> 32).astype(np.float64) * 2.0**32, (table & 0xFFFFFFFF).astype(np.float64)
    values = high + low
    lost = low - (values - high)  # exact (Dekker 1971): |high| is 0 or above |low|
    return values, lost if lost.any() else None


def _no_number(X: Any) -> str:
    """Where the first cell is that is no number, if X is a table at all."""
    try:
        table = np.asarray(X, dtype=object)
    except ValueError:
        return ""
    if table.ndim != 2:
        return ""
    for i, row in enumerate(table.tolist()):
        for j, cell in enumerate(row):
            try:
                float(cell)
            except (TypeError, ValueError, OverflowError):
                return f"row {i}, column {j}: {cell!r} is not a number"
    return ""


def _largest(X: Any) -> tuple[int, int]:
    if sparse.issparse(X):
        part = X.tocoo()
        at = int(np.argmax(np.abs(part.data)))
        return int(part.row[at]), int(part.col[at])
    row, column = np.unravel_index(int(np.argmax(np.abs(X))), X.shape)
    return int(row), int(column)


def _column(y: Any, n: int) -> Array:
    if isinstance(y, np.ma.MaskedArray):
        raise UsageError("y is a masked array: leave the rows without a label out")
    column = np.asarray(y)
    if column.shape != (n,):
        raise UsageError(f"y has shape {column.shape} where X has {n} rows: it must be ({n},)")
    if column.dtype.kind not in "USO":
        _refuse_kind(column.dtype, "y")
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        raise UsageError(f"row {row}, label: {column[row]} is not a finite number")
    return column


def text(label: Any) -> str:
    """The text of a label: a number as Python writes it, without .0 where it is whole."""
    if isinstance(label, bool | np.bool_):
        return str(int(label))
    if isinstance(label, int | np.integer):
        return str(int(label))
    if isinstance(label, float | np.floating):
        value = float(label)
        return str(int(value)) if value.is_integer() else repr(value)
    return str(label)


def many_labels(y: Any, n: int) -> tuple[Array, tuple[tuple[str, int], ...]]:
    """Class numbers 0 … K−1 in sorted order. Raises: UsageError with one class only."""
    column = _column(y, n)
    found, at = np.unique(column, return_inverse=True)
    if len(found) < 2:
        raise UsageError(f"one class only: every label is {text(found[0])}; there is nothing to separate")
    return at.astype(np.float64), tuple((text(label), i) for i, label in enumerate(found.tolist()))


def two_labels(y: Any, n: int) -> tuple[Array, tuple[tuple[str, int], ...]]:
    """±1, the greater label being +1. Raises: UsageError unless there are exactly two."""
    at, labels = many_labels(y, n)
    if len(labels) > 2:
        shown = ", ".join(name for name, _ in labels[:6])
        raise UsageError(
            f"{len(labels)} labels ({shown}{', …' if len(labels) > 6 else ''}) where a binary loss needs two: "
            "select a pair, or use weston_watkins or crammer_singer"
        )
    return 2 * at - 1, ((labels[0][0], -1), (labels[1][0], 1))


def targets(y: Any, n: int) -> Array:
    column = _column(y, n)
    if column.dtype.kind not in "fiub":
        raise UsageError("row 0, label: epsilon_insensitive needs numbers as targets")
    if column.dtype.kind in "iu" and ((column > 2**53) | (column < -(2**53))).any():
        raise UsageError("y has targets beyond 2^53, which float64 rounds: subtract a constant from them")
    return column.astype(np.float64)
