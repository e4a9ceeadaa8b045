"""Sum, mean and weights."""

from __future__ import annotations

import math

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import ONE, ZERO, Batch, extended, show
from hingeproof.properties.call import Unanswered
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.value import describe, judge_values
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.oracle import Interval

_SOURCE = "Higham 2002, §4.2: the forward error of a sum in any order is at most γ_{N−1} Σ|x_i|"
_FINITE = ("kink", "inside", "past", "random")  # where a mean overflows is the business of mean_overflow


def reduction_roundings(reduction: str, n: int) -> int:
    """Roundings of a sum of n numbers, of the mean's division, and of the sum of the weights."""
    return n - 1 + (2 if reduction != "sum" else 0) + (n if reduction == "weighted_mean" else 0) + 1


def reduced_interval(batch: Batch, reduction: str) -> Interval | None:
    """What a sum or mean of the batch may be; None where a sample has no bound, or a mean's sum overflows."""
    intervals = batch.intervals
    centers = [i.center for i in intervals if i is not None and isinstance(i.center, fmpq)]
    n = len(intervals)
    if len(centers) < n or n == 0:
        return None
    center = sum(centers, ZERO)
    each = sum((i.bound for i in intervals if i is not None), ZERO)
    size = sum((e.magnitude() * abs(w) for e, w in zip(batch.evaluations, batch.scales, strict=True)), ZERO)
    # 1/K may be taken after the sum: what is added up then is the largest intermediate of each sample
    peak = sum((e.peak * abs(w) for e, w in zip(batch.evaluations, batch.scales, strict=True)), ZERO)
    if peak >= batch.format.largest and (reduction != "sum" or center < batch.format.overflow):
        return None
    divisor = {"mean": fmpq(n), "sum": ONE, "weighted_mean": sum(batch.scales, ZERO)}[reduction]
    if divisor == 0:
        return None
    single = n == 1 and batch.evaluations[0].value_roundings <= 1 and batch.weight is None
    low, high = (center - each) / divisor, (center + each) / divisor
    if single:
        return intervals[0]
    roundings = max(reduction_roundings(reduction, n), 2)
    return batch.arithmetic.enclose(low, high, center / divisor, roundings, size / divisor, fmpq(n))


def _judge(case: Case, reduction: str) -> Judgement:
    out = Judgement()
    batch = case.batch
    if not case.offers(reduction):
        return out
    interval = reduced_interval(batch, reduction)
    if interval is None:
        out.leave_out("a sample without a bound, or a sum that overflows although the mean does not")
        return out
    got = extended(case.reduced(reduction).value)[0]
    out.judged += batch.size
    out.measure(interval.error(got), interval.bound, batch.format.ulp(interval.center))  # type: ignore[arg-type]
    if not interval.allows(got):
        out.fail(Failure(batch, describe(interval), show(got), kind_of(got), reduction))
    return out


@law(
    group="reduction", formula="|got − Σℓ_i| ≤ bound", source=_SOURCE, needs=("sum",), every=2, foci=(*_FINITE, "large"),
    why="Each sample carries its own bound and the additions theirs; +∞ exactly where the exact sum rounds to it.",
    breaks="A mean returned as the sum; samples dropped or counted twice.",
)  # fmt: skip
def reduction_sum(case: Case) -> Judgement:
    """The sum is the exact sum within the derived bound."""
    return _judge(case, "sum")


@law(
    group="reduction", formula="|got − (1/N) Σℓ_i| ≤ bound", source=_SOURCE, needs=("mean",), every=2, foci=_FINITE,
    why="As for the sum, with the division by N.", breaks="A divisor that is not N: K, the number of violators, the sum of weights.",
)  # fmt: skip
def reduction_mean(case: Case) -> Judgement:
    """The mean is the exact sum divided by N within the derived bound."""
    return _judge(case, "mean")


@law(
    group="reduction", formula="ℓ_i(w) = w_i ℓ_i;  mean = (1/N) Σ w_i ℓ_i", source="interfaces.md, formulas", needs=("weight",),
    why="A weight multiplies its sample's loss: one more rounding.", breaks="A weight on the margin, or a mean divided by Σw.", foci=("inside",),
)  # fmt: skip
def weight(case: Case) -> Judgement:
    """A sample's weight multiplies its loss, and the mean still divides by N."""
    implementation = case.subject.implementation
    if case.batch.weight is None and implementation.mean_over == "N":
        return Judgement()
    if implementation.mean_over == "weights":
        return _weighted_mean(case)
    out = judge_values(case)
    for reduction in ("sum", "mean"):
        more = _judge(case, reduction)
        out.judged += more.judged
        if more.failure is not None:
            out.fail(more.failure)
    return out


