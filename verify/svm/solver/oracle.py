"""The float stage: CVXPY with explicit slacks, and a ladder of solvers. Nothing it says is believed."""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.problem import Model
from hingeproof.svm.solver.cost import float_stage
from hingeproof.svm.solver.first_order import candidate
from hingeproof.svm.solver.limits import within


@dataclass(frozen=True)
class Guess:
    """A float candidate: θ, the duals p, and who gave it."""

    theta: Array
    p: Array
    solver: str
    status: str


TINY = 2_000  # entries of A up to which the problem is kept and its data are parameters (DPP)
KEPT = 16
_problems: OrderedDict[tuple[Any, ...], tuple[Any, Any, Any, Any, Any]] = OrderedDict()


def guesses(model: Model, deadline: float | None) -> Iterator[Guess]:
    """One candidate a rung. Where data are far from 1, later rungs solve the problem scaled by a power of two."""
    large = float(abs(model.A).max())
    scale = 2.0 ** round(np.log2(large)) if large > 0 else 1.0
    scales = (1.0, scale) if scale > 2**7 or scale < 2**-4 else (1.0,)
    rungs: list[tuple[str, dict[str, Any], float]] = []
    for tolerance in (1e-11, 1e-9, 1e-8):
        names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
        rungs += [("CLARABEL", {**dict.fromkeys(names, tolerance), "max_iter": 200}, s) for s in scales]
    rungs.append(("OSQP", {"eps_abs": 1e-9, "eps_rel": 1e-9, "polishing": True, "max_iter": 20_000}, scales[-1]))
    rungs.append(("SCS", {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000}, scales[-1]))
    slow = deadline is not None and float_stage(model) > 1.0
    if deadline is not None and slow:
        left = deadline - time.monotonic()
        if float_stage(model) > left / 3:  # it may not be done in time: first something that will be
            quick = candidate(model, time.monotonic() + left / 3)
            if quick is not None:
                yield Guess(*quick, "first order", "candidate")
    for solver, settings, s in rungs:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            settings["time_limit_secs" if solver == "SCS" else "time_limit"] = max(left, 0.01)
        if deadline is not None and slow:  # a solver looks at its own limit between iterations only
            found = within(deadline, partial(_solve, model, solver, settings, s))
        else:
            found = _solve(model, solver, settings, s)
        if found is not None:
            yield found


def _solve(model: Model, solver: str, settings: dict[str, Any], scale: float) -> Guess | None:
    import cvxpy as cp

    problem, theta, constraint, data, offset = _problem(model, scale)
    if data is not None:
        data.value, offset.value = _scaled(model, scale), model.offset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=solver, warm_start=False, **settings)
        except (cp.SolverError, ValueError, ArithmeticError):
            return None
    p = constraint.dual_value
    if theta.value is None or p is None:
        return None
    t, q = np.array(theta.value, dtype=np.float64), np.asarray(p, dtype=np.float64).ravel() / scale**2
    t[: model.ridged] /= scale
    if not (np.isfinite(t).all() and np.isfinite(q).all()):
        return None
    return Guess(t, q, solver.lower(), str(problem.status))


def _scaled(model: Model, scale: float) -> Any:
    if scale == 1.0:
        return model.A
    factors = np.concatenate([np.full(model.ridged, 1 / scale), np.ones(model.free)])
    return model.A @ sparse.diags_array(factors) if sparse.issparse(model.A) else model.A * factors


def _problem(model: Model, scale: float) -> tuple[Any, Any, Any, Any, Any]:
    import cvxpy as cp

    small = not sparse.issparse(model.A) and model.rows * model.size <= TINY
    upper = None if model.C is None else rounded(model.C) * scale**2
    kappa = rounded(model.kappa) / scale**2
    key = (model.rows, model.size, model.free, model.group, upper, kappa, tuple(map(rounded, model.c)), scale)
    if small and key in _problems:
        _problems.move_to_end(key)
        return _problems[key]
    A = cp.Parameter((model.rows, model.size)) if small else _scaled(model, scale)
    offset = cp.Parameter(model.rows) if small else model.offset
    theta = cp.Variable(model.size)
    objective = 0.5 * cp.sum_squares(theta[: model.ridged])
    if model.free:
        objective = objective + scale**2 * np.array([rounded(v) for v in model.c]) @ theta[model.ridged :]
    u = A @ theta + offset
    slack: Any = 0
    if kappa > 0:
        square = cp.Variable(model.rows, nonneg=True)
        objective, slack = objective + cp.sum_squares(square) / (2 * kappa), slack + square
    if upper is not None:
        xi = cp.Variable(model.rows // model.group, nonneg=True)
        objective = objective + upper * cp.sum(xi)
        wide = xi if model.group == 1 else sparse.kron(sparse.eye_array(model.n), np.ones((model.group, 1))) @ xi
        slack = slack + wide
    constraint = u <= slack
    made = (
        cp.Problem(cp.Minimize(objective), [constraint]),
        theta,
        constraint,
        *((A, offset) if small else (None, None)),
    )
    if small:
        _problems[key] = made
        while len(_problems) > KEPT:
            _problems.popitem(last=False)
    return made
