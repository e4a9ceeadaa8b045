"""One claim in one process: shard after shard is asked of the implementation and judged."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable

import numpy as np

from hingeproof.evidence.script import script
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import adaptor, subject
from hingeproof.judge.proof import domain
from hingeproof.judge.proof.judging import Found, Judging, bits
from hingeproof.judge.screen.judge import FlushedThread
from hingeproof.judge.screen.wide import flushes
from hingeproof.ledger.versions import within
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.call import OutOfContract, Subject, Unanswered, call
from hingeproof.properties.contract import Contract
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure
from hingeproof.reference_impls.formats import FORMATS, exact
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.runs.proofs import MARKS, Claim, Offender, Shard, Status, Task
from hingeproof.runs.records import Check

AboutToTry = Callable[[int, int], None]
"""Is given the first bits and the count of the scores of the next call."""

Answers = tuple[list[Array], list[Array]]  # the bits of values and gradients, call by call

# The law that a wrong answer of each kind breaks.
LAWS = {
    "value": "value", "infinity": "infinity", "zero": "zero_past_margin", "nan": "nan", "gradient": "gradient",
    "zero_gradient": "gradient_zero_past_margin",
}  # fmt: skip


class Sweep:
    """An implementation ready to be asked, with what it has promised."""

    def __init__(self, claim: Claim, implementation: Implementation) -> None:
        self.claim, self.implementation = claim, implementation
        backing = adaptor(implementation.framework)
        self.arithmetic = Arithmetic(FORMATS[claim.dtype], backing.flushes(claim.mode, claim.dtype))
        promised = within(implementation.versions)  # another release has promised nothing
        self.contract = implementation.contract.for_mode(claim.mode) if promised else Contract()
        self.subject: Subject = subject(implementation, claim.dtype, claim.device, claim.mode)

    def shard(self, task: Task, about_to_try: AboutToTry) -> Shard:
        """Ask and judge some scores in a row."""
        began, judging = time.process_time(), Judging(self.contract)
        answers: Answers = [], []
        status: Status = "judged"
        reason = ""
        try:
            with np.errstate(all="ignore"):  # every NaN there is, among them those that signal
                answers = self._asked(task, judging, about_to_try)
        except (Unanswered, OutOfContract, FlushedThread) as error:
            status, reason = "raised", " ".join(str(error).split())
        sha256, marks = hashed(answers) if status == "judged" else ("", "")
        return Shard(
            task=task, status=status, reason=reason, sha256=sha256, marks=marks, counts=judging.counts,
            offenders=self._offenders(judging.found), flushes=self.arithmetic.flush,
            seconds=round(time.process_time() - began, 3),
        )  # fmt: skip

    def _asked(self, task: Task, judging: Judging, about_to_try: AboutToTry) -> Answers:
        """The bits of all values and of all gradients, which are judged on the way."""
        values: list[Array] = []
        gradients: list[Array] = []
        step = min(domain.CALL, task.count)
        for first in range(task.first, task.first + task.count, step):
            about_to_try(first, step)
            batch = domain.batch(self.implementation, self.claim.dtype, self.arithmetic, task.label, first, step)
            value, gradient, refused = self._answers(batch)
            if flushes():
                raise FlushedThread("this thread counts subnormal numbers as 0: nothing can be judged in it")
            judging.call(batch, value, gradient, refused=refused)
            values.append(domain.canonical(value))
            if gradient is not None:
                gradients.append(domain.canonical(gradient))
        return values, gradients

    def _answers(self, batch: Batch) -> tuple[Array, Array | None, bool]:
        """Values, gradients, and whether scores that are not finite were refused."""
        try:
            out = call(self.subject, batch, gradients=self.subject.gradients)
            return out.value, None if out.gradients is None else out.gradients[0], False
        except Unanswered:
            finite = np.flatnonzero(np.isfinite(batch.inputs[0].astype(np.float64)))
            if len(finite) in (0, batch.size):
                raise
        # to refuse what is not finite, loudly, is a convention: the others are asked without it
        out = call(self.subject, batch.take(finite.tolist()), gradients=self.subject.gradients)
        gradient = None if out.gradients is None else _spread(out.gradients[0], finite, batch.size)
        return _spread(out.value, finite, batch.size), gradient, True

    def _offenders(self, found: list[Found]) -> list[Offender]:
        """What is wrong, score by score; the first of each kind with a script that shows it."""
        first = {f.rejection.kind: f for f in reversed(found)}
        return [self._offender(f, f is first[f.rejection.kind]) for f in found]

    def _offender(self, found: Found, shown: bool) -> Offender:
        score, said = found.batch.inputs[0][0], found.rejection
        assert found.batch.targets is not None
        return Offender(
            label=float(found.batch.targets[0]), bits=bits(found), decimal=repr(float(score)),
            hex=float(score).hex(), kind=said.kind, expected=said.expected, got=said.got,
            script=self._script(found) if shown else "",
        )  # fmt: skip

    def _script(self, found: Found) -> str:
        said, claim = found.rejection, self.claim
        check = Check(LAWS[said.kind], claim.implementation, claim.loss, claim.dtype, claim.device, claim.mode)
        kind = kind_of(exact(float(said.got.split()[0].strip("[],"))))
        return script(self.implementation, Failure(found.batch, said.expected, said.got, kind, sample=0), check)


def _spread(answered: Array, where: Array, size: int) -> Array:
    out = np.full(size, np.nan, answered.dtype)
    out[where] = answered
    return out


def hashed(answers: Answers) -> tuple[str, str]:
    """The SHA-256 of all values' bits and then all gradients', and a checksum of each sixteenth of both."""
    sha256 = hashlib.sha256()
    for part in (*answers[0], *answers[1]):
        sha256.update(part.data)
    whole = [np.concatenate(parts) for parts in answers if parts]
    marks = []
    for place in range(MARKS):
        mark = 0
        for x in whole:
            size = len(x) // MARKS
            mark = zlib.crc32(x[place * size : (place + 1) * size].data, mark)
        marks.append(f"{mark:08x}")
    return sha256.hexdigest(), "".join(marks)
