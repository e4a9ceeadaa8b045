"""The verdict on a check that was judged: from its law's tally, with its evidence, and the ledger replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hingeproof.evidence.script import script
from hingeproof.evidence.witness import asked, witness
from hingeproof.frameworks.implementation import Implementation
from hingeproof.judge.tally import Tally
from hingeproof.judge.unjudged import record
from hingeproof.properties.case import Failure, Judgement, Unanswered
from hingeproof.properties.law import Law
from hingeproof.runs.figures import Training
from hingeproof.runs.records import Check, Deviation, Record, Witness


@dataclass(frozen=True)
class Judged:
    """The verdicts of a pass.

    thin: the foci on which a law's evidence is too little. replay: asks the witness of an entry of the ledger again.
    """

    implementation: Implementation
    seed: int
    tallies: Mapping[str, Tally]
    thin: Callable[[Tally], list[str]]
    replay: Callable[[Deviation, Law], tuple[Failure | None, str]]

    def refused(self, check: Check, refusal: str | Unanswered) -> Record:
        """The verdict where not even the plainest call could be made (text), or was not answered."""
        if isinstance(refusal, str):
            return self.record(check, verdict="unsupported", reason=refusal)
        first = min(self.tallies, key=lambda name: (name != "answers", name))
        entry = self.tallies[check.law].entry(refusal.failure)
        if check.law == first and entry is not None:
            return self._known(check, entry, refusal.failure)
        if check.law == first:
            return self.record(check, verdict="fail", witness=self._evidence(refusal.failure, check))
        return self.record(check, verdict="undecided", reason=f"the plainest call is not answered: see {first}")

    def verdict(self, check: Check, seconds: float) -> Record:
        tally = self.tallies[check.law]
        total = tally.total
        thin = self.thin(tally)
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
            return self.record(check, verdict="fail", witness=self._evidence(total.failure, check), **facts)
        replayed = [self._replayed(check, d, tally, facts) for d in tally.deviations if d.check == check.id]
        if replayed:
            return next((r for r in replayed if r.verdict == "stale"), replayed[0])
        for entry in tally.deviations:
            if entry.id in tally.known:
                return self._known(check, entry, tally.known[entry.id], **facts)
        refused, outside = self._refused_scores(), self._outside(total)
        if thin and (outside or (refused and not total.judged)):
            return self.record(check, verdict="unsupported", reason=outside or refused)
        if thin:
            left_out = "; ".join(f"{why} ({n})" for why, n in sorted(total.left_out.items()))
            return self.record(
                check, verdict="undecided", reason="thin" + (f": {left_out}" if left_out else ""), **facts
            )
        return self.record(check, verdict="pass", **facts)

    def _convention(self, check: Check, total: Judgement) -> str:
        """What the law saw, and once a pass what the documentation states."""
        stated = self.implementation.documented if check.law == "answers" else ()
        return "; ".join(filter(None, [*(f"documented: {text}" for text in stated), total.convention]))

    def _replayed(self, check: Check, entry: Deviation, tally: Tally, facts: dict[str, Any]) -> Record:
        """`known` if the entry's witness still shows what it says, else `stale`."""
        failure, instead = self.replay(entry, tally.law)
        if failure is not None:
            return self._known(check, entry, failure, **facts)
        other = tally.known.get(entry.id)
        also = "; another input breaks it still: record that one" if other is not None else ""
        reason = f"{instead}{also}: remove this entry ({entry.id}) from the ledger"
        witness = None if other is None else self._evidence(other, check)
        return self.record(check, verdict="stale", reason=reason, witness=witness, **facts)

    def _known(self, check: Check, entry: Deviation, failure: Failure, **facts: Any) -> Record:
        reason = f"{entry.why} ({entry.link})"
        return self.record(check, verdict="known", reason=reason, witness=self._evidence(failure, check), **facts)

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
        return msgspec.structs.replace(found, script=script(self.implementation, failure, check), asked=asked(failure))

    def record(self, check: Check, **facts: Any) -> Record:
        return record(check, self.implementation.framework, seed=self.seed, **facts)
