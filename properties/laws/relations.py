"""Relations between losses: what one loss must be in terms of another, in the same framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import ZERO, Batch, extended, show
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.reference_impls.formats import Extended, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Interval

_FOCI = ("kink", "inside", "random")
_Value = Callable[[fmpq, fmpq], fmpq]  # (the partner's value, K) → the value claimed


@dataclass(frozen=True)
class Relation:
    """loss(batch) = value(partner(rebuild(batch))), within both bounds."""

    partner: str
    rebuild: Callable[[Batch], Batch]
    value: _Value
    text: str
    params: Mapping[str, int] | None = None


def _same(batch: Batch) -> Batch:
    return batch


def _gap(batch: Batch) -> Batch:
    """Scores of two classes become the one score s_1 − s_0, class 1 the label +1."""
    assert batch.targets is not None
    with np.errstate(invalid="ignore", over="ignore"):
        score = (batch.inputs[0][:, 1] - batch.inputs[0][:, 0]).astype(batch.inputs[0].dtype)
    return batch.change(inputs=(score,), targets=2 * batch.targets - 1)


def _ranking_score(batch: Batch) -> Batch:
    with np.errstate(invalid="ignore", over="ignore"):
        return batch.change(inputs=((batch.inputs[0] - batch.inputs[1]).astype(batch.inputs[0].dtype),))


TWO_CLASSES = {
    "weston_watkins": Relation("hinge", _gap, lambda v, k: v, "hinge of s_1 − s_0"),
    "crammer_singer": Relation("hinge", _gap, lambda v, k: v, "hinge of s_1 − s_0"),
    "multi_margin": Relation("hinge", _gap, lambda v, k: v / 2, "½ hinge of s_1 − s_0", {"p": 1}),
    "multiclass_perceptron": Relation("perceptron", _gap, lambda v, k: v, "perceptron of s_1 − s_0"),
}
SIBLINGS = {
    "weston_watkins": Relation("multi_margin", _same, lambda v, k: v * k, "K × multi_margin", {"p": 1}),
    "multi_margin": Relation("weston_watkins", _same, lambda v, k: v / k, "weston_watkins / K", {"p": 1}),
    "squared_hinge": Relation("hinge", _same, lambda v, k: v * v, "hinge²"),
    "squared_epsilon_insensitive": Relation("epsilon_insensitive", _same, lambda v, k: v * v, "epsilon_insensitive²"),
    "perceptron": Relation("hinge", _same, lambda v, k: v, "hinge with margin 0", {"margin": 0}),
    "multiclass_perceptron": Relation(
        "crammer_singer", _same, lambda v, k: v, "crammer_singer with margin 0", {"margin": 0}
    ),
    "margin_ranking": Relation("hinge", _ranking_score, lambda v, k: v, "hinge of x1 − x2"),
    "ramp": Relation("hinge", _same, lambda v, k: min(v, fmpq(1)), "min(1, hinge)", {"margin": 1}),
}


def _judge(case: Case, relation: Relation) -> Judgement:
    out = Judgement()
    batch = case.batch.change(weight=None, class_weight=None)
    if any(n in batch.params and batch.params[n] != v for n, v in (relation.params or {}).items() if n == "p"):
        return out
    partner = LOSSES[relation.partner]
    params = {n: batch.params.get(n, v) for n, v in partner.defaults.items()} | {
        n: fmpq(v) for n, v in (relation.params or {}).items()
    }
    other = relation.rebuild(batch).change(
        loss=partner, params={n: params[n] for n in partner.parameters}, scale="1", as_given=False
    )
    rounded = relation.rebuild is not _same
    got = extended(case.call(batch, gradients=False).value)
    theirs = extended(case.pool.reference(relation.partner).run(other, "none").value)
    width = fmpq(batch.width)
    for i, (mine, v) in enumerate(zip(got, theirs, strict=True)):
        p, q = batch.intervals[i], other.intervals[i]
        if p is None or q is None or not isinstance(p.center, fmpq) or not isinstance(q.center, fmpq):
            continue
        if not isinstance(mine, fmpq) or not isinstance(v, fmpq):
            continue
        out.judged += 1
        claimed = relation.value(v, width) * batch.multiple
        reach = _reach(relation, q, width) * batch.multiple
        if rounded:  # the difference of scores was rounded before the partner saw it: φ moves by at most L times that
            reach += _moved(batch, other, i) * batch.multiple
        if abs(mine - claimed) > p.bound + reach:
            out.fail(Failure(batch, f"{show(claimed)}, that is {relation.text}", show(mine), "number", sample=i))
    return out


def _reach(relation: Relation, q: Interval, width: fmpq) -> fmpq:
    """How far the claimed value may be off: the partner's error carried through the (monotone) relation."""
    assert isinstance(q.center, fmpq)
    return relation.value(q.center + q.bound, width) - relation.value(q.center, width)


