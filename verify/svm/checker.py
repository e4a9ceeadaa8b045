"""Check a certificate against its data: integers and Fractions, the standard library alone, no solver.

`python checker.py cert.json data.csv [label]` works where nothing is installed. Every condition of
docs/svm-certificate.md is checked; whatever is wrong raises Rejected. Its reader of files is its own: the solver has
another one, so that no slip of a reader is in both.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import math
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

BINARY = ("hinge", "squared_hinge", "smooth_hinge")
MULTICLASS = ("weston_watkins", "crammer_singer")
PARAMETERS = {
    "hinge": {"C", "margin"}, "squared_hinge": {"C", "margin"}, "smooth_hinge": {"C", "margin", "gamma"},
    "weston_watkins": {"C", "margin"}, "crammer_singer": {"C", "margin"},
    "epsilon_insensitive": {"C", "epsilon"}, "one_class": {"nu"},
}  # fmt: skip
KERNELS = {"polynomial": {"name", "degree", "gamma", "coef0"}, "rbf": {"name", "gamma"}, "precomputed": {"name"}}
COMMON = {"kind", "status", "loss", "bias", "parameters", "n", "d", "data_sha256", "label_map"}
OPTIONAL = {"class_weight", "sample_weight", "kernel"}
DIGITS = 4_000
LABELS = ("y", "label", "target", "class")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]{16,}")
SPARSE = (".libsvm", ".svm", ".svmlight")
MOST = 10_000_000  # columns of a LIBSVM file
UNREADABLE = (
    ValueError, SyntaxError, KeyError, IndexError, TypeError, EOFError, RuntimeError, OverflowError, MemoryError,
    RecursionError, struct.error, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile,
)  # fmt: skip
Number = float | int  # an integer where float64 would round it
Row = list[Number] | dict[int, Number]  # dense, or the non-zero cells by column


class Rejected(Exception):
    """The certificate does not prove what it says."""


class BadData(Exception):
    """The data cannot be read; the message names row and column."""


class Contents(NamedTuple):
    """What a file holds. Labels are texts, or numbers where all are; weights only where their column was named."""

    rows: list[Row]
    labels: list[Any]
    weights: list[Number] | None


# -- rationals -----------------------------------------------------------------------------------------------------


def write(value: Fraction) -> str:
    """The one text of a rational: "p/q" in decimal, or in hexadecimal where that would pass 4,000 digits."""
    p, q = value.numerator, value.denominator
    limit = 10**DIGITS
    if abs(p) >= limit or q >= limit:
        return f"{'-' if p < 0 else ''}{hex(abs(p))}/{hex(q)}"
    return f"{p}/{q}"


def read(text: Any, what: str) -> Fraction:
    """A rational in its one text."""
    if not isinstance(text, str) or not re.fullmatch(r"-?([0-9]+/[0-9]+|0x[0-9a-f]+/0x[0-9a-f]+)", text):
        raise Rejected(f"{what} is {str(text)[:60]!r}, no rational 'p/q'")
    p, _, q = text.partition("/")
    base = 16 if "x" in text else 10
    if base == 10 and max(len(p), len(q)) > DIGITS + 1:
        raise Rejected(f"{what} has more than {DIGITS} decimal digits")
    if int(q, base) == 0:
        raise Rejected(f"{what} has denominator 0")
    value = Fraction(int(p, base), int(q, base))
    if write(value) != text:
        raise Rejected(f"{what} is not in lowest terms")
    return value


# -- data ----------------------------------------------------------------------------------------------------------


def number(text: str, where: str) -> Number:
    """The float nearest to a decimal, or the integer itself where float64 would round it. Raises: BadData."""
    text = text.strip()
    if not NUMBER.fullmatch(text):
        kind = "not a finite number" if text.lower().lstrip("+-") in ("nan", "inf", "infinity") else "not a number"
        raise BadData(f"{where}: {text!r} is {kind}" if text else f"{where}: empty")
    value = float(text)
    if math.isinf(value):
        raise BadData(f"{where}: {text!r} is not a finite float64")
    return _integer(int(text), where) if INTEGER.fullmatch(text) and len(text) < 400 else value


def _integer(value: int, where: str) -> Number:
    if int(float(value)) == value:
        return float(value)
    if not -(2**63) <= value < 2**64:
        raise BadData(
            f"{where}: the integer {value} has more than 64 bits: write it with an exponent to have it rounded"
        )
    return value


def load(path: str | Path, label: str | None, *, unlabelled: bool = False, weight: str | None = None) -> Contents:
    """A CSV, NPY, NPZ or LIBSVM file. `unlabelled`: labels are left out. `weight`: a column that is no feature.

    Raises: BadData.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: {error.strerror}") from error
    suffix = path.suffix.lower()
    if suffix == ".npy" and label is None and not unlabelled:
        label = "-1"
    kind = _npz if suffix == ".npz" else _npy if suffix == ".npy" else _libsvm if suffix in SPARSE else _csv
    try:
        found = kind(raw, path, label, weight)
    except UNREADABLE as error:
        raise BadData(f"{path}: cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from error
    if not found.rows:
        raise BadData(f"{path}: n = 0: there are no rows")
    if not found.labels and not unlabelled:
        raise BadData(f"{path}: label not found: name its column with --label")
    return found._replace(labels=[]) if unlabelled else found


def _npz(raw: bytes, path: Path, label: str | None, weight: str | None) -> Contents:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        wanted = {"X", "y"} | ({weight} if weight else set())
        for name in sorted(wanted):
            if names.count(name) > 1:
                raise BadData(f"{path}: it holds {name} twice")
        for name in sorted({"X"} | wanted - {"y"}):
            if name not in names:
                raise BadData(f"{path}: it holds {', '.join(sorted(names)) or 'nothing'}; X and y are needed")
        parts = {
            name: archive.read(full) for name, full in zip(names, archive.namelist(), strict=True) if name in wanted
        }
    rows, _ = _array(parts["X"], f"{path}: X")
    columns = {}
    for name in wanted & set(parts) - {"X"}:
        table, shape = _array(parts[name], f"{path}: {name}")
        if len(shape) == 2 and shape[1] != 1:
            raise BadData(f"{path}: {name} has shape {shape}: it must be ({len(rows)},)")
        if len(table) != len(rows):
            raise BadData(f"{path}: {name} has {len(table)} values where X has {len(rows)} rows")
        columns[name] = [line[0] for line in table]
    return Contents(list(rows), columns.get("y", []), columns.get(weight or ""))


def _npy(raw: bytes, path: Path, label: str | None, weight: str | None) -> Contents:
    table, _ = _array(raw, str(path))
    width = len(table[0]) if table else 0
    at = None if label is None else _index(label, width, path)
    by = None if weight is None else _index(weight, width, path)
    rows = [[v for j, v in enumerate(line) if j not in (at, by)] for line in table]
    labels = [] if at is None else [line[at] for line in table]
    return Contents(list(rows), labels, None if by is None else [line[by] for line in table])


def _index(label: str, width: int, path: Path) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", label):
        raise BadData(f"{path}: label {label!r} not found: without a header, give the number of a column")
    if not -width <= int(label) < width:
        raise BadData(f"{path}: label {label} not found: there are {width} columns, numbered from 0")
    return int(label) % width


def _csv(raw: bytes, path: Path, label: str | None, weight: str | None) -> Contents:
    lines = _cells(raw, path)
    head = lines[0][1]
    header = not any(NUMBER.fullmatch(cell) for cell in head)
    if header:
        lines = lines[1:]
        if len(set(head)) < len(head):
            twice = next(name for name in head if head.count(name) > 1)
            raise BadData(f"{path}: row 1: column {twice!r} stands there twice")
    if not lines:
        raise BadData(f"{path}: n = 0: there is a header and no rows")
    names = head if header else [str(j) for j in range(len(head))]

    def column(name: str) -> int:
        if not header:
            return _index(name, len(head), path)
        if name not in head:
            raise BadData(f"{path}: label {name!r} not found: the columns are {', '.join(head[:12])}")
        return head.index(name)

    usual = [name for name in LABELS if header and name in head]
    at = column(label) if label is not None else head.index(usual[0]) if usual else None
    by = None if weight is None else column(weight)
    rows: list[Row] = []
    texts, weights = [], []
    for line, cells in lines:
        if len(cells) != len(head):
            raise BadData(f"{path}: row {line}: {len(cells)} columns where the first row has {len(head)}")
        values = [
            0.0 if j == at else number(cell, f"{path}: row {line}, column {names[j]}") for j, cell in enumerate(cells)
        ]
        rows.append([v for j, v in enumerate(values) if j not in (at, by)])
        if at is not None:
            texts.append(_label(cells[at], f"{path}: row {line}, column {names[at]}"))
        if by is not None:
            weights.append(values[by])
    labels: list[Any] = texts
    if texts and all(NUMBER.fullmatch(name) for name in texts):
        labels = [number(name, f"{path}: row {line}") for name, (line, _) in zip(texts, lines, strict=True)]
    return Contents(rows, labels, weights or None)


def _label(text: str, where: str) -> str:
    if not text:
        raise BadData(f"{where}: empty label")
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise BadData(f"{where}: label {text!r} is not finite")
    return text


def _cells(raw: bytes, path: Path) -> list[tuple[int, list[str]]]:
    """The cells of each line that has any, with its number. Raises: BadData."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        column = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].count(b",") + 1
        raise BadData(f"{path}: row {row}, column {column}: not UTF-8 text; save it as UTF-8") from error
    if "\0" in text:
        raise BadData(f"{path}: row {text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL byte; is this a CSV file?")
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=next((c for c in ",;\t" if c in first), ","))
    lines = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise BadData(f"{path}: row {reader.line_num}: {error}") from error
    if not lines:
        raise BadData(f"{path}: n = 0: the file is empty")
    return lines


def _libsvm(raw: bytes, path: Path, label: str | None, weight: str | None) -> Contents:
    if label is not None or weight is not None:
        raise BadData(f"{path}: a LIBSVM file has its labels in front and no column to name")
    rows: list[Row] = []
    labels: list[Any] = []
    for at, line in enumerate(raw.decode("utf-8", errors="replace").split("\n"), 1):
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        labels.append(number(parts[0], f"{path}: row {at}, label"))
        row: dict[int, Number] = {}
        for part in parts[1:]:
            index, _, value = part.partition(":")
            if not re.fullmatch("[0-9]{1,15}", index) or int(index) < 1:
                raise BadData(f"{path}: row {at}, column {index!r}: not an index from 1")
            if int(index) > MOST:
                raise BadData(f"{path}: row {at}, column {index}: more than {MOST:,} columns")
            if int(index) - 1 in row:
                raise BadData(f"{path}: row {at}, column {index}: stands there twice")
            row[int(index) - 1] = number(value, f"{path}: row {at}, column {index}")
            if type(row[int(index) - 1]) is int:
                raise BadData(f"{path}: row {at}, column {index}: float64 rounds {value}: give it in a dense file")
        rows.append(row)
    return Contents(rows, labels, None)


def _array(raw: bytes, what: str) -> tuple[list[list[Number]], tuple[int, ...]]:
    """The rows of an NPY array (one column where it has one dimension), and its shape. Raises: BadData."""
    if raw[:6] != b"\x93NUMPY" or raw[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise BadData(f"{what}: no NPY file")
    size = 2 if raw[6] == 1 else 4
    length = int.from_bytes(raw[8 : 8 + size], "little")
    head = ast.literal_eval(raw[8 + size : 8 + size + length].decode("latin-1").strip()) if length < 65_536 else None
    if not isinstance(head, dict) or set(head) != {"descr", "fortran_order", "shape"}:
        raise BadData(f"{what}: the header is no NPY header")
    kind, shape, fortran = head["descr"], head["shape"], head["fortran_order"]
    if not isinstance(shape, tuple) or any(type(v) is not int or v < 0 for v in shape) or type(fortran) is not bool:
        raise BadData(f"{what}: the header says shape {str(shape)[:60]!r}, which is none")
    codes = {
        "f8": "d", "f4": "f", "f2": "e", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I",
        "i8": "q", "u8": "Q", "b1": "?",
    }  # fmt: skip
    if not isinstance(kind, str) or kind[:1] not in ("<", ">", "|") or kind[1:] not in codes:
        raise BadData(f"{what}: dtype {str(kind)[:60]} is not numeric: store float64")
    if len(shape) not in (1, 2):
        raise BadData(f"{what}: shape {shape}: it must be (n, d)")
    n, d = shape[0], shape[1] if len(shape) == 2 else 1
    form = ">" if kind[0] == ">" else "<"
    body = raw[8 + size + length :]
    if n * d * struct.calcsize(form + codes[kind[1:]]) != len(body):
        raise BadData(f"{what}: {len(body)} bytes do not fill shape {shape}")
    flat = struct.unpack(f"{form}{n * d}{codes[kind[1:]]}", body)
    rows: list[list[Number]] = []
    for i in range(n):
        row = []
        for j, v in enumerate(flat[i::n] if fortran else flat[i * d : (i + 1) * d]):
            if isinstance(v, float) and not math.isfinite(v):
                raise BadData(f"{what}: row {i}, column {j}: {v} is not a finite number")
            row.append(_integer(v, f"{what}: row {i}, column {j}") if type(v) is int else float(v))
        rows.append(row)
    return rows, shape


def tabled(rows: Any) -> tuple[list[Row], int]:
    """Rows and their width, of lists, of dicts by column, or of what NumPy and SciPy hold. Raises: BadData."""
    if hasattr(rows, "tocsr"):
        thin = rows.tocsr()
        data, columns, starts = thin.data.tolist(), thin.indices.tolist(), thin.indptr.tolist()
        lines: list[Row] = []
        for start, end in pairwise(starts):
            line: dict[int, Number] = {}
            for j, v in zip(columns[start:end], data[start:end], strict=True):
                line[j] = line.get(j, 0) + v
            lines.append(line)
        width = int(thin.shape[1])
    else:
        lines = rows.tolist() if hasattr(rows, "tolist") else list(rows)
        if lines and isinstance(lines[0], dict):
            width = 1 + max((int(j) for row in lines for j in row), default=0)
        else:
            width = len(lines[0]) if lines else 0
    if not lines:
        raise BadData("n = 0: there are no rows")
    for i, row in enumerate(lines):
        if isinstance(row, list) and len(row) != width:
            raise BadData(f"row {i}: {len(row)} columns where the first row has {width}")
        cells = row.items() if isinstance(row, dict) else enumerate(row)
        for j, v in cells:
            if type(v) not in (int, float, bool) or not math.isfinite(v):
                raise BadData(f"row {i}, column {j}: {v!r} is not a finite number")
    return lines, width


def named(label: Any) -> str:
    """The text of a label."""
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(label)
    return str(int(label) if isinstance(label, bool) else label)


def mapped(loss: str, labels: Sequence[Any], n: int) -> tuple[dict[str, int], list[float]]:
    """Label map, and mapped labels: ±1, class numbers, targets, or nothing."""
    if loss == "one_class":
        return {}, []
    if len(labels) != n:
        raise BadData(f"{len(labels)} labels where there are {n} rows")
    if loss == "epsilon_insensitive":
        for i, v in enumerate(labels):
            if type(v) is int and int(float(v)) != v:
                raise BadData(f"row {i}, label: the target {v} is no float64")
            if type(v) not in (int, float) or not math.isfinite(v):
                raise BadData(f"row {i}, label: {v!r} is not a number")
        return {}, [float(v) for v in labels]
    try:
        found = sorted(set(labels))
    except TypeError as error:
        raise BadData("the labels are not all numbers or all texts, one a row") from error
    if len(found) < 2:
        raise BadData(f"one class only: every label is {named(found[0])}")
    if loss in BINARY and len(found) > 2:
        raise BadData(f"{len(found)} labels where {loss} needs two")
    numbers = {v: i for i, v in enumerate(found)} if loss in MULTICLASS else {found[0]: -1, found[1]: 1}
    return {named(v): i for v, i in numbers.items()}, [float(numbers[v]) for v in labels]


def digest(rows: Sequence[Row], labels: Sequence[float], d: int | None = None) -> str:
    """SHA-256 of the rows and mapped labels as little-endian float64, −0 as 0; then what rounded integers lost."""
    sha = hashlib.sha256()
    width = len(rows[0]) if d is None else d
    lost = []
    for i, row in enumerate(rows):
        if isinstance(row, dict):
            line = bytearray(8 * width)
            for j, v in row.items():
                struct.pack_into("<d", line, 8 * j, v + 0.0)
            sha.update(line)
        else:
            sha.update(struct.pack(f"<{width}d", *(v + 0.0 for v in row)))
        cells = row.items() if isinstance(row, dict) else enumerate(row)
        lost += sorted((i, j, v - int(float(v))) for j, v in cells if type(v) is int and v - int(float(v)))
    sha.update(struct.pack(f"<{len(labels)}d", *(v + 0.0 for v in labels)))
    for triple in lost:
        sha.update(struct.pack("<3q", *triple))
    return sha.hexdigest()


def parse(text: str) -> Any:
    """The JSON of a certificate, in which no name stands twice. Raises: Rejected."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise Rejected("a name stands twice in one object")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"no JSON: {error}") from error


# -- the conditions ------------------------------------------------------------------------------------------------


def check(
    certificate: Any, rows: Any, labels: Sequence[Any], *, expect: dict[str, Any] | None = None,
    sample_weight: Sequence[Any] | None = None,
) -> str:  # fmt: skip
    """Return what is proved, in a line, and of which problem, in the next.

    rows: lists, dicts by column, or an array of NumPy or SciPy. expect: fields that the problem must have, as in
    `{"loss": "hinge", "C": 1, "bias": "free"}`; a margin other than 1, weights and a kernel must be named there.
    sample_weight: the weights that the certificate must have.
    Raises: Rejected, BadData.
    """
    c = certificate
    if not isinstance(c, dict):
        raise Rejected("no JSON object")
    labels = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    rows, d = tabled(rows)
    program = stated(c, rows, d, labels)
    if expect is not None:
        expected(c, expect)
    if sample_weight is not None:
        have = [read(v, "sample_weight") for v in c.get("sample_weight", ())]
        given = sample_weight.tolist() if hasattr(sample_weight, "tolist") else sample_weight
        if have != [Fraction(v) for v in given]:
            raise Rejected("sample_weight is not that of the data" if have else "the certificate has no sample_weight")
    said = program.infeasible(c["farkas"]) if c["kind"] == "infeasible" else program.solved(c)
    return f"{said}\n{problem(c)}"


# each branch is one field that a forger could change, in the order of docs/svm-certificate.md
def stated(c: dict[str, Any], rows: list[Row], d: int, labels: list[Any]) -> Program:  # noqa: C901
    """The problem that a certificate states, found to be that of the data. Raises: Rejected."""
    loss, kind, kernel = c.get("loss"), c.get("kind"), c.get("kernel")
    if not isinstance(loss, str) or loss not in PARAMETERS:
        raise Rejected(f"unknown loss {loss!r}")
    shape = {"optimum": "exact", "interval": "interval", "infeasible": "exact"}
    if not isinstance(kind, str) or kind not in shape or c.get("status") != shape[kind]:
        raise Rejected(f"kind {kind!r} with status {c.get('status')!r}")
    fields = COMMON | ({"farkas"} if kind == "infeasible" else {"b", "objective", "lower", "upper"})
    if kind != "infeasible":
        fields |= {"alpha"} if loss in BINARY else {"multipliers"}
        if "kernel" not in c:
            fields |= {"w", "margin_squared"} if loss in BINARY else {"w"}
    if set(c) - OPTIONAL != fields:
        raise Rejected(f"missing or unknown fields: {', '.join(sorted((set(c) - OPTIONAL) ^ fields))}")
    if c["bias"] not in ("free", "regularised", "none") or (loss == "one_class" and c["bias"] != "free"):
        raise Rejected(f"bias {c['bias']!r}")
    n = len(rows)
    if type(c["n"]) is not int or type(c["d"]) is not int or (c["n"], c["d"]) != (n, d):
        raise Rejected(f"n, d are {c['n']!r}, {c['d']!r}: the data have {n}, {d}")
    label_map, y = mapped(loss, labels, n)
    given = c["label_map"]
    if given != label_map or any(type(v) is not int for v in given.values()):
        raise Rejected(f"label_map is {given!r}: the data give {label_map!r}")
    if c["data_sha256"] != digest(rows, y, d):
        raise Rejected("data_sha256 is not that of the data")
    parameters = c["parameters"]
    if not isinstance(parameters, dict) or set(parameters) != PARAMETERS[loss]:
        raise Rejected("parameters are not those of the loss")
    hard = loss == "hinge" and parameters["C"] is None
    values = {k: read(v, f"parameter {k}") for k, v in parameters.items() if not (hard and k == "C")}
    if (
        any(values.get(k, 1) <= 0 for k in ("C", "gamma", "nu"))
        or values.get("epsilon", 0) < 0
        or values.get("nu", 0) > 1
    ):
        raise Rejected("a parameter is out of its range")
    if hard and values["margin"] <= 0:
        raise Rejected("a hard margin must be above 0")
    weights = weighed(c, y, label_map)
    if weights is not None and (hard or loss == "one_class"):
        raise Rejected("a hard margin and one_class have no C to weight")
    program = Program(loss, c["bias"], values, rows, d, y, len(label_map), hard, weights)
    if "kernel" in c:
        if hard or loss in MULTICLASS:
            raise Rejected("a kernel goes with a binary loss with C, with epsilon_insensitive and one_class")
        program.kernel = kernel_of(kernel, program)
    return program


def weighed(c: dict[str, Any], y: list[float], label_map: dict[str, int]) -> list[Fraction] | None:
    """The factor of C of each row, of the weights that the certificate states. Raises: Rejected."""
    if "class_weight" not in c and "sample_weight" not in c:
        return None
    out = [Fraction(1)] * len(y)
    if "sample_weight" in c:
        given = c["sample_weight"]
        if not isinstance(given, list) or len(given) != len(y):
            raise Rejected("sample_weight is not one number a row")
        out = [read(v, f"sample_weight of row {i}") for i, v in enumerate(given)]
    if "class_weight" in c:
        factors = c["class_weight"]
        if not isinstance(factors, dict) or not factors or set(factors) != set(label_map):
            raise Rejected("class_weight is not one number a label")
        by_class = {float(label_map[name]): read(v, f"class_weight of {name}") for name, v in factors.items()}
        if any(v < 0 for v in by_class.values()):
            raise Rejected("a weight is below 0")
        out = [v * by_class[label] for v, label in zip(out, y, strict=True)]
    if any(v < 0 for v in out) or not any(out):
        raise Rejected("a weight is below 0, or all are 0")
    return out


def facts(c: dict[str, Any]) -> dict[str, Any]:
    """The problem of a certificate, as `expect` names its parts."""
    parts = [name for name in ("class", "sample") if f"{name}_weight" in c]
    kernel = c.get("kernel", {"name": "linear"})
    out = {"loss": c["loss"], **{k: "none" if v is None else read(v, k) for k, v in c["parameters"].items()}}
    out |= {"bias": c["bias"], "weights": "+".join(parts) or "none", "kernel": kernel["name"]}
    out |= {f"kernel_{k}": v if type(v) is int else read(v, k) for k, v in kernel.items() if k != "name"}
    return out | {k: c[k] for k in ("kind", "n", "d", "data_sha256")}


def problem(c: dict[str, Any]) -> str:
    """The problem that a certificate is about, in a line."""
    told = facts(c)
    quiet = {"weights": "none", "kernel": "linear"}
    parts = [f"{k} {plain(v)}" for k, v in told.items() if quiet.get(k) != v and k not in ("kind", "data_sha256")]
    return f"{', '.join(parts)}; data {told['data_sha256'][:16]}…"


def plain(value: Any) -> str:
    """A rational as people write it: a decimal where it is one of few digits."""
    if not isinstance(value, Fraction):
        return str(value)
    if value.denominator == 1:
        return str(value.numerator)
    digits = f"{float(value):.12g}"
    return digits if Fraction(digits) == value else f"{value.numerator}/{value.denominator}"


def expected(c: dict[str, Any], expect: dict[str, Any]) -> None:
    """Raises: Rejected unless the problem is the one that was expected; BadData where no such thing can be."""
    told = facts(c)
    known = set(told) | {"C", "margin", "gamma", "epsilon", "nu", "kernel_gamma", "kernel_degree", "kernel_coef0"}
    for name in expect:
        if name not in known:
            raise BadData(f"nothing is named {name!r} that could be expected: there are {', '.join(sorted(known))}")
    usual = {"margin": 1, "weights": "none", "kernel": "linear"}
    for name, value in {**{k: v for k, v in usual.items() if k in told}, **expect}.items():
        if name not in told:
            raise Rejected(f"{name}={value} is expected: the problem of this certificate has no {name}")
        have = told[name]
        want = _wanted(name, value) if isinstance(have, int | Fraction) else str(value)
        if have != want:
            hint = "" if name in expect else f" (say {name}={plain(have)} where that is meant)"
            raise Rejected(f"{name}={plain(want)} is expected, this certificate is about {name}={plain(have)}{hint}")


def _wanted(name: str, value: Any) -> Any:
    text = repr(value) if isinstance(value, float) else str(value)
    if name == "C" and text.lower() == "none":
        return "none"
    if not re.fullmatch(r"[+-]?([0-9]+/[0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?)", text):
        raise BadData(f"{name}={text} cannot be expected: give a decimal")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise BadData(f"{name}={text} cannot be expected: give a decimal") from error


Vector = tuple[list[list[int]], int]  # numerators by block, over one denominator


def _squares(vector: Vector) -> Fraction:
    return Fraction(sum(v * v for line in vector[0] for v in line), vector[1] ** 2)


def _same(a: Vector, b: Vector) -> bool:
    pairs = zip(a[0], b[0], strict=True)
    return all(x * b[1] == y * a[1] for left, right in pairs for x, y in zip(left, right, strict=True))


def dot(row: list[int] | dict[int, int], line: list[int]) -> int:
    """A row of data times a vector."""
    return sum([v * line[j] for j, v in row.items()]) if isinstance(row, dict) else sum(map(mul, row, line))


class Program:
    """min ½‖w‖² (+ ½‖b‖²) + Σ loss, every row u = constant − Σ sign·s_block with 0 ≤ p ≤ C·weight."""

    def __init__(
        self, loss: str, bias: str, values: dict[str, Fraction], rows: list[Row], d: int, y: list[float], classes: int,
        hard: bool, weights: list[Fraction] | None,
    ) -> None:  # fmt: skip
        self.loss, self.bias, self.values, self.y, self.hard = loss, bias, values, y, hard
        self.n, self.d = len(rows), d
        self.blocks = classes if loss in MULTICLASS else 1
        cells = (v for row in rows for v in (row.values() if isinstance(row, dict) else row))
        self.scale = 1 << max((v.as_integer_ratio()[1].bit_length() - 1 for v in cells), default=0)

        def whole(v: Number) -> int:
            p, q = v.as_integer_ratio()
            return p * (self.scale // q)

        self.X: list[list[int] | dict[int, int]] = [
            {j: whole(v) for j, v in row.items() if v} if isinstance(row, dict) else list(map(whole, row))
            for row in rows
        ]
        self.C = None if hard or loss == "squared_hinge" else values.get("C") or 1 / (values["nu"] * self.n)
        self.kappa = Fraction(0)
        if loss == "squared_hinge":
            self.kappa = 1 / (2 * values["C"])
        elif loss == "smooth_hinge":
            self.kappa = values["gamma"] / values["C"]
        self.weighted = weights is not None
        self.per = math.lcm(*(v.denominator for v in weights)) if weights else 1
        self.weights = [v.numerator * (self.per // v.denominator) for v in weights] if weights else [1] * self.n
        self.kernel: KernelValues | None = None

    def cap(self, i: int) -> Fraction | None:
        """The most that the multipliers of a sample may be."""
        if self.C is None:
            return None if self.weights[i] else Fraction(0)
        return self.C * Fraction(self.weights[i], self.per) if self.weighted else self.C

    def constraints(self, i: int) -> Iterator[tuple[int, Fraction, list[tuple[int, int]]]]:
        """(number, constant, [(sign, block)]): u = constant + Σ sign·s_block."""
        margin = self.values.get("margin", Fraction(0))
        if self.loss in BINARY:
            yield 0, margin, [(-int(self.y[i]), 0)]
        elif self.loss == "one_class":
            yield 0, Fraction(0), [(-1, 0)]
        elif self.loss == "epsilon_insensitive":
            epsilon, target = self.values["epsilon"], Fraction(self.y[i])
            yield 0, target - epsilon, [(-1, 0)]
            yield 1, -target - epsilon, [(1, 0)]
        else:
            own = int(self.y[i])
            for k in range(self.blocks):
                if k != own:
                    yield k, margin, [(-1, own), (1, k)]

    def duals(self, c: dict[str, Any]) -> dict[tuple[int, int], Fraction]:
        """The multipliers, each named once, in order, none of them 0."""
        found: dict[tuple[int, int], Fraction] = {}
        if self.loss in BINARY:
            if not isinstance(c["alpha"], dict):
                raise Rejected("alpha is no object")
            items: list[Any] = []
            for key, value in c["alpha"].items():
                if not re.fullmatch(r"0|[1-9][0-9]{0,17}", key):
                    raise Rejected(f"alpha has the row {key!r}")
                items.append([int(key), 0, value])
        else:
            items = c["multipliers"]
        if not isinstance(items, list):
            raise Rejected("multipliers is no list")
        last = (-1, -1)
        for item in items:
            if not isinstance(item, list) or len(item) != 3 or type(item[0]) is not int or type(item[1]) is not int:
                raise Rejected("a multiplier is not [sample, constraint, value]")
            i, k = item[0], item[1]
            if not 0 <= i < self.n or k not in [number for number, _, _ in self.constraints(i)]:
                raise Rejected(f"there is no constraint {k} of sample {i}")
            if (i, k) <= last:
                raise Rejected("multipliers are not in ascending order")
            last = i, k
            found[i, k] = read(item[2], f"multiplier of sample {i}")
            if found[i, k] == 0:
                raise Rejected(f"multiplier of sample {i} is 0: leave it out")
        return found

    def boxed(self, p: dict[tuple[int, int], Fraction]) -> None:
        """Raises: Rejected unless 0 ≤ p ≤ C·weight, of their sum in Crammer–Singer."""
        total: dict[int, Fraction] = {}
        for (i, k), v in p.items():
            cap = self.cap(i)
            if v < 0 or (cap is not None and v > cap):
                raise Rejected(f"multiplier {k} of sample {i} is outside [0, C]")
            if self.loss == "crammer_singer":
                total[i] = total.get(i, Fraction(0)) + v
                if cap is not None and total[i] > cap:
                    raise Rejected(f"the multipliers of sample {i} sum to more than C")

    def through(self, p: dict[tuple[int, int], Fraction]) -> tuple[Vector, list[Fraction]]:
        """−Aᵀp: by block, the part of w and that of b."""
        common = math.lcm(*(v.denominator for v in p.values())) if p else 1
        w = [[0] * self.d for _ in range(self.blocks)]
        b = [0] * self.blocks
        for (i, number_), v in p.items():
            m = v.numerator * (common // v.denominator)
            for k, _, terms in self.constraints(i):
                for sign, block in terms if k == number_ else ():
                    b[block] -= sign * m
                    line, x = w[block], self.X[i]
                    for j, a in x.items() if isinstance(x, dict) else enumerate(x):
                        if a:
                            line[j] -= sign * m * a
        return (w, common * self.scale), [Fraction(v, common) for v in b]

    def vectors(self, c: dict[str, Any], pulled: Vector) -> tuple[Vector, list[Fraction]]:
        """w and b. w may be null in an optimum with n < d: it is then what the multipliers say."""
        w, b = c["w"], c["b"]
        several = self.loss in MULTICLASS
        b = b if several else [b]
        if not isinstance(b, list) or len(b) != self.blocks:
            raise Rejected("b has the wrong length")
        biases = [read(v, "b") for v in b]
        if w is None:
            if c["kind"] != "optimum" or self.n >= self.d:
                raise Rejected("w is missing: it is left out of optima of fewer rows than columns alone")
            return pulled, biases
        w = w if several else [w]
        if not isinstance(w, list) or len(w) != self.blocks:
            raise Rejected("w has the wrong length")
        if any(not isinstance(line, list) or len(line) != self.d for line in w):
            raise Rejected("w has the wrong length")
        table = [[read(v, "w") for v in line] for line in w]
        Q = math.lcm(*(v.denominator for line in table for v in line))
        return ([[v.numerator * (Q // v.denominator) for v in line] for line in table], Q), biases

    def balanced(self, balance: list[Fraction], b: list[Fraction]) -> None:
        """Raises: Rejected where the bias is not what its kind says."""
        wanted = Fraction(1 if self.loss == "one_class" else 0)
        if self.bias == "free" and any(v != wanted for v in balance):
            raise Rejected("the multipliers do not balance: Σ of them over the free bias")
        if self.bias == "none" and any(b):
            raise Rejected("there is no bias, and b is not 0")

    def solved(self, c: dict[str, Any]) -> str:
        """An optimum, or an interval that holds it. The conditions in the order of docs/svm-certificate.md."""
        p = self.duals(c)
        self.boxed(p)
        if self.kernel is not None:
            return self.with_kernel(c, p, self.kernel)
        pulled, balance = self.through(p)
        w, b = self.vectors(c, pulled)
        self.balanced(balance, b)
        primal = self.primal(self.scores(w, b), _squares(w), b)
        dual = self.dual(p, _squares(pulled), balance)
        if self.loss in BINARY:
            norm = _squares(w)
            if c["margin_squared"] is None:
                if norm:
                    raise Rejected("margin_squared is missing")
            elif not norm or read(c["margin_squared"], "margin_squared") * norm != 1:
                raise Rejected("margin_squared is not 1/‖w‖²")
        said = self.verdict(c, (dual, dual), (primal, primal))
        # with gap 0 these hold; saying them again costs little and names what is wrong
        if c["kind"] == "optimum" and (not _same(w, pulled) or (self.bias == "regularised" and b != balance)):
            raise Rejected("w is not Σ of multipliers times data")
        return said

    def verdict(self, c: dict[str, Any], dual: tuple[Fraction, Fraction], primal: tuple[Fraction, Fraction]) -> str:
        """Enclosures of the dual and the primal objective against what the certificate says of them."""
        lower, upper = read(c["lower"], "lower"), read(c["upper"], "upper")
        sharp = dual[0] == dual[1] and primal[0] == primal[1]
        right = (lower, upper) == (dual[0], primal[1]) if sharp else lower <= dual[0] and primal[1] <= upper
        if not lower <= upper or not right:
            raise Rejected("lower or upper is not the dual or primal objective of what the certificate holds")
        if c["kind"] == "interval":
            if c["objective"] is not None or lower == upper:
                raise Rejected("an interval has no objective and lower below upper")
            low, high = f"{float(lower):.12g}", f"{float(upper):.12g}"
            wide = f", {float(upper - lower):.1e} wide" if low == high else ""
            return f"interval: the optimum lies in [{low}, {high}]{wide}"
        if lower != upper:
            raise Rejected("lower and upper differ: no optimum is proved")
        if read(c["objective"], "objective") != upper:
            raise Rejected("objective is not that of w and b")
        return f"exact: objective {float(upper):.12g}, duality gap 0, proved"

    def scores(self, w: Vector, b: list[Fraction]) -> tuple[list[list[int]], int]:
        """s of each sample and block, as integers over one denominator."""
        Q = math.lcm(w[1], *(v.denominator for v in b))
        lines = [[v * (Q // w[1]) for v in line] for line in w[0]] if w[1] != Q else w[0]
        B = [v.numerator * (Q // v.denominator) * self.scale for v in b]
        return [[dot(x, line) + s for line, s in zip(lines, B, strict=True)] for x in self.X], Q * self.scale

    def primal(
        self, scores: tuple[list[list[int]], int], ridge: Fraction, b: list[Fraction], radius: int = 0
    ) -> Fraction:
        """The primal objective; where the scores are known to ± radius only, no less than it."""
        table, unit = scores
        q = math.lcm(*(k.denominator for i in range(self.n) for _, k, _ in self.constraints(i)))
        linear = square = count = 0  # Σ weight·u, Σ weight·u², Σ weight of the rows past the knee
        knee = self.kappa * self.C if self.C is not None else None
        for i, row in enumerate(table):
            best = 0
            for _, constant, terms in self.constraints(i):
                u = constant.numerator * (q // constant.denominator) * unit
                u += q * (sum([sign * row[block] for sign, block in terms]) + radius)
                if self.hard and u > 0:
                    raise Rejected(f"sample {i} violates the margin")
                if u <= 0:
                    continue
                if self.loss == "crammer_singer":
                    best = max(best, u)
                elif not self.kappa or (knee is not None and u * knee.denominator >= knee.numerator * q * unit):
                    linear += self.weights[i] * u
                    count += self.weights[i]
                else:
                    square += self.weights[i] * u * u
            linear += self.weights[i] * best
        total = Fraction(linear, q * unit * self.per) * (self.C or 0)
        if self.kappa:
            total += Fraction(square, (q * unit) ** 2 * self.per) / (2 * self.kappa)
            total -= self.kappa * (self.C or 0) ** 2 / 2 * Fraction(count, self.per)
        if self.bias == "regularised":
            ridge += sum((v * v for v in b), Fraction(0))
        if self.loss == "one_class":
            total += b[0]  # −ρ
        return ridge / 2 + total

    def dual(self, p: dict[tuple[int, int], Fraction], ridge: Fraction, balance: list[Fraction]) -> Fraction:
        """The dual objective; `ridge` is ‖Σ of multipliers times data‖²."""
        if self.bias == "regularised":
            ridge += sum((v * v for v in balance), Fraction(0))
        common = math.lcm(*(v.denominator for v in p.values())) if p else 1
        sums: dict[Fraction, int] = {}
        squares: dict[int, int] = {}
        for (i, number_), v in p.items():
            m = v.numerator * (common // v.denominator)
            constant = next(constant for k, constant, _ in self.constraints(i) if k == number_)
            sums[constant] = sums.get(constant, 0) + m
            if self.kappa:
                squares[self.weights[i]] = squares.get(self.weights[i], 0) + m * m
        gain = sum((constant * Fraction(m, common) for constant, m in sums.items()), Fraction(0))
        curved = sum((Fraction(m * self.per, weight * common**2) for weight, m in squares.items()), Fraction(0))
        return gain - ridge / 2 - self.kappa * curved / 2

    def with_kernel(self, c: dict[str, Any], p: dict[tuple[int, int], Fraction], kernel: KernelValues) -> str:
        """w = Σ β_j φ(x_j) by its coefficients: scores are Σ β_j K(x_j, ·), ‖w‖² is βᵀKβ."""
        common = math.lcm(*(v.denominator for v in p.values())) if p else 1
        beta: dict[int, int] = {}
        for (i, number_), v in p.items():
            for k, _, terms in self.constraints(i):
                if k == number_:
                    beta[i] = beta.get(i, 0) - terms[0][0] * v.numerator * (common // v.denominator)
        b = [read(c["b"], "b")]
        balance = [Fraction(sum(beta.values()), common)]
        self.balanced(balance, b)
        table = kernel.scores(beta, self.n)
        spread = kernel.radius * sum(map(abs, beta.values()))  # of a score
        unit = common * kernel.unit
        ridge = Fraction(sum(m * table[j] for j, m in beta.items()), unit * common)
        doubt = Fraction(spread * sum(map(abs, beta.values())), unit * common)
        Q = math.lcm(unit, b[0].denominator)
        shift = b[0].numerator * (Q // b[0].denominator)
        scores = [[v * (Q // unit) + shift] for v in table], Q
        spread *= Q // unit
        primal = [self.primal(scores, ridge + s * doubt, b, s * spread) for s in (-1, 1)]
        dual = [self.dual(p, ridge + s * doubt, balance) for s in (1, -1)]
        return self.verdict(c, (dual[0], dual[1]), (primal[0], primal[1]))

    def infeasible(self, farkas: Any) -> str:
        """λ ≥ 0, λ ≠ 0, Σ λ y x = 0 (and Σ λ y = 0 with a bias): no w, b has every y(w·x + b) ≥ margin > 0."""
        if not self.hard:
            raise Rejected("only a hard margin can be infeasible")
        p = self.duals({"alpha": farkas})
        if not p or any(v < 0 for v in p.values()):
            raise Rejected("the Farkas vector must be above 0 somewhere and nowhere below")
        if sum(p.values()) != 1:
            raise Rejected("the Farkas vector does not sum to 1")
        pulled, balance = self.through(p)
        if any(v for line in pulled[0] for v in line) or (self.bias != "none" and any(balance)):
            raise Rejected("the Farkas combination of the data is not 0")
        return f"infeasible: not separable, proved by {len(p)} samples"


# -- kernels -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KernelValues:
    """K(x_i, x_j) is `entry(i, j)` over `unit`, to ± `radius` of them."""

    entry: Callable[[int, int], int]
    unit: int
    radius: int

    def scores(self, beta: dict[int, int], n: int) -> list[int]:
        """Σ_j β_j K(x_j, x_i) of each sample."""
        return [sum([m * self.entry(i, j) for j, m in beta.items()]) for i in range(n)]


def kernel_of(given: Any, program: Program) -> KernelValues:
    """A kernel that is positive semi-definite by theorem or, of a given matrix, by proof. Raises: Rejected."""
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or name not in KERNELS or set(given) != KERNELS[name]:
        raise Rejected(f"unknown kernel {str(given)[:60]}")
    scale = program.scale
    X = [[x.get(j, 0) for j in range(program.d)] if isinstance(x, dict) else x for x in program.X]
    if name == "precomputed":
        semidefinite(X, scale)
        return KernelValues(lambda i, j: X[i][j], scale, 0)
    gamma = read(given["gamma"], "gamma of the kernel")
    if gamma <= 0:
        raise Rejected("gamma of the kernel must be above 0")
    p, q = gamma.numerator, gamma.denominator
    if name == "rbf":
        bottom = q * scale**2

        def bell(i: int, j: int) -> int:
            far = sum([(a - b) ** 2 for a, b in zip(X[i], X[j], strict=True)])
            return exponential(p * far, bottom)

        return KernelValues(bell, 1 << BITS, 1)
    degree, coef0 = given["degree"], read(given["coef0"], "coef0")
    if type(degree) is not int or not 1 <= degree <= 20 or coef0 < 0:
        raise Rejected("the degree must be 1 … 20 and coef0 at least 0")
    slope, top = p * coef0.denominator, coef0.numerator * q * scale**2
    return KernelValues(
        lambda i, j: (slope * sum(map(mul, X[i], X[j])) + top) ** degree,
        (q * coef0.denominator * scale**2) ** degree, 0,
    )  # fmt: skip


BITS, GUARD = 160, 48  # of exp(−t): good to one unit of 2^−BITS
LN2 = 0xB17217F7D1CF79ABC9E3B39803F2F6AF40F343267298B62D8A0D175B8BAAFA2BE7B876206DEBAC98559552FB4AFA1B10  # · 2^−384


def exponential(p: int, q: int) -> int:
    """exp(−p/q)·2^BITS for p/q ≥ 0, to ± 1.

    −t = −k ln 2 − r with 0 ≤ r < ln 2; the series of exp(−r/2⁸), squared eight times. Each operation below errs by at
    most one unit of 2^−(BITS+GUARD); less than 2⁸ come from t and k·ln 2, divided by 2⁸, less than 2⁶ from the series,
    and eight squarings multiply what there is by at most 2⁸ and add less than 2⁸: together far below 2^GUARD/2.
    """
    work = BITS + GUARD
    if p > (BITS + 3) * q:  # exp(−t) < 2^−(BITS+2): 0 is right to ± 1
        return 0
    ln2 = LN2 >> (384 - work)
    k, r = divmod((p << work) // q, ln2)
    term = total = 1 << work
    r >>= 8
    for i in range(1, 26):
        term = -(term * r >> work) // i
        total += term
    for _ in range(8):
        total = total * total >> work
    total >>= k
    return (total + (1 << (GUARD - 1))) >> GUARD


def semidefinite(K: list[list[int]], scale: int) -> None:
    """Raises: Rejected unless a symmetric matrix is proved to be positive semi-definite."""
    n = len(K)
    if any(len(row) != n for row in K):
        raise Rejected("a precomputed kernel must be a square matrix")
    if any(K[i][j] != K[j][i] for i in range(n) for j in range(i)):
        raise Rejected("a precomputed kernel must be symmetric")
    if not _factors([[v / scale for v in row] for row in K]):
        _eliminated(K)


def _factors(K: list[list[float]]) -> bool:
    """Whether a floating-point Cholesky factor of K less its rounding errors exists, so that K is positive definite.

    Rump 2006, Verification of positive definiteness, theorem 2.3: K − cI with c above γ/(1 − γ)·trace K, γ = (n + 1)u
    over 1 − (n + 1)u, doubled here for the rounding of K and of c.
    """
    n = len(K)
    if any(row[i] <= 0 or not math.isfinite(row[i]) for i, row in enumerate(K)) or n > 10_000:
        return False
    c = 4 * (n + 3) * 2.0**-53 * sum(K[i][i] for i in range(n)) + n * 1e-300
    L: list[list[float]] = []
    for i in range(n):
        line: list[float] = []
        for j in range(i):
            line.append((K[i][j] - sum(map(mul, line, L[j]))) / L[j][j])
        left = (K[i][i] - c) - sum(map(mul, line, line))
        if not left > 0:
            return False
        line.append(math.sqrt(left))
        L.append(line)
    return True


MOST_EXACT = 300  # rows up to which a singular matrix is eliminated exactly


def _eliminated(K: list[list[int]]) -> None:
    """Exact elimination with the largest diagonal as pivot (Bareiss 1968): what is left must be 0."""
    A = [list(row) for row in K]
    last, left = 1, list(range(len(K)))
    if len(K) > MOST_EXACT:
        raise Rejected(
            f"the kernel matrix is too near to singular to be proved positive semi-definite (n > {MOST_EXACT})"
        )
    while left:
        pivot = max(left, key=lambda i: A[i][i])
        if A[pivot][pivot] <= 0:
            if any(A[i][j] for i in left for j in left):
                raise Rejected("the kernel matrix is not positive semi-definite: w and its norm mean nothing")
            return
        left.remove(pivot)
        for i in left:
            for j in left:
                if j <= i:
                    A[i][j] = A[j][i] = (A[i][j] * A[pivot][pivot] - A[i][pivot] * A[pivot][j]) // last
        last = A[pivot][pivot]


def main(arguments: list[str]) -> int:
    """`checker.py cert.json data.csv [label]`."""
    try:
        certificate = parse(Path(arguments[0]).read_text(encoding="utf-8"))
        unlabelled = isinstance(certificate, dict) and certificate.get("loss") == "one_class"
        data = load(arguments[1], arguments[2] if len(arguments) > 2 else None, unlabelled=unlabelled)
        print(check(certificate, data.rows, data.labels))
    except (Rejected, UnicodeDecodeError) as error:
        print(f"rejected: {error}")
        return 1
    except (BadData, OSError, IndexError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
