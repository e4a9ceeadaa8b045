"""Data from files and from scikit-learn's bundled sets. Every trouble is one line that names row and column."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from hingeproof.errors import UsageError, among
from hingeproof.svm import checker
from hingeproof.svm.checker import LABELS, BadData, named

MOST = 10_000_000  # columns of a LIBSVM file: an index beyond is a slip, and w would not fit in memory
BUNDLED = ("iris", "breast_cancer", "digits")


def load(source: str, label: str | None, *, loss: str = "hinge") -> tuple[Any, Any]:
    """X and y (None for one_class) of `source`. Raises: UsageError."""
    unlabelled = loss == "one_class"
    if source.startswith("sklearn:"):
        X, y = bundled(source)
        return X, None if unlabelled else y
    suffix = Path(source).suffix.lower()
    if not Path(source).is_file():
        raise UsageError(f"{source}: no such file")
    if suffix == ".parquet":
        return _parquet(source, label, unlabelled)
    if suffix in (".svm", ".libsvm", ".svmlight"):
        return _libsvm(source, unlabelled)
    if suffix not in (".csv", ".npy", ".npz"):
        raise UsageError(f"{source}: unknown kind of file: use .csv, .npy, .npz, .parquet, .libsvm or sklearn:NAME")
    try:
        rows, labels = checker.load(source, label, unlabelled=unlabelled)
    except BadData as error:
        raise UsageError(str(error)) from error
    except (ValueError, KeyError, SyntaxError, OSError) as error:
        raise UsageError(f"{source}: cannot be read: {error}") from error
    return np.array(rows, dtype=np.float64), None if unlabelled else np.array(labels)


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
        elif dash and left.isdigit() and right.isdigit() and {float(left), float(right)} <= set(y.tolist()):
            keep = np.isin(y, [float(left), float(right)])
            X, y = X[keep], y[keep]
        else:
            raise UsageError(
                f"{source}: {choice!r} selects nothing: give two classes as in 0-1, standardised, or even-odd of digits"
            )
    return X, y


def _parquet(source: str, label: str | None, unlabelled: bool) -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("pyarrow is not installed: pip install 'hingeproof[svm]'") from error
    try:
        table = parquet.read_table(source)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{source}: cannot be read: {' '.join(str(error).split())}") from error
    if not table.num_rows:
        raise UsageError(f"{source}: n = 0: there are no rows")
    if label is None and not unlabelled:
        label = next((name for name in LABELS if name in table.column_names), None)
        if label is None:
            raise UsageError(f"{source}: label not found: name its column with --label")
    if label is not None and label not in table.column_names:
        raise UsageError(f"{source}: label {label!r} not found: the columns are {', '.join(table.column_names[:12])}")
    columns = []
    for name in table.column_names:
        if name == label:
            continue
        values = table[name].to_pylist()
        for i, value in enumerate(values):
            if not isinstance(value, int | float):
                raise UsageError(f"{source}: row {i}, column {name}: {value!r} is not a number")
            if not math.isfinite(value):
                raise UsageError(f"{source}: row {i}, column {name}: {value} is not a finite number")
        columns.append(np.array(values, dtype=np.float64))
    if not columns:
        raise UsageError(f"{source}: there is no column beside the label")
    y = None
    if not unlabelled:
        y = np.array(table[label].to_pylist())
        if y.dtype == object:
            row = next(i for i, v in enumerate(y.tolist()) if v is None)
            raise UsageError(f"{source}: row {row}, column {label}: empty label")
    return np.stack(columns, axis=1), y


def _libsvm(source: str, unlabelled: bool) -> tuple[Any, Any]:
    values: list[float] = []
    columns: list[int] = []
    starts, labels = [0], []
    for i, line in enumerate(Path(source).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        try:
            labels.append(checker.number(parts[0], f"{source}: row {i}, label"))
            seen: set[str] = set()
            for part in parts[1:]:
                index, _, value = part.partition(":")
                if not index.isdigit() or int(index) < 1:
                    raise BadData(f"{source}: row {i}, column {index!r}: not an index from 1")
                if int(index) > MOST:
                    raise BadData(f"{source}: row {i}, column {index}: more than {MOST:,} columns")
                if index in seen:
                    raise BadData(f"{source}: row {i}, column {index}: stands there twice")
                seen.add(index)
                columns.append(int(index) - 1)
                values.append(checker.number(value, f"{source}: row {i}, column {index}"))
        except BadData as error:
            raise UsageError(str(error)) from error
        starts.append(len(values))
    if not labels:
        raise UsageError(f"{source}: n = 0: the file is empty")
    shape = (len(labels), max(columns, default=0) + 1)
    X = sparse.csr_array((np.array(values), np.array(columns, np.int64), np.array(starts, np.int64)), shape=shape)
    return X, None if unlabelled else np.array(labels)


def export(source: str, out: str, label: str | None) -> int:
    """Write data as CSV (column y last) with the shortest decimals that read back the same; return the rows written."""
    X, y = load(source, label)
    X = X.toarray() if sparse.issparse(X) else X
    try:
        with Path(out).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*(f"x{j}" for j in range(X.shape[1])), "y"])
            for row, name in zip(X.tolist(), y.tolist(), strict=True):
                writer.writerow([*(repr(v) for v in row), named(float(name)) if isinstance(name, int) else named(name)])
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error
    return len(X)
