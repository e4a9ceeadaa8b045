"""Whole batches judged exactly: the screen accepts what it can, the rational oracle decides the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq

from hingeproof.judge.screen import exact
from hingeproof.judge.screen.block import Block
from hingeproof.judge.screen.blocks import PRODUCTS, Reduction, blocks, multiplier
from hingeproof.judge.screen.exact import Kind, Said
from hingeproof.judge.screen.gradient import judge_gradients
from hingeproof.judge.screen.selection import kinked, selected
from hingeproof.judge.screen.value import judge_values
from hingeproof.judge.screen.wide import EXACT, Array, flushes, rounded
from hingeproof.properties.case import ONE, Batch, rationals, rows_of
from hingeproof.properties.laws.selection import chosen
from hingeproof.reference_impls.formats import exact as rational
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.oracle import Evaluation


@dataclass(frozen=True)
class Rejection:
    """One wrong answer, in the laws' words."""

    sample: int
    kind: Kind
    expected: str
    got: str


@dataclass
class Count:
    """How many answers were accepted by the screen, decided by the oracle, and have no bound to be judged by."""

    screened: int = 0
    decided: int = 0
    unjudged: int = 0

    @property
    def judged(self) -> int:
        return self.screened + self.decided


@dataclass
class Screened:
    """What was found of a batch. `left` answers stayed open: the oracle had rejected enough before it came to them."""

    samples: int
    values: Count = field(default_factory=Count)
    gradients: Count = field(default_factory=Count)
    rejections: list[Rejection] = field(default_factory=list)
    left: int = 0
    selection: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not self.rejections

    def __str__(self) -> str:
        if self.good:
            return f"{self.values.judged} values and {self.gradients.judged} gradients right"
        more = f"at least {len(self.rejections)}" if self.left else str(len(self.rejections))
        first = self.rejections[0]
        return f"{more} wrong of {self.samples}, first sample {first.sample}: {first.expected}; got {first.got}"


class FlushedThread(RuntimeError):
    """The thread's arithmetic is not that of IEEE 754."""


def judge(
    batch: Batch,
    value: Array | None,
    gradients: Sequence[Array] | None = None,
    *,
    reduction: Reduction = "none",
    most: int = 100,
) -> Screened:
    """Judge each sample's value and gradient as the laws do, and count the selection seen at kinks.

    Shapes: value (N,), or None where a reduction answered (see `reduced`); gradients as batch.inputs.

    reduction: what the gradients are of: the samples' own under batch.cotangent, or 1 × the batch's sum or mean.
    most: the oracle stops after so many rejections.

    Raises:
        FlushedThread: this thread counts subnormal numbers as 0, so nothing could be proved.
    """
    if flushes():
        raise FlushedThread("this thread flushes subnormal numbers to 0: undo torch.set_flush_denormal before judging")
    out = Screened(batch.size)
    oracle = _Oracle(batch, reduction, most, out)
    for masks in screen(batch, value, gradients, reduction=reduction):
        if value is not None:
            oracle.settle(masks.where, masks.values, out.values, lambda i, e: oracle.value(i, e, value))
        if gradients is not None:
            oracle.settle(masks.where, masks.gradients, out.gradients, lambda i, e: oracle.gradient(i, e, gradients))
            out.selection.update(masks.selection)
    return out


@dataclass(frozen=True)
class Masks:
    """What the screen says of the samples at `where`: accepted, and not to be judged; what is in neither is open."""

    where: Array
    values: tuple[Array, Array]
    gradients: tuple[Array, Array]
    selection: Counter[str]


def screen(
    batch: Batch, value: Array | None, gradients: Sequence[Array] | None, *, reduction: Reduction = "none"
) -> Iterator[Masks]:
    """The screen alone, block by block. It accepts only what the oracle accepts, and it rejects nothing."""
    for where, block in blocks(batch, reduction):
        with np.errstate(all="ignore"):
            unjudged = _not_finite(batch, where)
            nothing = np.zeros(len(where), bool), unjudged
            values, slopes, seen = nothing, nothing, Counter[str]()
            if block is not None and value is not None:
                values = _values(block, value[where], unjudged)
            if block is not None and gradients is not None:
                got = tuple(np.asarray(g[where]).astype(EXACT) for g in gradients)
                slopes = _gradients(block, got, unjudged)
                judged = ~slopes[1]
                seen = selected(block.finite, got, judged)
                if block.margins.norm is not None:
                    seen = _selected(batch, where[judged & kinked(block)], gradients, reduction)
        yield Masks(where, values, slopes, seen)


