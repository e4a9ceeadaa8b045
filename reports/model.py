"""A run directory of any kind, ready to be rendered: what it says of itself, its summary, its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from hingeproof.errors import FINDING, GOOD, NOTHING
from hingeproof.reports import pairs, proofs, timings
from hingeproof.reports.compare import Difference, compare
from hingeproof.reports.summary import Summary, exit_code, summarise
from hingeproof.reports.write import terminal
from hingeproof.runs import reader
from hingeproof.runs.figures import Figure
from hingeproof.runs.kinds import BENCH, GATE, PROOF, VERIFY
from hingeproof.runs.records import Pair, Record, RunInfo
from hingeproof.runs.timings import BenchInfo, GateRow, Timing, between, gate_code

_GATE = ("case", "base", "head", "verdict", "reason", "effect", "low", "high", "floor")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `info` and `summary` are there for a verify run, `timed` and `timings` for a bench run, `proved` for a
    proof.
    """

    name: str
    directory: Path
    kind: str
    info: RunInfo | None = None
    summary: Summary
    timed: BenchInfo | None = None
    gates: tuple[GateRow, ...] = ()
    timings: tuple[Timing, ...] = ()
    figures: tuple[Figure, ...] = ()
    pairs: tuple[Pair, ...] = ()
    proved: proofs.Proved | None = None
    exit_code: int = GOOD

    @property
    def verified(self) -> RunInfo:
        """What a verify run says of itself."""
        assert self.info is not None
        return self.info

    def records(self) -> Iterator[Record]:
        """Yield the verdicts, read from disk each time."""
        return reader.records(self.directory, self.verified, VERIFY)


def run(directory: Path, *, summarised: bool = True) -> Told:
    """Return the run in a directory; `summarised=False` leaves its records unread. Raises: UnreadableRunError."""
    name = directory.resolve().name
    kind = reader.kind_of(directory)
    if kind == GATE.name:
        gate = reader.read(directory, GATE)
        return Told(
            name=name, directory=directory, kind=kind, summary=_NOTHING, timed=gate.info, gates=gate.records,
            exit_code=gate_code(gate.records, strict=False),
        )  # fmt: skip
    if kind == BENCH.name:
        bench = reader.read(directory, BENCH)
        code = GOOD if any(row.status == "measured" for row in bench.records) else NOTHING
        return Told(
            name=name, directory=directory, kind=kind, summary=_NOTHING, timed=bench.info, timings=bench.records,
            figures=reader.figures(directory), exit_code=code,
        )  # fmt: skip
    if kind == PROOF.name:
        proved = proofs.of_directory(directory, complete=reader.read_info(directory, PROOF).complete)
        return Told(
            name=name, directory=directory, kind=kind, summary=_NOTHING, proved=proved, exit_code=proved.exit_code
        )  # fmt: skip
    info = reader.read_info(directory, VERIFY)
    if not summarised:
        return Told(name=name, directory=directory, kind=kind, info=info, summary=_NOTHING)
    summary = summarise(info, reader.records(directory, info, VERIFY))
    return Told(
        name=name, directory=directory, kind=kind, info=info, summary=summary, figures=reader.figures(directory),
        pairs=reader.pairs(directory), exit_code=summary.exit_code,
    )  # fmt: skip


