"""Runs and differences as GitHub Markdown: what does not fit is cut from the end, never the verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

import msgspec

from hingeproof.errors import FINDING
from hingeproof.frameworks.registry import REFERENCES
from hingeproof.reports.compare import Difference
from hingeproof.reports.findings import ELEMENTS, command
from hingeproof.reports.model import Told, sentence
from hingeproof.reports.proofs import offender_table, proved_table
from hingeproof.reports.summary import Finding, Summary
from hingeproof.reports.tables import (
    Table,
    diff_sentence,
    diff_tables,
    gate_table,
    pair_tables,
    run_tables,
    timing_table,
)
from hingeproof.reports.text import number, one_line, visible
from hingeproof.reports.write.page import SIGNS
from hingeproof.reports.write.terminal import counts, verdict_sentence
from hingeproof.runs.records import RunInfo, Tensor, Witness

SUMMARY = 1024 * 1024  # bytes of a step summary (GitHub: 1 MiB a step)
COMMENT = 65_536  # characters of a comment; counted in bytes here, so a few fewer
TABLE_LINES = 500
ZEROS = re.compile(r"(0x[01](?:\.[0-9a-f]*[1-9a-f])?)\.?0*p")  # 0x1.8000000000000p-2 is 0x1.8p-2
FINDINGS_IN_FULL = 200
# What Markdown, or GitHub's additions to it, would read as more than text.
SPECIAL = re.compile(r"([\\`*_{}\[\]#|~>])")


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section: what stands above its items, the items in order of weight, and what is said of those left out."""

    head: str
    items: list[str]
    foot: str = ""
    rest: Callable[[int], str] = lambda count: f"\n… and {count:,} more.\n"


def of_runs(told: Sequence[Told], statements: Mapping[str, str], *, limit: int = SUMMARY) -> str:
    """Return the report of one run or several in at most `limit` bytes."""
    runs = [(run.name, run.info, run.summary) for run in told if run.info is not None]
    timed = [run for run in told if run.info is None]
    proved = [run.proved for run in told if run.proved is not None]
    top = "".join(_verdict(name, info, summary, several=len(runs) > 1) for name, info, summary in runs)
    top += "".join(f"## {prose(sentence(run))}\n\n{prose(run.name)}\n\n" for run in timed)
    blocks = [_findings(info, summary, statements) for _, info, summary in runs if summary.findings]
    blocks += [_matrix(name if len(runs) > 1 else "", summary) for name, _, summary in runs if summary.rows]
    blocks += [_table(table) for table in run_tables([(info, summary) for _, info, summary in runs])]
    blocks += [_table(table) for table in pair_tables([pair for run in told for pair in run.pairs])]
    blocks += [
        _table(gate_table(run.gates) if run.gates else timing_table(run.timings)) for run in timed if run.proved is None
    ]
    blocks += [_table(make(run.certificates)) for run in proved for make in (proved_table, offender_table)]
    return assemble(top, blocks, limit)


def of_difference(d: Difference, info: RunInfo | None, statements: Mapping[str, str], *, limit: int = SUMMARY) -> str:
    """Return the report on two runs in at most `limit` bytes. info: the head's."""
    mark = "❌" if d.exit_code == FINDING else "✅" if d.compared else "⚪"
    top = f"## {mark} {prose(diff_sentence(d))}\n\n"
    top += f"base: {code(d.base)} · head: {code(d.head)}\n\n"
    tables = [_table(table) for table in diff_tables(d)]
    if info is not None and (shown := d.findings):
        tables.insert(
            1 if d.environment else 0,
            Section(
                head="### What got worse\n\n",
                items=[_finding(info, f, statements) for f in shown[:FINDINGS_IN_FULL]],
                rest=_beyond(len(shown), "hingeproof diff"),
            ),
        )
    return assemble(top, tables, limit)


def assemble(top: str, blocks: Sequence[Section], limit: int) -> str:
    """Join the verdict and the blocks; items that would pass the limit are left out and counted."""
    out = [top]
    used = _size(top)
    # each block keeps room to say how much of it is missing
    reserve = sum(_size(block.head) + _size(block.foot) + _size(block.rest(10**9)) for block in blocks)
    for block in blocks:
        own = _size(block.head) + _size(block.foot) + _size(block.rest(10**9))
        reserve -= own
        if used + own + reserve > limit:
            continue
        out.append(block.head)
        used += own
        shown = 0
        for item in block.items:
            if used + _size(item) + reserve > limit:
                break
            out.append(item)
            used += _size(item)
            shown += 1
        out.append(block.foot)
        if shown < len(block.items) or block.rest(0):
            out.append(block.rest(len(block.items) - shown))
    return "".join(out)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


# -- text that others chose ------------------------------------------------------------------------------------


def prose(text: str) -> str:
    """Return foreign text so that it reads as it is: no markup, no HTML, no mention of anyone."""
    return SPECIAL.sub(r"\\\1", escape(one_line(text), quote=False).replace("@", "@\u200b"))