def _selected(batch: Batch, where: Array, gradients: Sequence[Array], reduction: Reduction) -> Counter[str]:
    """The selection at kinks of margins with norms, in rationals."""
    out: Counter[str] = Counter()
    for i in where.tolist():
        e = batch.take([i]).evaluations[0]
        upstream = multiplier(batch, reduction) or rationals(batch.cotangent[i : i + 1])[0]
        by = upstream * (ONE if batch.weight is None else rationals(batch.weight[i : i + 1])[0])
        if e.kinked and by != 0:
            out.update(chosen(e, by, rows_of(gradients, i)))
    return out


def _not_finite(batch: Batch, where: Array) -> Array:
    """Where a weight or an upstream gradient is not finite: no law speaks of that."""
    given = [x[where] for x in (batch.weight, batch.cotangent) if x is not None]
    finite: Array = np.logical_and.reduce([np.isfinite(x.astype(EXACT)) for x in given])
    return ~finite


def _values(block: Block, value: Array, unjudged: Array) -> tuple[Array, Array]:
    got = np.asarray(value).astype(EXACT)
    fits = _fits(value, got, block)
    infinite, lost = block.infinite * _scaled(block), block.infinite != 0
    accepted = lost & ((got == infinite) | (np.isnan(got) & np.isnan(infinite)))

    def look(part: Block, i: Array | slice, thorough: bool) -> tuple[Array, Array]:
        good, none = judge_values(part, got[i], thorough=thorough)
        return good if fits is None else good & fits[i], none

    return _twice(block.finite, accepted, unjudged.copy(), lost, look)


def _gradients(block: Block, got: tuple[Array, ...], unjudged: Array) -> tuple[Array, Array]:
    def look(part: Block, i: Array | slice, thorough: bool) -> tuple[Array, Array]:
        return judge_gradients(part, tuple(g[i] for g in got), thorough=thorough)

    lost = block.infinite != 0
    return _twice(block.finite, np.zeros(len(block), bool), unjudged | lost, lost, look)


def _twice(
    block: Block,
    accepted: Array,
    unjudged: Array,
    lost: Array,
    look: Callable[[Block, Array | slice, bool], tuple[Array, Array]],
) -> tuple[Array, Array]:
    """The likeliest margins first; for what that leaves open, all that a correct program may compute."""
    for thorough in (False, True):
        rest = ~(accepted | unjudged | lost)
        if not rest.any():
            break
        everywhere = rest.all()
        where = slice(None) if everywhere else np.flatnonzero(rest)
        good, none = look(block if everywhere else block.take(where), where, thorough)
        accepted[where] |= good
        unjudged[where] |= none & ~good
    return accepted & ~unjudged, unjudged


@dataclass
class _Oracle:
    """The rational oracle for what is open in one batch."""

    batch: Batch
    reduction: Reduction
    most: int
    out: Screened

    def settle(
        self, where: Array, masks: tuple[Array, Array], count: Count, said: Callable[[int, Evaluation], Said]
    ) -> None:
        """Decide what is open, until enough has been rejected."""
        accepted, unjudged = masks
        count.screened += int(accepted.sum())
        count.unjudged += int(unjudged.sum())
        for i in where[~(accepted | unjudged)].tolist():
            if len(self.out.rejections) >= self.most:
                self.out.left += 1
                continue
            answer = said(i, self.batch.take([i]).evaluations[0])
            count.decided += answer.judged
            count.unjudged += not answer.judged
            if answer.kind is not None:
                self.out.rejections.append(Rejection(i, answer.kind, answer.expected, answer.got))

    def value(self, i: int, e: Evaluation, value: Array) -> Said:
        return exact.of_value(e, self._weight(i), rational(value[i]))

    def gradient(self, i: int, e: Evaluation, gradients: Sequence[Array]) -> Said:
        batch, weight = self.batch, self._weight(i)
        upstream = multiplier(batch, self.reduction) or rationals(batch.cotangent[i : i + 1])[0]
        products = PRODUCTS[self.reduction] + (weight is not None)
        row = rows_of(batch.inputs, i)
        by = upstream * (ONE if weight is None else weight)
        return exact.of_gradient(batch.format, row, e, by, products, rows_of(gradients, i))

    def _weight(self, i: int) -> fmpq | None:
        return None if self.batch.weight is None else rationals(self.batch.weight[i : i + 1])[0]


def _scaled(block: Block) -> Array:
    """What an infinite loss is multiplied by, as the oracle does it."""
    factor = np.array([to_float(f) for f in block.factors])[block.of]
    return np.asarray(factor if block.weight is None else factor * block.weight)


def _fits(given: Array, got: Array, block: Block) -> Array | None:
    """Is the answer a number of the format? A wider one has a narrower interval: the oracle judges it."""
    fmt = block.arithmetic.format
    if np.asarray(given).dtype.name == fmt.name:
        return None  # all of them
    return np.asarray((rounded(got, fmt) == got) | ~np.isfinite(got))
