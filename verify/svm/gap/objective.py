"""What a linear model is said to minimise: ½‖W‖² (+ ½ρ‖b‖²) + τ·b + C Σ r_i ℓ(s_i), s_i = W x_i + b.

ℓ is the sum (Crammer–Singer: the maximum) of φ(u) over the *constraints* of a sample, with u = constant + direction·s
+ target·t and φ(u) = sup over 0 ≤ a ≤ cap of a·u − κa²/2. A *cell* is a constraint that a sample can have: one a label
in binary losses, one a sign of the residual in ε-insensitive ones, one an ordered pair of classes in multi-class ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.errors import UsageError, among
from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.gap.rows import LARGEST, Range, blocks, scan, take
from hingeproof.svm.given import Wide, decimal, many_labels, two_labels
from hingeproof.svm.problem import BIASES, BINARY, LOSSES, MULTICLASS, PARAMETERS
from hingeproof.svm.weights import class_weights, sample_weights

DEFAULTS = {"C": "1", "margin": "1", "gamma": "1", "epsilon": "0.1", "nu": "0.5"}
HEAVIEST, LIGHTEST = 2.0**300, 2.0**-300  # weights of samples: their products with data are normal numbers
ROUNDED = "X holds integers from 2^53 on, which float64 may round: scale them"
Z, ONE = fmpq(0), fmpq(1)
Theta = list[list[fmpq]]  # by class: w, then b


@dataclass(frozen=True)
class Constraint:
    """u = constant + direction·s + target·t."""

    direction: tuple[int, ...]
    constant: fmpq
    target: int = 0


@dataclass(frozen=True, eq=False)
class Objective:
    """The data, y as numbers (±1, classes from 0, targets), and the formula.

    r of a sample is its own weight (`weights`, None where all are 1) times that of its class (`factors`, by label).
    """

    loss: str
    bias: str
    parameters: dict[str, fmpq]
    X: Any
    y: Array
    labels: tuple[tuple[str, int], ...]
    weights: Array | None
    factors: tuple[fmpq, ...] | None
    ridge: fmpq  # ρ, of a regularised bias
    C: fmpq
    tau: fmpq

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    @property
    def d(self) -> int:
        return int(self.X.shape[1])

    @property
    def scores(self) -> int:
        """Rows of W."""
        return len(self.labels) if self.loss in MULTICLASS else 1

    @property
    def kappa(self) -> fmpq:
        return {"smooth_hinge": self.parameters.get("gamma", ONE), "squared_hinge": fmpq(1, 2)}.get(self.loss, Z)

    @property
    def capped(self) -> bool:
        """Whether a multiplier is at most 1 (times C r)."""
        return self.loss != "squared_hinge"

    @property
    def width(self) -> int:
        """Columns of a row: x, 1 and, in regression, its target."""
        return self.d + 1 + (self.loss == "epsilon_insensitive")

    @cached_property
    def cells(self) -> list[Constraint]:
        """Two, or those of class y and another k at y·K + k."""
        if self.loss == "epsilon_insensitive":
            epsilon = self.parameters["epsilon"]
            return [Constraint((-1,), -epsilon, 1), Constraint((1,), -epsilon, -1)]
        margin, K = self.parameters.get("margin", Z), self.scores
        if K == 1:
            return [Constraint((1,), margin), Constraint((-1,), margin)]
        unit = [[int(k == j) for j in range(K)] for k in range(K)]
        return [
            Constraint(tuple(a - b for a, b in zip(unit[k], unit[y], strict=True)), margin)
            for y in range(K)
            for k in range(K)
        ]

    @cached_property
    def heft(self) -> Array | None:
        """r of each sample in floating point; None where all are 1."""
        if self.factors is None:
            return self.weights
        r = np.array([rounded(v) for v in self.factors])[self._class_of(self.y)]
        return np.asarray(r if self.weights is None else r * self.weights)

    def factor(self, cell: int) -> fmpq:
        """The weight of the class whose samples have this cell."""
        return ONE if self.factors is None else self.factors[cell // (len(self.cells) // len(self.labels))]

    def _class_of(self, y: Array) -> Array:
        return np.asarray((y > 0) if self.scores == 1 else y).astype(np.int64)

    @cached_property
    def range(self) -> Range:
        """Of the columns of a row. Raises: UsageError."""
        seen = scan(self.X)
        extra = [[1.0, 1.0]]
        if self.width > self.d + 1:
            extra.append([float(self.y.min()), float(self.y.max())])
        low, high = np.array(extra).T
        return Range(np.append(seen.low, low), np.append(seen.high, high))

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Where, and rows x, 1 (, t) there. The next block overwrites them."""
        for at, rows in blocks(self.X):
            yield at, self._bordered(rows, at)

    def rows(self, at: Array) -> Array:
        """Some rows x, 1 (, t)."""
        return self._bordered(take(self.X, at), at)

    def _bordered(self, rows: Array, at: Any) -> Array:
        out = np.empty((len(rows), self.width))
        out[:, : self.d] = rows
        out[:, self.d] = 1.0
        if self.width > self.d + 1:
            out[:, -1] = self.y[at]
        return out

    def cells_of(self, y: Array) -> Array:
        """The cell of each constraint of samples."""
        if self.loss == "epsilon_insensitive":
            return np.broadcast_to(np.array([0, 1]), (len(y), 2))
        K = self.scores
        return (y > 0).astype(np.int64)[:, None] if K == 1 else y.astype(np.int64)[:, None] * K + np.arange(K)

    def margins(self, scores: Array, y: Array) -> Array:
        """u of each constraint in floating point; −∞ for a class against itself."""
        if self.loss == "epsilon_insensitive":
            rest = y[:, None] - scores
            return np.hstack([rest, -rest]) - rounded(self.parameters["epsilon"])
        margin = rounded(self.parameters.get("margin", Z))
        if self.scores == 1:
            return margin - y[:, None] * scores
        rows, own = np.arange(len(y)), y.astype(np.int64)
        u = scores - scores[rows, own][:, None] + margin
        u[rows, own] = -np.inf
        return u

    def pull(self, a: Array, y: Array) -> Array:
        """Σ direction·a over the constraints: the gradient over the scores."""
        if self.loss == "epsilon_insensitive":
            return a[:, 1:] - a[:, :1]
        if self.scores == 1:
            return -y[:, None] * a
        g = a.copy()
        g[np.arange(len(y)), y.astype(np.int64)] = -a.sum(axis=1)
        return g

    def sample(self, at: Array) -> Objective:
        """The objective of some samples that stand for all."""
        weights = None if self.weights is None else self.weights[at]
        return replace(self, X=take(self.X, at), y=self.y[at], weights=weights, C=self.C * fmpq(self.n, len(at)))


