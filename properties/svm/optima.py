"""Small regularised problems of each convex loss, and the exact proof that a point is the optimum of one.

min ½ Σ_ridged θ² + C Σ_i ℓ(s_i, y_i),  s_ik = base_ik + x_ik·θ.  Data are dyadic with at most 6 bits, so every dtype
holds them. Who finds the optimum is not believed: `prove` checks the conditions of Rockafellar 1970, Theorem 27.4.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import ONE, ZERO, Array
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Format, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.margins import Term

SAMPLES, BLOCK, CLASSES = 16, 8, 4  # blocks of the shape that every compiled pass knows already
KINDS = ("lattice", "cloud")
Vector = list[fmpq]
_FORMAT = Format("exact", 4096, -4096, 4096)


@dataclass(frozen=True, eq=False)
class RidgeProblem:
    """`features[i][k]` is the gradient of coordinate k of sample i's row over θ; `free` last coordinates have no ridge."""

    kind: str
    loss: Loss
    params: Mapping[str, fmpq]
    C: fmpq
    features: tuple[tuple[tuple[fmpq, ...], ...], ...]
    base: tuple[tuple[fmpq, ...], ...]
    targets: tuple[Any, ...]
    free: int

    @property
    def size(self) -> int:
        return len(self.features[0][0])

    @property
    def ridged(self) -> int:
        return self.size - self.free

    @property
    def labels(self) -> list[Any]:
        """The targets as the margin maps take them."""
        return [t if self.loss.margins.targets != "real" else fmpq(*t.as_integer_ratio()) for t in self.targets]

    @property
    def factor(self) -> fmpq:
        return fmpq(1, len(self.features[0])) if self.loss.per_class else ONE

    def scores(self, theta: Sequence[fmpq]) -> list[Vector]:
        """The rows of all samples, exactly."""
        return [
            [
                b + sum((x * t for x, t in zip(line, theta, strict=True) if x), ZERO)
                for line, b in zip(rows, base, strict=True)
            ]
            for rows, base in zip(self.features, self.base, strict=True)
        ]

    def terms(self, theta: Sequence[fmpq]) -> list[list[Term]]:
        """The margins of all samples, exactly, with their gradients over the row."""
        return [
            list(self.loss.margins.terms(row, label, self.params, _FORMAT))
            for row, label in zip(self.scores(theta), self.labels, strict=True)
        ]

    def ridge(self, theta: Sequence[fmpq]) -> fmpq:
        return sum((t * t for t in theta[: self.ridged]), ZERO) / 2

    def pull(self, rows: Sequence[Sequence[fmpq]]) -> Vector:
        """Σ_i Xᵢᵀ rows_i: from gradients over the scores to one over θ."""
        out = [ZERO] * self.size
        for lines, row in zip(self.features, rows, strict=True):
            for line, g in zip(lines, row, strict=True):
                if g:
                    out = [o + x * g for o, x in zip(out, line, strict=True)]
        return out


