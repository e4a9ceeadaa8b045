"""Laws of the value: exact within its bound, never negative, 0 past the margin, monotone, convex, Lipschitz."""

from __future__ import annotations

from flint import fmpq

from hingeproof.properties.batch import ZERO, show
from hingeproof.properties.case import Case, Moved
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.moves import away, secant
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended
from hingeproof.reference_impls.oracle import Evaluation, Interval

_HIGHAM = "Higham 2002, Accuracy and Stability of Numerical Algorithms, §2.2 and Lemma 3.1"


def judge_values(case: Case, wanted: str | None = None) -> Judgement:
    """Every finite sample's value against its interval; `wanted` restricts to one stratum."""
    from hingeproof.properties.strategies import strata

    out = Judgement()
    batch = case.batch
    for i, (e, interval, got) in enumerate(zip(batch.evaluations, batch.intervals, case.values, strict=True)):
        if not e.finite or (wanted is not None and wanted not in strata(e)):
            continue
        if interval is None:
            out.leave_out("an intermediate result may overflow: no bound")
            continue
        out.judged += 1
        out.measure(interval.error(got), interval.bound, batch.format.ulp(interval.center))  # type: ignore[arg-type]
        if not interval.allows(got):
            out.fail(Failure(batch, describe(interval), show(got), kind_of(got), sample=i))
    return out


def describe(interval: Interval) -> str:
    """The exact value, and the interval if it is more than that number."""
    if interval.low == interval.high:
        return show(interval.low)
    return f"{show(interval.center)}, so a number in [{show(interval.low)}, {show(interval.high)}]"


@law(
    group="value", formula="|got − ℓ(s, y)| ≤ bound(ℓ, dtype)", source=_HIGHAM,
    why="Each operation of the formula is rounded once; the bound counts those roundings on the exact operands.",
    breaks="A wrong formula, scale or margin; cancellation that the formula does not have; arithmetic in a narrower dtype.",
    foci=("kink", "ulp", "inside", "past", "random", "small", "large", "ties", "masked"),
)  # fmt: skip
def value(case: Case) -> Judgement:
    """Every sample's value is the exact value within the derived forward error bound."""
    return judge_values(case)


@law(
    group="value", formula="ℓ ≥ 0", source="φ ≥ 0, derived from its pieces", applies=lambda loss: loss.every(lambda p: p.nonnegative),
    why="φ is non-negative, and sums, maxima and positive scales keep that.",
    breaks="A missing max(0, ·); a subtraction of a term that was added on purpose.",
)  # fmt: skip
def non_negative(case: Case) -> Judgement:
    """No sample's value is negative."""
    out = Judgement()
    for i, (e, got) in enumerate(zip(case.batch.evaluations, case.values, strict=True)):
        if e.finite and got == got:
            out.judged += 1
            if (got < 0) if isinstance(got, fmpq) else got == float("-inf"):
                out.fail(Failure(case.batch, "a number ≥ 0", show(got), kind_of(got), sample=i))
    return out


@law(
    group="value", formula="z ≥ Δ for all margins ⇒ ℓ = 0 exactly", source="Cortes and Vapnik 1995, eq. 18: ξ = 0",
    why="max(0, Δ − z) has no rounding where it is 0.", breaks="A smoothed, shifted or leaky loss; a target class that adds its own Δ.",
    applies=lambda loss: loss.every(lambda p: any(not any(x) for x in p.pieces)) or loss.labels_decide, foci=("past",),
)  # fmt: skip
def zero_past_margin(case: Case) -> Judgement:
    """Past the margin the value is exactly 0."""
    out = Judgement()
    for i, (e, got) in enumerate(zip(case.batch.evaluations, case.values, strict=True)):
        if e.finite and e.terms and all(t.low == t.high == 0 for t in e.terms):
            out.judged += 1
            if got != 0:
                out.fail(Failure(case.batch, "0.0 exactly", show(got), kind_of(got), sample=i))
    return out


def _zero_one(loss: Loss) -> bool:
    classifies = loss.margins.targets in ("sign", "index") and not loss.margins.norms
    return classifies and not loss.per_class and all(p.bounds_zero_one for p in loss.shapes.values())


@law(
    group="value", formula="some z ≤ 0 ⇒ ℓ ≥ 1", source="Bartlett, Jordan and McAuliffe 2006, §1; φ ≥ 1 on z ≤ 0, derived",
    why="φ ≥ 1 wherever the margin is not positive, so the loss bounds the number of mistakes.",
    breaks="A scale below 1; a margin that is not the one asked for.", applies=_zero_one, foci=("inside", "large"),
)  # fmt: skip
def bounds_zero_one(case: Case) -> Judgement:
    """A misclassified sample costs at least 1."""
    out = Judgement()
    batch = case.batch
    for i, (e, interval, got) in enumerate(zip(batch.evaluations, batch.intervals, case.values, strict=True)):
        if not e.finite or interval is None or batch.weight is not None or not isinstance(interval.low, fmpq):
            continue
        wrong = any(t.phi.bounds_zero_one and t.z <= 0 for t in e.terms)
        if wrong:
            out.judged += 1
            if isinstance(got, fmpq) and got < min(fmpq(1), interval.low):
                out.fail(Failure(batch, "at least 1.0", show(got), "number", sample=i, note="a margin is ≤ 0"))
    return out


