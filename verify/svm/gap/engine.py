"""A trained model's gap: from above its objective; from below the exact optimum of few samples, or a proved bound."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.svm.exact import rational, rounded
from hingeproof.svm.gap import ends
from hingeproof.svm.gap.newton import Candidate, candidates
from hingeproof.svm.gap.objective import Objective, Theta, Z
from hingeproof.svm.gap.report import Gap
from hingeproof.svm.gap.rows import take
from hingeproof.svm.result import Result

AIM = 2e-7  # relative gap at which the search for a lower bound stops
FEW = 2_000  # samples up to which the exact optimum is tried first
PATIENCE = 10.0  # seconds for that
TRIES = 3  # wider candidates that are tried where a bound is worse than floats promised


def gap(o: Objective, theta: Theta, *, formula: str = "", aim: float = AIM, exact: bool = True) -> Gap:
    """How far the point is from the optimum, proved. `exact`: of few samples, try to prove the optimum itself."""
    began = time.perf_counter()
    upper = ends.primal(o, theta)
    optimum = _optimum(o) if exact else None
    dual = lower_bound(o, aim) if optimum is None else None
    return Gap(o, theta, upper, dual, optimum, formula, time.perf_counter() - began)


def lower_bound(o: Objective, aim: float = AIM) -> ends.Dual | None:
    """The best proved lower bound that the search found; None where it is only that a loss is not negative."""
    return best(o, candidates(o, aim))


def best(o: Objective, found: list[Candidate]) -> ends.Dual | None:
    """The best lower bound that candidates prove, from the last one on; None as above."""
    proved: ends.Dual | None = None
    for candidate in reversed(found[-TRIES:]):
        theta = [[rational(v) for v in line] for line in candidate.theta.tolist()]
        try:
            dual = ends.dual(o, theta, rational(candidate.width))
        except ends.UnbalancedError:
            continue
        if proved is None or dual.value > proved.value:
            proved = dual
        if candidate.value - rounded(proved.value) <= 3 * candidate.gap + 1e-12 * abs(candidate.value):
            break
    if o.tau:
        return proved or ends.dual(o, [[Z] * (o.d + 1)], fmpq(1))
    return proved if proved is not None and proved.value > 0 else None


def _optimum(o: Objective) -> Result | None:
    """The proved optimum of a small problem, if it is proved in time."""
    from hingeproof.frameworks.environment import present

    if o.n > FEW or o.ridge != 1 or not present("cvxpy"):
        return None
    from hingeproof.svm.solver.search import solve

    X = o.X if sparse.issparse(o.X) else take(o.X, np.arange(o.n))
    parameters: dict[str, Any] = dict(o.parameters)
    if o.factors is not None:
        parameters["class_weight"] = {number: f for (_, number), f in zip(o.labels, o.factors, strict=True)}
    found = solve(
        X, None if o.tau else o.y, loss=o.loss, bias=o.bias, sample_weight=o.weights, time_limit=PATIENCE, **parameters
    )
    return found if found.status == "exact" else None
