"""The answers of one call, judged: runs of scores by one polynomial where that will do, else by the screen and oracle.

NaN and the selection at a kink are held to the implementation's contract, as the laws `nan` and `kink_selection` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq

from hingeproof.judge.proof.domain import RUN, bits_of
from hingeproof.judge.proof.error import worst
from hingeproof.judge.screen import pieces
from hingeproof.judge.screen.judge import Rejection, judge
from hingeproof.properties.batch import Array, Batch, rows_of, show
from hingeproof.properties.contract import Contract
from hingeproof.properties.laws.gradient import describe_set, show_row
from hingeproof.properties.laws.selection import WEIGHTS, chosen, predicted
from hingeproof.reference_impls.formats import exact, to_float
from hingeproof.reference_impls.phi import Phi
from hingeproof.reference_impls.sets import SubGradients
from hingeproof.runs.proofs import OFFENDERS, Counts


@dataclass(frozen=True)
class Found:
    """A wrong answer, with the batch of that one sample."""

    batch: Batch
    rejection: Rejection


@dataclass
class Judging:
    """What was found so far in a shard."""

    contract: Contract
    counts: Counts = field(default_factory=Counts)
    found: list[Found] = field(default_factory=list)

    def call(self, batch: Batch, value: Array, gradient: Array | None, *, refused: bool = False) -> None:
        """Judge the answers to a batch whose samples all have one label. Raises: FlushedThread.

        refused: scores that are not finite were not answered.
        """
        scores = batch.inputs[0].astype(np.float64)
        finite = np.isfinite(scores)
        self.counts.scores += batch.size
        if finite.all():
            for part in _runs(batch):
                self._finite(_part(batch, part), value[part], None if gradient is None else gradient[part])
            return
        if refused:
            self.counts.refused += int((~finite).sum())
        else:
            self._not_finite(batch, scores, value)
        if finite.any():
            where = np.flatnonzero(finite)
            self._finite(batch.take(where.tolist()), value[where], None if gradient is None else gradient[where])

    # -- finite scores -----------------------------------------------------------------------------------------

    def _finite(self, batch: Batch, value: Array, gradient: Array | None) -> None:
        scores = batch.inputs[0].astype(np.float64)
        phi, z = _shape(batch), margins(batch, scores)
        fast = _run(batch, scores, value, gradient)
        self.counts.worst = worst(self.counts.worst, batch, phi, z, value, fast)
        self._regions(phi, z if fast is None else z[:1], batch.size)
        right = np.zeros(batch.size, bool)
        if fast is not None and gradient is not None:
            with np.errstate(all="ignore"):
                right = fast.values_right(scores, value.astype(np.float64))
                right &= fast.gradients_right(scores, gradient.astype(np.float64))
            accepted = int(right.sum())
            self.counts.values += accepted
            self.counts.gradients += accepted
        if not right.all():
            rest = slice(None) if not right.any() else np.flatnonzero(~right)
            self._screened(_part(batch, rest), value[rest], None if gradient is None else gradient[rest])
        if fast is None and gradient is not None:
            self._kinks(batch, phi, z, gradient)

    def _screened(self, batch: Batch, value: Array, gradient: Array | None) -> None:
        said = judge(batch, value, None if gradient is None else [gradient], most=OFFENDERS - len(self.found))
        self._count(batch, said.rejections, said.left)
        self.counts.values += said.values.judged
        self.counts.gradients += said.gradients.judged
        self.counts.unbounded += said.values.unjudged
        self.counts.unbounded_gradients += said.gradients.unjudged
        self.counts.decided += said.values.decided + said.gradients.decided

    def _count(self, batch: Batch, rejections: list[Rejection], left: int = 0) -> None:
        self.counts.wrong += len(rejections)
        self.counts.open += left
        self.found += [Found(batch.take([r.sample]), r) for r in rejections[: OFFENDERS - len(self.found)]]

    def _regions(self, phi: Phi, z: Array, count: int) -> None:
        """Count scores by the piece of φ that they are in; z may be one margin that stands for all."""
        names, breaks = regions(phi), np.array([to_float(b) for b in phi.breaks])
        at = np.searchsorted(breaks, z, "left") + np.searchsorted(breaks, z, "right")
        for place, seen in enumerate(np.bincount(at, minlength=len(names)).tolist()):
            if seen:
                self._region(names[place], count if len(z) == 1 else seen)

    def _region(self, name: str, count: int) -> None:
        self.counts.regions[name] = self.counts.regions.get(name, 0) + count

    # -- kinks -------------------------------------------------------------------------------------------------

    def _kinks(self, batch: Batch, phi: Phi, z: Array, gradient: Array) -> None:
        for kink in phi.kinks:
            for i in np.flatnonzero(z == to_float(kink)).tolist():
                self._kink(batch.take([i]), gradient[i : i + 1], f"z = {_short(kink)}")

    def _kink(self, one: Batch, gradient: Array, name: str) -> None:
        """Note the sub-gradient chosen at a kink, and hold it to what is promised."""
        e, multiplier, got = one.evaluations[0], one.cotangents[0], rows_of([gradient], 0)
        if not e.kinked:
            return
        seen = self.counts.selection.setdefault(name, {})
        for weight in chosen(e, multiplier, got):
            seen[weight] = seen.get(weight, 0) + 1
        promised, allowed = self.contract.kink, e.sub_gradients(multiplier, 0)
        want = predicted(e, multiplier, promised, self.contract.ties) if promised in WEIGHTS else None
        if want is None or allowed is None:
            return
        target = SubGradients(((dict(enumerate(want)),),), allowed.box)
        finite = [g for g in got if isinstance(g, fmpq)]
        if len(finite) == len(got) and allowed.holds(finite) and target.excess(finite) > 0:
            # what is not even a sub-gradient has been rejected as such
            expected = f"{describe_set(target)} (promised: kink {promised})"
            self._count(one, [Rejection(0, "gradient", expected, show_row(got))])

    # -- NaN and infinities ------------------------------------------------------------------------------------

    def _not_finite(self, batch: Batch, scores: Array, value: Array) -> None:
        nan = np.isnan(scores)
        self._region("NaN", int(nan.sum()))
        numbers = np.flatnonzero(nan & ~np.isnan(value.astype(np.float64)))
        self.counts.values += int(nan.sum())
        if self.contract.nan == "propagate":
            wrong = [Rejection(i, "nan", "nan", show(exact(value[i]))) for i in numbers.tolist()]
            self._count(batch, wrong)
        else:
            self.counts.swallowed += len(numbers)
        infinite = np.flatnonzero(np.isinf(scores))
        self._region("±∞", len(infinite))
        if len(infinite):
            self._screened(batch.take(infinite.tolist()), value[infinite], None)


def regions(phi: Phi) -> list[str]:
    """The names of the pieces of φ and of the breaks between them, in ascending order of z."""
    ends = [_short(b) for b in phi.breaks]
    if not ends:
        return ["every z"]
    names = [f"z < {ends[0]}"]
    for place, end in enumerate(ends):
        after = f"{end} < z < {ends[place + 1]}" if place + 1 < len(ends) else f"z > {end}"
        names += [f"z = {end}", after]
    return names


def margins(batch: Batch, scores: Array) -> Array:
    """The margins z, in float64: exact but for residuals of very different numbers, which no break is near."""
    assert batch.targets is not None
    label = float(batch.targets[0])
    return {"binary": scores * label, "score": scores, "residual": scores - label}[batch.loss.margins.name]


def _short(q: fmpq) -> str:
    return f"{to_float(q):.9g}"


def _shape(batch: Batch) -> Phi:
    assert batch.targets is not None
    return batch.loss.shape(int(batch.targets[0]) if batch.loss.labels_decide else None, batch.params)


def _run(batch: Batch, scores: Array, value: Array, gradient: Array | None) -> pieces.OnePiece | None:
    """What is right for all scores of a run, where one polynomial says it and the answers are of the format."""
    fmt = batch.format
    if gradient is None or batch.size > RUN or not value.dtype.name == gradient.dtype.name == fmt.name:
        return None
    if fmt.precision <= 11 or batch.loss.margins.targets != "sign":
        return None
    assert batch.targets is not None
    return pieces.run(
        batch.loss, batch.params, batch.arithmetic, int(batch.targets[0]), float(scores[0]), float(scores[-1]),
        upstream=float(batch.cotangent[0]), scale=batch.multiple,
    )  # fmt: skip


def _runs(batch: Batch) -> Iterator[slice]:
    """What shares one upstream gradient; all of it where that changes at each score."""
    step = RUN if batch.size > 1 and batch.cotangent[0] == batch.cotangent[1] else batch.size
    for start in range(0, batch.size, step):
        yield slice(start, min(start + step, batch.size))


def _part(batch: Batch, where: slice | Array) -> Batch:
    """Some samples; a slice of them is no copy."""
    assert batch.targets is not None
    return batch.change(
        inputs=tuple(x[where] for x in batch.inputs), targets=batch.targets[where], cotangent=batch.cotangent[where]
    )


def bits(found: Found) -> str:
    """The bits of the score at which an answer is wrong."""
    return bits_of(found.batch.inputs[0])
