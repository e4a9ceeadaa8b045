"""The float stage: CVXPY with explicit slacks, and a ladder of solvers. Nothing it says is believed."""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from hingeproof.svm.exact import rounded
from hingeproof.svm.problem import Model
from hingeproof.svm.solver.cost import SOON, float_stage
from hingeproof.svm.solver.first_order import candidate
from hingeproof.svm.solver.moved import FloatProblem, Guess, moved
from hingeproof.svm.solver.smoothed import smoothed

TINY = 2_000  # entries of A up to which the problem is kept and its data are parameters (DPP)
KEPT = 16
_problems: OrderedDict[tuple[Any, ...], tuple[Any, Any, Any, Any, Any]] = OrderedDict()


def guesses(model: Model, deadline: float | None) -> Iterator[Guess]:
    """One candidate a rung. Where sizes are far from 1, later rungs solve the problem scaled by powers of two.

    Where a solver takes long, `smoothed` comes first; where that has nothing to say and time is limited, `candidate`.
    """
    slow = float_stage(model) > SOON
    engine = False
    for guess in smoothed(model) if slow else ():
        engine = True
        yield guess
    given = moved(model, scaled=False)
    sizes = abs(given.A)
    large = float(sizes.max())
    limits = [rounded(v) for v in (model.C, model.kappa) if v]
    forms = [given]
    if large > 2**7 or 0 < large < 2**-4 or any(not 2**-30 < v < 2**30 for v in limits):
        forms.append(moved(model, scaled=True))
    if not 2**-60 < large < 2**60 or any(not 2**-60 < v < 2**60 for v in limits):
        forms = forms[-1:]  # solvers would overflow
    rungs: list[tuple[str, dict[str, Any], FloatProblem]] = []
    for tolerance in (1e-11, 1e-9, 1e-8):
        names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
        rungs += [("CLARABEL", {**dict.fromkeys(names, tolerance), "max_iter": 200}, form) for form in forms]
    rungs.append(("OSQP", {"eps_abs": 1e-9, "eps_rel": 1e-9, "polishing": True, "max_iter": 20_000}, forms[-1]))
    rungs.append(("SCS", {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000}, forms[-1]))
    if deadline is not None and slow and not engine:
        # first something that will be done in time; and better of it where nothing else will be
        for share, late in ((1 / 5, False), (2 / 3, True)):
            left = deadline - time.monotonic()
            if late and 3 * float_stage(model) < left:
                continue
            quick = candidate(forms[-1], time.monotonic() + left * share)
            if quick is not None:
                yield quick
    for solver, settings, form in rungs:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            settings["time_limit_secs" if solver == "SCS" else "time_limit"] = max(left, 0.01)
        found = _solve(form, solver, settings)
        if found is not None:
            yield found


def _solve(form: FloatProblem, solver: str, settings: dict[str, Any]) -> Guess | None:
    import cvxpy as cp

    problem, theta, constraint, data, offset = _problem(form)
    if data is not None:
        data.value, offset.value = form.A, form.offset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=solver, warm_start=False, **settings)
        except (cp.SolverError, ValueError, ArithmeticError):
            return None
    p = constraint.dual_value
    if theta.value is None or p is None:
        return None
    t, q = np.array(theta.value, dtype=np.float64), np.asarray(p, dtype=np.float64).ravel()
    return form.back(t, q, solver.lower(), str(problem.status))


def _problem(form: FloatProblem) -> tuple[Any, Any, Any, Any, Any]:
    import cvxpy as cp

    model = form.model
    small = form.plain and not sparse.issparse(form.A) and model.rows * model.size <= TINY
    groups = model.rows // model.group
    upper = None if form.upper is None else form.upper[:: model.group]
    key: tuple[Any, ...] = ()
    if small:
        one = None if upper is None else float(upper[0])
        key = (model.rows, model.size, model.free, model.group, one, float(form.kappa[0]), tuple(form.linear.tolist()))
    if small and key in _problems:
        _problems.move_to_end(key)
        return _problems[key]
    A = cp.Parameter((model.rows, model.size)) if small else form.A
    offset = cp.Parameter(model.rows) if small else form.offset
    theta = cp.Variable(model.size)
    objective = 0.5 * cp.sum_squares(theta[: model.ridged])
    if model.free:
        objective = objective + form.linear @ theta[model.ridged :]
    u = A @ theta + offset
    slack: Any = 0
    if model.kappa > 0:
        square = cp.Variable(model.rows, nonneg=True)
        root = np.sqrt(form.kappa)
        objective, slack = objective + cp.sum_squares(square) / 2, slack + cp.multiply(root, square)
    if upper is not None:
        xi = cp.Variable(groups, nonneg=True)
        objective = objective + upper @ xi
        wide = xi if model.group == 1 else sparse.kron(sparse.eye_array(groups), np.ones((model.group, 1))) @ xi
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
