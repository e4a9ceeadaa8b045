"""From a float candidate to an exact optimum: partition, exact solve, exact verification, and what if it fails."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
from flint import fmpq

from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.problem import Model, Point
from hingeproof.svm.solver.conditions import Objection, verify
from hingeproof.svm.solver.fallback import complete
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.moved import Guess
from hingeproof.svm.solver.partition import Partition, split
from hingeproof.svm.solver.settle import settle

ROUNDS = 8  # of the active-set update
NOWHERE = 2.0**-30  # of C: where all duals are below, C is no measure of them


def equations(model: Model, guess: Guess) -> int:
    """How many a first exact solve near the float candidate has."""
    edge = len(split(model, _start(model, guess, units(model, guess.p))).edge)
    return min(edge + (model.free if model.kappa > 0 else 0), model.size)


def _start(model: Model, guess: Guess, unit: Array) -> Array:
    if model.kappa > 0:
        top = 1.0 if model.C is None else rounded(model.kappa * model.C)
        return np.asarray(guess.u / top)
    z = guess.p / unit + guess.u
    return z if model.C is None or unit[0] == _caps(model)[0] else np.minimum(z, 0.5)


def polish(model: Model, guess: Guess, *, deadline: float | None) -> Point | None:
    """Return an exact optimum near the float candidate, or None."""
    theta = guess.theta
    unit = units(model, guess.p)
    start = z = _start(model, guess, unit)
    weight = guess.p / unit
    trouble: set[int] = set()
    seen: set[bytes] = set()
    for _ in range(ROUNDS):
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError
        partition = split(model, z)
        if partition.key() in seen:
            break
        seen.add(partition.key())
        objection: Objection | None = None
        for shares in _choices(model, partition, weight, theta, unit):
            point = settle(model, partition, shares, theta, unit)
            found = None if point is None else verify(model, point, unit)
            if isinstance(found, Point):
                return found
            objection = found or objection
        if objection is None:
            break
        trouble |= set(objection.rows.tolist())
        z, weight = objection.z, np.clip(objection.z, 0.0, 1.0)
    if model.kappa > 0:
        return None
    return complete(model, start, trouble, unit, deadline)


def _caps(model: Model) -> Array:
    assert model.C is not None
    return np.asarray(rounded(model.C) * model.shares)


def units(model: Model, p: Array) -> Array:
    """What the dual of each row is measured in: its C, or the largest where none comes near it."""
    top = float(np.max(p, initial=0.0))
    if model.C is not None:
        caps = _caps(model)
        if top == 0 or float(np.max(p / caps)) > NOWHERE:
            return caps
        return np.full(model.rows, 2 * top)
    return np.full(model.rows, top or 1.0)


def _choices(model: Model, partition: Partition, weight: Array, theta: list[fmpq], unit: Array) -> Iterable[Array]:
    """Duals to start from where they are not unique: the float ones, then a vertex of their polyhedron."""
    yield weight
    if model.kappa == 0 and len(partition.edge) and len(partition.edge) > 1:
        vertex = _vertex(model, partition, theta, unit)
        if vertex is not None:
            yield vertex


def _vertex(model: Model, partition: Partition, theta: list[fmpq], unit: Array) -> Array | None:
    """A basic solution of 0 ≤ p ≤ C, Aᵀp = −(Dθ + c), by a float LP."""
    from scipy.optimize import linprog

    if model.group > 1 or len(partition.edge) > 3_000:
        return None
    A = model.dense(partition.edge) * unit[partition.edge, None]
    right = np.zeros(model.size)
    if len(partition.full):
        right -= model.A[partition.full].T @ _caps(model)[partition.full]
    right[: model.ridged] -= np.array([rounded(v) for v in theta[: model.ridged]])
    right[model.ridged :] -= np.array([rounded(v) for v in model.c])
    scale = max(float(np.abs(A).max()), 1e-300)
    found = linprog(
        np.zeros(len(A)), A_eq=A.T / scale, b_eq=right / scale,
        bounds=(0, 1 if model.C is not None and unit[0] == _caps(model)[0] else None), method="highs-ds",
    )  # fmt: skip
    if found.x is None:
        return None
    out = np.zeros(model.rows)
    out[partition.edge] = found.x
    return out