def _moved(batch: Batch, other: Batch, i: int) -> fmpq:
    a, b = batch.evaluations[i].terms, other.evaluations[i].terms
    if len(a) != 1 or len(b) != 1:
        return ZERO
    return abs(a[0].z - b[0].z)


@law(
    group="relation", formula="K = 2: ℓ(s, c) = h(s_1 − s_0, 2c − 1), times ½ for multi_margin", source="interfaces.md, scope of the laws",
    why="With two classes there is one margin.", breaks="A sum that includes the target class; a scale other than 1/K.",
    applies=lambda loss: loss.name in TWO_CLASSES, every=4, foci=_FOCI, modes=("eager", "jit", "compile", "inductor"),
)  # fmt: skip
def two_classes(case: Case) -> Judgement:
    """With two classes a multi-class loss is the binary loss of the difference of its scores."""
    if case.batch.inputs[0].shape[1] != 2:
        batch = case.batch
        assert batch.targets is not None
        narrow = batch.change(
            inputs=(np.ascontiguousarray(batch.inputs[0][:, :2]),),
            targets=batch.targets % 2,
            class_weight=None,
            weight=None,
        )
        case = Case(case.subject, narrow, case.contract, case.pool)
    return _judge(case, TWO_CLASSES[case.loss.name])


@law(
    group="relation", formula="weston_watkins = K · multi_margin; squared = hinge²; …", source="the definitions, term by term",
    why="Both sides are the same formula up to an exact operation.", breaks="A scale, power or margin that differs from the loss's own name.",
    applies=lambda loss: loss.name in SIBLINGS, every=4, foci=_FOCI, modes=("eager", "jit", "compile", "inductor"),
)  # fmt: skip
def sibling(case: Case) -> Judgement:
    """The loss equals its sibling in the family after the operation that makes one from the other."""
    return _judge(case, SIBLINGS[case.loss.name])


@law(
    group="relation", formula="ℓ(s; Δ) within its bound for each Δ; Δ′ ≥ Δ ⇒ ℓ(s; Δ′) ≥ ℓ(s; Δ)", source="∂ℓ/∂Δ ≥ 0 for φ(z) = (Δ − z)₊^p",
    why="A larger margin can only be violated more.", breaks="A margin that is ignored, clipped at 0 or applied twice.",
    applies=lambda loss: "margin" in loss.choices and not loss.labels_decide, needs=("margin",), every=8, foci=_FOCI, modes=("eager",),
)  # fmt: skip
def margin_sweep(case: Case) -> Judgement:
    """Over margins −½, 0, ½, 1, 2 the value is right at each and never falls as the margin grows."""
    out = Judgement()
    margins = sorted(fmpq(int(float(t) * 2), 2) for t in case.loss.choices["margin"])
    before: list[Extended] = []
    for margin in margins:
        batch = case.batch.change(params={**case.batch.params, "margin": margin})
        got = extended(case.call(batch, gradients=False).value)
        for i, (interval, v) in enumerate(zip(batch.intervals, got, strict=True)):
            if interval is None or not batch.evaluations[i].finite:
                continue
            out.judged += 1
            if not interval.allows(v):
                expected = f"{show(interval.center)} at margin {to_float(margin)}"
                out.fail(Failure(batch, expected, show(v), kind_of(v), sample=i))
            last = before[i] if before else None
            if isinstance(last, fmpq) and isinstance(v, fmpq) and v < last - 2 * interval.bound:
                expected = f"no less than {show(last)}, the value at a smaller margin"
                out.fail(Failure(batch, expected, show(v), "number", sample=i))
        before = got
    return out
