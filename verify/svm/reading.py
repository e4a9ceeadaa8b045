"""Data from files and from scikit-learn's bundled sets. Every trouble is one line that names row and column.

The checker reads files with code of its own, so that no slip is shared: tests hold the two against each other.
"""

from __future__ import annotations

import csv
import io
import math
import re
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from hingeproof.errors import UsageError, among
from hingeproof.svm.given import Wide, exact_float, joined, text

LABELS = ("y", "label", "target", "class")  # columns that are labels where none is named
MOST = 10_000_000  # columns of a LIBSVM file: an index beyond is a slip, and w would not fit in memory
BUNDLED = ("iris", "breast_cancer", "digits")
THIN = (".svm", ".libsvm", ".svmlight")
DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
WHOLE = re.compile(r"[+-]?[0-9]{16,399}\Z")
BROKEN = (
    ValueError, TypeError, KeyError, EOFError, OSError, RuntimeError, OverflowError, MemoryError, SyntaxError,
    tokenize.TokenError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


class Read(NamedTuple):
    """Rows (an array, CSR, or `Wide`), labels (None for one_class), and weights where their column was named."""

    X: Any
    y: Any
    weight: Any


def load(source: str, label: str | None, *, loss: str = "hinge") -> tuple[Any, Any]:
    """X and y (None for one_class) of `source`. Raises: UsageError."""
    X, y, _ = load_weighted(source, label, None, loss=loss)
    return X, y


def load_weighted(source: str, label: str | None, weight: str | None, *, loss: str = "hinge") -> Read:
    """X, y (None for one_class) and the column `weight` of `source`. Raises: UsageError."""
    unlabelled = loss == "one_class"
    suffix = Path(source).suffix.lower()
    named = source.startswith("sklearn:")
    if (named or suffix in THIN) and weight is not None:
        raise UsageError(f"{source}: it has no column {weight!r} of weights: use .csv, .npy, .npz or .parquet")
    if named:
        X, y = bundled(source)
        return Read(X, None if unlabelled else y, None)
    if not Path(source).is_file():
        raise UsageError(f"{source}: no such file")
    if suffix in THIN:
        if label is not None:
            raise UsageError(f"{source}: a LIBSVM file has its labels in front and no column {label!r}")
        X, y = _libsvm(source)
    elif suffix == ".npz":
        return _npz(source, weight, unlabelled)
    elif suffix == ".npy":
        table = _loaded(source)
        table = table[:, None] if table.ndim == 1 else table
        names = [str(j) for j in range(table.shape[1])]
        if label is None and not unlabelled:
            label = "-1"
        return _apart(source, [table[:, j] for j in range(table.shape[1])], names, label, weight, unlabelled, False)
    elif suffix == ".parquet":
        return _parquet(source, label, weight, unlabelled)
    elif suffix == ".csv":
        return _csv(source, label, weight, unlabelled)
    else:
        raise UsageError(f"{source}: unknown kind of file: use .csv, .npy, .npz, .parquet, .libsvm or sklearn:NAME")
    return Read(X, None if unlabelled else y, None)


def _apart(
    source: str, columns: Sequence[Any], names: Sequence[str], label: str | None, weight: str | None, unlabelled: bool,
    named: bool,
) -> Read:  # fmt: skip
    """Columns as features, labels and weights; a column named as labels are is none of the features."""

    def place(name: str) -> int:
        if named:
            if name not in names:
                raise UsageError(f"{source}: label {name!r} not found: the columns are {', '.join(names[:12])}")
            return list(names).index(name)
        if not re.fullmatch("-?[0-9]{1,9}", name):
            raise UsageError(f"{source}: label {name!r} not found: without a header, give the number of a column")
        if not -len(names) <= int(name) < len(names):
            raise UsageError(f"{source}: label {name} not found: there are {len(names)} columns, numbered from 0")
        return int(name) % len(names)

    usual = [name for name in LABELS if named and name in names]
    at = place(label) if label is not None else place(usual[0]) if usual else None
    by = None if weight is None else place(weight)
    if at is None and not unlabelled:
        raise UsageError(f"{source}: label not found: name its column with --label")
    features = [column for j, column in enumerate(columns) if j not in (at, by)]
    if not features:
        raise UsageError(f"{source}: there is no column beside the label")
    y = None if unlabelled or at is None else columns[at]
    return Read(joined(features), y, None if by is None else columns[by])


def _loaded(source: str) -> Any:
    """One NPY array of numbers. Raises: UsageError."""
    try:
        with Path(source).open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):
                raise ValueError("there are bytes after the array")
    except BROKEN as error:
        raise UsageError(f"{source}: cannot be read: {_line(error)}") from error
    return _numbers(source, array)