@dataclass(frozen=True)
class RidgeArrays:
    """A problem as float64 arrays, exact: features (n, coordinates, size), base (n, coordinates), ridge (size)."""

    features: Array
    base: Array
    ridge: Array
    C: float
    inputs: int
    vector: bool

    @classmethod
    def of(cls, problem: RidgeProblem, C: fmpq) -> RidgeArrays:
        table = [[[to_float(x) for x in line] for line in rows] for rows in problem.features]
        base = [[to_float(x) for x in row] for row in problem.base]
        ridge = [float(j < problem.ridged) for j in range(problem.size)]
        margins = problem.loss.margins
        return cls(
            np.array(table), np.array(base), np.array(ridge), to_float(C), len(margins.inputs),
            margins.row == "vector",
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Optimum:
    """A proved optimum. `slopes[i][t]` is the certificate's ∂(Cℓ)/∂z of margin t: −α for the hinge."""

    problem: RidgeProblem
    theta: Vector
    slopes: list[Vector]

    @cached_property
    def terms(self) -> list[list[Term]]:
        return self.problem.terms(self.theta)

    @cached_property
    def objective(self) -> fmpq:
        return objective(self.problem, self.theta)

    @cached_property
    def duals(self) -> list[Vector]:
        """Each sample's multipliers as a gradient over its row."""
        out = []
        for terms, slopes, lines in zip(self.terms, self.slopes, self.problem.features, strict=True):
            row = [ZERO] * len(lines)
            for t, m in zip(terms, slopes, strict=True):
                for k, a in t.gradient.items():
                    row[k] += a * m
            out.append(row)
        return out


def objective(problem: RidgeProblem, theta: Sequence[fmpq]) -> fmpq:
    """The exact primal objective."""
    loss, total = problem.loss, ZERO
    for terms, label in zip(problem.terms(theta), problem.labels, strict=True):
        phi = loss.shape(label if loss.labels_decide else None, problem.params)
        values = [phi(t.z) for t in terms]  # type: ignore[arg-type]
        total += max([ZERO, *values]) if loss.aggregate == "max" else sum(values, ZERO)
    return problem.ridge(theta) + problem.C * problem.factor * total


class NotOptimalError(ArithmeticError):
    """What the solver called an optimum is none: a bug of ours, never a verdict on an implementation."""


def prove(problem: RidgeProblem, theta: Vector, slopes: list[Vector]) -> Optimum:
    """Check 0 ∈ Dθ + C Σ Xᵀ ∂ℓ, exactly. Raises: NotOptimalError."""
    found = Optimum(problem, theta, slopes)
    loss, scale = problem.loss, problem.C * problem.factor
    pulled = problem.pull(found.duals)
    if any(v + (theta[j] if j < problem.ridged else ZERO) != 0 for j, v in enumerate(pulled)):
        raise NotOptimalError(f"{loss.name}, {problem.kind}: Dθ + Aᵀα is not 0")
    for i, (terms, label) in enumerate(zip(found.terms, problem.labels, strict=True)):
        phi = loss.shape(label if loss.labels_decide else None, problem.params)
        shares = [m / scale for m in slopes[i]]
        if loss.aggregate == "max":
            values = [phi(t.z) for t in terms]  # type: ignore[arg-type]
            top = max([ZERO, *values])
            total = -sum(shares, ZERO)  # φ falls with slope −1 wherever it is above 0
            legal = all(m <= 0 and (m == 0 or v == top) for m, v in zip(shares, values, strict=True))
            legal = legal and total <= 1 and (top == 0 or total == 1)
            legal = legal and all(phi.slopes(t.z)[0] == -1 for t, m in zip(terms, shares, strict=True) if m)  # type: ignore[arg-type]
        else:
            ends = [phi.slopes(t.z) for t in terms]  # type: ignore[arg-type]
            legal = all(low <= m <= high for (low, high), m in zip(ends, shares, strict=True))
        if not legal:
            raise NotOptimalError(f"{loss.name}, {problem.kind}: the multipliers of sample {i} are no sub-gradient")
    return found


Solver = Callable[[RidgeProblem], tuple[Vector, list[Vector]]]
_PROVED: dict[tuple[Any, ...], Optimum] = {}


def optima(loss: Loss, settings: Sequence[Mapping[str, fmpq]], solve: Solver) -> list[Optimum]:
    """The proved optima of all kinds of problems, each found once in a process: a setting of the parameters for each."""
    out = []
    for kind, params in zip(KINDS, settings, strict=True):
        key = (loss.name, tuple(sorted((n, str(v)) for n, v in params.items())), kind)
        if key not in _PROVED:
            made = problem(loss, params, kind)
            _PROVED[key] = prove(made, *solve(made))
        out.append(_PROVED[key])
    return out


# -- data --------------------------------------------------------------------------------------------------------------


def problem(loss: Loss, params: Mapping[str, fmpq], kind: str) -> RidgeProblem:
    """`lattice`: points of a coarse grid, some twice with both labels. `cloud`: finer, with base scores, as in boosting."""
    vector, many = loss.margins.row == "vector", len(loss.margins.inputs)
    outputs = CLASSES if vector else 1
    # one score a sample, drawn both ways by the labels: its bias needs no ridge to be bounded
    free = kind == "lattice" and not vector and many == 1 and not loss.labels_decide
    source = random.Random(f"{loss.margins.name} {kind}")
    features: list[tuple[tuple[fmpq, ...], ...]] = []
    base: list[tuple[fmpq, ...]] = []
    targets = []
    for i in range(SAMPLES):
        if kind == "lattice" and i % 5 == 4:
            features.append(features[-1])
            base.append(base[-1])
            targets.append(_target(loss, None, source))
            continue
        points = [_point(kind, source) for _ in range(many)]
        rows = []
        for k in range(outputs * many):
            line = [ZERO] * (3 * outputs)
            at = 0 if not vector else 3 * k
            line[at : at + 3] = [*points[0 if vector else k], ONE]
            rows.append(tuple(line))
        features.append(tuple(rows))
        base.append(tuple(fmpq(source.randint(-4, 4), 4) if kind == "cloud" else ZERO for _ in rows))
        targets.append(_target(loss, points, source))
    C = fmpq(1, 2) if kind == "lattice" else fmpq(1, 4)
    return RidgeProblem(kind, loss, dict(params), C, tuple(features), tuple(base), tuple(targets), int(free))


def _point(kind: str, source: random.Random) -> tuple[fmpq, fmpq]:
    if kind == "lattice":
        return fmpq(source.randint(-2, 2)), fmpq(source.randint(-2, 2))
    return fmpq(source.randint(-16, 16), 8), fmpq(source.randint(-16, 16), 8)


def _target(loss: Loss, points: list[tuple[fmpq, fmpq]] | None, source: random.Random) -> Any:
    """A label that the points half explain; without points, any."""
    kind = loss.margins.targets
    lean = ZERO if points is None else points[0][0] - points[-1][1]
    noise = fmpq(source.randint(-8, 8), 8)
    if kind == "sign":
        return 1 if lean + noise > 0 else -1
    if kind == "real":
        return float(int((lean + noise) * 8)) / 8
    first = source.randrange(CLASSES) if points is None else 2 * int(points[0][0] > 0) + int(points[0][1] > 0)
    if source.randrange(8) == 0:
        first = source.randrange(CLASSES)
    if kind == "index":
        return first
    second = source.randrange(CLASSES)
    return (first, *([second] if second != first else []), *[-1] * CLASSES)[:CLASSES]


@lru_cache(maxsize=1)
def losses() -> tuple[str, ...]:
    """The losses that have an optimum to be certified: the convex ones."""
    return tuple(name for name, loss in LOSSES.items() if loss.convex)