def code(text: str) -> str:
    """Return foreign text as a code span."""
    text = one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return lines as a code block."""
    text = visible(text)
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


# -- parts -----------------------------------------------------------------------------------------------------


def _verdict(name: str, info: RunInfo, summary: Summary, *, several: bool) -> str:
    mark = "❌" if summary.findings else "✅" if summary.count("pass") else "⚪"
    title = f"## {mark} {prose(verdict_sentence(info, summary))}\n\n"
    facts = [
        *counts(info, summary),
        *(f"{k} {info.environment[k]}" for k in (*REFERENCES, "python") if k in info.environment),
    ]
    if several:
        facts.insert(0, name)
    lines = title + " · ".join(prose(fact) for fact in facts) + "\n\n"
    for framework, count in sorted(info.missing.items()):
        lines += f"⚠️ {prose(framework)} is not installed: {number(count, 'check')} did not run.\n\n"
    return lines


def _matrix(name: str, summary: Summary) -> Section:
    """Rows with findings first: what is cut is what passed."""
    title = f"### Implementation × group of laws{f' ({prose(name)})' if name else ''}\n\n"
    groups = " | ".join(map(prose, summary.groups))
    head = f"{title}| implementation | loss | {groups} |\n|---|---|{'---|' * len(summary.groups)}\n"
    guilty = summary.guilty
    rows = sorted(summary.rows, key=lambda row: (row.implementation, row.loss) not in guilty)
    items = []
    for row in rows[:TABLE_LINES]:
        cells = []
        for group in summary.groups:
            cell = row.cells.get(group)
            if cell is None:
                cells.append("")
            else:
                count = "" if cell.worst in ("pass", "unsupported") else f" {cell.counts[cell.worst]:,}"
                cells.append(f"{SIGNS[cell.worst].sign}{count}")
        items.append(f"| {_cell(row.implementation)} | {prose(row.loss)} | {' | '.join(cells)} |\n")
    signs = ", ".join(f"{sign.sign} {sign.word}" for sign in SIGNS.values())
    return Section(
        head=head,
        items=items,
        rest=lambda left: (
            _more(left + max(len(rows) - TABLE_LINES, 0), "row")
            + f"\nThe worst of a cell, and how many checks of it: {signs}.\n\n"
        ),
    )


def _more(count: int, word: str) -> str:
    return f"\n… and {number(count, word)} more.\n" if count else ""


def _beyond(total: int, where: str) -> Callable[[int], str]:
    hidden = max(total - FINDINGS_IN_FULL, 0)

    def say(left: int) -> str:
        count = left + hidden
        return f"… and {number(count, 'finding')} more; all of them: `{where}`.\n\n" if count else ""

    return say


def _table(table: Table) -> Section:
    fold = table.folded
    title = prose(f"{table.title} ({len(table.lines):,})")
    head = (
        f"<details><summary>{escape(table.title)} ({len(table.lines):,})</summary>\n\n" if fold else f"### {title}\n\n"
    )
    if table.note:
        head += f"{prose(table.note)}\n\n"
    head += f"| {' | '.join(map(prose, table.head))} |\n|{'---|' * len(table.head)}\n"
    items = [f"| {' | '.join(_cell(cell) for cell in line.cells)} |\n" for line in table.lines[:TABLE_LINES]]
    hidden = max(len(table.lines) - TABLE_LINES, 0)
    foot = "\n</details>\n\n" if fold else "\n"
    return Section(head=head, items=items, rest=lambda left: _more(left + hidden, "row") + foot)


def _cell(text: str) -> str:
    """Return a code span within a table, where a bar would end the cell even in code."""
    return code(text).replace("|", "\\|") if text.strip() else ""


def _findings(info: RunInfo, summary: Summary, statements: Mapping[str, str]) -> Section:
    return Section(
        head=f"### Findings ({summary.findings_count:,})\n\n",
        items=[_finding(info, finding, statements) for finding in summary.findings[:FINDINGS_IN_FULL]],
        rest=_beyond(summary.findings_count, "hingeproof report RUN"),
    )


def _finding(info: RunInfo, finding: Finding, statements: Mapping[str, str]) -> str:
    record = finding.record
    sign = SIGNS[record.verdict]
    law = record.law if len(finding.laws) == 1 else number(len(finding.laws), "law")
    name, loss, law = (escape(one_line(t)).replace("@", "@\u200b") for t in (record.implementation, record.loss, law))
    lines = [f"<details><summary>{sign.sign} <code>{name}</code> ({loss}) {sign.word}: {law}</summary>\n"]
    if len(finding.laws) == 1 and record.law in statements:
        lines.append(f"{prose(statements[record.law])}\n")
    where = ", ".join((*finding.dtypes, *finding.modes, *finding.devices))
    lines.append(f"{prose(where)} · {number(finding.checks, 'check')} · CHECK {code(record.check)}\n")
    if record.reason:
        lines.append(f"{code(record.reason[:1000])}\n")
    if record.witness is not None:
        lines.append(fenced(_witness(record.witness)))
        if record.witness.repro.strip():
            lines.append(fenced(record.witness.repro.strip("\n"), "python"))
    lines.append(fenced(command(info, record, record), "sh"))
    lines.append("</details>\n\n")
    return "\n".join(lines)


def _witness(witness: Witness) -> str:
    lines = [line for name, tensor in witness.inputs.items() for line in tensor_lines(name, tensor)]
    lines += [f"{name} = {value!r}" for name, value in witness.parameters.items()]
    return "\n".join([*lines, f"expected: {witness.expected[:2000]}", f"observed: {witness.observed[:2000]}"])


def tensor_lines(name: str, tensor: Tensor) -> list[str]:
    """Return an array's first elements in decimal and hex."""
    shape = f"({tensor.shape[0]},)" if len(tensor.shape) == 1 else f"({', '.join(map(str, tensor.shape))})"
    rest = len(tensor.decimal) - ELEMENTS
    more = f", … {rest:,} more" if rest > 0 else ""
    lines = [f"{name}: {tensor.dtype} {shape}", f"  {', '.join(tensor.decimal[:ELEMENTS])}{more}"]
    hexadecimal = [ZEROS.sub(r"\1p", text) for text in tensor.hex[:ELEMENTS]]
    return lines if tensor.hex == tensor.decimal else [*lines, f"  {', '.join(hexadecimal)}{more}"]
