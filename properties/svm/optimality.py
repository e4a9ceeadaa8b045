"""Laws of optimality: at the exactly certified optimum of a regularised problem, what an implementation must answer."""

from __future__ import annotations

from dataclasses import dataclass

from flint import fmpq

from hingeproof.properties.batch import ZERO, show
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.gradient import describe_set, in_range, show_row
from hingeproof.properties.svm.optima import Optimum, RidgeProblem, Vector, optima
from hingeproof.properties.svm.visit import ROCKAFELLAR, Visit, named, not_below, visits
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended, to_float
from hingeproof.reference_impls.oracle import Evaluation, JudgedTerm
from hingeproof.reference_impls.sets import SubGradients

_NEEDS = ("optimum",)
_GRADIENTS = ("optimum", "gradient")


def _convex(loss: Loss) -> bool:
    return loss.convex


@law(
    group="svm", formula="½‖w‖² + C Σ ℓ(s_i*, y_i) = P*", source=ROCKAFELLAR, needs=_NEEDS, once=True, applies=_convex,
    why="P* is known exactly; the values are the implementation's, their bounds and the rounding of the scores are derived.",
    breaks="A wrong scale, margin or branch; an error on a few samples that an average hides.",
)  # fmt: skip
def optimal_objective(case: Case) -> Judgement:
    """At the certified optimum the objective is the exact optimal value within the derived bound."""
    out = Judgement()
    for optimum, visit in visits(case):
        if visit.answers is None:
            out.leave_out("no bound of the values")
            continue
        low, center, high = visit.answers
        out.judged += visit.batch.size
        got, best = visit.objective, optimum.objective
        ulp = visit.batch.format.ulp(best)
        out.measure(None if got is None else abs(got - center), max(high - center, center - low), ulp)
        if got is None or not low <= got <= high:
            out.fail(
                Failure(
                    visit.batch,
                    f"an objective in [{show(low)}, {show(high)}]; the certified optimum is {show(best)}, "
                    f"rounding the scores to {visit.batch.format.name} adds {to_float(center - best):.3g}",
                    "not finite" if got is None else show(got),
                    kind_of(*visit.values),
                    note=named(optimum),
                )
            )
    return out


@law(
    group="svm", formula="P(w* + t h) ≥ P*", source="the certificate: D(α) = P* bounds every P(w) from below", needs=_NEEDS, every=4,
    why="The dual value of the certificate is a lower bound of the objective everywhere; only rounding may go below it.",
    breaks="A loss that forgives some samples, so that a point off the optimum looks better.", foci=("random",), applies=_convex,
)  # fmt: skip
def optimum_is_least(case: Case) -> Judgement:
    """No point near the certified optimum has a lower objective, beyond the derived bound."""
    out = Judgement()
    drawn = [x for row in case.batch.rows for x in row if isinstance(x, fmpq) and x != 0] or [fmpq(1)]
    for optimum in optima(case.loss, case.pool.settings, case.pool.optimum):
        theta, step = optimum.theta, _step(drawn)
        # Hypothesis' own numbers, cut to signs and eighths, are the direction
        along = [fmpq(round(to_float(x) * 8) % 33 - 16, 16) for x in (drawn * len(theta))[: len(theta)]]
        visit = Visit(case, optimum.problem, [t + step * h for t, h in zip(theta, along, strict=True)])
        not_below(out, optimum, visit, f"{named(optimum)}, step {step}")
    return out


def _step(drawn: list[fmpq]) -> fmpq:
    """A dyadic step from 1 to 2^-9, from what was drawn."""
    return fmpq(1, 1 << (int(abs(drawn[-1]) * 16) % 10))


@dataclass(frozen=True)
class Sample:
    """One sample at the optimum: what its gradient may be, the certificate's multipliers, what was answered."""

    index: int
    moved: Evaluation
    allowed: SubGradients
    dual: Vector  # in units of C: an element of ∂ℓ
    got: list[Extended]

    @property
    def settled(self) -> bool:
        """Is the sub-differential, over all margins that rounding leaves open, free of kinks and ties?"""
        return not self.moved.near_kink


