"""Laws at the edges of the number range: NaN, infinities, overflow, subnormals, signed zeros, ties, masked classes."""

from __future__ import annotations

import math

import numpy as np

from hingeproof.properties.batch import extended, show
from hingeproof.properties.call import gradient_rows
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.gradient import member, sets, show_row
from hingeproof.properties.laws.value import judge_values
from hingeproof.properties.strategies import foci_of, strata

_IEEE = "IEEE 754-2019, §6"


@law(
    group="numerics", kind="promise", formula="s = NaN ⇒ ℓ = NaN", source=f"{_IEEE}.2", foci=("not_finite",),
    why="A NaN score is a fault upstream; a finite loss would hide it.", breaks="where(z > Δ, 0, …), fmax or a comparison that NaN fails.",
    applies=lambda loss: "not_finite" in foci_of(loss),
)  # fmt: skip
def nan(case: Case) -> Judgement:
    """A NaN score makes its sample's value NaN: it is never swallowed."""
    out = Judgement()
    for i, (e, got) in enumerate(zip(case.batch.evaluations, case.values, strict=True)):
        if isinstance(e.value, float) and math.isnan(e.value):
            out.judged += 1
            if isinstance(got, float) and math.isnan(got):
                continue
            if case.contract.nan == "propagate":
                out.fail(Failure(case.batch, "nan", show(got), kind_of(got), sample=i))
            else:
                out.convention = "a NaN score is answered with a number: a fault upstream is hidden"
    return out


@law(
    group="numerics", formula="ℓ(±∞) = lim ℓ", source=f"{_IEEE}.1", foci=("not_finite",),
    why="Arithmetic with infinities is the limit of arithmetic, where that limit exists.", breaks="∞ · 0 or ∞ − ∞ in a branch that is not taken.",
    applies=lambda loss: "not_finite" in foci_of(loss),
)  # fmt: skip
def infinity(case: Case) -> Judgement:
    """At an infinite score the value is the limit: 0 past the margin, +∞ on the other side."""
    out = Judgement()
    for i, (e, got) in enumerate(zip(case.batch.evaluations, case.values, strict=True)):
        infinite = any(isinstance(x, float) and math.isinf(x) for x in case.batch.rows[i])
        if infinite and not (isinstance(e.value, float) and math.isnan(e.value)):
            interval = case.batch.intervals[i]
            if interval is None:
                continue
            out.judged += 1
            if not interval.allows(got):
                out.fail(Failure(case.batch, show(e.value), show(got), kind_of(got), sample=i))
    return out


@law(
    group="numerics", formula="got = ±∞ ⇔ ℓ rounds to ±∞", source=f"{_IEEE} and §7.4", foci=("large",),
    why="Where no intermediate result overflows, the result does exactly when it should.", breaks="An early square, exponential or sum; a clamp to a largest value.",
    applies=lambda loss: "large" in foci_of(loss),
)  # fmt: skip
def overflow(case: Case) -> Judgement:
    """Near the end of the range the value is right, and infinite exactly where it should be."""
    return judge_values(case, "large")


@law(
    group="numerics", formula="|got − ℓ| ≤ bound for |z| ≤ the smallest normal", source="Hauser 1996, gradual underflow", foci=("small",),
    why="Differences of neighbours are exact under gradual underflow; a mode that flushes may count them as 0.",
    breaks="An epsilon added to a denominator; a comparison with a tolerance.", applies=lambda loss: "small" in foci_of(loss),
)  # fmt: skip
def subnormal(case: Case) -> Judgement:
    """At subnormal margins the value is right, as far as the mode keeps subnormals."""
    return judge_values(case, "small")


@law(
    group="numerics", formula="ℓ(−0) = ℓ(+0)", source=f"{_IEEE}.3", every=2, foci=("small",),
    why="−0 and +0 are the same number.", breaks="copysign, 1/x or a test of the sign bit.", applies=lambda loss: "small" in foci_of(loss),
)  # fmt: skip
def signed_zero(case: Case) -> Judgement:
    """A score of −0.0 gives what +0.0 gives, value and gradient."""
    out = Judgement()
    batch = case.batch
    if not any((x == 0).any() for x in batch.inputs):
        return out
    plus, minus = (
        batch.change(inputs=tuple(np.where(x == 0, np.asarray(zero, x.dtype), x).astype(x.dtype) for x in batch.inputs))
        for zero in (0.0, -0.0)
    )
    first, second = case.call(plus), case.call(minus)
    gradients = gradient_rows(first), gradient_rows(second)
    for i, (a, b) in enumerate(zip(extended(first.value), extended(second.value), strict=True)):
        out.judged += 1
        if a != b and a == a:
            out.fail(Failure(minus, f"{show(a)}, as at +0.0", show(b), kind_of(b), sample=i))
        if gradients[0] is not None and gradients[1] is not None and gradients[0][i] != gradients[1][i] and a == a:
            expected, row = f"{show_row(gradients[0][i])}, as at +0.0", gradients[1][i]
            out.fail(Failure(minus, expected, show_row(row), kind_of(*row), sample=i))
    return out


@law(
    group="numerics", formula="g ∈ c · conv{e_k − e_c : k tied}", source="Danskin 1967; Rockafellar 1970, Theorem 23.8", foci=("ties",),
    why="Every convex combination of the tied classes' gradients is a sub-gradient, and nothing else is.",
    breaks="The whole gradient given to each of several tied classes.", needs=("gradient",), applies=lambda loss: "ties" in foci_of(loss),
)  # fmt: skip
def ties(case: Case) -> Judgement:
    """Where classes tie, the gradient is in the convex hull of theirs."""
    out = Judgement()
    for i, e, allowed, got in sets(case):
        if "ties" in strata(e):
            member(out, case, i, allowed, got)
    return out


@law(
    group="numerics", formula="s_k = −∞ ⇒ ℓ as without class k, ∂ℓ/∂s_k = 0", source="the limit s_k → −∞ of a margin of +∞", foci=("masked",),
    why="A class masked with −∞ cannot violate any margin.", breaks="−∞ · 0 = NaN from a mask or a mean over the classes.",
    applies=lambda loss: "masked" in foci_of(loss),
)  # fmt: skip
def masked_classes(case: Case) -> Judgement:
    """A class masked with −inf adds nothing to the value, and its gradient is exactly 0."""
    out = Judgement()
    rows = case.gradient_rows
    for i, e in enumerate(case.batch.evaluations):
        masked = [k for k, x in enumerate(case.batch.rows[i]) if x == -math.inf]
        interval = case.batch.intervals[i]
        if not masked or not e.finite or interval is None:
            continue
        out.judged += 1
        if not interval.allows(case.values[i]):
            got = case.values[i]
            out.fail(Failure(case.batch, show(e.value), show(got), kind_of(got), sample=i))
        row = [] if rows is None else rows[i]
        if row and any(row[k] != 0 for k in masked):
            out.fail(Failure(case.batch, f"0.0 in components {masked}", show_row(row), kind_of(*row), sample=i))
        if any(isinstance(g, float) for g in row):
            out.fail(Failure(case.batch, "a finite gradient", show_row(row), kind_of(*row), sample=i))
    return out