def _numbers(source: str, array: Any) -> Any:
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise UsageError(f"{source}: dtype {array.dtype} is not numeric: store float64")
    if array.ndim not in (1, 2):
        raise UsageError(f"{source}: shape {array.shape}: it must be (n, d)")
    if not array.shape[0]:
        raise UsageError(f"{source}: n = 0: there are no rows")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array.reshape(len(array), -1)))[0].tolist()
        value = array.reshape(len(array), -1)[row, column]
        raise UsageError(f"{source}: row {row}, column {column}: {value} is not a finite number")
    return array if array.dtype.kind in "iu" else array.astype(np.float64)


def _npz(source: str, weight: str | None, unlabelled: bool) -> Read:
    wanted = ["X", *([] if unlabelled else ["y"]), *([weight] if weight else [])]
    found = {}
    try:
        with zipfile.ZipFile(source) as archive:
            held = archive.namelist()
            short = [name.removesuffix(".npy") for name in held]
            for name in {*wanted, "y"}:
                if short.count(name) > 1:
                    raise UsageError(f"{source}: it holds {name} twice")
            for name in wanted:
                if name not in short:
                    raise UsageError(f"{source}: it holds {', '.join(sorted(short)) or 'nothing'}; X and y are needed")
                with archive.open(held[short.index(name)]) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
                    if file.read(1):
                        raise ValueError(f"there are bytes after {name}")
                found[name] = _numbers(f"{source}: {name}", array)
    except BROKEN as error:
        raise UsageError(f"{source}: cannot be read: {_line(error)}") from error
    X = found["X"] if found["X"].ndim == 2 else found["X"][:, None]
    for name in wanted[1:]:
        column = found[name]
        if column.ndim == 2 and column.shape[1] != 1:
            raise UsageError(f"{source}: {name} has shape {column.shape}: it must be ({len(X)},)")
        if len(column) != len(X):
            raise UsageError(f"{source}: {name} has {len(column)} values where X has {len(X)} rows")
        found[name] = column.ravel()
    y = None if unlabelled else found["y"]
    return Read(X if X.dtype.kind == "f" else joined(list(X.T)), y, found[weight] if weight else None)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def bundled(source: str) -> tuple[Any, Any]:
    """`sklearn:iris`, `sklearn:iris:0-1` (a pair), `sklearn:digits:even-odd`, `sklearn:breast_cancer:standardised`."""
    _, name, *choices = source.split(":")
    among(name, BUNDLED, "bundled data set")
    try:
        from sklearn import datasets
    except ImportError as error:
        raise UsageError("scikit-learn is not installed: pip install 'hingeproof[sklearn]'") from error
    data = getattr(datasets, f"load_{name}")()
    X, y = data.data.astype(np.float64), data.target.astype(np.float64)
    for choice in choices:
        left, dash, right = choice.partition("-")
        if choice == "even-odd" and name == "digits":
            y = y % 2
        elif choice == "standardised":
            spread = X.std(axis=0)
            X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        elif dash and left.isdecimal() and right.isdecimal() and {float(left), float(right)} <= set(y.tolist()):
            keep = np.isin(y, [float(left), float(right)])
            X, y = X[keep], y[keep]
        else:
            raise UsageError(
                f"{source}: {choice!r} selects nothing: give two classes as in 0-1, standardised, or even-odd of digits"
            )
    return X, y


