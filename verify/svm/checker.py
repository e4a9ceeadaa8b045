"""Check a certificate against its data: integers and Fractions, the standard library alone, no solver.

`python checker.py cert.json data.csv [label]` works where nothing is installed. Every condition of
docs/svm-certificate.md is checked; whatever is wrong raises Rejected.
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
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

BINARY = ("hinge", "squared_hinge", "smooth_hinge")
MULTICLASS = ("weston_watkins", "crammer_singer")
PARAMETERS = {
    "hinge": {"C", "margin"}, "squared_hinge": {"C", "margin"}, "smooth_hinge": {"C", "margin", "gamma"},
    "weston_watkins": {"C", "margin"}, "crammer_singer": {"C", "margin"},
    "epsilon_insensitive": {"C", "epsilon"}, "one_class": {"nu"},
}  # fmt: skip
COMMON = {"kind", "status", "loss", "bias", "parameters", "n", "d", "data_sha256", "label_map"}
DIGITS = 4_000
LABELS = ("y", "label", "target", "class")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Rejected(Exception):
    """The certificate does not prove what it says."""


class BadData(Exception):
    """The data cannot be read; the message names row and column."""


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
    if not isinstance(text, str) or not re.fullmatch(r"-?(\d+/\d+|0x[0-9a-f]+/0x[0-9a-f]+)", text):
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


def number(text: str, where: str) -> float:
    """The float nearest to a decimal. Raises: BadData."""
    text = text.strip()
    if not NUMBER.fullmatch(text):
        kind = "not a finite number" if text.lower().lstrip("+-") in ("nan", "inf", "infinity") else "not a number"
        raise BadData(f"{where}: {text!r} is {kind}" if text else f"{where}: empty")
    value = float(text)
    if math.isinf(value):
        raise BadData(f"{where}: {text!r} is not a finite float64")
    return value


def load(path: str | Path, label: str | None, *, unlabelled: bool = False) -> tuple[list[list[float]], list[Any]]:
    """Rows and labels (texts, or numbers where all are) of a CSV, NPY or NPZ file. Raises: BadData."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: {error.strerror}") from error
    try:
        return _read(raw, path, label, unlabelled)
    except (ValueError, SyntaxError, KeyError, IndexError, struct.error, zipfile.BadZipFile) as error:
        raise BadData(f"{path}: cannot be read: {error}") from error


def _read(raw: bytes, path: Path, label: str | None, unlabelled: bool) -> tuple[list[list[float]], list[Any]]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        if "X" not in parts or ("y" not in parts and not unlabelled):
            raise BadData(f"{path}: it holds {', '.join(sorted(parts))}; X and y are needed")
        rows = npy(parts["X"], path)
        labels = [v for line in npy(parts["y"], path) for v in line] if "y" in parts else []
        if not unlabelled and len(labels) != len(rows):
            raise BadData(f"{path}: y has {len(labels)} values where X has {len(rows)} rows")
        return rows, [] if unlabelled else labels
    if suffix == ".npy":
        return _split(npy(raw, path), label, path, unlabelled)
    return _csv(raw, label, path, unlabelled)


def _split(
    table: list[list[float]], label: str | None, path: Path, unlabelled: bool
) -> tuple[list[list[float]], list[Any]]:
    if not table:
        raise BadData(f"{path}: n = 0: there are no rows")
    if unlabelled and label is None:
        return table, []
    at = _index(label if label is not None else "-1", len(table[0]), path)
    labels = [row[at] for row in table]
    return [row[:at] + row[at + 1 :] for row in table], [] if unlabelled else labels


def _index(label: str, width: int, path: Path) -> int:
    try:
        at = int(label)
    except ValueError:
        raise BadData(f"{path}: label {label!r} not found: without a header, give the number of a column") from None
    if not -width <= at < width:
        raise BadData(f"{path}: label {label} not found: there are {width} columns, numbered from 0")
    return at % width