def _weighted_mean(case: Case) -> Judgement:
    """An implementation whose contract says that its mean divides by Σ w."""
    out = Judgement()
    pattern = np.array([(1.0, 2.0, 0.5, 3.0, 0.75)[i % 5] for i in range(case.batch.size)])
    batch = case.batch.change(weight=pattern.astype(case.batch.inputs[0].dtype))
    interval = reduced_interval(batch, "weighted_mean")
    if interval is None:
        return out
    got = extended(case.call(batch, "mean", gradients=False).value)[0]
    out.judged += batch.size
    if not interval.allows(got):
        out.fail(Failure(batch, f"{describe(interval)}, the mean over Σ w", show(got), kind_of(got), "mean"))
    return out


@law(
    group="reduction", formula="ℓ_i(w) = w_{c_i} ℓ_i", source="torch.nn.MultiMarginLoss, weight", needs=("class_weight",), foci=("inside",),
    why="A class weight multiplies the loss of the samples of that class.", breaks="The weight of the violating class; a weight inside the power.",
    applies=lambda loss: loss.class_weight,
)  # fmt: skip
def class_weight(case: Case) -> Judgement:
    """A class weight multiplies the loss of the samples whose target is that class."""
    return Judgement() if case.batch.class_weight is None else judge_values(case)


@law(
    group="reduction", kind="promise", formula="mean = +∞ only if (1/N) Σℓ_i rounds to it", source="interfaces.md, scope of the laws",
    needs=("mean",), foci=("large",), why="Each loss divided by N before the addition cannot overflow unless the mean does.",
    breaks="A sum that overflows before it is divided.", modes=("eager",),
    applies=lambda loss: not loss.margins.norms and any(isinstance(p.limit(-1), float) for p in loss.shapes.values()),
)  # fmt: skip
def mean_overflow(case: Case) -> Judgement:
    """A mean is infinite only where the exact mean rounds to infinity."""
    out = Judgement()
    batch = case.batch
    limit = batch.format.largest
    batch = batch.change(weight=None, class_weight=None)
    pairs = list(enumerate(zip(batch.evaluations, batch.intervals, strict=True)))
    big = [i for i, (e, p) in pairs if e.finite and p is not None and p.high != math.inf and p.center > limit / 60]  # type: ignore[operator]
    for i in big[:4]:
        interval = batch.intervals[i]
        assert interval is not None
        assert isinstance(interval.center, fmpq)
        copies = 8 if interval.center > limit / 7 else 64  # so many that their sum overflows
        many = batch.take([i] * copies)
        got = extended(case.call(many, "mean", gradients=False).value)[0]
        out.judged += 1
        gamma = batch.format.gamma(copies + 2) or ONE
        if isinstance(got, fmpq) and abs(got - interval.center) <= interval.center * gamma + interval.bound:
            continue
        if case.contract.mean_overflow == "exact":
            expected = f"{show(interval.center)}, the mean of {copies} equal losses"
            out.fail(Failure(many.take(range(8)), expected, show(got), kind_of(got), "mean"))
        else:
            out.convention = "the mean of finite losses can be infinite: the sum overflows first"
    return out


@law(
    group="reduction", kind="promise", formula="Σ of 4096 × ½ = 2048", source="issue: fp16/bf16 sums are accumulated in float32", once=True,
    needs=("sum",), why="A float16 sum of many small numbers stops growing once an addend is below half an ulp.",
    breaks="Accumulation in the dtype itself.", applies=lambda loss: loss.margins.row == "scalar",
)  # fmt: skip
def accumulation(case: Case) -> Judgement:
    """Half-precision sums are accumulated in float32: thousands of equal small losses do not get lost."""
    out = Judgement()
    if case.batch.format.precision > 11:
        out.leave_out("float32 and float64 accumulate in themselves")
        out.judged = 1
        return out
    row = next((i for i, v in enumerate(case.batch.evaluations) if v.finite and fmpq(1, 4) <= v.value <= 8), None)  # type: ignore[operator]
    if row is None:
        return out
    many = case.batch.take([row] * 4096).change(weight=None)
    one = extended(case.call(many.take([0]), gradients=False).value)[0]
    assert isinstance(one, fmpq)
    exact = one * 4096
    try:
        got = extended(case.call(many, "sum", gradients=False).value)[0]
    except Unanswered as error:
        return out.fail(error.failure)
    out.judged = 4096
    close = isinstance(got, fmpq) and abs(got - exact) <= exact * fmpq(4096, 1 << 23) + batch_ulp(case, exact)
    if not close and case.contract.accumulation == "float32":
        expected = f"{to_float(exact)} for 4096 such samples"
        out.fail(Failure(many.take([0] * 8), expected, show(got), kind_of(got), "sum"))
    elif not close:
        out.convention = "half-precision sums are accumulated in half precision: long sums lose addends"
    return out


def batch_ulp(case: Case, value: fmpq) -> fmpq:
    """One rounding of the result to the dtype, of the value and of the sum."""
    return case.batch.format.ulp(value)
