"""Laws of the gradient: in the sub-differential everywhere, kink included; the one number off the kinks; sparse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import ONE, ZERO, show
from hingeproof.properties.call import gradient_rows
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.moves import secant
from hingeproof.reference_impls.formats import Extended, to_float
from hingeproof.reference_impls.oracle import Evaluation
from hingeproof.reference_impls.sets import SubGradients

_NEEDS = ("gradient",)
_CLARKE = "Clarke 1983, §2.1; for convex losses Rockafellar 1970, §23"


def sets(case: Case) -> Iterator[tuple[int, Evaluation, SubGradients, list[Extended]]]:
    """The samples whose gradient can be judged: index, exact evaluation, allowed set, observed gradient."""
    rows = case.gradient_rows
    batch = case.batch
    for i, e in enumerate(batch.evaluations):
        allowed = e.sub_gradients(batch.cotangents[i] * batch.scales[i], batch.weight is not None)
        if rows is not None and allowed is not None and in_range(allowed, batch.format.largest):
            yield i, e, allowed, rows[i]


def in_range(allowed: SubGradients, largest: fmpq) -> bool:
    """Is every gradient of the set far enough from overflow to have a bound?"""
    return all(max(abs(lo), abs(hi)) * 4 < largest for lo, hi in allowed.hull())


def singular(e: Evaluation) -> bool:
    return any(t.term.singular for t in e.terms)


def member(
    out: Judgement, case: Case, i: int, allowed: SubGradients, got: Sequence[Extended], reduction: str = "none"
) -> None:
    """Judge membership of one sample's gradient."""
    out.judged += 1
    finite = [g for g in got if isinstance(g, fmpq)]
    if len(finite) == len(got):
        hull = allowed.hull()
        for g, (lo, hi), box in zip(finite, hull, allowed.box, strict=True):
            out.measure(max(lo - g, g - hi, ZERO), box, case.batch.format.ulp(g))
        if allowed.excess(finite) <= 0:
            return
    out.fail(Failure(case.batch, describe_set(allowed), show_row(got), kind_of(*got), reduction, sample=i))


def show_row(row: Sequence[Extended]) -> str:
    return "[" + ", ".join(show(x) for x in row) + "]"


def describe_set(allowed: SubGradients) -> str:
    """One number a coordinate, or its interval; rounding in brackets."""
    parts = [show(lo) if lo == hi else f"[{show(lo)}, {show(hi)}]" for lo, hi in allowed.hull()]
    worst = max(allowed.box, default=ZERO)
    text = ", ".join(parts)
    joint = " (jointly in the convex hull)" if allowed.free and len(parts) > 1 else ""
    return text + joint + (f" ± {to_float(worst):.2g} of rounding" if worst else "")


@law(
    group="gradient", formula="g ∈ c · ∂ℓ(s)", source=_CLARKE, needs=_NEEDS,
    why="Automatic differentiation of a correct program yields an element of the (Clarke) sub-differential of each sample.",
    breaks="A wrong sign or scale; a gradient at the kink outside [−y, 0]; NaN from 0 · ∞ in a masked branch.",
    foci=("kink", "ulp", "inside", "past", "random", "small", "ties", "masked"),
)  # fmt: skip
def gradient(case: Case) -> Judgement:
    """Every sample's gradient is in the exact sub-differential times its cotangent, at the kinks too."""
    out = Judgement()
    for i, e, allowed, got in sets(case):
        if singular(e):
            out.leave_out("coincident points or a zero vector: no gradient of the distance")
            continue
        member(out, case, i, allowed, got)
    return out


@law(
    group="gradient", formula="z < Δ ⇒ g = −y φ′ c", source="the textbook: gradient −y when y f < 1", needs=_NEEDS,
    why="Off the kinks the sub-differential is one number.", breaks="A gradient that ignores the cotangent, the label or the margin.",
    foci=("inside",),
)  # fmt: skip
def gradient_inside(case: Case) -> Judgement:
    """Inside the margin, off every kink, the gradient is the one derivative."""
    out = Judgement()
    for i, e, allowed, got in sets(case):
        if not e.near_kink and not singular(e) and any(not t.flat for t in e.terms):
            member(out, case, i, allowed, got)
    return out


