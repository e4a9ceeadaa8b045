"""What a framework's own optimiser reaches on a certified problem: near the optimum, or not, and never below it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flint import fmpq

from hingeproof.properties.batch import ZERO, extended
from hingeproof.properties.blame import ours
from hingeproof.properties.call import Unanswered, raised
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Descent, Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.svm.optima import RidgeArrays, objective
from hingeproof.properties.svm.visit import ROCKAFELLAR, Visit, named, not_below, visits
from hingeproof.reference_impls.formats import to_float

STEPS, CONVERGED, SMOOTH = 2_000, 1e-3, 1e-8


@law(
    group="svm", formula="P* ≤ P(w_T);  (P(w_T) − P*)/|P*| ≤ 10⁻³, 10⁻⁸ where φ is smooth: reached or not", source=ROCKAFELLAR,
    needs=("optimum", "gradient"), once=True, applies=lambda loss: loss.convex, modes=("eager",), dtypes=("float64",),
    why="Nothing trained on a convex objective gets below its minimum; how near it comes is measured, not demanded.",
    breaks="A loss whose optimiser finds what is no solution of the problem: values too low, gradients that lead astray.",
)  # fmt: skip
def training(case: Case) -> Judgement:
    """Trained by its framework's own optimiser it ends near the certified optimum, or its row says not reached, never below."""
    out = Judgement()
    optimum, visit = visits(case)[-1]
    problem = optimum.problem
    smooth = problem.loss.aggregate == "sum" and all(p.smoothness is not None for p in problem.loss.shapes.values())
    try:
        path = case.pool.train(visit.batch, RidgeArrays.of(problem, visit.C), STEPS, smooth)
    except Exception as error:  # as in `ask`: what an implementation raises is the finding
        if ours(error):
            raise
        raise Unanswered(raised(visit.batch, error)) from error
    # without a single step there was no finite objective to start from
    end = extended(path[-1][1]) if path else [math.nan]
    if kind_of(*end) != "number":
        return out.fail(
            Failure(visit.batch, "a finite end of training", "not finite", kind_of(*end), note=named(optimum))
        )
    points = [(step, [fmpq(*float(t).as_integer_ratio()) for t in theta]) for step, theta in path]
    best = optimum.objective
    gaps = [to_float((objective(problem, theta) - best) / abs(best)) for _, theta in points]
    not_below(out, optimum, Visit(case, problem, points[-1][1]), f"{named(optimum)}, after {points[-1][0]} steps")
    limit, name = (SMOOTH, "L-BFGS") if smooth else (CONVERGED, "averaged sub-gradient")
    out.note = f"{name}: {gaps[-1]:.1e} above the certified optimum after {points[-1][0]:,} steps"
    out.note += "" if gaps[-1] <= limit else f": not reached ({limit:g})"
    sizes = [_size(theta[: problem.ridged]) for _, theta in points]
    aim = _size(optimum.theta[: problem.ridged])
    margins = [aim / size if size else None for size in sizes]
    out.curves.append(Descent(named(optimum), name, [step for step, _ in points], gaps, margins))
    return out


def _size(w: Sequence[fmpq]) -> float:
    return math.sqrt(to_float(sum((v * v for v in w), ZERO)))
