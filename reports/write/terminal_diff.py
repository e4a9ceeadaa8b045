"""A difference in the terminal: the sentence, what may explain it, and a table for each kind of change."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from rich.console import Console

from hingeproof.errors import FINDING
from hingeproof.reports import findings
from hingeproof.reports.compare import Difference
from hingeproof.reports.tables import Line, Table, diff_sentence, diff_tables
from hingeproof.reports.text import number, one_line, shorten
from hingeproof.reports.write.page import Page
from hingeproof.runs.records import RunInfo

LINES = 40  # of a table; the rest by count
STYLES = {"bad": "bold red", "good": "green", "open": "yellow", "": ""}


def render(d: Difference, info: RunInfo | None, statements: Mapping[str, str], console: Console) -> None:
    """Write the report on two runs. info: the head's."""
    page = Page(console)
    page.paragraph(diff_sentence(d), style="bold red" if d.exit_code == FINDING else "bold")
    if info is None:
        for table in diff_tables(d):
            write_table(page, table)
        return
    page.paragraph(f"base {d.base}: {d.base_summary.checks_run:,} checks run; head {d.head}: "
                   f"{d.head_summary.checks_run:,}; {number(d.compared, 'check')} in both")  # fmt: skip
    for table in diff_tables(d):
        write_table(page, table)
    findings.write(page, info, d.findings, statements, title="What got worse, in full")


def write_table(page: Page, table: Table) -> None:
    """Write a table's first lines, each column as wide as it needs, and how many more there are."""
    page.heading(f"{table.title} ({len(table.lines):,})")
    lines = table.lines[:LINES]
    widths = _widths(table.head, lines, page.width)
    rows = [
        [(shorten(one_line(cell), width), STYLES[line.state]) for cell, width in zip(line.cells, widths, strict=True)]
        for line in lines
    ]
    page.table([shorten(name, width) for name, width in zip(table.head, widths, strict=True)], rows, widths)
    if rest := len(table.lines) - len(lines):
        page.paragraph(f"… and {number(rest, 'row')} more (--json, --markdown and --html have them)")
    if table.note:
        page.paragraph(table.note, style="dim", indent="  ")


def _widths(head: tuple[str, ...], lines: tuple[Line, ...], room: int) -> list[int]:
    """Give each column what it needs; where that is too much, the widest give way first, but not verdicts."""
    widths = [
        max(cell_len(name), *(cell_len(one_line(line.cells[i])) for line in lines)) for i, name in enumerate(head)
    ]
    while sum(widths) + len(widths) - 1 > room:
        widest = max((i for i, name in enumerate(head) if name != "verdicts"), key=widths.__getitem__)
        if widths[widest] <= 4:
            break
        widths[widest] -= 1
    return widths