@law(
    group="gradient", formula="z ≥ Δ for all margins ⇒ g = 0", source="the textbook: gradient 0 when y f ≥ 1", needs=_NEEDS,
    why="φ is constant there; 0 times anything finite is exactly 0.", breaks="A leaky or smoothed loss; weight decay put into the loss.",
    foci=("past",), applies=lambda loss: loss.every(lambda p: any(not any(x) for x in p.pieces)) or loss.labels_decide,
)  # fmt: skip
def gradient_zero_past_margin(case: Case) -> Judgement:
    """Past the margin every component of the gradient is exactly 0."""
    out = Judgement()
    for i, e, _, got in sets(case):
        if e.terms and all(t.flat for t in e.terms):
            out.judged += 1
            if any(g != 0 for g in got):
                out.fail(Failure(case.batch, "0.0 in every component", show_row(got), kind_of(*got), sample=i))
    return out


@law(
    group="gradient", formula="#{g ≠ 0} = #{violated margins}", source="the support vectors of Cortes and Vapnik 1995, §2", needs=_NEEDS,
    why="A component is 0 exactly when no violated margin depends on it; near a kink the margin's rounding leaves it open.",
    breaks="A dense gradient; a violator that is dropped.", foci=("inside", "past"),
    applies=lambda loss: not loss.margins.norms,
)  # fmt: skip
def gradient_sparsity(case: Case) -> Judgement:
    """Over a batch there are as many non-zero gradient components as violated margins put there."""
    out = Judgement()
    expected = seen = left_out = 0
    first = None
    for i, e, allowed, got in sets(case):
        if e.near_kink:
            left_out += 1
            out.leave_out("a margin within its rounding of a kink")
            continue
        for k, (g, exact) in enumerate(zip(got, allowed.fixed, strict=True)):
            touched = any(not t.flat and k in t.term.gradient for t in e.terms)
            if touched and abs(exact) <= allowed.box[k]:
                continue  # cancels to within its rounding: either answer is right
            out.judged += 1
            expected += exact != 0
            seen += g != 0
            if (exact != 0) != (g != 0) and first is None:
                first = i
    if seen != expected:
        out.fail(
            Failure(
                case.batch,
                f"{expected} non-zero components ({left_out} samples too near a kink to count)",
                f"{seen}",
                "number",
                sample=first,
            )
        )
    return out


@law(
    group="gradient", formula="g(c) = c · g(1)", source="the chain rule", needs=_NEEDS, every=4, foci=("kink", "inside"),
    why="A vector–Jacobian product is linear in its cotangent; only its own rounding may differ.",
    breaks="A custom backward that returns a fixed gradient, or uses the sign of the upstream gradient.",
)  # fmt: skip
def cotangent_linear(case: Case) -> Judgement:
    """The gradient is linear in the upstream cotangent."""
    out = Judgement()
    ones = case.call(case.batch.change(cotangent=np.ones_like(case.batch.cotangent)))
    unit = gradient_rows(ones)
    if unit is None:
        return out
    for i, e, allowed, got in sets(case):
        c = case.batch.cotangents[i]
        if singular(e) or any(isinstance(x, float) for x in (*got, *unit[i])):
            continue
        out.judged += 1
        u = case.batch.format.unit
        for g, one, box in zip(got, unit[i], allowed.box, strict=True):
            # both carry their own rounding, and c · g(1) is rounded once more
            if abs(g - c * one) > 2 * box + u * abs(c * one) + case.batch.arithmetic.underflow:  # type: ignore[operator]
                out.fail(Failure(case.batch, f"{show(c)} × {show_row(unit[i])}", show_row(got), "number", sample=i))
    return out


