"""The textbook chapter's statements, as laws."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from hingeproof.properties.batch import Batch, extended, rationals, show
from hingeproof.properties.call import gradient_rows
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.gradient import show_row
from hingeproof.reference_impls.formats import exact
from hingeproof.reference_impls.losses import LOSSES

_BOOK = "the textbook chapter on margin losses"
_EAGER = ("eager",)


def _batch(case: Case, scores: object, targets: object) -> Batch:
    dtype = case.batch.inputs[0].dtype
    table = np.asarray(scores, dtype=np.float64).astype(dtype)
    ones = np.ones(len(table), dtype=dtype)
    return case.batch.change(
        inputs=(table,), targets=np.asarray(targets, dtype=np.int64), cotangent=ones, tangent=(np.ones_like(table),),
        weight=None, class_weight=None, params={n: case.batch.params.get(n, v) for n, v in case.loss.defaults.items()},
    )  # fmt: skip


def _defaults(case: Case) -> bool:
    return all(case.batch.params[n] == v for n, v in case.loss.defaults.items() if n != "epsilon")


@law(
    group="textbook", formula="ℓ = (0, .5, .2, 0, .7), mean .28", source=f"{_BOOK}: binary example", once=True, modes=_EAGER,
    why="Margins 2, .5, .8, 1.5 and .3 are worked out by hand there.", breaks="Any change of the formula, the labels or the mean.",
    applies=lambda loss: loss.name == "hinge",
)  # fmt: skip
def textbook_binary_example(case: Case) -> Judgement:
    """The chapter's binary example gives per-sample losses 0, .5, .2, 0, .7 and mean .28."""
    out = Judgement()
    if not _defaults(case):
        return out
    batch = _batch(case, [2.0, 0.5, 0.8, -1.5, -0.3], [1, 1, 1, -1, -1])
    got = case.call(batch, gradients=False)
    fmt = batch.format
    for i, (v, printed) in enumerate(zip(extended(got.value), ("0", "0.5", "0.2", "0", "0.7"), strict=True)):
        exact = LOSSES["hinge"].defaults["margin"] * 0 + fmpq(int(float(printed) * 10), 10) * batch.multiple
        out.judged += 1
        # the printed scores are decimals: half an ulp of the score, half of the result
        if not isinstance(v, fmpq) or abs(v - exact) > fmt.ulp(fmpq(1)):
            out.fail(Failure(batch, f"{printed} as printed", show(v), kind_of(v), sample=i))
    if case.offers("mean"):
        v = extended(case.call(batch, "mean", gradients=False).value)[0]
        if not isinstance(v, fmpq) or abs(v - fmpq(28, 100) * batch.multiple) > 2 * fmt.ulp(fmpq(1)):
            out.fail(Failure(batch, "0.28 as printed", show(v), kind_of(v), "mean"))
    return out


@law(
    group="textbook", formula="nn.MultiMarginLoss = (1/K) Σ_{k≠c} max(0, s_k − s_c + Δ)", source=f"{_BOOK}: multi-class example", once=True,
    why="All margins of the example are met, so its loss is 0; where they are not, it is the sum divided by K.", modes=_EAGER,
    breaks="The plain sum, or the mean over the K − 1 other classes.", applies=lambda loss: loss.name == "multi_margin",
)  # fmt: skip
def textbook_multiclass_example(case: Case) -> Judgement:
    """The chapter's multi-class example costs 0, and the loss is the chapter's sum divided by K."""
    out = Judgement()
    if not _defaults(case):
        return out
    # the chapter's scores meet every margin; the last row is one that does not: (1 + .5) / 3
    batch = _batch(case, [[3.0, 1.0, 0.5], [0.0, 4.0, 1.0], [1.0, 1.0, 0.5]], [0, 1, 0])
    for i, (v, want) in enumerate(
        zip(extended(case.call(batch, gradients=False).value), (fmpq(0), fmpq(0), fmpq(1, 2)), strict=True)
    ):
        out.judged += 1
        want *= batch.multiple
        if not isinstance(v, fmpq) or abs(v - want) > 2 * batch.format.ulp(fmpq(1, 2)):
            out.fail(Failure(batch, f"{show(want)}: the sum divided by K = 3", show(v), kind_of(v), sample=i))
    return out


