"""Symmetries: label flip, permutations, splitting a batch, scaling by powers of two, translation of all scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import ZERO, Batch, extended, show
from hingeproof.properties.call import gradient_rows
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.gradient import show_row
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended

_FOCI = ("kink", "inside", "random")


def agree(
    case: Case,
    out: Judgement,
    moved: Batch,
    order: Sequence[int],
    got: Sequence[Extended],
    scale: fmpq | int = 1,
    strict: bool = True,
) -> None:
    """Values at the moved batch against the first batch's: bit for bit where one rounding makes them, else within both bounds.

    order[j] is the sample of the first batch that stands at place j of the moved one.
    """
    for j, i in enumerate(order):
        e, p, q = case.batch.evaluations[i], case.batch.intervals[i], moved.intervals[j]
        before, after = case.values[i], got[j]
        if not e.finite or p is None or q is None or not isinstance(before, fmpq) or not isinstance(after, fmpq):
            continue
        out.judged += 1
        # a margin that is itself rounded (a norm, a cosine) may be summed in another order: then it is not one rounding
        once = strict and e.value_roundings <= 1 and case.batch.weight is None and not any(u.error for u in e.terms)
        slack = ZERO if once else scale * p.bound + q.bound
        if abs(after - scale * before) > slack:
            expected = f"{show(scale * before)}, as the unchanged batch gives"
            out.fail(Failure(moved, expected, show(after), "number", sample=j))


def _even(loss: Loss) -> bool:
    points = [fmpq(n, 8) for n in range(33)]
    return all(phi(z) == phi(-z) for phi in (loss.shape(None, p) for p in loss.drawn()) for z in points)


@law(
    group="symmetry", formula="ℓ(−s, −y) = ℓ(s, y)", source="z = y s is unchanged (residuals: φ is even, derived)", foci=_FOCI, every=4,
    why="The margin y s is the same number, exactly; negation does not round.", breaks="Labels {0, 1} taken for {−1, +1}; one class treated apart.",
    applies=lambda loss: not loss.labels_decide and (loss.margins.targets == "sign" or (loss.margins.targets == "real" and _even(loss))),
)  # fmt: skip
def label_flip(case: Case) -> Judgement:
    """Flipping all labels and all scores changes nothing, bit for bit."""
    out = Judgement()
    assert case.batch.targets is not None
    batch = case.batch.change(inputs=tuple(-x for x in case.batch.inputs), targets=-case.batch.targets)
    agree(case, out, batch, range(batch.size), extended(case.call(batch, gradients=False).value))
    return out


@law(
    group="symmetry", formula="ℓ(πs, πy) = πℓ(s, y)", source="samples are independent", foci=_FOCI, every=2,
    why="No sample's loss depends on another's.", breaks="State between samples; a broadcast of labels against scores.",
)  # fmt: skip
def batch_permutation(case: Case) -> Judgement:
    """Permuting the batch permutes values and gradients."""
    out = Judgement()
    if case.batch.size < 2:
        return out
    order = (
        [(3 * i + 1) % case.batch.size for i in range(case.batch.size)]
        if case.batch.size % 3
        else list(range(case.batch.size))[::-1]
    )
    batch = case.batch.take(order)
    seen = case.call(batch)
    agree(case, out, batch, order, extended(seen.value))
    rows, first = gradient_rows(seen), case.gradient_rows
    if rows is not None and first is not None:
        _same_gradients(case, out, batch, order, first, rows)
    return out


def _same_gradients(
    case: Case,
    out: Judgement,
    batch: Batch,
    order: Sequence[int],
    first: list[list[Extended]],
    rows: list[list[Extended]],
) -> None:
    for j, i in enumerate(order):
        allowed = case.batch.evaluations[i].sub_gradients(abs(case.batch.cotangents[i] * case.batch.scales[i]), 1)
        if allowed is None:
            continue
        for a, b, box in zip(first[i], rows[j], allowed.box, strict=True):
            if isinstance(a, fmpq) and isinstance(b, fmpq) and abs(a - b) > 2 * box:
                row = rows[j]
                out.fail(Failure(batch, f"gradient {show_row(first[i])}", show_row(row), kind_of(*row), sample=j))


@law(
    group="symmetry", formula="ℓ(s_1 … s_N)_i = ℓ(s_i)", source="samples are independent", foci=_FOCI, every=3,
    why="A row alone is the same sample.", breaks="Statistics over the batch; a result that depends on vector width.",
)  # fmt: skip
def batch_split(case: Case) -> Judgement:
    """Each row alone gives what it gives in the batch."""
    out = Judgement()
    if case.batch.size < 2:
        return out
    for i in range(min(case.batch.size, 3)):
        row = case.batch.take([i])
        got = extended(case.call(row, gradients=False).value)
        agree(_single(case, i), out, row, [0], got)
    return out


def _single(case: Case, i: int) -> Case:
    """The i-th sample of a case, with the values already seen."""
    single = Case(case.subject, case.batch.take([i]), case.contract, case.pool)
    single.__dict__["seen"] = type(case.seen)(value=case.seen.value[i : i + 1], dtype=case.seen.dtype)
    return single


@law(
    group="symmetry", formula="ℓ(s∘π, π⁻¹c) = ℓ(s, c)", source="classes are interchangeable", every=4, foci=(*_FOCI, "ties"),
    why="The formula names no class but the target's.", breaks="A class treated apart (class 0, the last one, the target's slot in a maximum).",
    applies=lambda loss: loss.margins.targets in ("index", "multilabel"),
)  # fmt: skip
def class_permutation(case: Case) -> Judgement:
    """Renaming the classes changes no value."""
    out = Judgement()
    batch = case.batch
    width = batch.inputs[0].shape[1]
    to = np.array([(k + 1) % width for k in range(width)])  # class k becomes class to[k]
    scores = np.empty_like(batch.inputs[0])
    scores[:, to] = batch.inputs[0]
    assert batch.targets is not None
    targets = np.where(batch.targets < 0, batch.targets, to[batch.targets])
    weights = None
    if batch.class_weight is not None:
        weights = np.empty_like(batch.class_weight)
        weights[to] = batch.class_weight
    renamed = batch.change(inputs=(scores,), targets=targets, class_weight=weights)
    agree(case, out, renamed, range(batch.size), extended(case.call(renamed, gradients=False).value))
    return out


@law(
    group="symmetry", formula="ℓ(2^k s; 2^k Δ) = 2^{kd} ℓ(s; Δ)", source="φ is homogeneous of degree d in (z, Δ, γ, ε), derived", every=4,
    why="Scaling by a power of two commutes with every rounding away from overflow and underflow.", foci=_FOCI,
    breaks="An epsilon or a temperature hidden in the formula; a margin that is not the one passed.", modes=("eager",),
    applies=lambda loss: loss.homogeneous, needs=("lengths",),
)  # fmt: skip
def scaling(case: Case) -> Judgement:
    """Scaling scores and every length by 2^k scales the loss by 2^k, or 2^2k where φ is quadratic, bit for bit."""
    out = Judgement()
    batch = case.batch
    factor = 4
    params = {n: v if n in ("p", "eps", "root_eps") else factor * v for n, v in batch.params.items()}
    inputs = tuple((x * np.asarray(factor, x.dtype)).astype(x.dtype) for x in batch.inputs)
    targets = batch.targets
    if batch.loss.margins.targets == "real" and targets is not None:
        targets = (targets * np.asarray(factor, targets.dtype)).astype(targets.dtype)
    scaled = batch.change(inputs=inputs, targets=targets, params=params)
    degree = batch.loss.scale_degree(batch.params)
    assert degree is not None
    safe = [i for i in range(batch.size) if _in_range(batch, i)]
    got = extended(case.call(scaled, gradients=False).value)
    before = case.values
    for i in safe:
        a, b = before[i], got[i]
        if isinstance(a, fmpq) and isinstance(b, fmpq) and _normal(batch, a):
            out.judged += 1
            want = factor**degree * a
            if b != want:
                expected = f"{show(want)}, {factor**degree} × the value at a quarter of the scale"
                out.fail(Failure(scaled, expected, show(b), "number", sample=i))
    return out


def _in_range(batch: Batch, i: int) -> bool:
    """All numbers of the sample are 0 or far from both ends of the normal range, products and squares too."""
    edge = batch.format.tiny * (1 << batch.format.precision)
    row = [*batch.rows[i], *batch.params.values(), *([batch.labels[i]] if batch.loss.margins.targets == "real" else [])]
    if any(isinstance(x, float) for x in row) or not batch.evaluations[i].finite:
        return False
    small = 256 if batch.format.name == "float16" else 2**20
    return all(
        x == 0 or ((abs(x) ** 2 > edge if batch.format.name != "float16" else abs(x) > fmpq(1, 64)) and abs(x) < small)
        for x in row
    )


def _normal(batch: Batch, value: fmpq) -> bool:
    return (
        value == 0
        or abs(value) > batch.format.tiny * (1 << batch.format.precision)
        or batch.evaluations[0].value_roundings <= 1
    )


@law(
    group="symmetry", formula="ℓ(s + t·1) = ℓ(s)", source="all margins are differences of scores, derived", every=4, foci=_FOCI,
    why="s_c − s_k does not change; the shifts judged are exact in the dtype.", breaks="A score used by itself: one-versus-rest, a softmax, a norm.",
    applies=lambda loss: loss.margins.differences,
)  # fmt: skip
def translation(case: Case) -> Judgement:
    """Adding one number to all scores of a sample changes nothing beyond the margins' rounding."""
    out = Judgement()
    batch = case.batch
    shift = 2
    with np.errstate(over="ignore", invalid="ignore"):
        shifted = batch.change(inputs=tuple((x + np.asarray(shift, x.dtype)).astype(x.dtype) for x in batch.inputs))
    got = extended(case.call(shifted, gradients=False).value)
    exact = [
        i for i in range(batch.size)
        if all(isinstance(a, fmpq) and isinstance(b, fmpq) and b - a == shift for a, b in zip(batch.rows[i], shifted.rows[i], strict=True))
    ]  # fmt: skip
    for i in exact:
        agree(_single(case, i), out, shifted.take([i]), [0], [got[i]], strict=False)
    if len(exact) < batch.size:
        out.leave_out("the shift is not exact")
    return out
