"""Whole batches judged exactly: the screen accepts what it can, the rational oracle decides the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flint import fmpq

from hingeproof.judge.screen import exact
from hingeproof.judge.screen.blocks import PRODUCTS, Reduction, by
from hingeproof.judge.screen.exact import Kind, Said
from hingeproof.judge.screen.screening import screen
from hingeproof.judge.screen.wide import Array, flushes
from hingeproof.properties.batch import Batch, rationals, rows_of
from hingeproof.reference_impls.formats import exact as rational
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
        batch = self.batch
        products = PRODUCTS[self.reduction] + (batch.weight is not None)
        multiple, got = by(batch, i, self.reduction), rows_of(gradients, i)
        said = exact.of_gradient(batch.format, rows_of(batch.inputs, i), e, multiple, products, got)
        if said.judged:
            self.out.selection += exact.selection(e, multiple, got)
        return said

    def _weight(self, i: int) -> fmpq | None:
        return None if self.batch.weight is None else rationals(self.batch.weight[i : i + 1])[0]