# each branch is a way in which a file is no table, with its row and column: a helper would only carry these about
def _csv(raw: bytes, label: str | None, path: Path, unlabelled: bool) -> tuple[list[list[float]], list[Any]]:  # noqa: C901
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at_row = raw.count(b"\n", 0, error.start) + 1
        column = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].count(b",") + 1
        raise BadData(f"{path}: row {at_row}, column {column}: not UTF-8 text; save it as UTF-8") from error
    if "\0" in text:
        raise BadData(f"{path}: row {text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL byte; is this a CSV file?")
    reader = csv.reader(io.StringIO(text, newline=""))
    lines = []
    try:
        for line in reader:
            if line and any(cell.strip() for cell in line):
                lines.append((reader.line_num, [cell.strip() for cell in line]))
    except csv.Error as error:
        raise BadData(f"{path}: row {reader.line_num}: {error}") from error
    if not lines:
        raise BadData(f"{path}: n = 0: the file is empty")
    head = lines[0][1]
    header = not any(NUMBER.fullmatch(cell) for cell in head)
    if header:
        lines = lines[1:]
        if len(set(head)) < len(head):
            twice = next(name for name in head if head.count(name) > 1)
            raise BadData(f"{path}: row 1: column {twice!r} stands there twice")
    if not lines:
        raise BadData(f"{path}: n = 0: there is a header and no rows")
    width = len(head)
    at: int | None = None
    if label is not None and header and label in head:
        at = head.index(label)
    elif label is not None and header:
        raise BadData(f"{path}: label {label!r} not found: the columns are {', '.join(head[:12])}")
    elif label is not None:
        at = _index(label, width, path)
    elif not unlabelled:
        found = [name for name in LABELS if name in head]
        if not found:
            raise BadData(f"{path}: label not found: name its column with --label")
        at = head.index(found[0])
    rows, texts, places = [], [], []
    for line_number, cells in lines:
        if len(cells) != width:
            raise BadData(f"{path}: row {line_number}: {len(cells)} columns where the first row has {width}")
        if at is not None:
            if not cells[at]:
                raise BadData(f"{path}: row {line_number}, column {head[at] if header else at}: empty label")
            texts.append(cells[at])
            places.append(line_number)
        rows.append(
            [
                number(cell, f"{path}: row {line_number}, column {head[j] if header else j}")
                for j, cell in enumerate(cells)
                if j != at
            ]
        )
    if unlabelled:
        return rows, []
    for name, line_number in zip(texts, places, strict=True):
        if name.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            raise BadData(
                f"{path}: row {line_number}, column {head[at or 0] if header else at}: label {name!r} is not finite"
            )
    if all(NUMBER.fullmatch(name) for name in texts):
        return rows, [number(name, f"{path}: row {line}") for name, line in zip(texts, places, strict=True)]
    return rows, texts


def npy(raw: bytes, path: Path) -> list[list[float]]:
    """The rows of an NPY array (one column where it has one dimension). Raises: BadData."""
    if raw[:6] != b"\x93NUMPY":
        raise BadData(f"{path}: no NPY file")
    size = 2 if raw[6] == 1 else 4
    length = int.from_bytes(raw[8 : 8 + size], "little")
    head = ast.literal_eval(raw[8 + size : 8 + size + length].decode("latin-1"))
    kind, shape = str(head["descr"]), head["shape"]
    codes = {
        "f8": "d", "f4": "f", "f2": "e", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I",
        "i8": "q", "u8": "Q", "b1": "?",
    }  # fmt: skip
    if kind[1:] not in codes:
        raise BadData(f"{path}: dtype {kind} is not numeric: store float64")
    if len(shape) not in (1, 2):
        raise BadData(f"{path}: shape {shape}: it must be (n, d)")
    n, d = shape[0], shape[1] if len(shape) == 2 else 1
    flat = struct.unpack(f"{'>' if kind[0] == '>' else '<'}{n * d}{codes[kind[1:]]}", raw[8 + size + length :])
    rows = [[float(flat[i + j * n] if head["fortran_order"] else flat[i * d + j]) for j in range(d)] for i in range(n)]
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if not math.isfinite(value):
                raise BadData(f"{path}: row {i}, column {j}: {value} is not a finite number")
    if not rows:
        raise BadData(f"{path}: n = 0: there are no rows")
    return rows


def named(label: Any) -> str:
    """The text of a label."""
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(label)
    return str(label)


