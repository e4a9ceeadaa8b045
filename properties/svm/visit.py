"""An implementation called at a point of a certified problem: its objective, its gradients, and their bounds.

The optimum is rational, so its scores are rounded to the dtype; a score moved by δ moves its margins, and every set
and value here is taken over the hull of both margins, each with its own e(z). Nothing is compared with a float solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import ZERO, Batch, extended, show
from hingeproof.properties.call import Output, gradient_rows
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.svm.optima import BLOCK, Optimum, RidgeProblem, Vector, objective, optima
from hingeproof.reference_impls.formats import Extended, to_float
from hingeproof.reference_impls.oracle import Evaluation, JudgedTerm, evaluate

ROCKAFELLAR = "Rockafellar 1970, Theorem 27.4; certificates as in docs/svm-certificate.md"


@dataclass
class Visit:
    """An implementation called at the rounded scores of a point θ of a problem."""

    case: Case
    problem: RidgeProblem
    theta: Sequence[fmpq]

    @property
    def C(self) -> fmpq:
        """What one unit of the implementation's value costs: C over its own scale."""
        return self.problem.C / self.batch.multiple

    @cached_property
    def scores(self) -> list[Vector]:
        return self.problem.scores(self.theta)

    @cached_property
    def batch(self) -> Batch:
        """All samples at once: the witness. The calls are made in blocks of a shape that the pass knows."""
        case, loss = self.case, self.problem.loss
        dtype = case.batch.inputs[0].dtype
        table = np.array([[to_float(case.batch.format.round(s)) for s in row] for row in self.scores]).astype(dtype)
        parts = np.split(table, len(loss.margins.inputs), axis=1)
        inputs = tuple(np.ascontiguousarray(p if loss.margins.row == "vector" else p[:, 0]) for p in parts)
        targets = np.array(self.problem.targets).astype(dtype if loss.margins.targets == "real" else np.int64)
        return case.batch.change(
            inputs=inputs, targets=targets, params=self.problem.params, cotangent=np.ones(len(table), dtype),
            tangent=tuple(np.ones_like(x) for x in inputs), weight=None, class_weight=None, layout="contiguous",
            shape=None,
        )  # fmt: skip

    @cached_property
    def outputs(self) -> list[Output]:
        size = self.batch.size
        return [self.case.call(self.batch.take(range(i, i + BLOCK))) for i in range(0, size, BLOCK)]

    @cached_property
    def values(self) -> list[Extended]:
        return [v for out in self.outputs for v in extended(out.value)]

    @cached_property
    def gradients(self) -> list[list[Extended]]:
        return [row for out in self.outputs for row in gradient_rows(out) or []]

    @cached_property
    def unrounded(self) -> list[Evaluation]:
        """The loss at the exact scores."""
        p, arithmetic = self.problem, self.batch.arithmetic
        return [
            evaluate(p.loss, p.params, row, label, arithmetic, None, self.batch.multiple)
            for row, label in zip(self.scores, p.labels, strict=True)
        ]

    @cached_property
    def answers(self) -> tuple[fmpq, fmpq, fmpq] | None:
        """The least objective that correct values give, the exact one at the rounded scores, the greatest."""
        ends = []
        for e in self.batch.evaluations:
            interval = e.interval()
            if interval is None or not all(isinstance(x, fmpq) for x in (interval.low, interval.center, interval.high)):
                return None
            ends.append((interval.low, interval.center, interval.high))
        ridge, C = self.problem.ridge(self.theta), self.C
        low, center, high = (ridge + C * sum(column, ZERO) for column in zip(*ends, strict=True))
        return low, center, high

    @cached_property
    def objective(self) -> fmpq | None:
        """½‖θ‖² + C Σ of the implementation's values, added up exactly; None where one of them is not finite."""
        values = [v for v in self.values if isinstance(v, fmpq)]
        if len(values) < len(self.values):
            return None
        return self.problem.ridge(self.theta) + self.C * sum(values, ZERO)

    @cached_property
    def moved(self) -> list[Evaluation]:
        """The loss over all margins between the exact ones and those computed from the rounded scores."""
        return [_hull(a, b) for a, b in zip(self.unrounded, self.batch.evaluations, strict=True)]


def _hull(a: Evaluation, b: Evaluation) -> Evaluation:
    def both(s: JudgedTerm, t: JudgedTerm) -> JudgedTerm:
        low, high = min(s.z, t.z) - t.error, max(s.z, t.z) + t.error
        if low == high:
            return t
        values = t.phi.hull(low, high)
        magnitude = max(t.magnitude, s.magnitude)
        return replace(
            t, low=values[0], high=values[1], slopes=t.phi.slope_hull(low, high), error=max(high - t.z, t.z - low),
            magnitude=magnitude,
        )  # fmt: skip

    return replace(b, terms=tuple(both(s, t) for s, t in zip(a.terms, b.terms, strict=True)))


def visits(case: Case) -> list[tuple[Optimum, Visit]]:
    """The implementation at each certified optimum of its loss; called once a pass, whichever law asks first."""
    pool = case.pool
    if not pool.visits:
        pool.visits = [(o, Visit(case, o.problem, o.theta)) for o in optima(case.loss, pool.settings, pool.optimum)]
    return pool.visits


def named(optimum: Optimum) -> str:
    return f"the {optimum.problem.kind} problem of {optimum.problem.loss.name}, n = {len(optimum.problem.targets)}"


def not_below(out: Judgement, optimum: Optimum, visit: Visit, note: str) -> None:
    """Judge that the implementation's objective at a point is not below the certified optimum."""
    if visit.answers is None:
        out.leave_out("no bound of the values")
        return
    low, center, _ = visit.answers
    here = objective(visit.problem, visit.theta)
    slack = (center - low) + max(here - center, ZERO)
    out.judged += visit.batch.size
    got, least = visit.objective, optimum.objective - slack
    out.measure(None if got is None else max(optimum.objective - got, ZERO), slack, visit.batch.format.ulp(center))
    if got is None or got < least:
        wanted = f"an objective of at least {show(least)}, the certified optimum less rounding"
        observed = "not finite" if got is None else show(got)
        out.fail(Failure(visit.batch, wanted, observed, kind_of(*visit.values), note=note))