@law(
    group="gradient", formula="Σ_k ∂ℓ/∂s_k = 0", source="all margins are differences of scores, derived", needs=_NEEDS,
    why="Adding one number to every score changes no margin.", breaks="The target class's share forgotten, or counted once for several violators.",
    applies=lambda loss: loss.margins.differences, foci=("kink", "inside", "ties"),
)  # fmt: skip
def class_gradient_sum(case: Case) -> Judgement:
    """The gradient over the classes sums to 0."""
    out = Judgement()
    for i, _, allowed, got in sets(case):
        finite = [g for g in got if isinstance(g, fmpq)]
        if len(finite) < len(got):
            continue
        out.judged += 1
        total = sum(finite, ZERO)
        # a share between tied classes is rounded too
        ties = sum((abs(g) for g in finite), ZERO) * case.batch.format.unit * len(got) if allowed.free else ZERO
        if abs(total) > sum(allowed.box, ZERO) + ties:
            seen = f"{show_row(got)}, sum {show(total)}"
            out.fail(Failure(case.batch, "components that sum to 0", seen, "number", sample=i))
    return out


@law(
    group="gradient", formula="c ℓ(x′) ≥ c ℓ(x) + g·(x′ − x) for c > 0", source="Rockafellar 1970, §23", needs=_NEEDS, every=4,
    why="A sub-gradient of a convex function supports its graph from below.", breaks="A gradient too steep, or of the wrong sign, at a kink.",
    applies=lambda loss: loss.convex, foci=("kink", "inside", "random"),
)  # fmt: skip
def subgradient_inequality(case: Case) -> Judgement:
    """The value anywhere else lies above the tangent plane that the gradient gives."""
    out = Judgement()
    if case.batch.weight is not None:
        return out
    move = case.moved(secant(2))
    for i, e, allowed, got in sets(case):
        p, q, c = case.batch.intervals[i], move.batch.intervals[i], case.batch.cotangents[i]
        before, after = case.values[i], move.values[i]
        steps = [
            y - x
            for x, y in zip(case.batch.rows[i], move.batch.rows[i], strict=True)
            if isinstance(x, fmpq) and isinstance(y, fmpq)
        ]
        finite = [v for v in (*got, before, after) if isinstance(v, fmpq)]
        if not e.finite or p is None or q is None or len(steps) < len(got) or len(finite) < len(got) + 2:
            continue
        out.judged += 1
        slope = sum((g * d for g, d in zip(got, steps, strict=True)), ZERO)  # type: ignore[operator]
        slack = abs(c) * (p.bound + q.bound) + sum((b * abs(d) for b, d in zip(allowed.box, steps, strict=True)), ZERO)
        # near a kink the gradient may be of the other side, e(z) away
        slack += sum((abs(c) * t.error * (t.slopes[1] - t.slopes[0]) for t in e.terms), ZERO) * e.factor
        rise = c * (after - before)  # type: ignore[operator]
        if (rise < slope - slack) if c > 0 else (rise > slope + slack):
            out.fail(
                Failure(
                    case.batch,
                    f"c·(ℓ(x′) − ℓ(x)) = {show(rise)} to be {'≥' if c > 0 else '≤'} g·(x′ − x)",
                    show(slope),
                    "number",
                    sample=i,
                )
            )
    return out


@law(
    group="reduction", formula="∇ Σℓ_i = ∇ℓ_i;  ∇ (1/N) Σℓ_i = ∇ℓ_i / N", source="linearity", needs=("gradient", "reduction"), every=4,
    why="A sum hands every sample the cotangent 1, a mean 1/N; at most two roundings come with 1/N.",
    breaks="A mean that divides by the number of violators, by K, or by the sum of the weights.", foci=("inside", "past", "random"),
)  # fmt: skip
def reduction_gradient(case: Case) -> Judgement:
    """The gradient of the sum is each sample's own, that of the mean is it divided by N."""
    out = Judgement()
    batch = case.batch
    for reduction, multiplier, extra in (("sum", ONE, 0), ("mean", fmpq(1, batch.size), 2)):
        if not case.offers(reduction):
            continue
        rows = gradient_rows(case.reduced(reduction))
        for i, e in enumerate(batch.evaluations):
            allowed = e.sub_gradients(multiplier * batch.scales[i], extra + (batch.weight is not None))
            if rows is not None and allowed is not None and not singular(e) and in_range(allowed, batch.format.largest):
                member(out, case, i, allowed, rows[i], reduction)
    return out