def mapped(loss: str, labels: list[Any], n: int) -> tuple[dict[str, int], list[float]]:
    """Label map, and mapped labels: ±1, class numbers, targets, or nothing."""
    if loss == "one_class":
        return {}, []
    if loss == "epsilon_insensitive":
        for i, v in enumerate(labels):
            if not isinstance(v, float):
                raise BadData(f"row {i}, label: {v!r} is not a number")
        return {}, labels
    found = sorted(set(labels))
    if len(found) < 2:
        raise BadData(f"one class only: every label is {named(found[0])}")
    if loss in BINARY and len(found) > 2:
        raise BadData(f"{len(found)} labels where {loss} needs two")
    numbers = {v: i for i, v in enumerate(found)} if loss in MULTICLASS else {found[0]: -1, found[1]: 1}
    return {named(v): i for v, i in numbers.items()}, [float(numbers[v]) for v in labels]


def digest(rows: list[list[float]], labels: list[float]) -> str:
    """SHA-256 of the rows and mapped labels as little-endian float64, −0 as 0."""
    sha = hashlib.sha256()
    for row in rows:
        sha.update(struct.pack(f"<{len(row)}d", *(v + 0.0 for v in row)))
    sha.update(struct.pack(f"<{len(labels)}d", *(v + 0.0 for v in labels)))
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


def check(certificate: Any, rows: list[list[float]], labels: list[Any]) -> str:
    """Return a sentence that says what is proved. Raises: Rejected, BadData."""
    c = certificate
    if not isinstance(c, dict):
        raise Rejected("no JSON object")
    loss = c.get("loss")
    if not isinstance(loss, str) or loss not in PARAMETERS:
        raise Rejected(f"unknown loss {loss!r}")
    shape = {"optimum": "exact", "interval": "interval", "infeasible": "exact"}
    kind = c.get("kind")
    if not isinstance(kind, str) or kind not in shape or c.get("status") != shape[kind]:
        raise Rejected(f"kind {kind!r} with status {c.get('status')!r}")
    fields = COMMON | ({"farkas"} if kind == "infeasible" else {"w", "b", "objective", "lower", "upper"})
    if kind != "infeasible":
        fields |= {"alpha", "margin_squared"} if loss in BINARY else {"multipliers"}
    if set(c) != fields:
        raise Rejected(f"missing or unknown fields: {', '.join(sorted(set(c) ^ fields))}")
    if c["bias"] not in ("free", "regularised", "none") or (loss == "one_class" and c["bias"] != "free"):
        raise Rejected(f"bias {c['bias']!r}")
    n, d = len(rows), len(rows[0])
    if type(c["n"]) is not int or type(c["d"]) is not int or (c["n"], c["d"]) != (n, d):
        raise Rejected(f"n, d are {c['n']!r}, {c['d']!r}: the data have {n}, {d}")
    label_map, y = mapped(loss, labels, n)
    given = c["label_map"]
    if given != label_map or any(type(v) is not int for v in given.values()):
        raise Rejected(f"label_map is {given!r}: the data give {label_map!r}")
    if c["data_sha256"] != digest(rows, y):
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
    problem = Program(loss, c["bias"], values, rows, y, len(label_map), hard)
    if kind == "infeasible":
        return problem.infeasible(c["farkas"])
    return problem.solved(c)


