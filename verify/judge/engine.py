"""One pass: draw examples, call the implementation once for each, and let every law judge what was seen."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import hypothesis
import numpy as np
from hypothesis import Phase

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.evidence.points import Answers, answers
from hingeproof.evidence.witness import witness
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import COMPILED, FRAMEWORKS, REFERENCES, adaptor, subject
from hingeproof.frameworks.training import descend
from hingeproof.judge.replay import batch_of, shown
from hingeproof.judge.shrink import limits, smallest
from hingeproof.judge.tally import LawTally
from hingeproof.judge.verdict import Verdicts
from hingeproof.ledger.deviations import applies
from hingeproof.ledger.versions import within
from hingeproof.plan.checks import implementations, lacking
from hingeproof.plan.profiles import PROFILES
from hingeproof.properties.batch import Batch
from hingeproof.properties.call import OutOfContract, Subject, Unanswered
from hingeproof.properties.case import Case, Pool
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.contract import Contract
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import Law
from hingeproof.properties.strategies import Spec, foci_of
from hingeproof.properties.svm.optima import RidgeProblem, Vector
from hingeproof.reference_impls.definition import rational
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.runs.records import Check, Deviation, Plan, Record, Witness

AboutToTry = Callable[[Witness], None]
_TOP_UPS = 2


def seed_of(text: str, seed: int) -> int:
    """A seed that depends on the check and the run's seed alone."""
    return zlib.crc32(f"{seed}|{text}".encode())


def _optimum(problem: RidgeProblem) -> tuple[Vector, list[Vector]]:
    """An exact optimum, from the SVM oracle: laws prove it themselves, and never import it."""
    from hingeproof.svm.for_laws import solve

    return solve(problem)