def _samples(optimum: Optimum, visit: Visit) -> list[Sample]:
    out = []
    rows = zip(visit.moved, optimum.duals, visit.gradients, strict=True)
    for i, (e, dual, got) in enumerate(rows):
        allowed = e.sub_gradients(fmpq(1), 0)
        if allowed is not None and in_range(allowed, visit.batch.format.largest):
            out.append(Sample(i, e, allowed, [v / visit.C for v in dual], got))
    return out


@law(
    group="svm", formula="g_i ∈ ∂ℓ(s_i*) ∋ −y_i α_i/C;  Dθ + Σ_off C x_i g_i + Σ_on x_i q_i = 0", source=ROCKAFELLAR,
    needs=_GRADIENTS, once=True, applies=_convex,
    why="At an optimum some sub-gradients add up to 0: off the kinks there is one, the implementation's; on them the certificate's.",
    breaks="A gradient that is wrong where training ends: a wrong scale or sign, a smoothed kink, a dropped sample.",
)  # fmt: skip
def stationary_at_optimum(case: Case) -> Judgement:
    """At the certified optimum the implementation's gradients agree with the exact multipliers, and add up to 0."""
    out = Judgement()
    for optimum, visit in visits(case):
        problem, batch = visit.problem, visit.batch
        used: list[Vector] = [[v / visit.C for v in row] for row in optimum.duals]
        slack = [[ZERO] * len(row) for row in used]
        for s in _samples(optimum, visit):
            out.judged += 1
            got = [g for g in s.got if isinstance(g, fmpq)]
            if len(got) < len(s.got) or s.allowed.excess(got) > 0:
                out.fail(
                    Failure(
                        batch,
                        f"{describe_set(s.allowed)}; the certificate has {show_row(s.dual)}",
                        show_row(s.got),
                        kind_of(*s.got),
                        sample=s.index,
                        note=named(optimum),
                    )
                )
                continue
            if s.settled:
                used[s.index] = got
                hull = s.allowed.hull()
                slack[s.index] = [box + hi - lo for box, (lo, hi) in zip(s.allowed.box, hull, strict=True)]
        total = [visit.C * v for v in problem.pull(used)]
        total = [
            v + (t if j < problem.ridged else ZERO) for j, (v, t) in enumerate(zip(total, optimum.theta, strict=True))
        ]
        room = [visit.C * v for v in _pull_sizes(problem, slack)]
        for v, r in zip(total, room, strict=True):
            out.measure(abs(v), r, batch.format.ulp(fmpq(1)))
        if out.failure is None and any(abs(v) > r for v, r in zip(total, room, strict=True)):
            out.fail(
                Failure(
                    batch,
                    f"Dθ + Aᵀα = 0 within {show_row(room)}",
                    show_row(total),
                    "number",
                    note=named(optimum),
                )
            )
    return out


def _pull_sizes(problem: RidgeProblem, slack: list[Vector]) -> Vector:
    """Σ |x_i| slack_i."""
    out = [ZERO] * problem.size
    for lines, row in zip(problem.features, slack, strict=True):
        for line, r in zip(lines, row, strict=True):
            if r:
                out = [o + abs(x) * r for o, x in zip(out, line, strict=True)]
    return out


