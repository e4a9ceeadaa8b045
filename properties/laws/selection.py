"""Which sub-gradient is chosen where there is a choice: a promise of the contract, never a law."""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpq

from hingeproof.properties.batch import ONE, ZERO
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.gradient import describe_set, sets, show_row, singular
from hingeproof.reference_impls.formats import Extended
from hingeproof.reference_impls.oracle import Evaluation, JudgedTerm
from hingeproof.reference_impls.sets import SubGradients

WEIGHTS = {"0": ZERO, "1/2": fmpq(1, 2), "1": ONE}


def _steep(t: JudgedTerm) -> fmpq:
    """The slope on the violated side of a kink: the steeper one."""
    low, high = t.exact_slopes
    return low if abs(low) >= abs(high) else high


def chosen(e: Evaluation, multiplier: fmpq, got: Sequence[Extended]) -> list[str]:
    """For each kinked margin that alone moves some coordinate: the weight w of its steep side, as text."""
    out = []
    for t in e.terms:
        if t.exact_slopes[0] == t.exact_slopes[1]:
            continue
        for k, a in t.term.gradient.items():
            others = [u for u in e.terms if u is not t and k in u.term.gradient]
            g, full = got[k], a * _steep(t) * e.factor * multiplier
            if not others and full != 0 and isinstance(g, fmpq):
                w = g / full
                out.append(next((name for name, value in WEIGHTS.items() if value == w), "other"))
                break
    return out


def predicted(e: Evaluation, multiplier: fmpq, kink: str, ties: str) -> list[fmpq] | None:
    """The gradient that a contract selects at a kink, None where it does not say."""
    out = [ZERO] * e.width
    active: list[JudgedTerm] = list(e.terms)
    if e.loss.aggregate == "max":
        highest = max((t.phi(t.z) for t in e.terms), default=ZERO)
        active = [t for t in e.terms if t.phi(t.z) == highest]
        if highest > 0 and len(active) > 1 and ties != "first":
            return None
        active = active[:1]
    for t in active:
        low, high = t.exact_slopes
        if low != high and kink not in WEIGHTS:
            return None
        slope = low if low == high else WEIGHTS[kink] * _steep(t)
        for k, a in t.term.gradient.items():
            out[k] += a * slope * e.factor * multiplier
    return out


@law(
    group="gradient", kind="promise", formula="g = w · (slope of the violated side) at z = Δ", needs=("gradient",), foci=("kink",),
    source="the implementation's contract; references: interfaces.md, kink policy",
    why="Every w in [0, 1] is a sub-gradient; which one is chosen decides what training does at the kink.",
    breaks="Another spelling of max(·, 0): clamp gives w = 1, relu 0, maximum ½ (PyTorch 2.13).",
    applies=lambda loss: any(phi.kinks for phi in loss.shapes.values()),
)  # fmt: skip
def kink_selection(case: Case) -> Judgement:
    """At a kink, and among tied classes, the sub-gradient is the one promised; what is seen is always shown."""
    out = Judgement()
    kink, ties = case.contract.kink, case.contract.ties
    for i, e, allowed, got in sets(case):
        multiplier = case.batch.cotangents[i] * case.batch.scales[i]
        if multiplier == 0 or not (e.kinked or singular(e) or _tied(e) or _computed_zero(case, i, e)):
            continue
        out.judged += 1
        if e.kinked:
            for name in chosen(e, multiplier, got):
                out.selection[name] = out.selection.get(name, 0) + 1
        _judge(case, out, i, e, allowed, got, predicted(e, multiplier, kink, ties))
    if out.judged and kink == "any":
        out.convention = "no sub-gradient at the kink is promised: see the kink table for the one seen"
    return out


def _tied(e: Evaluation) -> bool:
    if e.loss.aggregate != "max" or any(t.error for t in e.terms):
        return False
    highest = max((t.phi(t.z) for t in e.terms), default=ZERO)
    return bool(highest > 0 and sum(t.phi(t.z) == highest for t in e.terms) > 1)


def _computed_zero(case: Case, i: int, e: Evaluation) -> bool:
    """Where a margin is rounded, the kink itself cannot be hit for sure; a computed loss of 0 near one can."""
    return e.near_kink and len(e.terms) == 1 and case.values[i] == 0


def _judge(
    case: Case,
    out: Judgement,
    i: int,
    e: Evaluation,
    allowed: SubGradients,
    got: list[Extended],
    want: list[fmpq] | None,
) -> None:
    if case.contract.kink == "any" or (want is None and not singular(e)):
        return
    if not e.kinked and not _tied(e) and not singular(e):
        if case.contract.kink == "0" and any(g != 0 for g in got):
            out.fail(
                Failure(
                    case.batch, "0.0 where the computed loss is 0 (kink: 0)", show_row(got), kind_of(*got), sample=i
                )
            )
        return
    target = allowed if want is None or singular(e) else SubGradients(((dict(enumerate(want)),),), allowed.box)
    finite = [g for g in got if isinstance(g, fmpq)]
    if len(finite) < len(got) or target.excess(finite) > 0:
        promise = f" (promised: kink {case.contract.kink}, ties {case.contract.ties})"
        out.fail(Failure(case.batch, describe_set(target) + promise, show_row(got), kind_of(*got), sample=i))
