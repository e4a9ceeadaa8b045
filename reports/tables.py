"""The tables of a report as data: the terminal, Markdown and HTML lay out the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.reports import pairs
from hingeproof.reports.compare import Change, Difference, Differs, Kind
from hingeproof.reports.summary import Selection, Shared, Summary
from hingeproof.reports.text import names, number, one_line
from hingeproof.reports.timings import interval, seconds
from hingeproof.runs.records import FINDINGS, Pair, RunInfo, Verdict
from hingeproof.runs.timings import GateRow, Timing, TimingCase

State = Literal["", "bad", "good", "open"]
REASON = 240  # characters of a reason: it may be a whole exception


class Line(msgspec.Struct, frozen=True):
    """A row. Its state is said by its cells too, never by colour alone."""

    cells: tuple[str, ...]
    state: State = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A titled table. `folded`: of interest to whoever looks for it."""

    key: str
    title: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    note: str = ""
    folded: bool = False


def state(verdict: Verdict | None) -> State:
    """Return how a verdict is to be looked at."""
    if verdict in FINDINGS:
        return "bad"
    return "good" if verdict == "pass" else "open" if verdict == "undecided" else ""


# -- one run or several ----------------------------------------------------------------------------------------


def run_tables(runs: Sequence[tuple[RunInfo, Summary]]) -> list[Table]:
    """Return the tables of runs: the kink first, then whatever is no verdict of its own."""
    everyone = sorted({row.implementation for _, summary in runs for row in summary.rows})

    def shared(key: str, title: str, field: str) -> Table:
        rows = [(info, row) for info, summary in runs for row in getattr(summary, field)]
        several = len(runs) > 1
        return Table(
            key=key,
            title=title,
            head=("law", "what", "implementations", "checks", *(["versions"] if several else [])),
            lines=tuple(_shared(row, everyone, [versions(info)] if several else []) for info, row in rows),
            folded=True,
        )

    made = [
        kink_table(runs),
        shared("notes", "Measured, not judged", "notes"),
        shared("conventions", "Conventions: documented or chosen, not failures", "conventions"),
        shared("known", "Known deviations", "known"),
        shared("undecided", "Undecided", "undecided"),
        shared("thin", "Thin strata: too few samples fell there to count as evidence", "thin"),
        shared("unsupported", "Not tested (unsupported)", "unsupported"),
    ]
    return [table for table in made if table.lines]


def _shared(row: Shared, everyone: Iterable[str], more: Sequence[str]) -> Line:
    text = one_line(row.text)
    text = text if len(text) <= REASON else f"{text[:REASON]}…"
    who = ", ".join(names(row.implementations, everyone))
    return Line((row.law, text, who, f"{row.checks:,}", *more))


def versions(info: RunInfo) -> str:
    """Return the frameworks of a run's environment with their versions."""
    known = (*(f.distribution for f in FRAMEWORKS.values()), "keras")
    return ", ".join(f"{name} {info.environment[name]}" for name in known if name in info.environment)


def kink_table(runs: Sequence[tuple[RunInfo, Summary]]) -> Table:
    """Return framework × spelling × mode × version: the weight of the violated side's slope in the gradient."""
    selections = [(info, s) for info, summary in runs for s in summary.selections]
    modes = sorted({mode for _, s in selections for mode in s.modes}, key=lambda mode: (mode != "eager", mode))
    alike: dict[tuple[str, ...], list[Selection]] = {}
    for info, s in selections:
        version = info.environment.get(s.framework, "")
        cells = tuple(points(s.modes.get(mode, {})) for mode in modes)
        alike.setdefault((s.framework, version, *cells), []).append(s)
    everyone = {s.implementation for _, s in selections}
    lines = [
        Line((framework, version, ", ".join(_names([m.implementation for m in members], everyone)), *cells))
        for (framework, version, *cells), members in sorted(alike.items())
    ]
    return Table(
        key="kink",
        title="Seen at the kink",
        head=("framework", "version", "implementations", *modes),
        lines=tuple(lines),
        note="The weight w in [0, 1] of the violated side's slope in the gradient at z = Δ, by mode. Each w is a legal "
        "sub-gradient; which one is chosen decides what training does there. Several: more than one was seen.",
    )


def _names(members: Sequence[str], everyone: set[str]) -> list[str]:
    """Return names in full; `numpy.* (13)` only where all of a namespace are meant."""
    short = names(members, everyone, at_most=len(members))
    if not any(" of " in name for name in short):
        return short
    return [one_line(name) for name in sorted(set(members))]


def points(seen: dict[str, int] | Iterable[str]) -> str:
    """Return the points of the interval that were seen, in order: `0, ½`."""
    order = ("0", "1/2", "1")
    known = sorted(seen, key=lambda p: (order.index(p) if p in order else 9, p))
    return ", ".join("½" if p == "1/2" else p for p in known)