class Pass:
    """All laws of one implementation × dtype × device × mode."""

    def __init__(
        self,
        checks: Sequence[Check],
        plan: Plan,
        about_to_try: AboutToTry,
        implementation: Implementation | None = None,
        answered: Callable[[Answers], None] | None = None,
    ) -> None:
        self.answered = answered
        first = checks[0]
        self.checks, self.plan, self.about_to_try = checks, plan, about_to_try
        self.implementation: Implementation = (
            implementation or {**IMPLEMENTATIONS, **implementations(plan)}[first.implementation]
        )
        self.seed = seed_of(first.pass_id, plan.seed)
        self.profile = PROFILES[plan.profile]
        self.first = first
        self.compiled = first.mode in COMPILED
        self.compiles = self.compiled or FRAMEWORKS[self.implementation.framework].eager_compiles
        promised = within(self.implementation.versions)  # another release has promised nothing
        self.contract = self.implementation.contract.for_mode(first.mode) if promised else Contract()
        self.backing = adaptor(self.implementation.framework)
        flush = self.backing.flushes(first.mode, first.dtype)
        loss = self.implementation.family
        self.spec = Spec(
            loss=loss,
            arithmetic=Arithmetic(FORMATS[first.dtype], flush),
            settable=frozenset(self.implementation.keywords) - self._not_varied() - self._not_per_sample(),
            fixed=tuple((n, rational(v)) for n, v in self.implementation.fixed.items()),
            few=self.compiled,
            scale=self.implementation.scale,
            domain=None if self.implementation.domain is None else tuple(map(float, self.implementation.domain)),  # type: ignore[arg-type]
            widths=self.implementation.widths,
        )
        if self.compiles:  # each new shape
            self.spec = replace(self.spec, sizes=(8,), widths=self.implementation.widths[-1:])
        self.foci = foci_of(loss, bounded=self.implementation.domain is not None)
        self.tallies = {
            c.law: LawTally(LAWS[c.law], deviations=tuple(d for d in plan.deviations if applies(d, c)))
            for c in checks
            if self.lacking(LAWS[c.law]) is None
        }
        sets = self.spec.parameter_sets
        train = getattr(self.backing, "train", None) or partial(descend, self.backing.subject)
        self.pool = Pool(
            reference=lru_cache(maxsize=None)(self._reference),
            cross_entropy=self.backing.cross_entropy,
            optimum=_optimum,
            # the defaults, and another setting where it is no compilation of its own
            settings=sets[:1] * 2 if self.spec.few else (sets * 2)[:2],
            train=partial(train, self.implementation),
        )
        self.verdicts = Verdicts(self.implementation, plan.seed, self.tallies, self._thin, self.replay)

    def _not_varied(self) -> set[str]:
        """A compiled module with a class weight would be another module, and compilation, for each batch."""
        return {"class_weight"} if self.compiled and self.implementation.style == "module_class" else set()

    def _not_per_sample(self) -> set[str]:
        """A weight that the mean divides by leaves one sample's mean as it is: the law `weight` brings its own."""
        return {"weight"} if self.implementation.mean_over == "weights" else set()

    def lacking(self, law: Law) -> str | None:
        """What the law needs and this pass does not have."""
        if law.group == "svm" and self.implementation.scale != "1":
            return f"it computes {self.implementation.scale} times the loss: the certified optima are the loss's own"
        fixed = self._not_varied() & set(law.needs)
        return "not varied here: each value would be a compilation" if fixed else lacking(self.implementation, law)

    def _reference(self, loss: str) -> Subject:
        own = self.implementation.framework
        implementation = IMPLEMENTATIONS[f"{own if own in REFERENCES else 'numpy'}.{loss}"]
        made: Subject = subject(implementation, self.first.dtype, self.first.device, "eager")
        return made

    @property
    def plain(self) -> Batch:
        """A batch without surprises: default parameters, no weights, small dyadic scores, several samples violated."""
        payload = bytes([0, 0, 0]) + bytes((7 * i + 3 * (i // 5)) % 6 for i in range(600))
        width = self.spec.widths[-1] if self.spec.loss.margins.row == "vector" else 1
        batch = self.spec.decode("inside", 8, width, payload)
        return batch.change(
            params=self.spec.parameter_sets[0], weight=None, class_weight=None, cotangent=np.ones_like(batch.cotangent)
        )

    def run(self) -> Iterator[Record]:
        started = time.perf_counter()
        for check in self.checks:
            why = self.lacking(LAWS[check.law])
            if why is not None:
                yield self.verdicts.record(check, "unsupported", why)
        judged = [c for c in self.checks if c.law in self.tallies]
        if not judged:
            return
        refusal = self.refusal()
        if refusal is None:
            self._judge_once()
            self._judge_examples()
            self._shrink()
            if self.answered is not None:
                first = self.first
                self.answered(answers(self.subject, self.implementation, first.dtype, first.device, first.mode))
        seconds = (time.perf_counter() - started) / len(judged)
        for check in judged:
            yield (
                self.verdicts.refused(check, refusal) if refusal is not None else self.verdicts.verdict(check, seconds)
            )

    # -- whether it can be called at all ---------------------------------------------------------------------------

    def refusal(self) -> str | Unanswered | None:
        """Why this device, mode or dtype cannot run (text: unsupported), or how a plain eager call failed."""
        if self.first.device not in self.backing.devices():
            return f"{self.implementation.framework} finds no {self.first.device} device: see hingeproof doctor"
        try:
            self.subject: Subject = subject(self.implementation, self.first.dtype, self.first.device, self.first.mode)
            self._announce(self.plain)
            self._case(self.plain).seen  # noqa: B018  (the call is made here)
        except Unanswered as error:
            cannot = self.first.mode != "eager" or (
                self.first.dtype in ("float16", "bfloat16") and "implemented" in str(error)
            )
            return f"cannot run in this mode or dtype: {error}" if cannot else error
        return None

    def _announce(self, batch: Batch) -> None:
        """Journal what is about to be tried: it is the witness, should the call never return."""
        silence = Failure(batch, "an answer", "none: the call did not return", "silent")
        self.about_to_try(witness(self.implementation, silence, self.first))

    # -- examples --------------------------------------------------------------------------------------------------

    def _case(self, batch: Batch) -> Case:
        return Case(self.subject, batch, self.contract, self.pool)

    def _judge_once(self) -> None:
        for tally in self.tallies.values():
            if tally.law.once:
                self._announce(self.plain)
                tally.add(self._ask(tally.law, self._case(self.plain)), self.plain)

    def _ask(self, law: Law, case: Case) -> Judgement:
        """What the law says; a call that is not answered is the business of the law `answers`, if it is asked for."""
        try:
            judgement = law.judge(case)
            if judgement.failure is not None:
                judgement.failure = replace(judgement.failure, asked=case.batch)
            return judgement
        except OutOfContract as error:
            judgement = Judgement()
            judgement.leave_out(f"out of contract: {error}")
            return judgement
        except Unanswered as error:
            judgement = Judgement()
            if "answers" in self.tallies:
                self.tallies["answers"].add(error.judgement, case.batch)
            elif error.judgement.failure is not None:
                return judgement.fail(error.failure)
            judgement.leave_out("the call is not answered: see answers")
            return judgement

    def replay(self, entry: Deviation, law: Law) -> Failure | str:
        """Ask the witness of an entry of the ledger again: the failure that it shows, or why there is none."""
        batch = self.plain if law.once else batch_of(entry, self.spec)
        self._announce(batch)
        return shown(law, self._case(batch))

    def _thin(self, tally: LawTally) -> list[str]:
        return tally.thin(self.foci, self.profile.thin, self.contract)

    def _judge_examples(self) -> None:
        """The same number of examples on every focus, then more for the laws whose evidence stayed thin."""
        laws = [t for t in self.tallies.values() if not t.law.once]
        for extra in range(1 + _TOP_UPS):
            for focus in self.foci:
                wanted = [t for t in laws if not t.law.foci or focus in t.law.foci]
                if wanted:
                    self._examples(focus, wanted, extra)
            laws = [t for t in laws if self._thin(t) and t.total.failure is None]

    def _examples(self, focus: str, laws: Sequence[LawTally], extra: int) -> None:
        count = 0
        due = dict.fromkeys((t.law.name for t in laws), 0)  # the example from which a law that pays for calls is due

        def body(batch: Batch) -> None:
            nonlocal count
            self._announce(batch)
            case = self._case(batch)
            for tally in laws:
                if count >= due[tally.law.name]:
                    seen = self._ask(tally.law, case)
                    tally.add(seen, batch)
                    due[tally.law.name] = count + (tally.law.every if seen.judged else 1)
            count += 1

        examples = self.profile.compiled_examples if self.compiles else self.profile.examples
        self._hypothesis(body, focus, examples, extra)

    def _hypothesis(self, body: Callable[[Batch], None], focus: str, examples: int, extra: int) -> None:
        given = hypothesis.given(self.spec.batches(focus))(body)
        seeded = hypothesis.seed(seed_of(f"{focus}+{extra}" if extra else focus, self.seed))
        seeded(limits(examples, Phase.generate)(given))()

    # -- shrinking -------------------------------------------------------------------------------------------------

    def _shrink(self) -> None:
        """Make each failure's batch small, each law alone."""
        if self.compiled:  # another shape would be another compilation
            return
        for tally in self.tallies.values():
            if tally.total.failure is not None and not tally.law.once and tally.failed_on:
                tally.total.failure = self._smaller(tally.law, tally.total.failure, tally.failed_on)

    def _smaller(self, law: Law, failure: Failure, focus: str) -> Failure:
        widths = tuple(w for w in (2, 3, 4) if w >= min(self.implementation.widths))
        small = replace(self.spec, sizes=(1, 2, 8), widths=widths)
        return smallest(
            failure, partial(self._failure, law), small.batches(focus),
            examples=self.profile.examples * 4, seed=seed_of(focus, self.seed),
        )  # fmt: skip

    def _failure(self, law: Law, batch: Batch) -> Failure | None:
        """How the law fails on a batch; a call that is not answered is a failure of the law `answers` alone."""
        self._announce(batch)
        try:
            return law.judge(self._case(batch)).failure
        except OutOfContract:
            return None
        except Unanswered as error:
            return error.judgement.failure if law.name == "answers" else None


def run_pass(
    checks: Sequence[Check],
    plan: Plan,
    about_to_try: AboutToTry,
    implementation: Implementation | None = None,
    answered: Callable[[Answers], None] | None = None,
) -> Iterator[Record]:
    """The verdicts on checks that share a pass.

    Args:
        about_to_try: called with a JSON-able input before each call into the implementation.
        implementation: the one meant, where it is neither registered nor the plan's.
        answered: is given what the implementation answers at the points that all of them are asked.
    """
    yield from Pass(checks, plan, about_to_try, implementation, answered).run()


def replayed(entry: Deviation, plan: Plan) -> Failure | str:
    """What the witness of an entry shows in the installed releases, or why it shows nothing."""
    law = LAWS[entry.law]
    one = Pass([Check(*entry.check.split("|"))], plan, lambda tried: None)
    if (why := one.lacking(law)) is not None:
        return why
    refusal = one.refusal()
    if isinstance(refusal, Unanswered):
        return refusal.failure
    return one.replay(entry, law) if refusal is None else refusal
