"""The verdict on a check that was judged: from its law's tally, with its evidence, and the ledger replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from hingeproof.evidence.script import script
from hingeproof.evidence.witness import asked, witness
from hingeproof.frameworks.implementation import Implementation
from hingeproof.judge.record import record
from hingeproof.judge.tally import LawTally
from hingeproof.properties.call import Unanswered
from hingeproof.properties.failure_kinds import in_words, same_kind
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import Law
from hingeproof.runs.figures import Training
from hingeproof.runs.records import Check, Deviation, Record, Verdict, Witness


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of a pass.

    thin: the foci on which a law's evidence is too little. replay: the failure that the witness of an
    entry of the ledger shows now, or why there is none.
    """

    implementation: Implementation
    seed: int
    tallies: Mapping[str, LawTally]
    thin: Callable[[LawTally], list[str]]
    replay: Callable[[Deviation, Law], Failure | str]

    def refused(self, check: Check, refusal: str | Unanswered) -> Record:
        """The verdict where not even the plainest call could be made (text), or was not answered."""
        if isinstance(refusal, str):
            return self.record(check, "unsupported", refusal)
        first = min(self.tallies, key=lambda name: (name != "answers", name))
        entry = self.tallies[check.law].entry(refusal.failure)
        if check.law == first and entry is not None:
            return self._known(self.record(check, "known"), check, entry, refusal.failure)
        if check.law == first:
            return self.record(check, "fail", witness=self._evidence(refusal.failure, check))
        return self.record(check, "undecided", f"the plainest call is not answered: see {first}")

    def verdict(self, check: Check, seconds: float) -> Record:
        tally = self.tallies[check.law]
        total = tally.total
        thin = self.thin(tally)
        passed = replace(
            self.record(check, "pass"),
            strata=dict(sorted(tally.strata.items())),
            examples=tally.examples,
            samples=total.judged,
            worst_bound=total.worst_bound,
            worst_ulp=total.worst_ulp,
            selection=dict(sorted(total.selection.items())),
            convention=self._convention(check, total),
            note=total.note,
            figures=[Training(check=check.id, **vars(curve)) for curve in total.curves],
            thin=thin,
            seconds=round(seconds, 6),
        )
        if total.failure is not None:
            return replace(passed, verdict="fail", witness=self._evidence(total.failure, check))
        replayed = [self._replayed(passed, check, d, tally) for d in tally.deviations if d.check == check.id]
        if replayed:
            return next((r for r in replayed if r.verdict == "stale"), replayed[0])
        for entry in tally.deviations:
            if entry.id in tally.known:
                return self._known(passed, check, entry, tally.known[entry.id])
        refused, outside = self._refused_scores(), self._outside(total)
        if thin and (outside or (refused and not total.judged)):
            return self.record(check, "unsupported", outside or refused)
        if thin:
            left_out = "; ".join(f"{why} ({n})" for why, n in sorted(total.left_out.items()))
            return replace(passed, verdict="undecided", reason="thin" + (f": {left_out}" if left_out else ""))
        return passed

    def _convention(self, check: Check, total: Judgement) -> str:
        """What the law saw, and once a pass what the documentation states."""
        stated = self.implementation.documented if check.law == "answers" else ()
        return "; ".join(filter(None, [*(f"documented: {text}" for text in stated), total.convention]))

    def _replayed(self, judged: Record, check: Check, entry: Deviation, tally: LawTally) -> Record:
        """`known` if the entry's witness still shows what it says, else `stale`."""
        seen = self.replay(entry, tally.law)
        if isinstance(seen, Failure):
            if same_kind(seen, entry):
                return self._known(judged, check, entry, seen)
            seen = f"the witness shows {in_words(seen)} now: {seen.observed}"
        other = tally.known.get(entry.id)
        also = "; another input breaks it still: record that one" if other is not None else ""
        reason = f"{seen}{also}: remove this entry ({entry.id}) from the ledger"
        witness = None if other is None else self._evidence(other, check)
        return replace(judged, verdict="stale", reason=reason, witness=witness)

    def _known(self, judged: Record, check: Check, entry: Deviation, failure: Failure) -> Record:
        reason = f"{entry.why} ({entry.link})"
        return replace(judged, verdict="known", reason=reason, witness=self._evidence(failure, check))

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

    def _evidence(self, failure: Failure, check: Check) -> Witness:
        """The witness of a verdict, with a script that shows it."""
        found = witness(self.implementation, failure, check)
        return replace(found, script=script(self.implementation, failure, check), asked=asked(failure))

    def record(self, check: Check, verdict: Verdict, reason: str = "", witness: Witness | None = None) -> Record:
        framework = self.implementation.framework
        return record(check, framework, verdict=verdict, reason=reason, witness=witness, seed=self.seed)