def pair_tables(found: Sequence[Pair]) -> list[Table]:
    """Return implementations of one loss beside one another, and modes that differ from eager."""
    seen = [p for p in found if p.samples]
    implementations = [p for p in seen if p.kind == "implementations"]
    modes = pairs.different_modes(p for p in seen if p.kind == "modes")
    made = []
    if implementations:
        head, rows = pairs.by_loss(implementations)
        lines = tuple(Line(tuple(row)) for row in rows)
        title = "Same loss, same inputs, different implementations"
        made.append(Table(key="pairs", title=title, head=tuple(head), lines=lines, note=pairs.NOTE, folded=True))
    if modes:
        made.append(
            Table(
                key="modes",
                title="Modes that differ from eager at the same inputs",
                head=("implementation", "dtype", "mode", "other sub-gradient", "not finite", "at", "eager", "the mode"),
                lines=tuple(
                    Line(
                        (
                            p.first, p.dtype, p.second_mode, f"{p.selected_differently:,} of {p.samples:,}",
                            f"{p.not_finite:,}",
                            ", ".join(f"{n} {v}" for n, v in p.selection.items() if n not in ("first", "second")),
                            p.selection.get("first", ""), p.selection.get("second", ""),
                        )
                    )
                    for p in modes
                ),
                folded=True,
            )
        )  # fmt: skip
    return made


# -- two runs ------------------------------------------------------------------------------------------------

TITLES: dict[Kind, str] = {
    "newly_failing": "Newly failing",
    "new": "New checks",
    "not_judged": "No longer judged",
    "vanished": "Vanished checks",
    "otherwise": "Changed otherwise",
    "newly_passing": "Newly passing",
    "still_failing": "Still failing",
}


def diff_sentence(d: Difference) -> str:
    """Return what the head comes to against the base, in one sentence."""
    begin = f"{' and '.join(d.incomplete)} not complete; so far: " if d.incomplete else ""
    if not d.compared and not d.worse:
        return f"{begin}Nothing was compared: the runs have no check in common."
    if d.timings:
        counts = Counter(row.verdict for row in d.timings)
        told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items())
        return f"{begin}{'Worse: ' if counts['slower'] else ''}of {number(d.compared, 'case')} in both, {told}."
    worse = d.worse
    parts = []
    if worse:
        checks = sum(change.checks for change in worse)
        guilty = {(change.implementation, change.loss) for change in worse}
        fail = "fails" if checks == 1 else "fail"
        parts.append(f"Worse: {number(checks, 'check')} newly {fail} in {number(len(guilty), 'implementation')}")
    else:
        parts.append(f"Nothing got worse in {number(d.compared, 'check')} that both runs have")
    for kind, words in (
        ("newly_passing", "newly passing"), ("still_failing", "still failing"), ("not_judged", "no longer judged"),
        ("vanished", "vanished"),
    ):  # fmt: skip
        if count := d.checks(kind):  # type: ignore[arg-type]
            parts.append(f"{count:,} {words}")
    if d.selections:
        parts.append(f"{number(len(d.selections), 'kink selection')} changed")
    explained = [change for change in d.changes if change.kind == "newly_failing" and change.explained_by]
    sentence = "; ".join(parts)
    by = {name for change in explained for name in change.explained_by}
    by |= {name for selected in d.selections for name in selected.explained_by}
    facts = [
        f"{fact.name} {fact.base or 'absent'} → {fact.head or 'absent'}" for fact in d.environment if fact.name in by
    ]
    if facts:
        sentence += f" ({', '.join(facts)} may explain it)"
    return f"{begin}{sentence}."


def diff_tables(d: Difference) -> list[Table]:
    """Return the tables of a difference: first what may explain it, then what got worse."""
    made = [
        _facts("environment", "What differs in the environment", d.environment, (d.base, d.head)),
        _facts("plan", "What differs in what was asked for", d.plan, (d.base, d.head)),
        _slower(d),
        *(_changes(d, kind) for kind in TITLES),
        Table(
            key="selections",
            title="Changed kink selections",
            head=("implementation", "loss", "mode", d.base, d.head, "explained by?"),
            lines=tuple(
                Line((s.implementation, s.loss, s.mode, points(s.base), points(s.head), ", ".join(s.explained_by)))
                for s in d.selections
            ),
            note="The weight of the violated side's slope at the kink. A change is legal, and trains differently.",
        ),
        Table(
            key="accuracy",
            title="Changed worst error, in ulp",
            head=("implementation", "loss", "law", "dtype", d.base, d.head),
            lines=tuple(
                Line((a.implementation, a.loss, a.law, a.dtype, f"{a.base:.4g}", f"{a.head:.4g}")) for a in d.accuracy
            ),
            note="The largest seen; with another seed or framework version the samples may differ too.",
            folded=True,
        ),
        Table(
            key="conventions",
            title="Changed conventions",
            head=("implementation", "loss", "law", d.base, d.head, "checks"),
            lines=tuple(
                Line((c.implementation, c.loss, c.law, one_line(c.base), one_line(c.head), f"{c.checks:,}"))
                for c in d.conventions
            ),
            folded=True,
        ),
    ]
    return [table for table in made if table.lines]