def _parquet(source: str, label: str | None, weight: str | None, unlabelled: bool) -> Read:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("pyarrow is not installed: pip install 'hingeproof[svm]'") from error
    try:
        table = parquet.read_table(source)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{source}: cannot be read: {_line(error)}") from error
    if not table.num_rows:
        raise UsageError(f"{source}: n = 0: there are no rows")
    wanted = label or next((name for name in LABELS if name in table.column_names), None)
    columns = []
    for name in table.column_names:
        values = table[name].to_pylist()
        if name == wanted:
            if None in values:
                raise UsageError(f"{source}: row {values.index(None)}, column {name}: empty label")
            columns.append(np.array(values))
            continue
        for i, value in enumerate(values):
            if not isinstance(value, int | float):
                raise UsageError(f"{source}: row {i}, column {name}: {value!r} is not a number")
            if not math.isfinite(value):
                raise UsageError(f"{source}: row {i}, column {name}: {value} is not a finite number")
        columns.append(np.array(values) if all(type(v) is int for v in values) else np.array(values, dtype=np.float64))
    return _apart(source, columns, table.column_names, label, weight, unlabelled, True)


def _csv(source: str, label: str | None, weight: str | None, unlabelled: bool) -> Read:
    lines, places = _table(source)
    head = lines[0]
    named = not any(DECIMAL.match(cell) for cell in head)
    if named:
        lines, places = lines[1:], places[1:]
        for j, name in enumerate(head):
            if name in head[:j]:
                raise UsageError(f"{source}: row 1: column {name!r} stands there twice")
    if not lines:
        raise UsageError(f"{source}: n = 0: there is a header and no rows")
    for place, cells in zip(places, lines, strict=True):
        if len(cells) != len(head):
            raise UsageError(f"{source}: row {place}: {len(cells)} columns where the first row has {len(head)}")
    names = head if named else [str(j) for j in range(len(head))]
    usual = [name for name in LABELS if named and name in names]
    asked = label if label is not None else usual[0] if usual else None
    is_label = [named and name == asked for name in names]
    if not named and asked is not None and re.fullmatch("-?[0-9]{1,9}", asked) and int(asked) < len(names):
        is_label[int(asked) % len(names)] = True
    columns: list[Any] = []
    for j, name in enumerate(names):
        texts = [cells[j] for cells in lines]
        where = [f"{source}: row {place}, column {name}" for place in places]
        columns.append(_labels(texts, where) if is_label[j] else _column(texts, where))
    return _apart(source, columns, names, label, weight, unlabelled, named)


def _table(source: str) -> tuple[list[list[str]], list[int]]:
    """The cells of each line that is not blank, and its number. Raises: UsageError."""
    raw = Path(source).read_bytes()
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].split(b"\n")
        raise UsageError(
            f"{source}: row {len(line)}, column {line[-1].count(b',') + 1}: not UTF-8 text; save it as UTF-8"
        ) from error
    before, nul, _ = content.partition("\0")
    if nul:
        raise UsageError(f"{source}: row {before.count(chr(10)) + 1}: a NUL byte; is this a CSV file?")
    first = next((line for line in content.splitlines() if line.strip()), "")
    separator = "," if "," in first else ";" if ";" in first else "\t" if "\t" in first else ","
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    out, places = [], []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                out.append(stripped)
                places.append(reader.line_num)
    except csv.Error as error:
        raise UsageError(f"{source}: row {reader.line_num}: {error}") from error
    if not out:
        raise UsageError(f"{source}: n = 0: the file is empty")
    return out, places


