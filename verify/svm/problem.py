"""The common form of every model here: min ½θᵀDθ + cᵀθ + Σ_g φ(u_g), u = Aθ + offset.

φ of a row is sup over 0 ≤ p ≤ C of p·u − κp²/2: the hinge (κ = 0), its square (C = ∞, κ > 0), the smoothed hinge
(both finite), a hard constraint (C = ∞, κ = 0). In Crammer–Singer the rows of a sample form a group with Σp ≤ C.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.errors import UsageError, among
from hingeproof.svm.exact import Array, U, common, integers, power, product, rational, rounded, sums
from hingeproof.svm.given import decimal, many_labels, matrix, targets, two_labels
from hingeproof.svm.weights import Weighting, weights

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
        target = targets(y, n)
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
    weighting, weight = weights(class_weight, sample_weight, loss, hard, target, labels)
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
