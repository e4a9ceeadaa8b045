"""One pass: draw examples, call the implementation once for each, and let every law judge what was seen."""

from __future__ import annotations

import contextlib
import random
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import hypothesis
import msgspec
import numpy as np
from hypothesis import HealthCheck, Phase, settings

from hingeproof.backends import COMPILED, backend, subject
from hingeproof.backends.training import descend
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.deviations import applies, kind_of
from hingeproof.figures import Training
from hingeproof.implementation import REFERENCES, Implementation
from hingeproof.points import Answers, answers
from hingeproof.properties.case import Batch, Case, Failure, Judgement, OutOfContract, Unanswered
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.contract import Contract
from hingeproof.properties.law import Law
from hingeproof.properties.strategies import Spec, foci_of, strata
from hingeproof.records import Check, Deviation, Plan, Record, Witness
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.losses import rational
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.replay import batch_of, still_there
from hingeproof.script import script
from hingeproof.table import PROFILES, implementations, lacking
from hingeproof.versions import within
from hingeproof.witness import asked, witness

AboutToTry = Callable[[Any], None]
_SHRINK_CALLS = 200
_TOP_UPS = 2


@dataclass
class Tally:
    """What one law has seen in this pass."""

    law: Law
    total: Judgement = field(default_factory=Judgement)
    by_focus: dict[str, int] = field(default_factory=dict)
    strata: dict[str, int] = field(default_factory=dict)
    examples: int = 0
    failed_on: str = ""
    deviations: tuple[Deviation, ...] = ()
    known: dict[str, Failure] = field(
        default_factory=dict
    )  # by entry; the search for failures of other classes goes on

    def entry(self, failure: Failure) -> Deviation | None:
        """The entry of the ledger that knows this class of failure."""
        kind = kind_of(failure.observed)
        return next((d for d in self.deviations if d.kind == kind), None)

    def add(self, seen: Judgement, batch: Batch) -> None:
        total = self.total
        total.judged += seen.judged
        for name in ("worst_bound", "worst_ulp"):
            worst = max((v for v in (getattr(total, name), getattr(seen, name)) if v is not None), default=None)
            setattr(total, name, worst)
        for mine, theirs in ((total.selection, seen.selection), (total.left_out, seen.left_out)):
            for key, n in theirs.items():
                mine[key] = mine.get(key, 0) + n
        total.convention = total.convention or seen.convention
        total.note = total.note or seen.note
        total.curves += seen.curves
        if seen.failure is not None:
            entry = self.entry(seen.failure)
            if entry is not None:
                self.known.setdefault(entry.id, seen.failure)
            elif total.failure is None:
                total.failure, self.failed_on = seen.failure, batch.focus
        if seen.judged:
            self.examples += 1
            self.by_focus[batch.focus] = self.by_focus.get(batch.focus, 0) + seen.judged
            for name in _strata(batch):
                self.strata[name] = self.strata.get(name, 0) + _strata(batch)[name]


def _strata(batch: Batch) -> dict[str, int]:
    """Samples of a batch on each stratum, counted once a batch."""
    if "_strata" not in batch.__dict__:
        counts: dict[str, int] = {}
        for e in batch.evaluations:
            for name in strata(e):
                counts[name] = counts.get(name, 0) + 1
        batch.__dict__["_strata"] = counts
    return batch.__dict__["_strata"]  # type: ignore[no-any-return]


def seed_of(text: str, seed: int) -> int:
    """A seed that depends on the check and the run's seed alone."""
    return zlib.crc32(f"{seed}|{text}".encode())