@law(
    group="textbook", formula="y = 1: ℓ = s, not max(0, 1 − s)", source=f"{_BOOK}: a common confusion", once=True, modes=_EAGER,
    why="HingeEmbeddingLoss measures a distance; the classification hinge measures a margin.", breaks="One implemented as the other.",
    applies=lambda loss: loss.name == "hinge_embedding",
)  # fmt: skip
def hinge_embedding_is_not_hinge(case: Case) -> Judgement:
    """A similar pair at distance 2 costs 2, where the classification hinge of score 2 costs 0."""
    out = Judgement()
    batch = _batch(case, [2.0, 0.25, 2.0], [1, 1, -1])
    margin = batch.params.get("margin", fmpq(1))
    want = [fmpq(2), fmpq(1, 4), max(fmpq(0), margin - 2)]
    for i, (v, w) in enumerate(zip(extended(case.call(batch, gradients=False).value), want, strict=True)):
        out.judged += 1
        w *= batch.multiple
        if v != w:
            out.fail(Failure(batch, show(w), show(v), kind_of(v), sample=i))
    return out


@law(
    group="textbook", formula="log(1 + e^{−m}) > 0 with slope < 0 where hinge = 0 with slope 0", source=f"{_BOOK}: hinge and cross-entropy compared",
    why="e^{−m} > 0 for every finite m; in floating point as long as it is a normal number, which bounds the margins tried.", once=True,
    breaks="A hinge that keeps pushing samples past the margin.", applies=lambda loss: loss.name in ("hinge", "crammer_singer"), modes=_EAGER,
)  # fmt: skip
def cross_entropy_never_zero(case: Case) -> Judgement:
    """On correct samples past the margin the hinge and its gradient are 0 while cross-entropy's never are."""
    out = Judgement()
    margins = [1.5, 2.0, 4.0, 8.0] * 2
    table = [[m, 0.0, 0.0, 0.0] for m in margins]  # the first class is right by m over all others
    batch = _batch(case, margins, [1] * 8) if case.loss.name == "hinge" else _batch(case, table, [0] * 8)
    seen = case.call(batch)
    rows = gradient_rows(seen)
    cross = case.pool.cross_entropy(np.asarray(table, dtype=batch.inputs[0].dtype))
    for i, v in enumerate(extended(seen.value)):
        out.judged += 1
        if v != 0 or (rows is not None and any(g != 0 for g in rows[i])):
            row = rows[i] if rows else []
            observed = f"{show(v)}, gradient {show_row(row) if rows else '?'}"
            out.fail(Failure(batch, "0 with gradient 0", observed, kind_of(v, *row), sample=i))
        if not all(x > 0 for x in cross[i]):
            expected = "cross-entropy and its slope's size > 0"
            out.fail(Failure(batch, expected, str(cross[i]), kind_of(*map(exact, cross[i])), sample=i))
    return out


@law(
    group="textbook", formula="g = −2 y max(0, Δ − z): 0 at z = Δ from both sides", source=f"{_BOOK}: squared hinge", once=True, modes=_EAGER,
    why="The square takes the kink out; its slope grows with the violation.", breaks="A gradient of constant size, or one that jumps at the hinge.",
    applies=lambda loss: loss.name == "squared_hinge", needs=("gradient",),
)  # fmt: skip
def squared_hinge_differentiable(case: Case) -> Judgement:
    """Squared hinge has slope 0 at the hinge, and a slope that grows with the violation inside."""
    out = Judgement()
    margin = case.batch.params["margin"]
    steps = [fmpq(0), fmpq(1, 8), fmpq(1, 4), fmpq(1, 2), fmpq(1), fmpq(2)]
    batch = _batch(case, [float(int((margin - s) * 8)) / 8 for s in steps], [1] * 6).change(params=case.batch.params)
    rows = gradient_rows(case.call(batch))
    if rows is None:
        return out
    sizes = [r[0] for r in rows]
    for i, (g, score) in enumerate(zip(sizes, rationals(batch.inputs[0]), strict=True)):
        out.judged += 1
        want = -2 * max(fmpq(0), margin - score) * batch.multiple
        if g != want:
            out.fail(Failure(batch, show(want), show(g), kind_of(g), sample=i))
    return out
