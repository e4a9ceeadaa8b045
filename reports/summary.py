"""What a run comes to: counts, matrix, findings (one, however many dtypes and modes show it), exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from hingeproof.records import Record, RunInfo, Verdict

FINDINGS: tuple[Verdict, ...] = ("crash", "timeout", "fail", "stale")
# A verdict on the implementation, one way or the other. `undecided` and `unsupported` are none.
JUDGED: tuple[Verdict, ...] = (*FINDINGS, "known", "pass")
# `unsupported` last: a cell where one mode is unsupported and the rest passed shows that they passed.
WORST_FIRST: tuple[Verdict, ...] = (*FINDINGS, "undecided", "known", "pass", "unsupported")
# The order of the columns; groups of other names follow them.
GROUPS = (
    "value", "gradient", "symmetry", "relation", "relations", "reduction", "reductions", "numerics",
    "interface", "mode", "modes", "textbook",
)  # fmt: skip

NOT_RUN = "not run"  # the reason of a check that its run never came to

EXIT_GOOD, EXIT_FINDING, EXIT_UNDECIDED, EXIT_NOTHING = 0, 1, 3, 5


class Cell(msgspec.Struct, frozen=True):
    """All checks of one group of laws on one implementation."""

    worst: Verdict
    counts: dict[Verdict, int]


class Row(msgspec.Struct, frozen=True):
    """A line of the matrix. A group that is missing from `cells` has no check here."""

    implementation: str
    loss: str
    framework: str
    cells: dict[str, Cell]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong. `record` is the one shown: the first by CHECK that has a witness."""

    record: Record
    laws: tuple[str, ...]
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    modes: tuple[str, ...]
    checks: tuple[str, ...]


class Shared(msgspec.Struct, frozen=True):
    """One text (a reason, a convention, a thin stratum) and everything that it was said of."""

    text: str
    law: str
    implementations: tuple[str, ...]
    dtypes: tuple[str, ...]
    checks: int