class Program:
    """min ½‖w‖² (+ ½‖b‖²) + Σ loss, every row u = constant − Σ sign·s_block with 0 ≤ p ≤ C."""

    def __init__(
        self, loss: str, bias: str, values: dict[str, Fraction], rows: list[list[float]], y: list[float], classes: int,
        hard: bool,
    ) -> None:  # fmt: skip
        self.loss, self.bias, self.values, self.y, self.hard = loss, bias, values, y, hard
        self.n, self.d = len(rows), len(rows[0])
        self.blocks = classes if loss in MULTICLASS else 1
        bits = max((v.as_integer_ratio()[1].bit_length() - 1 for row in rows for v in row), default=0)
        self.scale = 1 << bits
        self.X = [[p * (self.scale // q) for p, q in map(float.as_integer_ratio, row)] for row in rows]
        self.C = None if hard or loss == "squared_hinge" else values.get("C") or 1 / (values["nu"] * self.n)
        self.kappa = Fraction(0)
        if loss == "squared_hinge":
            self.kappa = 1 / (2 * values["C"])
        elif loss == "smooth_hinge":
            self.kappa = values["gamma"] / values["C"]

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
                if not re.fullmatch(r"0|[1-9]\d{0,17}", key):
                    raise Rejected(f"alpha has the row {key!r}")
                items.append([int(key), 0, value])
        else:
            items = c["multipliers"]
        if not isinstance(items, list):
            raise Rejected("multipliers is no list")
        for item in items:
            if not isinstance(item, list) or len(item) != 3 or type(item[0]) is not int or type(item[1]) is not int:
                raise Rejected("a multiplier is not [sample, constraint, value]")
            i, k = item[0], item[1]
            if not 0 <= i < self.n or k not in [number for number, _, _ in self.constraints(i)]:
                raise Rejected(f"there is no constraint {k} of sample {i}")
            if found and (i, k) <= next(reversed(found)):
                raise Rejected("multipliers are not in ascending order")
            found[i, k] = read(item[2], f"multiplier of sample {i}")
            if found[i, k] == 0:
                raise Rejected(f"multiplier of sample {i} is 0: leave it out")
        return found

    def through(self, p: dict[tuple[int, int], Fraction]) -> tuple[list[list[Fraction]], list[Fraction]]:
        """−Aᵀp: by block, the part of w and that of b."""
        common = math.lcm(*(v.denominator for v in p.values())) if p else 1
        w = [[0] * self.d for _ in range(self.blocks)]
        b = [0] * self.blocks
        for i in range(self.n):
            for number_, _, terms in self.constraints(i):
                if (i, number_) in p:
                    v = p[i, number_]
                    m = v.numerator * (common // v.denominator)
                    for sign, block in terms:
                        b[block] -= sign * m
                        line = w[block]
                        for j, x in enumerate(self.X[i]):
                            if x:
                                line[j] -= sign * m * x
        return [[Fraction(v, common * self.scale) for v in line] for line in w], [Fraction(v, common) for v in b]

    def vectors(self, c: dict[str, Any]) -> tuple[list[list[Fraction]], list[Fraction]]:
        w, b = c["w"], c["b"]
        if self.loss not in MULTICLASS:
            w, b = [w], [b]
        if not isinstance(w, list) or not isinstance(b, list) or len(w) != self.blocks or len(b) != self.blocks:
            raise Rejected("w or b has the wrong length")
        if any(not isinstance(line, list) or len(line) != self.d for line in w):
            raise Rejected("w has the wrong length")
        return [[read(v, "w") for v in line] for line in w], [read(v, "b") for v in b]

    # the conditions in the order of docs/svm-certificate.md, to be read beside it
    def solved(self, c: dict[str, Any]) -> str:  # noqa: C901
        """An optimum, or an interval that holds it."""
        exact = c["kind"] == "optimum"
        w, b = self.vectors(c)
        p = self.duals(c)
        lower, upper = read(c["lower"], "lower"), read(c["upper"], "upper")
        pulled, balance = self.through(p)
        for (i, k), v in p.items():
            if v < 0 or (self.C is not None and v > self.C):
                raise Rejected(f"multiplier {k} of sample {i} is outside [0, C]")
        if self.loss == "crammer_singer":
            for i in range(self.n):
                if sum((p.get((i, k), Fraction(0)) for k in range(self.blocks)), Fraction(0)) > (self.C or 0):
                    raise Rejected(f"the multipliers of sample {i} sum to more than C")
        if self.bias == "free":
            wanted = Fraction(1 if self.loss == "one_class" else 0)
            if any(v != wanted for v in balance):
                raise Rejected("the multipliers do not balance: Σ of them over the free bias")
        if self.bias == "none" and any(b):
            raise Rejected("there is no bias, and b is not 0")
        primal, dual = self.objectives(w, b, p, pulled, balance)
        if not lower <= upper or dual != lower or primal != upper:
            raise Rejected("lower or upper is not the dual or primal objective of what the certificate holds")
        if self.loss in BINARY:
            norm = sum((v * v for v in w[0]), Fraction(0))
            if c["margin_squared"] is None:
                if norm:
                    raise Rejected("margin_squared is missing")
            elif not norm or read(c["margin_squared"], "margin_squared") * norm != 1:
                raise Rejected("margin_squared is not 1/‖w‖²")
        if not exact:
            if c["objective"] is not None or lower == upper:
                raise Rejected("an interval has no objective and lower below upper")
            return f"interval: the optimum lies in [{float(lower):.12g}, {float(upper):.12g}]"
        if lower != upper:
            raise Rejected("lower and upper differ: no optimum is proved")
        if read(c["objective"], "objective") != upper:
            raise Rejected("objective is not that of w and b")
        # with gap 0 these hold; saying them again costs little and names what is wrong
        if w != pulled or (self.bias == "regularised" and b != balance):
            raise Rejected("w is not Σ of multipliers times data")
        return f"exact: objective {float(upper):.12g}, duality gap 0, proved"

    # one branch a loss, so that each formula stands as the paper has it
    def objectives(  # noqa: C901
        self, w: list[list[Fraction]], b: list[Fraction], p: dict[tuple[int, int], Fraction],
        pulled: list[list[Fraction]], balance: list[Fraction],
    ) -> tuple[Fraction, Fraction]:  # fmt: skip
        """The primal objective at (w, b) and the dual one at p: any of the second is below any of the first."""
        Q = math.lcm(*(v.denominator for line in w for v in line), *(v.denominator for v in b))
        N = [[v.numerator * (Q // v.denominator) for v in line] for line in w]
        B = [v.numerator * (Q // v.denominator) * self.scale for v in b]
        unit = Q * self.scale
        loss = Fraction(0)
        grouped: dict[int, list[int]] = {}  # sums by denominator, to stay with integers
        linear = Fraction(0)
        for i, x in enumerate(self.X):
            scores = [sum(a * t for a, t in zip(x, line, strict=True) if a) + s for line, s in zip(N, B, strict=True)]
            best: list[Fraction] = []
            for _, constant, terms in self.constraints(i):
                q = constant.denominator
                u = constant.numerator * unit + q * sum(sign * scores[block] for sign, block in terms)
                if self.hard and u > 0:
                    raise Rejected(f"sample {i} violates the margin")
                if u > 0:
                    if self.kappa or self.loss == "crammer_singer":
                        best.append(Fraction(u, q * unit))
                    else:
                        grouped.setdefault(q, []).append(u)
            if self.loss == "crammer_singer":
                linear += max(best, default=Fraction(0))
            elif self.kappa:
                for v in best:
                    cap = v if self.C is None else min(v, self.kappa * self.C)
                    loss += cap * (v - cap / 2) / self.kappa
        linear += sum((Fraction(sum(us), q * unit) for q, us in grouped.items()), Fraction(0))
        if self.C is not None and not self.kappa:
            loss += self.C * linear
        ridge = sum((v * v for line in w for v in line), Fraction(0))
        dual_ridge = sum((v * v for line in pulled for v in line), Fraction(0))
        if self.bias == "regularised":
            ridge += sum((v * v for v in b), Fraction(0))
            dual_ridge += sum((v * v for v in balance), Fraction(0))
        if self.loss == "one_class":
            loss += b[0]  # −ρ
        gain, squares = Fraction(0), Fraction(0)
        if p:
            common = math.lcm(*(v.denominator for v in p.values()))
            sums: dict[Fraction, int] = {}
            square = 0
            for i in range(self.n):
                for k, constant, _ in self.constraints(i):
                    if (i, k) in p:
                        m = p[i, k].numerator * (common // p[i, k].denominator)
                        sums[constant] = sums.get(constant, 0) + m
                        square += m * m if self.kappa else 0
            gain = sum((constant * Fraction(m, common) for constant, m in sums.items()), Fraction(0))
            squares = Fraction(square, common * common)
        return ridge / 2 + loss, gain - dual_ridge / 2 - self.kappa * squares / 2

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
        if any(v for line in pulled for v in line) or (self.bias != "none" and any(balance)):
            raise Rejected("the Farkas combination of the data is not 0")
        return f"infeasible: not separable, proved by {len(p)} samples"


def main(arguments: list[str]) -> int:
    """`checker.py cert.json data.csv [label]`."""
    try:
        certificate = parse(Path(arguments[0]).read_text(encoding="utf-8"))
        unlabelled = isinstance(certificate, dict) and certificate.get("loss") == "one_class"
        rows, labels = load(arguments[1], arguments[2] if len(arguments) > 2 else None, unlabelled=unlabelled)
        print(check(certificate, rows, labels))
    except (Rejected, UnicodeDecodeError) as error:
        print(f"rejected: {error}")
        return 1
    except (BadData, OSError, IndexError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
