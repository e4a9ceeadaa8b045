"""Models and data from files. NPY stays on the disk, and Parquet goes to a temporary file row group by row group."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from hingeproof.errors import UsageError
from hingeproof.svm import reading
from hingeproof.svm.checker import LABELS
from hingeproof.svm.exact import Array
from hingeproof.svm.gap.claims import point
from hingeproof.svm.gap.objective import Theta
from hingeproof.svm.reading import Read

WEIGHTS, BIASES = ("w", "coef_", "weight"), ("b", "intercept_", "bias")


def model(path: str) -> Theta:
    """(w, b) of a JSON object or an NPZ file. Raises: UsageError."""
    parts = _json(path) if path.lower().endswith(".json") else _npz(path)
    found = [[parts[name] for name in names if name in parts] for names in (WEIGHTS, BIASES)]
    if not found[0]:
        raise UsageError(
            f"{path}: there is no w (nor {' nor '.join(WEIGHTS[1:])}): it holds {', '.join(parts) or 'nothing'}"
        )
    try:
        return point(found[0][0], found[1][0] if found[1] else None)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: w and b must be numbers, or lists of numbers of one length") from error


def _json(path: str) -> dict[str, Any]:
    try:
        parts = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: no JSON: {error}") from error
    if not isinstance(parts, dict):
        raise UsageError(f'{path}: give an object, {{"w": [...], "b": ...}}')
    return parts


def _npz(path: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'cannot be read'}") from error
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: no .json and no NPZ file with w and b") from error


def data(source: str, label: str | None, weight: str | None = None, *, loss: str) -> Read:
    """X, y (None for one_class) and the column `weight`. Raises: UsageError."""
    suffix = Path(source).suffix.lower()
    if suffix == ".npy" and Path(source).is_file():
        return _npy(source, label, weight, loss == "one_class")
    if suffix == ".parquet" and Path(source).is_file():
        return _parquet(source, label, weight, loss == "one_class")
    return reading.load_weighted(source, label, weight, loss=loss)


def _npy(source: str, label: str | None, weight: str | None, unlabelled: bool) -> Read:
    try:
        table = np.load(source, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{source}: cannot be read: {error}") from error
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        raise UsageError(f"{source}: shape {table.shape}, dtype {table.dtype}: it must be a table (n, d) of numbers")

    def place(name: str) -> int:
        try:
            return range(table.shape[1])[int(name)]
        except (ValueError, IndexError):
            raise UsageError(f"{source}: label {name!r} not found: give the number of a column, from 0") from None

    at = None if unlabelled and label is None else place("-1" if label is None else label)
    by = None if weight is None else place(weight)
    features = [j for j in range(table.shape[1]) if j not in (at, by)]
    if not features:
        raise UsageError(f"{source}: there is no column beside the label")
    first, last = features[0], features[-1] + 1
    X = table[:, first:last] if last - first == len(features) else table[:, features]  # else no view of the file
    y = None if unlabelled or at is None else np.array(table[:, at])
    return Read(X, y, None if by is None else np.array(table[:, by]))


def _parquet(source: str, label: str | None, weight: str | None, unlabelled: bool) -> Read:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("pyarrow is not installed: pip install 'hingeproof[svm]'") from error
    try:
        file = parquet.ParquetFile(source)
        names = file.schema_arrow.names
        label = label or next((name for name in LABELS if name in names), None)
        if label not in names and not (unlabelled and label is None):
            raise UsageError(f"{source}: label {label or ''!r} not found: the columns are {', '.join(names[:12])}")
        if weight is not None and weight not in names:
            raise UsageError(f"{source}: label {weight!r} not found: the columns are {', '.join(names[:12])}")
        columns = [name for name in names if name not in (label, weight)]
        if not columns or not file.metadata.num_rows:
            raise UsageError(f"{source}: there is no row, or no column beside the label")
        with tempfile.TemporaryFile() as space:  # the map outlives the name
            X: Any = np.memmap(space, dtype=np.float64, mode="w+", shape=(file.metadata.num_rows, len(columns)))
        labels, heavy, start = [], [], 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for j, name in enumerate(columns):
                X[start : start + len(table), j] = _numbers(table[name], f"{source}: column {name}")
            if not unlabelled:
                labels.append(table[label].to_numpy())
            if weight is not None:
                heavy.append(_numbers(table[weight], f"{source}: column {weight}"))
            start += len(table)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{source}: cannot be read: {' '.join(str(error).split())}") from error
    return Read(X, None if unlabelled else np.concatenate(labels), np.concatenate(heavy) if heavy else None)


def _numbers(column: Any, where: str) -> Array:
    values = column.to_numpy()
    if values.dtype.kind not in "fiub":
        raise UsageError(f"{where}: {column.type} is not a column of numbers")
    return np.asarray(values)
