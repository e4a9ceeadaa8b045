"""Findings as GitHub workflow commands: at most ten, the worst first, as GitHub shows no more of a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hingeproof.reports.compare import Difference
from hingeproof.reports.findings import command
from hingeproof.reports.summary import Summary
from hingeproof.reports.text import number, one_line
from hingeproof.reports.write.page import SIGNS
from hingeproof.runs.records import FINDINGS, Record, RunInfo

AT_MOST = 10


def of_runs(runs: Sequence[tuple[RunInfo, Summary]]) -> list[str]:
    """Return one line a finding; the last of ten says how many there are beyond."""
    found = [(info, f.record, f.checks) for info, summary in runs for f in summary.findings]
    found.sort(key=lambda item: FINDINGS.index(item[1].verdict))
    return _cut([_line(info, record, number(checks, "check")) for info, record, checks in found])


def of_difference(difference: Difference, info: RunInfo | None) -> list[str]:
    """Return one line for each thing that got worse."""
    lines = [
        _line(info, c.record, f"{c.base or 'absent'} → {c.head}, {number(c.checks, 'check')}")
        for c in difference.worse
        if c.record is not None and info is not None
    ]
    for row in difference.timings:
        if row.verdict == "slower" and row.change is not None:
            ends = f"{row.change.low:.3f} … {row.change.high:.3f}"
            lines.append(_command("error", f"slower: {row.case}", f"{row.change.middle:.3f} times the base ({ends})"))
    return _cut(lines)


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= AT_MOST:
        return lines
    rest = len(lines) - AT_MOST + 1
    return [*lines[: AT_MOST - 1], _command("error", "hingeproof", f"… and {rest:,} more: see the report")]


def _line(info: RunInfo, record: Record, how_many: str) -> str:
    title = f"{record.implementation} ({record.loss}) {SIGNS[record.verdict].word}: {record.law}"
    lines = [f"{how_many}: {record.check}"]
    if record.reason:
        lines.append(one_line(record.reason))
    if record.witness is not None:
        lines += [f"expected {one_line(record.witness.expected)}", f"observed {one_line(record.witness.observed)}"]
    lines.append(f"again: {command(info, record, record)}")
    return _command("error", title, "\n".join(lines))


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_escape(one_line(title), ':,')}::{_escape(_safe_lines(message.splitlines()), '')}"


def _safe_lines(lines: Iterable[str]) -> str:
    return "\n".join(one_line(line) for line in lines)


def _escape(text: str, more: str) -> str:
    """Escape as actions/toolkit does: a message or a property cannot end, or begin, a command."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
