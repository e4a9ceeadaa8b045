"""The common form of every model here: min ½θᵀDθ + cᵀθ + Σ_g φ(u_g), u = Aθ + offset.

φ of a row is sup over 0 ≤ p ≤ C of p·u − κp²/2: the hinge (κ = 0), its square (C = ∞, κ > 0), the smoothed hinge
(both finite), a hard constraint (C = ∞, κ = 0). In Crammer–Singer the rows of a sample form a group with Σp ≤ C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.errors import UsageError, among
from hingeproof.svm.exact import Array, U, common, integers, power, product, rational, rounded, sums

LOSSES = (
    "hinge", "squared_hinge", "smooth_hinge", "weston_watkins", "crammer_singer", "epsilon_insensitive", "one_class",
)  # fmt: skip
BINARY = LOSSES[:3]
MULTICLASS = ("weston_watkins", "crammer_singer")
PARAMETERS = {
    "hinge": ("C", "margin"), "squared_hinge": ("C", "margin"), "smooth_hinge": ("C", "margin", "gamma"),
    "weston_watkins": ("C", "margin"), "crammer_singer": ("C", "margin"), "epsilon_insensitive": ("C", "epsilon"),
    "one_class": ("nu",),
}  # fmt: skip
BIASES = ("free", "regularised", "none")
SMALLEST, LARGEST = Fraction(1, 10**200), Fraction(10**200)  # parameters: floats hold them, and their squares


@dataclass(frozen=True)
class Wide:
    """A table with integers that float64 cannot hold: the nearest float64, and what they leave, also exact."""

    values: Array
    lost: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)


@dataclass(frozen=True)
class Weighting:
    """Factors of C: by the text of a label, and by sample. None: 1."""

    classes: dict[str, fmpq] | None
    samples: tuple[fmpq, ...] | None


@dataclass(frozen=True, eq=False)
class Model:
    """`A` holds exact float64 entries (dense or CSR). A row is u = A_r·θ + constant + h_r; its dual is p_r.

    With weights, C and κ of a row are C·weight and κ/weight: `cap` and `curve`.
    """

    loss: str
    bias: str
    parameters: dict[str, Any]
    A: Any
    constant: fmpq
    h: Array | None
    C: fmpq | None
    kappa: fmpq
    group: int  # rows in a group: 1, or K − 1 where the rows of a sample share one maximum
    weights: int  # coordinates of w, which come first; D is 1 there
    free: int  # coordinates with D = 0: the last ones
    c: tuple[fmpq, ...]  # of the free coordinates; 0 elsewhere
    labels: tuple[tuple[str, int], ...]
    y: Array
    d: int
    classes: int
    names: Array  # (sample, constraint) of each row
    X: Any
    lost: Array | None = None  # what float64 lost of X, where it holds integers beyond 2^53
    rest: Array | None = None  # what float64 lost of A: the exact matrix is A + rest
    weight: tuple[fmpq, ...] | None = None  # of each row; None: 1
    weighting: Weighting | None = None  # what the weights came from

    @property
    def rows(self) -> int:
        return int(self.A.shape[0])

    @property
    def size(self) -> int:
        return int(self.A.shape[1])

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def ridged(self) -> int:
        """Coordinates with D = 1."""
        return self.size - self.free

    def cap(self, row: int) -> fmpq:
        """C of a row that has one."""
        assert self.C is not None
        return self.C if self.weight is None else self.C * self.weight[row]

    def curve(self, row: int) -> fmpq:
        """κ of a row."""
        return self.kappa if self.weight is None else self.kappa / self.weight[row]

    @cached_property
    def shares(self) -> Array:
        """The weights, rounded."""
        return np.ones(self.rows) if self.weight is None else np.array([rounded(v) for v in self.weight])

    @cached_property
    def offset(self) -> Array:
        constant = np.full(self.rows, rounded(self.constant))
        return constant if self.h is None else constant + self.h

    @cached_property
    def magnitude(self) -> Any:
        """|A|."""
        return abs(self.A)

    @cached_property
    def _underflow(self) -> Array:
        """What results below the smallest normal number can add to the error."""
        total = np.asarray(self.magnitude.sum(axis=1)).ravel()
        return np.asarray(total * 2.0**-1073 + (self.size + 8) * 2.0**-1000)

    def dense(self, rows: Any) -> Array:
        part = self.A[rows]
        return np.asarray(part.toarray() if sparse.issparse(part) else part)

    def whole(self, rows: Any) -> tuple[list[int], int]:
        """The exact entries of rows as integers times 2^e, row after row."""
        flat, e = integers(self.dense(rows).ravel())
        if self.rest is None:
            return flat, e
        more, f = integers(self.rest[rows].ravel())
        low = min(e, f)
        return [(a << (e - low)) + (b << (f - low)) for a, b in zip(flat, more, strict=True)], low

    def exact_offset(self, row: int) -> fmpq:
        return self.constant if self.h is None else self.constant + rational(self.h[row])

    def entries(self, rows: Array) -> tuple[Array, Array]:
        """Non-zero values and their columns in the rows; they add up to the exact matrix."""
        part = self.A[rows]
        if sparse.issparse(part):
            part = part.tocoo()
            return part.data, part.col
        parts = [part] if self.rest is None else [part, self.rest[rows]]
        at = [np.nonzero(v) for v in parts]
        return np.concatenate([v[k] for v, k in zip(parts, at, strict=True)]), np.concatenate([k[1] for k in at])

    def pull(self, rows: Array) -> tuple[list[fmpq], fmpq]:
        """Σ C_r A_r and Σ C_r offset_r over the rows, exactly. Nothing is pulled where there is no C."""
        if self.C is None or not len(rows):
            return [fmpq(0)] * self.size, fmpq(0)
        if self.weight is not None:
            caps = [self.cap(r) for r in rows.tolist()]
            offsets = (self.exact_offset(r) for r in rows.tolist())
            return self.combined(rows, caps), sum((c * o for c, o in zip(caps, offsets, strict=True)), fmpq(0))
        values, columns = self.entries(rows)
        return [self.C * v for v in sums(values, columns, self.size)], self.C * self._offsets(rows)

    def combined(self, rows: Array, values: list[fmpq]) -> list[fmpq]:
        """Σ v_r A_r, exactly."""
        if not sparse.issparse(self.A):
            flat, e = self.whole(rows)
            columns = [flat[i * self.size + j] for j in range(self.size) for i in range(len(rows))]
            return [v * power(e) for v in product(columns, self.size, values)]
        part = self.A[rows].tocoo()
        flat, e = integers(part.data)
        numerators, scale = common(values)
        whole = [int(v) for v in numerators]
        out = [0] * self.size
        for a, i, j in zip(flat, part.row.tolist(), part.col.tolist(), strict=True):
            out[j] += a * whole[i]
        return [fmpq(v, scale) * power(e) for v in out]

    def _offsets(self, rows: Array) -> fmpq:
        total = self.constant * len(rows)
        if self.h is not None:
            total += sums(self.h[rows], np.zeros(len(rows), np.int64), 1)[0]
        return total

    def floats(self, theta: list[fmpq]) -> tuple[Array, Array]:
        """u in floating point, and a rigorous bound of its error (any order of summation; Higham 2002, §3.1)."""
        t = np.array([rounded(v) for v in theta])
        u = self.A @ t + self.offset
        size = self.magnitude @ np.abs(t) + np.abs(self.offset)
        bound = (self.size + 8) * 2 * U * size + self._underflow
        if self.rest is not None:
            bound = bound + 2 * (np.abs(self.rest) @ np.abs(t))
        return u, np.where(np.isfinite(u) & np.isfinite(bound), bound, np.inf)

    def values(self, rows: Array, theta: list[fmpq]) -> list[fmpq]:
        """u exactly, of some rows."""
        if not len(rows):
            return []
        if sparse.issparse(self.A):
            out = []
            for row in rows.tolist():
                part = self.A[row].tocoo()
                u = self.exact_offset(row)
                for v, j in zip(part.data.tolist(), part.col.tolist(), strict=True):
                    u += rational(v) * theta[j]
                out.append(u)
            return out
        matrix, e = self.whole(rows)
        scale = fmpq(2) ** e
        dots = product(matrix, len(rows), theta)
        return [dot * scale + self.exact_offset(row) for dot, row in zip(dots, rows.tolist(), strict=True)]


@dataclass
class Point:
    """A candidate (θ, p): p is C on `full`, `part` on its rows, 0 elsewhere."""

    theta: list[fmpq]
    full: Array
    part: dict[int, fmpq]
    biases: tuple[fmpq | None, fmpq | None] | None = None
    objective: fmpq | None = None
    notes: dict[str, Any] = field(default_factory=dict)


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


# one branch a loss, so that each row of A stands as its formula has it
def build(
    X: Any, y: Any, *, C: Any, loss: str, bias: str, epsilon: Any, gamma: Any, nu: Any, margin: Any, hard: bool,
    class_weight: Any = None, sample_weight: Any = None,
) -> Model:  # fmt: skip
    """Put data and parameters in the common form. Raises: UsageError."""
    among(loss, LOSSES, "loss of the SVM oracle")
    among(bias, BIASES, "kind of bias")
    if hard and loss != "hinge":
        raise UsageError(f"a hard margin has no loss: leave out loss {loss!r} or hard")
    if loss == "one_class" and bias != "free":
        raise UsageError("one_class has a free threshold ρ = −b: use bias free")
    X, lost = matrix(X)
    n, d = X.shape
    values = _parameters(loss, hard, {"C": C, "epsilon": epsilon, "gamma": gamma, "nu": nu, "margin": margin})
    parameters: dict[str, Any] = {**({"C": None} if hard else {}), **values}
    bound: fmpq | None = None if hard else fmpq(1) / (values["nu"] * n) if loss == "one_class" else values["C"]
    kappa, constant, h, group, classes, c = fmpq(0), values.get("margin", fmpq(0)), None, 1, 1, fmpq(0)
    sample = np.arange(n)
    names = np.stack([sample, np.zeros(n, np.int64)], axis=1)
    labels: tuple[tuple[str, int], ...] = ()
    with_bias = bias != "none"
    rest = None
    if loss in BINARY:
        signs, labels = two_labels(y, n)
        A = _signed(X, -signs, with_bias)
        rest = None if lost is None else _signed(lost, -signs, False)
        target = signs
        if loss == "squared_hinge":
            kappa, bound = fmpq(1) / (2 * values["C"]), None
        elif loss == "smooth_hinge":
            kappa = values["gamma"] / values["C"]
    elif loss == "one_class":
        target = np.zeros(n)
        A = _signed(X, -np.ones(n), True)
        rest = None if lost is None else -lost
        c = fmpq(1)
    elif loss == "epsilon_insensitive":
        target = _targets(y, n)
        both = _signed(X, np.ones(n), with_bias)
        A = sparse.vstack([-both, both], format="csr") if sparse.issparse(both) else np.vstack([-both, both])
        constant, h = -values["epsilon"], np.concatenate([target, -target])
        rest = None if lost is None else np.vstack([-lost, lost])
        names = np.concatenate([names, names + np.array([0, 1])])
    else:
        target, labels = many_labels(y, n)
        classes = len(labels)
        A, names = _blocks(X, target.astype(np.int64), classes, bias)
        if lost is not None:
            parts = _blocks(lost, target.astype(np.int64), classes, "none")[0]
            A, rest = [np.asarray(v.toarray()) if sparse.issparse(v) else v for v in (A, parts)]
        group = classes - 1 if loss == "crammer_singer" else 1
    free = 0 if bias != "free" else classes - 1 if loss in MULTICLASS else 1
    if rest is not None:
        rest = np.hstack([rest, np.zeros((len(rest), A.shape[1] - rest.shape[1]))])
    weighting, weight = _weights(class_weight, sample_weight, loss, hard, target, labels)
    if weight is not None:
        keep = np.array([weight[i] > 0 for i in names[:, 0].tolist()])
        if not keep.any():
            raise UsageError("every weight is 0: there is nothing to learn from")
        A, names = A[keep], names[keep]
        h = None if h is None else h[keep]
        rest = None if rest is None else rest[keep]
        weight = tuple(weight[i] for i in names[:, 0].tolist())
    return Model(
        loss=loss, bias=bias, parameters=parameters, A=A, constant=constant, h=h, C=bound, kappa=kappa, group=group,
        weights=d * classes, free=free, c=(c,) * free, labels=labels, y=target, d=d, classes=classes, names=names, X=X,
        lost=lost, rest=rest, weight=weight, weighting=weighting,
    )  # fmt: skip


def _parameters(loss: str, hard: bool, given: dict[str, Any]) -> dict[str, fmpq]:
    """The parameters of the loss. Raises: UsageError for one out of its range."""
    values = {name: decimal(name, given[name]) for name in PARAMETERS[loss] if not (hard and name == "C")}
    for name, low in (("C", True), ("gamma", True), ("nu", True), ("epsilon", False)):
        if name in values and (values[name] < 0 or (low and values[name] == 0)):
            raise UsageError(f"{name} is {values[name]}: it must be {'above' if low else 'at least'} 0")
    if "nu" in values and values["nu"] > 1:
        raise UsageError(f"nu is {values['nu']}: it must be at most 1")
    if hard and values["margin"] <= 0:
        raise UsageError(f"margin is {values['margin']}: a hard margin must be above 0")
    return values


def _weights(
    by_class: Any, by_sample: Any, loss: str, hard: bool, y: Array, labels: tuple[tuple[str, int], ...]
) -> tuple[Weighting | None, tuple[fmpq, ...] | None]:
    """What was given, and the weight of each sample. Raises: UsageError."""
    if by_class is None and by_sample is None:
        return None, None
    if hard or loss == "one_class":
        raise UsageError(f"{'a hard margin' if hard else 'one_class'} has no C to weight: leave the weights out")
    classes = None if by_class is None else _class_weights(by_class, loss, y, labels)
    samples = None
    if by_sample is not None:
        given = np.asarray(by_sample)
        if given.shape != y.shape or given.dtype.kind not in "fiub":
            raise UsageError(
                f"sample_weight has shape {given.shape} and dtype {given.dtype}: it must be {len(y)} numbers"
            )
        bad = np.flatnonzero(~(np.isfinite(given) & (given >= 0)))
        if len(bad):
            raise UsageError(f"row {bad[0]}, sample_weight: {given[bad[0]]} is not a finite number of at least 0")
        samples = tuple(fmpq(*v.as_integer_ratio()) for v in given.tolist())
    names = {float(number): name for name, number in labels}
    out = samples or (fmpq(1),) * len(y)
    if classes is not None:
        out = tuple(v * classes[names[label]] for v, label in zip(out, y.tolist(), strict=True))
    return Weighting(classes, samples), out


def _class_weights(given: Any, loss: str, y: Array, labels: tuple[tuple[str, int], ...]) -> dict[str, fmpq]:
    """By the text of each label; `balanced` is n / (K n_k)."""
    if not labels:
        raise UsageError(f"{loss} has no classes: leave out class_weight")
    if isinstance(given, str):
        among(given, ("balanced",), "class_weight")
        return {name: fmpq(len(y), len(labels) * int((y == number).sum())) for name, number in labels}
    factors = {text(label): decimal(f"class_weight of {text(label)}", value) for label, value in dict(given).items()}
    for name, value in factors.items():
        among(name, [known for known, _ in labels], "label in class_weight")
        if value < 0:
            raise UsageError(f"class_weight of {name} is {value}: it must be at least 0")
    return {name: factors.get(name, fmpq(1)) for name, _ in labels}


def matrix(X: Any) -> tuple[Any, Array | None]:
    """Float64 rows, dense or CSR, and what they lost of integers beyond 2^53.

    Raises: UsageError naming row and column of what is no finite number, and the kind of array that is not taken.
    """
    X, lost = (X.values, X.lost) if isinstance(X, Wide) else (_sparse(X), None) if sparse.issparse(X) else _dense(X)
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
    if isinstance(X, np.ma.MaskedArray):
        raise UsageError("X is a masked array: fill what is masked, or leave those rows out")
    try:
        table = np.asarray(X)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(_no_number(X) or f"X is not an array of numbers: {error}") from error
    if table.dtype.kind == "f" and isinstance(X, list | tuple):
        for i, row in enumerate(X):
            for j, cell in enumerate(row if isinstance(row, list | tuple) else ()):
                if isinstance(cell, int) and not exact_float(cell):
                    raise UsageError(
                        f"row {i}, column {j}: the integer {cell} is rounded beside floats: give an integer array"
                    )
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
    if table.dtype.kind in "iu":
        return wide(table)
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        row, column = (int(v[0]) for v in np.nonzero(~np.isfinite(table)))
        raise UsageError(f"row {row}, column {column}: {table[row, column]} is not a finite number")
    return table, None


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


def _targets(y: Any, n: int) -> Array:
    column = _column(y, n)
    if column.dtype.kind not in "fiub":
        raise UsageError("row 0, label: epsilon_insensitive needs numbers as targets")
    if column.dtype.kind in "iu" and ((column > 2**53) | (column < -(2**53))).any():
        raise UsageError("y has targets beyond 2^53, which float64 rounds: subtract a constant from them")
    return column.astype(np.float64)


def _signed(X: Any, signs: Array, with_bias: bool) -> Any:
    if sparse.issparse(X):
        part = sparse.diags_array(signs) @ X
        parts = [part, sparse.csr_array(signs[:, None])] if with_bias else [part]
        return sparse.csr_array(sparse.hstack(parts, format="csr"))
    A = X * signs[:, None]
    return np.hstack([A, signs[:, None]]) if with_bias else A


def _blocks(X: Any, y: Array, K: int, bias: str) -> tuple[Any, Array]:
    """Rows u_ik = Δ − (s_y − s_k), k ≠ y. Without a ridge on it, the bias of class 0 is fixed at 0 (a translation)."""
    n, d = X.shape
    flat = sparse.coo_array(X)
    sample = np.repeat(np.arange(n), K - 1)
    other = np.array([[k for k in range(K) if k != c] for c in range(K)])[y].ravel()
    place = np.arange(n * (K - 1)).reshape(n, K - 1)
    rows, columns, values = [], [], []
    for j in range(K - 1):
        for sign, block in ((1.0, other[place[:, j]]), (-1.0, y)):
            rows.append(place[flat.row, j])
            columns.append(block[flat.row] * d + flat.col)
            values.append(sign * flat.data)
    start, skip = K * d, 0
    if bias != "none":
        skip = 1 if bias == "free" else 0
        for sign, block in ((1.0, other), (-1.0, y[sample])):
            keep = block >= skip
            rows.append(np.flatnonzero(keep))
            columns.append(start + block[keep] - skip)
            values.append(np.full(int(keep.sum()), sign))
    width = start + (0 if bias == "none" else K - skip)
    triple = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    A = sparse.csr_array(sparse.coo_array(triple, shape=(n * (K - 1), width)))
    A.eliminate_zeros()
    return (A.toarray() if A.shape[0] * width <= 2_000_000 else A), np.stack([sample, other], axis=1)
