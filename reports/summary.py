"""What a run comes to: counts, matrix, findings (one, however many dtypes and modes show it), exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from hingeproof.errors import FINDING, GOOD, NOTHING, UNDECIDED
from hingeproof.properties.groups import GROUPS
from hingeproof.runs.records import FINDINGS, NOT_RUN, Record, RunInfo, Verdict

# A verdict on the implementation, one way or the other. `undecided` and `unsupported` are none.
JUDGED: tuple[Verdict, ...] = (*FINDINGS, "known", "pass")
# `unsupported` last: a cell where one mode is unsupported and the rest passed shows that they passed.
WORST_FIRST: tuple[Verdict, ...] = (*FINDINGS, "undecided", "known", "pass", "unsupported")
FINDINGS_KEPT = 5_000  # of a verdict, with their records; no report shows more


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
    groups: tuple[str, ...]
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    modes: tuple[str, ...]
    checks: int


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
    framework: str
    modes: dict[str, dict[str, int]]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the reports say, as data. What is undecided as thin stands in `thin` alone.

    findings: the first 5,000 of each verdict; `more_findings` counts the others by law.
    worst_ulp: the largest error of the values themselves, by implementation.
    """

    verdicts: dict[Verdict, int]
    frameworks: dict[str, dict[Verdict, int]]
    groups: tuple[str, ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    more_findings: dict[str, int]
    selections: tuple[Selection, ...]
    conventions: tuple[Shared, ...]
    notes: tuple[Shared, ...]
    unsupported: tuple[Shared, ...]
    undecided: tuple[Shared, ...]
    known: tuple[Shared, ...]
    thin: tuple[Shared, ...]
    implementations: tuple[str, ...]
    without_gradients: tuple[str, ...]
    worst_ulp: dict[str, float]
    not_run: int
    exit_code: int

    def count(self, *verdicts: Verdict) -> int:
        """Return how many checks got one of these verdicts."""
        return sum(self.verdicts.get(verdict, 0) for verdict in verdicts)

    @property
    def findings_count(self) -> int:
        """All findings, those of which no record was kept too."""
        return len(self.findings) + sum(self.more_findings.values())

    @property
    def guilty(self) -> set[tuple[str, str]]:
        """Every (implementation, loss) with a finding."""
        return {
            (row.implementation, row.loss)
            for row in self.rows
            if any(cell.worst in FINDINGS for cell in row.cells.values())
        }

    @property
    def checks_run(self) -> int:
        """Checks that were tried: all but the unsupported ones and those that a broken run never came to."""
        return sum(self.verdicts.values()) - self.count("unsupported") - self.not_run

    @property
    def gradients_judged(self) -> bool:
        """Whether every implementation that was judged at all had a gradient judged."""
        return bool(self.implementations) and not self.without_gradients


def summarise(info: RunInfo, records: Iterable[Record]) -> Summary:
    """Return the summary of a run, read once; the order of the records does not matter."""
    tally = Tally()
    for record in records:
        tally.add(record)
    return tally.summary(info)


class _Gathered:
    """What one text was said of."""

    __slots__ = ("checks", "dtypes", "implementations")

    def __init__(self) -> None:
        self.checks = 0
        self.implementations: set[str] = set()
        self.dtypes: set[str] = set()


Where = tuple[str, str, str]  # dtype, device, mode


class _Found:
    """The checks of one finding. The record kept is the first by CHECK, one with a witness before one without."""

    __slots__ = ("checks", "laws", "record", "where")

    def __init__(self, record: Record) -> None:
        self.record, self.checks = record, 0
        self.laws: set[tuple[str, str]] = set()  # with their groups
        self.where: set[Where] = set()

    def add(self, record: Record) -> None:
        self.checks += 1
        self.laws.add((record.law, record.group))
        self.where.add((record.dtype, record.device, record.mode))
        if (record.witness is None, record.check) < (self.record.witness is None, self.record.check):
            self.record = record

    def finding(self) -> Finding:
        laws, groups = columns(self.laws, 2)
        dtypes, devices, modes = columns(self.where, 3)
        return Finding(self.record, laws, groups, dtypes, devices, modes, self.checks)


def columns(rows: Iterable[tuple[str, ...]], count: int) -> tuple[tuple[str, ...], ...]:
    """Return the distinct values of each column, sorted."""
    together = list(rows)
    return tuple(tuple(sorted({row[i] for row in together})) for i in range(count))


_Texts = dict[tuple[str, str], _Gathered]


class Tally:
    """Everything that is counted in one pass over the records; no record is kept but one a finding."""

    def __init__(self) -> None:
        # row and group → counts by verdict; all other counts are sums of these
        self.cells: dict[tuple[str, str, str, str], dict[Verdict, int]] = {}
        self.found: dict[tuple[str, str, Verdict, str], _Found] = {}
        self.passes: dict[tuple[str, str, str, str, str, str], dict[str, int]] = {}
        self.conventions: _Texts = {}
        self.notes: _Texts = {}
        self.unsupported: _Texts = {}
        self.undecided: _Texts = {}
        self.known: _Texts = {}
        self.thin: _Texts = {}
        self.not_run = 0
        self.worst_ulp: dict[str, float] = {}
        self.kept: dict[Verdict, int] = {}
        self.beyond: set[int] = set()
        self.more: dict[str, int] = {}

    def add(self, r: Record) -> None:
        verdict = r.verdict
        key = (r.implementation, r.loss, r.framework, r.group)
        counts = self.cells.get(key)
        if counts is None:
            counts = self.cells[key] = {}
        counts[verdict] = counts.get(verdict, 0) + 1
        if r.worst_ulp is not None and r.group == "value" and r.worst_ulp > self.worst_ulp.get(r.implementation, -1.0):
            self.worst_ulp[r.implementation] = r.worst_ulp
        if r.selection:
            self._selected(r)
        if r.convention:
            self._said(self.conventions, r.law, r.convention, r)
        if r.note:
            self._said(self.notes, r.law, r.note, r)
        if r.thin:
            self._said(self.thin, "", ", ".join(sorted(r.thin)), r)
        if verdict == "pass":
            return
        if verdict in FINDINGS:
            # a crash or a hang is one finding for all the laws of its pass
            what = r.reason if verdict in ("crash", "timeout") else r.law
            self._found(r, (r.implementation, r.loss, verdict, what))
            return
        reason = r.reason or "no reason was recorded"
        if verdict == "unsupported":
            self._said(self.unsupported, "", reason, r)
        elif verdict == "known":
            self._said(self.known, r.law, reason, r)
        elif not r.thin:
            self._said(self.undecided, "", reason, r)
        self.not_run += verdict == "undecided" and r.reason == NOT_RUN

    def _found(self, r: Record, key: tuple[str, str, Verdict, str]) -> None:
        found = self.found.get(key)
        if found is None:
            kept = self.kept.get(r.verdict, 0)
            if kept >= FINDINGS_KEPT:
                # hashes: names of a million findings would be hundreds of megabytes
                if (mark := hash(key)) not in self.beyond:
                    self.beyond.add(mark)
                    self.more[r.law] = self.more.get(r.law, 0) + 1
                return
            self.kept[r.verdict] = kept + 1
            found = self.found[key] = _Found(r)
        found.add(r)

    def _said(self, texts: _Texts, law: str, text: str, record: Record) -> None:
        gathered = texts.get((law, text))
        if gathered is None:
            gathered = texts[law, text] = _Gathered()
        gathered.checks += 1
        gathered.implementations.add(record.implementation)
        gathered.dtypes.add(record.dtype)

    def _selected(self, r: Record) -> None:
        """Laws of one pass saw the same samples: the greatest count stands."""
        seen = self.passes.setdefault((r.implementation, r.loss, r.framework, r.mode, r.dtype, r.device), {})
        for point, count in r.selection.items():
            seen[point] = max(seen.get(point, 0), count)

    def summary(self, info: RunInfo) -> Summary:
        verdicts = _sum(self.cells.values())
        judged = [key for key, counts in self.cells.items() if any(verdict in counts for verdict in JUDGED)]
        implementations = tuple(sorted({implementation for implementation, *_ in judged}))
        with_gradient = {implementation for implementation, _, _, group in judged if group == "gradient"}
        present = {group for *_, group in self.cells}
        found = [found.finding() for found in self.found.values()]
        return Summary(
            verdicts=verdicts,
            frameworks={
                name: _sum(counts for key, counts in self.cells.items() if key[2] == name)
                for name in sorted({framework for _, _, framework, _ in self.cells})
            },
            # a run of another version may have groups of other names
            groups=tuple([name for name in GROUPS if name in present] + sorted(present.difference(GROUPS))),
            rows=self._rows(),
            findings=tuple(
                sorted(
                    found,
                    key=lambda f: (FINDINGS.index(f.record.verdict), f.record.implementation, f.record.check),
                )
            ),
            more_findings=dict(sorted(self.more.items())),
            selections=self._selections(),
            conventions=_shared(self.conventions),
            notes=_shared(self.notes),
            unsupported=_shared(self.unsupported),
            undecided=_shared(self.undecided),
            known=_shared(self.known),
            thin=_shared(self.thin),
            implementations=implementations,
            without_gradients=tuple(name for name in implementations if name not in with_gradient),
            worst_ulp=dict(sorted(self.worst_ulp.items())),
            not_run=self.not_run,
            exit_code=exit_code(verdicts, strict=info.plan.strict),
        )

    def _rows(self) -> tuple[Row, ...]:
        table: dict[tuple[str, str, str], dict[str, Cell]] = {}
        for (*key, group), counts in sorted(self.cells.items()):
            ordered = _sum([counts])
            cell = Cell(worst=next(iter(ordered)), counts=ordered)
            table.setdefault((key[0], key[1], key[2]), {})[group] = cell
        return tuple(Row(*key, cells=cells) for key, cells in table.items())

    def _selections(self) -> tuple[Selection, ...]:
        """Sum over dtypes and devices."""
        table: dict[tuple[str, str, str], dict[str, Counter[str]]] = {}
        for (implementation, loss, framework, mode, *_), seen in self.passes.items():
            modes = table.setdefault((implementation, loss, framework), {})
            modes.setdefault(mode, Counter()).update(seen)
        return tuple(
            Selection(*key, modes={mode: dict(sorted(counts.items())) for mode, counts in sorted(table[key].items())})
            for key in sorted(table)
        )


def _sum(many: Iterable[Mapping[Verdict, int]]) -> dict[Verdict, int]:
    """Add counts up, the worst verdict first."""
    total: Counter[Verdict] = Counter()
    for counts in many:
        total.update(counts)
    return {verdict: total[verdict] for verdict in WORST_FIRST if total[verdict]}


def _shared(texts: _Texts) -> tuple[Shared, ...]:
    rows = [
        Shared(
            text=text,
            law=law,
            implementations=tuple(sorted(gathered.implementations)),
            dtypes=tuple(sorted(gathered.dtypes)),
            checks=gathered.checks,
        )
        for (law, text), gathered in texts.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.checks, row.law, row.text)))


def exit_code(verdicts: dict[Verdict, int], *, strict: bool) -> int:
    """Return the exit code that verdicts deserve: the worst in the order 1, 5, 3, 0."""
    if any(verdicts.get(verdict) for verdict in FINDINGS):
        return FINDING
    if not any(verdicts.get(verdict) for verdict in JUDGED):
        return NOTHING
    return UNDECIDED if strict and verdicts.get("undecided") else GOOD