def objective(
    X: Any, y: Any = None, *, loss: str = "hinge", bias: str = "free", class_weight: Any = None,
    sample_weight: Any = None, ridge: Any = 1, **parameters: Any,
) -> Objective:  # fmt: skip
    """Put data and parameters together; parameters and class_weight are exact decimals. Raises: UsageError."""
    among(loss, LOSSES, "loss of the SVM oracle")
    among(bias, BIASES, "kind of bias")
    foreign = sorted(k for k, v in parameters.items() if v is not None and k not in PARAMETERS[loss])
    if foreign:
        raise UsageError(f"{loss} has no {foreign[0]}: it has {', '.join(PARAMETERS[loss])}")
    if loss == "one_class" and bias != "free":
        raise UsageError("one_class has a free threshold ρ = −b: use bias free")
    given = {k: v for k, v in parameters.items() if v is not None}
    values = {name: decimal(name, given.get(name, DEFAULTS[name])) for name in PARAMETERS[loss]}
    for name, value in values.items():
        if value < 0 or (value == 0 and name in ("C", "gamma", "nu")):
            raise UsageError(
                f"{name} is {value}: it must be {'at least' if name in ('margin', 'epsilon') else 'above'} 0"
            )
    if values.get("nu", Z) > 1:
        raise UsageError(f"nu is {values['nu']}: it must be at most 1")
    rho = decimal("ridge", ridge)
    if rho <= 0 or (bias != "regularised" and rho != 1):
        raise UsageError(f"the ridge of the bias is {ridge}: it must be above 0, and 1 unless the bias is regularised")
    if isinstance(X, np.ma.MaskedArray):
        raise UsageError("X is a masked array: fill what is masked, or leave those rows out")
    if isinstance(X, Wide):
        raise UsageError(ROUNDED)
    X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
    if len(X.shape) != 2 or not X.shape[0] or not X.shape[1]:
        raise UsageError(f"X has shape {X.shape}: it must be (n, d), with at least one row and one column")
    if X.dtype.kind not in "fiub" or X.dtype.itemsize > 8:
        raise UsageError(f"X has dtype {X.dtype}: give real numbers of at most 64 bits")
    n = int(X.shape[0])
    numbers, labels = _answers(y, n, loss)
    if loss == "one_class" and not (class_weight is None and sample_weight is None):
        raise UsageError("one_class has no C to weight: leave the weights out")
    factors = None if class_weight is None else tuple(class_weights(class_weight, loss, numbers, labels).values())
    made = Objective(
        loss=loss, bias=bias, parameters=values, X=X, y=numbers, labels=labels, weights=_weights(sample_weight, n),
        factors=factors, ridge=rho, C=values["C"] if "C" in values else 1 / (values["nu"] * n),
        tau=ONE if loss == "one_class" else Z,
    )  # fmt: skip
    if made.heft is not None and not made.heft.any():
        raise UsageError("every weight is 0: there is nothing to minimise")
    greatest = float(made.range.greatest[: made.d].max())  # every number is looked at, whatever its dtype
    if X.dtype.kind in "iu" and greatest >= 2.0**53:
        raise UsageError(ROUNDED)
    return made


def _answers(y: Any, n: int, loss: str) -> tuple[Array, tuple[tuple[str, int], ...]]:
    if loss == "one_class":
        return np.ones(n), ()
    if y is None:
        raise UsageError(f"{loss} needs labels: give y")
    if loss in BINARY:
        return two_labels(y, n)
    if loss in MULTICLASS:
        return many_labels(y, n)
    column = np.asarray(y)
    if column.shape != (n,):
        raise UsageError(f"y has shape {column.shape} where X has {n} rows: it must be ({n},)")
    if column.dtype.kind not in "fiub":
        raise UsageError("row 0, label: epsilon_insensitive needs numbers as targets")
    targets = column.astype(np.float64)
    if not (np.abs(targets) <= LARGEST).all():
        row = int(np.flatnonzero(~(np.abs(targets) <= LARGEST))[0])
        raise UsageError(f"row {row}, label: {targets[row]} is not a finite number below 2^500")
    return targets, ()


def _weights(weights: Any, n: int) -> Array | None:
    if weights is None:
        return None
    given = sample_weights(weights, n)
    if given.dtype.kind in "iu" and (given > 2**53).any():
        raise UsageError("sample_weight has integers beyond 2^53, which float64 rounds: put their size into C")
    r = given.astype(np.float64)
    bad = ~((r == 0) | ((r >= LIGHTEST) & (r <= HEAVIEST)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UsageError(f"row {row}, sample_weight: {r[row]} is not 0 or between 2^-300 and 2^300")
    return None if (r == 1).all() else r