def distinct_names(directories: Sequence[Path]) -> list[str]:
    """Return the directories' own names, with as many parents as make them distinct, and no path beyond that."""
    parts = [directory.resolve().parts for directory in directories]
    deepest = max(len(part) for part in parts)
    for depth in range(1, deepest + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return [f"{name} ({place})" if names[:place].count(name) else name for place, name in enumerate(names)]


def difference(base: Told, head: Told, names: tuple[str, str], *, strict: bool) -> Difference:
    """Return what differs between two runs of one kind."""
    if base.info is not None and head.info is not None:
        sides = (base.info, base.records()), (head.info, head.records())
        return compare(*sides, names=names, strict=strict)
    assert base.timed is not None
    assert head.timed is not None
    return timing_difference(base.timed, head.timed, (base.timings, head.timings), names)


def timing_difference(
    base: BenchInfo,
    head: BenchInfo,
    rows: tuple[Iterable[Timing], Iterable[Timing]],
    names: tuple[str, str],
) -> Difference:
    """Return what changed between two timing runs."""
    from hingeproof.reports.compare import differing

    same = base.environment_hash == head.environment_hash
    changed = timings.compare(*rows, comparable=same)
    worse = any(row.verdict == "slower" for row in changed)
    sides = zip(names, (base, head), strict=True)
    return Difference(
        base=names[0],
        head=names[1],
        environment=differing(base.comparable, head.comparable),
        plan=(),
        changes=(),
        selections=(),
        accuracy=(),
        conventions=(),
        timings=tuple(changed),
        compared=len(changed),
        incomplete=tuple(name for name, info in sides if not info.complete),
        base_summary=_NOTHING,
        head_summary=_NOTHING,
        exit_code=FINDING if worse else GOOD if changed else NOTHING,
    )


def sentence(told: Told) -> str:
    """Return the verdict on a run in one sentence."""
    if told.info is not None:
        return terminal.verdict_sentence(told.info, told.summary)
    if told.proved is not None:
        return proofs.sentence(told.proved)
    if told.kind == "gate":
        counts = Counter(row.verdict for row in told.gates)
        sides = next((f"{row.base} → {row.head}: " for row in told.gates), "")
        said = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items())) or "no case"
        different = between(told.timed.sides) if told.timed is not None else ""
        return f"{sides}{said}.{f' Different: {different}.' if different else ''}"
    count = sum(row.status == "measured" for row in told.timings)
    other = len(told.timings) - count
    begin = "" if told.timed is None or told.timed.complete else "The run is not complete; so far "
    return f"{begin}{count:,} timed{f', {other:,} not' if other else ''}."


def to_terminal(told: Told, statements: Mapping[str, str], console: Console) -> None:
    """Write the report of one run."""
    if told.info is not None:
        terminal.render_summary(told.info, told.summary, statements, console)
        pairs.render(told.pairs, console)
        return
    from hingeproof.reports.tables import gate_table, timing_table
    from hingeproof.reports.write.page import Page
    from hingeproof.reports.write.terminal_diff import write_table

    page = Page(console)
    page.paragraph(sentence(told), style="bold")
    if told.proved is not None:
        write_table(page, proofs.proved_table(told.proved.certificates))
        for line in proofs.offender_lines(told.proved.certificates):
            page.paragraph(f"- {line}", indent="", hang="  ")
        return
    write_table(page, gate_table(told.gates) if told.kind == "gate" else timing_table(told.timings))


def as_data(told: Sequence[Told]) -> dict[str, Any]:
    """Return everything that a report says, to be written as JSON."""
    return {
        "runs": [
            {
                "run": run.name,
                "kind": run.kind,
                "sentence": sentence(run),
                "exit_code": run.exit_code,
                "info": run.info if run.info is not None else run.timed,
                "summary": run.summary if run.info is not None else None,
                "timings": [
                    {"case": row.case, "status": row.status, "reason": row.reason,
                     "seconds": timings.interval(row.calls), "ratio": timings.interval(row.ratios)}
                    for row in run.timings
                ],
                "certificates": run.proved.certificates if run.proved is not None else [],
                "gates": [{name: getattr(row, name) for name in _GATE} for row in run.gates],
            }
            for run in told
        ]
    }  # fmt: skip


_NOTHING = Summary(
    verdicts={}, frameworks={}, groups=(), rows=(), findings=(), more_findings={}, selections=(), conventions=(),
    notes=(), unsupported=(), undecided=(), known=(), thin=(), implementations=(), without_gradients=(), worst_ulp={},
    not_run=0,
    exit_code=exit_code({}, strict=False),
)  # fmt: skip