def _column(texts: Sequence[str], where: Sequence[str]) -> Any:
    """The column as float64, or as 64-bit integers where one of them is not a float64. Raises: UsageError."""
    values = [_number(cell, place) for cell, place in zip(texts, where, strict=True)]
    if all(type(v) is float for v in values):
        return np.array(values, dtype=np.float64)
    for v, place in zip(values, where, strict=True):
        if v != int(v):
            raise UsageError(f"{place}: {v} beside integers that float64 rounds: write those with an exponent, as 1e17")
    whole = np.array([int(v) for v in values])
    if whole.dtype.kind not in "iu":
        raise UsageError(f"{where[0]}: the column has integers below 0 and above 2^63: 64 bits do not hold both")
    return whole


def _labels(texts: Sequence[str], where: Sequence[str]) -> Any:
    for name, place in zip(texts, where, strict=True):
        if not name:
            raise UsageError(f"{place}: empty label")
        if name.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            raise UsageError(f"{place}: label {name!r} is not finite")
    if not all(DECIMAL.match(name) for name in texts):
        return np.array(texts)
    return _column(texts, where)


def _number(cell: str, where: str) -> float | int:
    cell = cell.strip()
    if not cell:
        raise UsageError(f"{where}: empty")
    if not DECIMAL.match(cell):
        finite = cell.lower().lstrip("+-") not in ("nan", "inf", "infinity")
        raise UsageError(f"{where}: {cell!r} is not a {'' if finite else 'finite '}number")
    value = float(cell)
    if not math.isfinite(value):
        raise UsageError(f"{where}: {cell!r} is not a finite float64")
    if not WHOLE.match(cell) or exact_float(int(cell)):
        return value
    if not -(2**63) <= int(cell) < 2**64:
        raise UsageError(
            f"{where}: the integer {cell} has more than 64 bits: write it with an exponent to have it rounded"
        )
    return int(cell)


def _libsvm(source: str) -> tuple[Any, Any]:
    values: list[float] = []
    columns: list[int] = []
    starts, labels = [0], []
    for i, line in enumerate(Path(source).read_bytes().decode("utf-8", errors="replace").split("\n"), 1):
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        labels.append(_number(parts[0], f"{source}: row {i}, label"))
        seen: set[int] = set()
        for part in parts[1:]:
            index, _, value = part.partition(":")
            if not re.fullmatch("[0-9]+", index) or not index.strip("0"):
                hint = " (an index of 0: count the columns from 1)" if index and not index.strip("0") else ""
                raise UsageError(f"{source}: row {i}, column {index!r}: not an index from 1{hint}")
            if len(index) > 15 or int(index) > MOST:
                raise UsageError(f"{source}: row {i}, column {index}: more than {MOST:,} columns")
            if int(index) in seen:
                raise UsageError(f"{source}: row {i}, column {index}: stands there twice")
            seen.add(int(index))
            columns.append(int(index) - 1)
            got = _number(value, f"{source}: row {i}, column {index}")
            if type(got) is int:
                raise UsageError(f"{source}: row {i}, column {index}: float64 rounds {value}: give it in a dense file")
            values.append(float(got))
        starts.append(len(values))
    if not labels:
        raise UsageError(f"{source}: n = 0: the file is empty")
    shape = (len(labels), max(columns, default=0) + 1)
    X = sparse.csr_array((np.array(values), np.array(columns, np.int64), np.array(starts, np.int64)), shape=shape)
    return X, np.array(labels)


def export(source: str, out: str, label: str | None) -> int:
    """Write data as CSV (column y last) with the shortest decimals that read back the same; return the rows written."""
    X, y = load(source, label)
    if isinstance(X, Wide):
        table = [
            [repr(v) if not r else str(int(v) + int(r)) for v, r in zip(a, b, strict=True)]
            for a, b in zip(X.values.tolist(), X.lost.tolist(), strict=True)
        ]
    else:
        table = [[repr(v) for v in row] for row in (X.toarray() if sparse.issparse(X) else X).tolist()]
    try:
        with Path(out).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*(f"x{j}" for j in range(X.shape[1])), "y"])
            for row, name in zip(table, y.tolist(), strict=True):
                writer.writerow([*row, text(name)])
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error
    return len(table)
