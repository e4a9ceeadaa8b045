"""What one law has seen in a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hingeproof.properties.batch import Batch
from hingeproof.properties.contract import Contract
from hingeproof.properties.failure_kinds import same_kind
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import Law
from hingeproof.properties.strategies import strata
from hingeproof.runs.records import Deviation


@dataclass
class LawTally:
    """What one law has seen in this pass."""

    law: Law
    total: Judgement = field(default_factory=Judgement)
    by_focus: dict[str, int] = field(default_factory=dict)
    strata: dict[str, int] = field(default_factory=dict)
    examples: int = 0
    failed_on: str = ""
    deviations: tuple[Deviation, ...] = ()
    # by entry; the search for failures of other kinds goes on
    known: dict[str, Failure] = field(default_factory=dict)

    def entry(self, failure: Failure) -> Deviation | None:
        """The entry of the ledger that knows this kind of failure."""
        return next((d for d in self.deviations if same_kind(d, failure)), None)

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

    def thin(self, foci: Sequence[str], enough: int, contract: Contract) -> list[str]:
        """The foci on which too few samples were judged for a pass to mean something."""
        promise = {"kink_selection": "kink"}.get(self.law.name, self.law.name)
        if self.law.kind == "promise" and getattr(contract, promise) == "any":
            return []  # what is not promised needs no evidence
        if self.law.once:
            return [] if self.total.judged else ["once"]
        wanted = [f for f in foci if not self.law.foci or f in self.law.foci]
        if not wanted:
            return [] if self.total.judged else ["any"]
        return [f for f in wanted if self.by_focus.get(f, 0) < enough]


def _strata(batch: Batch) -> dict[str, int]:
    """Samples of a batch on each stratum, counted once a batch."""
    if "_strata" not in batch.__dict__:
        counts: dict[str, int] = {}
        for e in batch.evaluations:
            for name in strata(e):
                counts[name] = counts.get(name, 0) + 1
        batch.__dict__["_strata"] = counts
    return batch.__dict__["_strata"]  # type: ignore[no-any-return]