@law(
    group="svm", formula="{i : g_i ≠ 0} = {i : α_i ≠ 0} off the kinks", source="Cortes and Vapnik 1995, §2: the support vectors",
    needs=_GRADIENTS, once=True, applies=_convex,
    why="A sample past its margin has multiplier 0 and gradient 0; one inside has neither.",
    breaks="A dense gradient, by which every sample is a support vector; a violator that is dropped.",
)  # fmt: skip
def support_vectors(case: Case) -> Judgement:
    """The support vectors are exactly the samples with a non-zero gradient, or on the kink."""
    out = Judgement()
    for optimum, visit in visits(case):
        for s in _samples(optimum, visit):
            steep = [t for t in s.moved.terms if t.slopes[0] > 0 or t.slopes[1] < 0]
            flat = all(t.flat for t in s.moved.terms)
            if (
                not s.settled
                or not (flat or steep)
                or all(abs(v) <= b for v, b in zip(s.dual, s.allowed.box, strict=True)) != flat
            ):
                out.leave_out("a margin within its rounding of a kink")
                continue
            out.judged += 1
            if (s.got != [0] * len(s.got)) == flat:
                words = ("no", "0.0 in every component") if flat else ("a", "a non-zero gradient")
                out.fail(
                    Failure(
                        visit.batch,
                        f"{words[1]}: sample {s.index} is {words[0]} support vector, its multiplier is {show_row(s.dual)}",
                        show_row(s.got),
                        kind_of(*s.got),
                        sample=s.index,
                        note=named(optimum),
                    )
                )
    return out


@law(
    group="svm", formula="ℓ(z) + φ*(h) = z h for h ∈ ∂φ(z)", source="Rockafellar 1970, Theorem 23.5 (Fenchel–Young)", needs=("gradient",), every=4,
    why="A sub-gradient is where Fenchel's inequality holds with equality; φ* is derived from φ's pieces, not declared.",
    breaks="Values and gradients that belong to different functions.", foci=("kink", "inside", "past", "random"),
    applies=lambda loss: loss.convex and loss.margins.row == "scalar",
)  # fmt: skip
def fenchel_young(case: Case) -> Judgement:
    """Value and gradient fulfil Fenchel and Young's equality with the conjugate derived from φ."""
    out = Judgement()
    rows, batch = case.gradient_rows, case.batch
    for i, (e, got) in enumerate(zip(batch.evaluations, case.values, strict=True)):
        c, interval = batch.cotangents[i], e.interval()
        allowed = e.sub_gradients(c, 0)
        plain = batch.weight is None and c != 0 and e.finite and len(e.terms) == 1
        if rows is None or not plain or allowed is None or interval is None or not isinstance(interval.center, fmpq):
            continue
        (t,) = e.terms
        (k, a), *_ = t.term.gradient.items()
        g = rows[i][k]
        if not in_range(allowed, batch.format.largest) or not isinstance(got, fmpq) or not isinstance(g, fmpq):
            continue
        out.judged += 1
        # the loss itself: what is answered, over the implementation's own scale
        s = batch.multiple
        h = g / (a * c * s)
        slip = allowed.box[k] / abs(c * s)
        ends = t.phi.slope_hull(t.z - t.error, t.z + t.error)
        inside = min(max(h, ends[0]), ends[1])  # rounding may leave the domain of φ*, where it is infinite
        conjugate = t.phi.conjugate(inside)
        assert conjugate is not None
        gap = got / s + conjugate - t.z * h
        # the value's bound; h is off by its own error, and 0 ≤ φ(z) + φ*(u) − z u ≤ |u − h| 2e for u ∈ ∂φ(z ± e)
        allowed_gap = interval.bound / s + abs(t.z) * (abs(h - inside) + slip) + slip * (t.error + _reach(t))
        allowed_gap += 2 * t.error * (ends[1] - ends[0])
        out.measure(abs(gap), allowed_gap, batch.format.ulp(fmpq(1)))
        if abs(gap) > allowed_gap or abs(h - inside) > slip:
            out.fail(
                Failure(
                    batch,
                    f"ℓ + φ*(h) − z h = 0 within {to_float(allowed_gap):.3g}, for z = {show(t.z)}, h in "
                    f"[{show(ends[0])}, {show(ends[1])}]",
                    f"{show(gap)}, for ℓ = {show(got)}, h = {show(h)}",
                    "number",
                    sample=i,
                )
            )
    return out


def _reach(t: JudgedTerm) -> fmpq:
    """A Lipschitz constant of φ* near the slopes seen: the margins there."""
    return abs(t.z) + max((abs(b) for b in t.phi.breaks), default=ZERO)