def _optimum(problem: Any) -> Any:
    """An exact optimum, from the SVM oracle: laws prove it themselves, and never import it."""
    from hingeproof.svm.family import solve

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
        promised = within(self.implementation.versions)  # another release has promised nothing
        self.contract = self.implementation.contract.for_mode(first.mode) if promised else Contract()
        self.backing = backend(self.implementation.framework)
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
        if self.compiled or self.implementation.framework == "jax":
            # each new shape costs compilations, in eager JAX too: one for every operation
            self.spec = replace(self.spec, sizes=(8,), widths=self.implementation.widths[-1:])
        self.foci = foci_of(loss, bounded=self.implementation.domain is not None)
        self.tallies = {
            c.law: Tally(LAWS[c.law], deviations=tuple(d for d in plan.deviations if applies(d, c)))
            for c in checks
            if self._lacking(LAWS[c.law]) is None
        }
        self.pool: dict[str, Any] = {
            "reference": lru_cache(maxsize=None)(self._reference),
            "cross_entropy": self.backing.cross_entropy,
            "optimum": _optimum,
            # the defaults, and another setting where it is no compilation of its own
            "settings": (self.spec.parameter_sets * 2)[:2] if not self.spec.few else self.spec.parameter_sets[:1] * 2,
            "train": getattr(self.backing, "train", None) or partial(descend, self.backing.subject),
            "kept": {},  # what laws that are judged once share
        }

    def _not_varied(self) -> set[str]:
        """A compiled module with a class weight would be another module, and compilation, for each batch."""
        return {"class_weight"} if self.compiled and self.implementation.style == "module_class" else set()

    def _not_per_sample(self) -> set[str]:
        """A weight that the mean divides by leaves one sample's mean as it is: the law `weight` brings its own."""
        return {"weight"} if self.implementation.mean_over == "weights" else set()

    def _lacking(self, law: Law) -> str | None:
        """What the law needs and this pass does not have."""
        if law.group == "svm" and self.implementation.scale != "1":
            return f"it computes {self.implementation.scale} times the loss: the certified optima are the loss's own"
        fixed = self._not_varied() & set(law.needs)
        return "not varied here: each value would be a compilation" if fixed else lacking(self.implementation, law)

    def _reference(self, loss: str) -> Any:
        own = self.implementation.framework
        implementation = IMPLEMENTATIONS[f"{own if own in REFERENCES else 'numpy'}.{loss}"]
        return subject(implementation, self.first.dtype, self.first.device, "eager")

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
            why = self._lacking(LAWS[check.law])
            if why is not None:
                yield self._record(check, verdict="unsupported", reason=why)
        judged = [c for c in self.checks if c.law in self.tallies]
        if not judged:
            return
        refusal = self._refusal()
        if refusal is None:
            self._judge_once()
            self._judge_examples()
            self._shrink()
            if self.answered is not None:
                first = self.first
                self.answered(answers(self.subject, self.implementation, first.dtype, first.device, first.mode))
        seconds = (time.perf_counter() - started) / len(judged)
        for check in judged:
            yield self._refused(check, refusal) if refusal is not None else self._verdict(check, seconds)

    # -- whether it can be called at all ---------------------------------------------------------------------------

    def _refusal(self) -> str | Unanswered | None:
        """Why this device, mode or dtype cannot run (text: unsupported), or how a plain eager call failed."""
        if self.first.device not in self.backing.devices():
            return f"{self.implementation.framework} finds no {self.first.device} device: see hingeproof doctor"
        try:
            self.subject = subject(self.implementation, self.first.dtype, self.first.device, self.first.mode)
            self._announce(self.plain)
            self._case(self.plain).seen  # noqa: B018  (the call is made here)
        except Unanswered as error:
            cannot = self.first.mode != "eager" or (
                self.first.dtype in ("float16", "bfloat16") and "implemented" in str(error)
            )
            return f"cannot run in this mode or dtype: {error}" if cannot else error
        return None

    def _refused(self, check: Check, refusal: str | Unanswered) -> Record:
        if isinstance(refusal, str):
            return self._record(check, verdict="unsupported", reason=refusal)
        first = min(self.tallies, key=lambda name: (name != "answers", name))
        entry = self.tallies[check.law].entry(refusal.failure)
        if check.law == first and entry is not None:
            return self._known(check, entry, refusal.failure)
        if check.law == first:
            return self._record(check, verdict="fail", witness=self._evidence(refusal.failure, check))
        return self._record(check, verdict="undecided", reason=f"the plainest call is not answered: see {first}")

    def _announce(self, batch: Batch) -> None:
        """Journal what is about to be tried: it is the witness, should the call never return."""
        self.about_to_try(self._witness(Failure(batch, "an answer", "none: the call did not return"), self.first))

    # -- examples --------------------------------------------------------------------------------------------------

    def _case(self, batch: Batch) -> Case:
        return Case(self.subject, batch, self.contract, dict(self.pool))

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

    def _judge_examples(self) -> None:
        """The same number of examples on every focus, then more for the laws whose evidence stayed thin."""
        laws = [t for t in self.tallies.values() if not t.law.once]
        for extra in range(1 + _TOP_UPS):
            for focus in self.foci:
                wanted = [t for t in laws if not t.law.foci or focus in t.law.foci]
                if wanted:
                    self._examples(focus, wanted, extra)
            laws = [t for t in laws if self._thin(t) and t.total.failure is None]

    def _examples(self, focus: str, laws: Sequence[Tally], extra: int) -> None:
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

        slow = self.compiled or self.implementation.framework == "jax"  # eager JAX traces each call anew
        examples = self.profile.compiled_examples if slow else self.profile.examples
        self._hypothesis(body, focus, examples, extra)

    def _hypothesis(self, body: Callable[[Batch], None], focus: str, examples: int, extra: int) -> None:
        given = hypothesis.given(self.spec.batches(focus))(body)
        limits = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        hypothesis.seed(seed_of(f"{focus}+{extra}" if extra else focus, self.seed))(limits(given))()

    # -- shrinking -------------------------------------------------------------------------------------------------

    def _shrink(self) -> None:
        """Make each failure's batch as small and simple as can be, each law alone."""
        for tally in self.tallies.values():
            if tally.total.failure is not None and not tally.law.once and tally.failed_on:
                tally.total.failure = self._smaller(tally.law, tally.total.failure, tally.failed_on)

    def _smaller(self, law: Law, failure: Failure, focus: str) -> Failure:
        best = failure
        calls = 0

        def fails(batch: Batch) -> bool:
            nonlocal calls, best
            calls += 1
            if calls > _SHRINK_CALLS:
                return False
            self._announce(batch)
            try:
                found = law.judge(self._case(batch)).failure
            except OutOfContract:
                found = None
            except Unanswered as error:
                found = error.judgement.failure if law.name == "answers" else None
            if found is not None and found.batch.size <= best.batch.size and same_kind(found):
                best = replace(found, asked=batch)
            return found is not None and same_kind(found)

        def same_kind(found: Failure) -> bool:
            return kind_of(found.observed) == kind_of(failure.observed)

        limits = settings(
            max_examples=self.profile.examples * 4,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        if failure.sample is not None and failure.batch.size > 1 and not self.compiled:
            fails(failure.batch.take([failure.sample]))
        if not self.compiled:  # another shape would be another compilation
            widths = tuple(w for w in (2, 3, 4) if w >= min(self.implementation.widths))
            small = replace(self.spec, sizes=(1, 2, 8), widths=widths)
            with contextlib.suppress(hypothesis.errors.NoSuchExample, hypothesis.errors.FlakyFailure):
                # without a smaller one the first failure stands; a shrink that ran out of calls looks flaky
                source = random.Random(seed_of(focus, self.seed))
                hypothesis.find(small.batches(focus), fails, settings=limits, random=source)
        return best

    # -- verdicts --------------------------------------------------------------------------------------------------

    def _verdict(self, check: Check, seconds: float) -> Record:
        tally = self.tallies[check.law]
        total = tally.total
        thin = self._thin(tally)
        facts: dict[str, Any] = {
            "strata": dict(sorted(tally.strata.items())),
            "examples": tally.examples,
            "samples": total.judged,
            "worst_bound": total.worst_bound,
            "worst_ulp": total.worst_ulp,
            "selection": dict(sorted(total.selection.items())),
            "convention": self._convention(check, total),
            "note": total.note,
            "figures": [Training(check=check.id, **vars(curve)) for curve in total.curves],
            "thin": thin,
            "seconds": round(seconds, 6),
        }
        if total.failure is not None:
            return self._record(check, verdict="fail", witness=self._evidence(total.failure, check), **facts)
        replayed = [self._replayed(check, d, tally, facts) for d in tally.deviations if d.check == check.id]
        if replayed:
            return next((r for r in replayed if r.verdict == "stale"), replayed[0])
        for entry in tally.deviations:
            if entry.id in tally.known:
                return self._known(check, entry, tally.known[entry.id], **facts)
        refused, outside = self._refused_scores(), self._outside(total)
        if thin and (outside or (refused and not total.judged)):
            return self._record(check, verdict="unsupported", reason=outside or refused)
        if thin:
            left_out = "; ".join(f"{why} ({n})" for why, n in sorted(total.left_out.items()))
            return self._record(
                check, verdict="undecided", reason="thin" + (f": {left_out}" if left_out else ""), **facts
            )
        return self._record(check, verdict="pass", **facts)

    def _convention(self, check: Check, total: Judgement) -> str:
        """What the law saw, and once a pass what the documentation states."""
        stated = self.implementation.documented if check.law == "answers" else ()
        return "; ".join(filter(None, [*(f"documented: {text}" for text in stated), total.convention]))

    def _replayed(self, check: Check, entry: Deviation, tally: Tally, facts: dict[str, Any]) -> Record:
        """`known` if the entry's witness still shows what it says, else `stale`."""
        batch = self.plain if tally.law.once else batch_of(entry, self.spec)
        self._announce(batch)
        failure, instead = still_there(entry, tally.law, self._case(batch))
        if failure is not None:
            return self._known(check, entry, failure, **facts)
        other = tally.known.get(entry.id)
        also = "; another input breaks it still: record that one" if other is not None else ""
        reason = f"{instead}{also}: remove this entry ({entry.id}) from the ledger"
        witness = None if other is None else self._evidence(other, check)
        return self._record(check, verdict="stale", reason=reason, witness=witness, **facts)

    def _known(self, check: Check, entry: Deviation, failure: Failure, **facts: Any) -> Record:
        reason = f"{entry.why} ({entry.link})"
        return self._record(check, verdict="known", reason=reason, witness=self._evidence(failure, check), **facts)

    def _refused_scores(self) -> str:
        """The convention by which calls are refused, if that is all that stood in the way of answers."""
        answers = self.tallies.get("answers")
        return "" if answers is None or answers.total.failure is not None else answers.total.convention

    def _outside(self, total: Judgement) -> str:
        """Why nothing could be judged, if all that the law looks at lies where the contract promises nothing."""
        where = [why for why in total.left_out if why.startswith("out of contract")]
        if where:
            return where[0]
        domain = self.implementation.domain
        return "" if domain is None else f"out of contract: it speaks of scores in [{domain[0]}, {domain[1]}] alone"

    def _thin(self, tally: Tally) -> list[str]:
        """The foci on which too few samples were judged for a pass to mean something."""
        promise = {"kink_selection": "kink"}.get(tally.law.name, tally.law.name)
        if tally.law.kind == "promise" and getattr(self.contract, promise) == "any":
            return []  # what is not promised needs no evidence
        if tally.law.once:
            return [] if tally.total.judged else ["once"]
        wanted = [f for f in self.foci if not tally.law.foci or f in tally.law.foci]
        if not wanted:
            return [] if tally.total.judged else ["any"]
        return [f for f in wanted if tally.by_focus.get(f, 0) < self.profile.thin]

    def _witness(self, failure: Failure, check: Check) -> Witness:
        return witness(self.implementation, failure, check)

    def _evidence(self, failure: Failure, check: Check) -> Witness:
        """The witness of a verdict, with a script that shows it."""
        found = witness(self.implementation, failure, check)
        return msgspec.structs.replace(found, script=script(self.implementation, failure, check), asked=asked(failure))

    def _record(self, check: Check, **facts: Any) -> Record:
        law = LAWS[check.law]
        return Record(
            check=check.id,
            law=check.law,
            group=law.group,
            kind=law.kind,
            implementation=check.implementation,
            framework=self.implementation.framework,
            loss=check.loss,
            dtype=check.dtype,
            device=check.device,
            mode=check.mode,
            seed=self.plan.seed,
            **facts,
        )


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
