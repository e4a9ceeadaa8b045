"""Candidates where samples are many: Newton on the smoothed loss, with the interval that exact sums prove (svm/gap).

Its cost is linear in n·d, where an interior-point method takes minutes. The samples between the flat pieces of the
loss become those on the kink as the smoothing narrows, so that the exact stage has few equations and solves them once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flint import fmpq

from hingeproof.errors import UsageError
from hingeproof.svm.exact import Array, rational, rounded
from hingeproof.svm.gap import ends
from hingeproof.svm.gap.engine import AIM, best
from hingeproof.svm.gap.newton import Candidate, candidates
from hingeproof.svm.gap.objective import HEAVIEST, LIGHTEST, ONE, Objective, Theta, Z
from hingeproof.svm.gap.smooth import slopes
from hingeproof.svm.problem import MULTICLASS, Model, Point
from hingeproof.svm.solver.moved import Bounds, Guess

SHARP = 1e-12  # the relative gap at which hardly a sample beside those on the kink is left between the pieces
WIDEST = 400  # coordinates: Newton solves that many equations at each step


def fits(model: Model) -> bool:
    """Whether it is for this problem: no hard margin, no integers that float64 rounds, not too many columns."""
    hard = model.C is None and model.kappa == 0
    return not hard and model.lost is None and model.size <= WIDEST


def smoothed(model: Model) -> Iterator[Guess]:
    """A candidate for a bound in time, then one to be polished; none where the problem does not fit."""
    o = _objective(model) if fits(model) else None
    if o is None:
        return
    near = candidates(o, AIM)
    if not near:
        return
    yield _guess(model, o, near, "bound")
    sharp = candidates(o, SHARP, near[-1])
    if sharp:
        yield _guess(model, o, sharp, "optimal")


def _objective(model: Model) -> Objective | None:
    """The problem as the engine of gaps has it."""
    factors = weights = None
    if model.weighting is not None:
        classes, samples = model.weighting.classes, model.weighting.samples
        factors = None if classes is None else tuple(classes.values())
        if samples is not None:
            weights = np.array([rounded(v) for v in samples])
            inside = (weights == 0) | ((weights >= LIGHTEST) & (weights <= HEAVIEST))
            if not inside.all() or [rational(r) for r in weights.tolist()] != list(samples):
                return None
    alone = model.loss == "one_class"
    o = Objective(
        loss=model.loss, bias=model.bias, parameters=model.parameters, X=model.X,
        y=np.ones(model.n) if alone else model.y, labels=model.labels, weights=weights, factors=factors, ridge=ONE,
        C=model.C if alone and model.C is not None else model.parameters["C"], tau=ONE if alone else Z,
    )  # fmt: skip
    try:
        return o if o.range else None
    except UsageError:  # too large for its products
        return None


def _guess(model: Model, o: Objective, found: list[Candidate], status: str) -> Guess:
    last = found[-1]
    theta = _flat(model, [[rational(v) for v in line] for line in last.theta.tolist()])
    u = model.A @ np.array([rounded(v) for v in theta]) + model.offset
    a = slopes(o, u.reshape(-1, model.group), last.width).a.ravel()
    return Guess(theta, rounded(o.C) * model.shares * a, u, "newton", status, lambda: bounds(model, o, found))


def _flat(model: Model, theta: Theta) -> list[fmpq]:
    """The coordinates of the model: w of each class, then the biases; where they are free, that of class 0 is 0."""
    biases = [line[-1] for line in theta]
    if model.bias == "none":
        biases = []
    elif model.bias == "free" and model.loss in MULTICLASS:
        biases = [b - biases[0] for b in biases[1:]]
    return [v for line in theta for v in line[:-1]] + biases


def bounds(model: Model, o: Objective, found: list[Candidate]) -> Bounds:
    """The interval of the best candidate, with the point and the multipliers that prove it."""
    dual = best(o, found)
    if dual is None:
        theta = [[rational(v) for v in line] for line in found[-1].theta.tolist()]
        return Z, ends.primal(o, theta), Point(_flat(model, theta), np.array([], np.int64), {})
    return dual.value, ends.primal(o, dual.theta), _point(model, o, _flat(model, dual.theta), dual.width)


def _point(model: Model, o: Objective, theta: list[fmpq], width: fmpq) -> Point:
    """The multipliers C r a, a = u/width cut to [0, 1], row by row; floats decide where they can."""
    if model.group > 1:
        return _grouped(model, theta, width)
    u, error = model.floats(theta)
    top = rounded(width) * (1 + 2.0**-50)
    full = (u - error >= top) if o.capped else np.zeros(len(u), dtype=bool)
    rows = np.flatnonzero(~full & (u > -error))
    if o.kappa:
        return _curved(model, theta, np.flatnonzero(full), rows, o.capped, width)
    part = {}
    for row, value in zip(rows.tolist(), model.values(rows, theta), strict=True):
        if value > 0:
            part[row] = model.cap(row) * min(value / width, ONE)
    return Point(theta, np.flatnonzero(full), part)


def _curved(model: Model, theta: list[fmpq], full: Array, rows: Array, capped: bool, width: fmpq) -> Point:
    """Where the loss itself is smooth, the multipliers follow from θ: the rows on its curved piece are noted."""
    u, error = model.floats(theta)
    low = rounded(width) * (1 - 2.0**-50) if capped else np.inf
    sure = (u[rows] >= error[rows]) & (u[rows] + error[rows] <= low)
    doubt = rows[~sure]
    exact = dict(zip(doubt.tolist(), model.values(doubt, theta), strict=True))
    over = [r for r, v in exact.items() if capped and v >= width]
    edge = [*rows[sure].tolist(), *(r for r, v in exact.items() if v > 0 and not (capped and v >= width))]
    point = Point(theta, np.sort(np.append(full, np.array(over, np.int64))), {})
    point.notes["edge"] = np.array(sorted(edge), np.int64)
    return point


def _grouped(model: Model, theta: list[fmpq], width: fmpq) -> Point:
    """Crammer–Singer: of each sample the nearest point to u/width with a ≥ 0, Σ a ≤ 1."""
    u, error = (v.reshape(-1, model.group) for v in model.floats(theta))
    error = error.max(axis=1)
    order = np.sort(u, axis=1)
    top = rounded(width) * (1 + 2.0**-50)
    alone = (order[:, -1] - error >= top) & (order[:, -1] - np.maximum(order[:, -2], 0.0) - 2 * error >= top)
    first = np.arange(len(u)) * model.group
    full = (first + u.argmax(axis=1))[alone]
    part = {}
    for start in first[~alone & (order[:, -1] > -error)].tolist():
        rows = np.arange(start, start + model.group)
        for row, a in zip(rows.tolist(), _nearest([v / width for v in model.values(rows, theta)]), strict=True):
            if a:
                part[row] = model.cap(row) * a
    return Point(theta, full, part)


def _nearest(z: list[fmpq]) -> list[fmpq]:
    """The nearest point with a ≥ 0, Σ a ≤ 1 (Duchi, Shalev-Shwartz, Singer, Chandra 2008)."""
    total, level = Z, Z
    for count, value in enumerate(sorted((v for v in z if v > 0), reverse=True), 1):
        total += value
        if value > (total - 1) / count:
            level = max((total - 1) / count, Z)
    return [max(v - level, Z) for v in z]