def _slower(d: Difference) -> Table:
    def percent(ratio: float) -> str:
        return f"{(ratio - 1) * 100:+.1f} %"

    return Table(
        key="timings",
        title="Timing changes",
        head=("case", "verdict", "change", "99 % interval", d.base, d.head),
        lines=tuple(
            Line(
                (
                    s.case, s.verdict,
                    *(("", "") if s.change is None else
                      (percent(s.change.middle), f"{percent(s.change.low)} … {percent(s.change.high)}")),
                    "" if s.base is None else f"{s.base:.4g}", "" if s.head is None else f"{s.head:.4g}",
                ),
                "bad" if s.verdict == "slower" else "good" if s.verdict == "faster" else "",
            )
            for s in d.timings
        ),
        note="Time over that of the frozen kernel beside it in the same run, medians of blocks. Two runs one after the "
        "other differ without any cause: under 5 % nothing is called slower, and `hingeproof bench gate` confirms.",
    )  # fmt: skip


def timing_table(rows: Iterable[Timing]) -> Table:
    """Return one line a timed case: median, interval, share of the roof."""
    rows = list(rows)
    whats, common = _cases([row.fields for row in rows])
    return Table(
        key="timings",
        title=f"Timings{common}",
        head=("implementation", "case", "median", "99 % interval", "of the roof"),
        lines=tuple(_timed(row, what) for row, what in zip(rows, whats, strict=True)),
    )


def gate_table(rows: Iterable[GateRow]) -> Table:
    """Return one line a case of the paired gate, regressions first."""
    order = ("regression", "invalid", "inconclusive")
    ranked = sorted(rows, key=lambda r: (order.index(r.verdict) if r.verdict in order else len(order), r.case))
    whats, common = _cases([r.fields for r in ranked])
    return Table(
        key="gate",
        title=f"Paired gate{common}",
        head=("implementation", "case", "verdict", "change", "99 % interval", "noise floor", "reason"),
        lines=tuple(
            Line(
                (
                    r.case if r.fields is None else r.fields.implementation, what, r.verdict, _percent(r.effect),
                    "" if r.low is None or r.high is None else f"{_percent(r.low)} … {_percent(r.high)}",
                    "" if r.floor is None else f"{r.floor:.1%}", one_line(r.reason),
                ),
                "bad" if r.verdict in ("regression", "invalid") else "open" if r.verdict == "inconclusive" else "",
            )
            for r, what in zip(ranked, whats, strict=True)
        ),
        note="Base and head were run interleaved, in fresh processes; the noise floor is that of base against itself.",
    )  # fmt: skip


def _cases(cases: Sequence[TimingCase | None]) -> tuple[list[str], str]:
    """Return what tells each case from the others, and what they all share as the end of a title."""
    parts = [
        () if c is None else
        (
            c.phase, c.mode, f"N={c.n:,}" + (f" K={c.k:,}" if c.k > 1 else ""), c.dtype, c.device,
            f"{c.inside:g} inside", c.layout, c.cache, number(c.threads, "thread"),
        )
        for c in cases
    ]  # fmt: skip
    shared = {p for p in parts[0] if all(p in other for other in parts)} if parts else set()
    whats = [", ".join(p for p in part if p not in shared) for part in parts]
    common = ", ".join(p for p in parts[0] if p in shared) if shared else ""
    return whats, f": {common}" if common else ""


def _percent(change: float | None) -> str:
    return "" if change is None else f"{change * 100:+.1f} %"


def _timed(row: Timing, what: str) -> Line:
    case = row.fields
    found = interval(row.calls)
    if row.status != "measured" or found is None:
        return Line((case.implementation, what, row.status, one_line(row.reason), ""), "open")
    roof = f"{row.bytes / found.middle / row.roof:.0%}" if row.roof and row.bytes else ""
    span = f"{seconds(found.low)} … {seconds(found.high)}"
    return Line((case.implementation, what, seconds(found.middle), span, roof))


def _facts(key: str, title: str, facts: Iterable[Differs], names: tuple[str, str]) -> Table:
    lines = tuple(Line((fact.name, fact.base or "absent", fact.head or "absent")) for fact in facts)
    return Table(key=key, title=title, head=("what", *names), lines=lines)


def _changes(d: Difference, kind: Kind) -> Table:
    return Table(
        key=kind.replace("_", "-"),
        title=TITLES[kind],
        head=("law", "implementation", "loss", "verdicts", "dtypes", "modes", "checks", "explained by?"),
        lines=tuple(_change(change) for change in d.of(kind)),
        folded=kind in ("still_failing", "new", "newly_passing", "vanished") and not any(c.worse for c in d.of(kind)),
    )


def _change(change: Change) -> Line:
    verdicts = f"{change.base or 'absent'} → {change.head or 'absent'}"
    return Line(
        (
            change.law, change.implementation, change.loss, verdicts, ", ".join(change.dtypes),
            ", ".join(change.modes), f"{change.checks:,}", ", ".join(change.explained_by),
        ),
        "bad" if change.worse else state(change.head),
    )  # fmt: skip