class Selection(msgspec.Struct, frozen=True):
    """What was seen at the kink, by mode: which point of the sub-differential, and how often."""

    implementation: str
    loss: str
    modes: dict[str, dict[str, int]]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the reports say, as data. What is undecided as thin stands in `thin` alone."""

    verdicts: dict[Verdict, int]
    frameworks: dict[str, dict[Verdict, int]]
    groups: tuple[str, ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    selections: tuple[Selection, ...]
    conventions: tuple[Shared, ...]
    notes: tuple[Shared, ...]
    unsupported: tuple[Shared, ...]
    undecided: tuple[Shared, ...]
    known: tuple[Shared, ...]
    thin: tuple[Shared, ...]
    implementations: tuple[str, ...]
    without_gradients: tuple[str, ...]
    not_run: int
    exit_code: int

    def count(self, *verdicts: Verdict) -> int:
        """Return how many checks got one of these verdicts."""
        return sum(self.verdicts.get(verdict, 0) for verdict in verdicts)

    @property
    def checks_run(self) -> int:
        """Checks that were tried: all but the unsupported ones and those that a broken run never came to."""
        return sum(self.verdicts.values()) - self.count("unsupported") - self.not_run

    @property
    def gradients_judged(self) -> bool:
        """Whether every implementation that was judged at all had a gradient judged."""
        return bool(self.implementations) and not self.without_gradients


def summarise(info: RunInfo, records: Iterable[Record]) -> Summary:
    """Return the summary of a run; the order of the records does not matter."""
    ordered = sorted(records, key=lambda record: record.check)
    verdicts = _count(ordered)
    judged = [record for record in ordered if record.verdict in JUDGED]
    implementations = tuple(sorted({record.implementation for record in judged}))
    with_gradient = {record.implementation for record in judged if record.group == "gradient"}
    return Summary(
        verdicts=verdicts,
        frameworks={
            name: _count([r for r in ordered if r.framework == name])
            for name in sorted({record.framework for record in ordered})
        },
        groups=_groups(ordered),
        rows=_rows(ordered),
        findings=_findings(ordered),
        selections=_selections(ordered),
        conventions=_shared([r for r in ordered if r.convention], lambda r: (r.law, r.convention)),
        notes=_shared([r for r in ordered if r.note], lambda r: (r.law, r.note)),
        unsupported=_with_verdict(ordered, "unsupported"),
        undecided=_with_verdict([r for r in ordered if not r.thin], "undecided"),
        known=_shared([r for r in ordered if r.verdict == "known"], lambda r: (r.law, _reason(r))),
        thin=_shared([r for r in ordered if r.thin], lambda r: ("", ", ".join(sorted(r.thin)))),
        implementations=implementations,
        without_gradients=tuple(name for name in implementations if name not in with_gradient),
        not_run=sum(record.verdict == "undecided" and record.reason == NOT_RUN for record in ordered),
        exit_code=exit_code(verdicts, strict=info.plan.strict),
    )


def exit_code(verdicts: dict[Verdict, int], *, strict: bool) -> int:
    """Return the exit code that verdicts deserve: the worst in the order 1, 5, 3, 0."""
    if any(verdicts.get(verdict) for verdict in FINDINGS):
        return EXIT_FINDING
    if not any(verdicts.get(verdict) for verdict in JUDGED):
        return EXIT_NOTHING
    return EXIT_UNDECIDED if strict and verdicts.get("undecided") else EXIT_GOOD


def _count(records: Sequence[Record]) -> dict[Verdict, int]:
    counted = Counter(record.verdict for record in records)
    return {verdict: counted[verdict] for verdict in WORST_FIRST if counted[verdict]}


def _groups(records: Sequence[Record]) -> tuple[str, ...]:
    present = {record.group for record in records}
    return tuple([name for name in GROUPS if name in present] + sorted(present.difference(GROUPS)))


def _rows(records: Sequence[Record]) -> tuple[Row, ...]:
    table: dict[tuple[str, str, str], dict[str, list[Record]]] = {}
    for record in records:
        key = (record.implementation, record.loss, record.framework)
        table.setdefault(key, {}).setdefault(record.group, []).append(record)
    return tuple(
        Row(*key, cells={group: _cell(members) for group, members in table[key].items()}) for key in sorted(table)
    )


def _cell(records: Sequence[Record]) -> Cell:
    counts = _count(records)
    return Cell(worst=next(iter(counts)), counts=counts)


def _findings(records: Sequence[Record]) -> tuple[Finding, ...]:
    """Collapse what differs only in dtype, device or mode; a crash or hang is one for all its laws."""
    collected: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        if record.verdict in FINDINGS:
            of_the_pass = record.verdict in ("crash", "timeout")
            law = record.reason if of_the_pass else record.law
            collected.setdefault((record.implementation, record.loss, record.verdict, law), []).append(record)
    found = [
        Finding(
            record=next((r for r in members if r.witness is not None), members[0]),
            laws=_distinct(r.law for r in members),
            dtypes=_distinct(r.dtype for r in members),
            devices=_distinct(r.device for r in members),
            modes=_distinct(r.mode for r in members),
            checks=tuple(r.check for r in members),
        )
        for members in collected.values()
    ]
    return tuple(sorted(found, key=lambda f: (FINDINGS.index(f.record.verdict), f.record.implementation, f.checks)))


def _selections(records: Sequence[Record]) -> tuple[Selection, ...]:
    """Sum over dtypes and devices; laws of one pass saw the same samples: the greatest count stands."""
    passes: dict[tuple[str, ...], Counter[str]] = {}
    for r in records:
        if r.selection:
            seen = passes.setdefault((r.implementation, r.loss, r.mode, r.dtype, r.device), Counter())
            seen |= Counter(r.selection)
            passes[r.implementation, r.loss, r.mode, r.dtype, r.device] = seen
    table: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for (implementation, loss, mode, *_), seen in passes.items():
        table.setdefault((implementation, loss), {}).setdefault(mode, Counter()).update(seen)
    return tuple(
        Selection(*key, modes={mode: dict(sorted(counts.items())) for mode, counts in sorted(table[key].items())})
        for key in sorted(table)
    )


def _with_verdict(records: Sequence[Record], verdict: Verdict) -> tuple[Shared, ...]:
    return _shared([r for r in records if r.verdict == verdict], lambda r: ("", _reason(r)))


def _reason(record: Record) -> str:
    return record.reason or "no reason was recorded"


def _shared(records: Sequence[Record], key: Callable[[Record], tuple[str, str]]) -> tuple[Shared, ...]:
    collected: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        collected.setdefault(key(record), []).append(record)
    rows = [
        Shared(
            text=text,
            law=law,
            implementations=_distinct(r.implementation for r in members),
            dtypes=_distinct(r.dtype for r in members),
            checks=len(members),
        )
        for (law, text), members in collected.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.checks, row.law, row.text)))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
