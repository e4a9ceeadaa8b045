"""From a float candidate to an exact optimum: partition, exact solve, exact verification, and what if it fails."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.problem import Model, Point
from hingeproof.svm.solver.conditions import Objection, verify
from hingeproof.svm.solver.fallback import complete
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.partition import Partition, split
from hingeproof.svm.solver.settle import settle

ROUNDS = 8  # of the active-set update


def equations(model: Model, theta: Array, p: Array) -> int:
    """How many a first exact solve near the float candidate has."""
    if model.kappa > 0:
        return model.size
    return min(len(split(model, _start(model, theta, p)).edge), model.size)


def _start(model: Model, theta: Array, p: Array) -> Array:
    u, unit = model.A @ theta + model.offset, _unit(model, p)
    z: Array = u / (rounded(model.kappa) * unit) if model.kappa > 0 else p / unit + u
    return z


def polish(model: Model, theta: Array, p: Array, *, deadline: float | None) -> Point | None:
    """Return an exact optimum near the float candidate, or None."""
    u = model.A @ theta + model.offset
    unit = _unit(model, p)
    z = _start(model, theta, p)
    weight = p / unit
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
        for shares in _choices(model, partition, weight, theta):
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
    return complete(model, p / unit + u, trouble, theta, unit, deadline)


def _unit(model: Model, p: Array) -> float:
    """What a dual is measured in: C, or the largest where there is no bound."""
    if model.C is not None:
        return rounded(model.C)
    return float(np.max(p, initial=0.0)) or 1.0


def _choices(model: Model, partition: Partition, weight: Array, theta: Array) -> Iterable[Array]:
    """Duals to start from where they are not unique: the float ones, then a vertex of their polyhedron."""
    yield weight
    if model.kappa == 0 and len(partition.edge) and len(partition.edge) > 1:
        vertex = _vertex(model, partition, theta)
        if vertex is not None:
            yield vertex


def _vertex(model: Model, partition: Partition, theta: Array) -> Array | None:
    """A basic solution of 0 ≤ p ≤ C, Aᵀp = −(Dθ + c), by a float LP."""
    from scipy.optimize import linprog

    if model.group > 1 or len(partition.edge) > 3_000:
        return None
    A = model.dense(partition.edge)
    ones = np.ones(len(partition.full))
    unit = rounded(model.C) if model.C is not None else 1.0
    fixed = unit * (model.A[partition.full].T @ ones) if len(ones) else np.zeros(model.size)
    right = -fixed
    right[: model.ridged] -= theta[: model.ridged]
    right[model.ridged :] -= np.array([rounded(v) for v in model.c])
    scale = max(float(np.abs(A).max()) * unit, 1e-300)
    found = linprog(
        np.zeros(len(A)), A_eq=A.T * (unit / scale), b_eq=right / scale,
        bounds=(0, 1 if model.C is not None else None), method="highs-ds",
    )  # fmt: skip
    if found.x is None:
        return None
    out = np.zeros(model.rows)
    out[partition.edge] = found.x
    return out