def _pairs(case: Case, move: Moved) -> list[tuple[int, Evaluation, Evaluation, Interval, Interval]]:
    """Samples that are finite and bounded before and after a move."""
    rows = zip(case.batch.evaluations, move.batch.evaluations, case.batch.intervals, move.batch.intervals, strict=True)
    return [
        (i, a, b, p, q)
        for i, (a, b, p, q) in enumerate(rows)
        if a.finite and b.finite and p and q and isinstance(p.center, fmpq) and isinstance(q.center, fmpq)
    ]


def _halfway(x: Extended, y: Extended, z: Extended) -> bool:
    """Is y exactly between x and z?"""
    return isinstance(x, fmpq) and isinstance(y, fmpq) and isinstance(z, fmpq) and bool(x + z == 2 * y)


def _slack(*intervals: Interval) -> fmpq:
    return sum((i.bound for i in intervals), ZERO)


@law(
    group="value", formula="z' ≥ z ⇒ ℓ(z') ≤ ℓ(z)", source="φ non-increasing, derived from its slopes", every=4,
    why="No slope of φ is positive; rounding is monotone, so not even the last digit may go up.",
    breaks="A sign error on one side of a break; a wrong branch.", foci=("kink", "inside", "random"),
    applies=lambda loss: not loss.margins.norms and loss.every(lambda p: p.nonincreasing),
)  # fmt: skip
def monotone(case: Case) -> Judgement:
    """A larger margin never costs more."""
    out = Judgement()
    move = case.moved(away)
    for i, a, b, p, q in _pairs(case, move):
        before, after = case.values[i], move.values[i]
        out.judged += 1
        slack = ZERO if max(a.value_roundings, b.value_roundings) <= 1 and case.batch.weight is None else _slack(p, q)
        if isinstance(before, fmpq) and isinstance(after, fmpq) and after > before + slack:
            expected = f"at most {show(before)}, the value at smaller margins"
            out.fail(Failure(move.batch, expected, show(after), "number", sample=i))
    return out


@law(
    group="value", formula="2 ℓ(x + h) ≤ ℓ(x) + ℓ(x + 2h)", source="Rockafellar 1970, Theorem 4.1", every=4,
    why="φ is convex and margins are linear in the scores; the three points are exactly collinear.",
    breaks="A loss that turns down again; gradients or values of the wrong branch.", applies=lambda loss: loss.convex,
    foci=("kink", "inside", "random"),
)  # fmt: skip
def convex(case: Case) -> Judgement:
    """On three collinear points the middle one costs at most the mean of the outer two."""
    out = Judgement()
    if case.batch.weight is not None:
        return out
    middle, far = case.moved(secant(1)), case.moved(secant(2))
    for i, _, _, p, q in _pairs(case, middle):
        r = far.batch.intervals[i]
        row, mid, end = case.batch.rows[i], middle.batch.rows[i], far.batch.rows[i]
        if r is None or not all(map(_halfway, row, mid, end)):
            out.leave_out("the three points are not exactly collinear")
            continue
        a, b, c = case.values[i], middle.values[i], far.values[i]
        if isinstance(a, fmpq) and isinstance(b, fmpq) and isinstance(c, fmpq):
            out.judged += 1
            if 2 * b > a + c + 2 * q.bound + _slack(p, r):
                expected = f"at most {show((a + c) / 2)}, the mean of both ends"
                out.fail(Failure(middle.batch, expected, show(b), "number", sample=i))
    return out


@law(
    group="value", formula="|ℓ(x) − ℓ(x')| ≤ L Σ_k |z_k − z'_k|", source="L = sup |φ′|, derived", every=4,
    why="No slope of φ is steeper than L.", breaks="A jump at a break; an unbounded branch.",
    applies=lambda loss: not loss.margins.norms and loss.every(lambda p: p.lipschitz is not None), foci=("kink", "inside", "random"),
)  # fmt: skip
def lipschitz(case: Case) -> Judgement:
    """The value changes at most L times as much as the margins do."""
    out = Judgement()
    move = case.moved(secant(1))
    for i, a, b, p, q in _pairs(case, move):
        before, after = case.values[i], move.values[i]
        if not (isinstance(before, fmpq) and isinstance(after, fmpq) and len(a.terms) == len(b.terms)):
            continue
        out.judged += 1
        steps = [(t.phi.lipschitz or ZERO) * abs(t.z - u.z) for t, u in zip(a.terms, b.terms, strict=True)]
        reach = a.factor * (max(steps, default=ZERO) if a.loss.aggregate == "max" else sum(steps, ZERO))
        allowed = reach * abs(case.batch.scales[i]) + _slack(p, q)
        if abs(after - before) > allowed:
            expected = f"within {show(allowed)} of {show(before)}, the value before the step"
            out.fail(Failure(move.batch, expected, show(after), "number", sample=i))
    return out
