"""The report in the terminal: verdict in one sentence, matrix, what was seen at the kink, findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.cells import cell_len
from rich.console import Console

from hingeproof.frameworks.environment import to_install
from hingeproof.reports import findings
from hingeproof.reports.summary import Cell, Row, Selection, Shared, Summary, summarise
from hingeproof.reports.text import names, number, one_line, shorten
from hingeproof.reports.write.page import SIGNS, Page
from hingeproof.runs.records import FINDINGS, Record, RunInfo, Verdict

REASON = 240  # characters of a reason: it may be a whole exception
CELL = 4  # columns for a sign and a count


def render(info: RunInfo, records: Iterable[Record], statements: Mapping[str, str], console: Console) -> Summary:
    """Write the report of a run and return its summary. `statements`: what each law says, by its name."""
    summary = summarise(info, records)
    render_summary(info, summary, statements, console)
    return summary


def render_summary(info: RunInfo, summary: Summary, statements: Mapping[str, str], console: Console) -> None:
    """Write the report of a run that has been summarised."""
    page = Page(console)
    page.paragraph(verdict_sentence(info, summary), style="bold red" if summary.findings else "bold")
    _counts(page, info, summary)
    _matrix(page, summary)
    _kink(page, summary)
    _shared(page, summary, "Conventions (documented or chosen, not failures)", summary.conventions)
    _shared(page, summary, "Measured, not judged", summary.notes)
    _shared(page, summary, "Known deviations", summary.known)
    _shared(page, summary, "Not tested (unsupported)", summary.unsupported)
    _shared(page, summary, "Undecided", summary.undecided)
    _shared(page, summary, "Thin strata: too few samples fell there to count as evidence", summary.thin)
    findings.show(page, info, summary, statements)


def verdict_sentence(info: RunInfo, summary: Summary) -> str:
    """Return the verdict of the run; "correct" only where every implementation's gradients were judged."""
    begin = "" if info.complete else "The run is not complete; so far "
    run = number(summary.checks_run, "check")
    wrong: list[tuple[Verdict, str]] = [
        ("fail", "failed"), ("crash", "crashed"), ("timeout", "timed out"), ("stale", "met a stale deviation")
    ]  # fmt: skip
    parts = [(summary.count(verdict), words) for verdict, words in wrong if summary.count(verdict)]
    if parts:
        (first, words), *more = parts
        sentence = f"{first:,} of {run} {words}" + "".join(f", {count:,} {words}" for count, words in more)
        guilty = len({implementation for implementation, _ in summary.guilty})
        sentence += f": {number(summary.findings_count, 'finding')} in {number(guilty, 'implementation')}"
    elif not summary.implementations:
        why = "no check was selected" if not summary.verdicts else f"{run} run, none came to a verdict"
        return f"{begin}{'nothing' if begin else 'Nothing'} was judged: {why}."
    else:
        sentence = _good_news(summary, run)
    if begin:
        sentence = sentence[0].lower() + sentence[1:]
    sentence = begin + sentence
    if known := summary.count("known"):
        sentence += f"; {known:,} known to deviate"
    if undecided := summary.count("undecided") - summary.not_run:
        sentence += f"; {undecided:,} undecided"
    if summary.not_run:
        sentence += f"; {number(summary.not_run, 'check')} did not run"
    return f"{sentence}."


def _good_news(summary: Summary, run: str) -> str:
    passed = summary.count("pass")
    sentence = f"All {run} passed" if passed == summary.checks_run > 1 else f"{passed:,} of {run} passed, none failed"
    if summary.gradients_judged and summary.count("pass", "unsupported") == sum(summary.verdicts.values()):
        many = len(summary.implementations)
        who = f"{number(many, 'implementation')} {'is' if many == 1 else 'are'} correct"
        return f"{sentence}: {who} as far as these laws reach"
    if not summary.gradients_judged:
        who = ", ".join(names(summary.without_gradients, summary.implementations, at_most=3))
        sentence += "; gradients were not judged"
        return sentence if summary.without_gradients == summary.implementations else f"{sentence} for {who}"
    return sentence


def counts(info: RunInfo, summary: Summary) -> list[str]:
    """Return how much was checked, and how, fact by fact."""
    return [
        f"{number(summary.checks_run, 'check')} run",
        f"{info.not_applicable:,} not applicable",
        f"{summary.count('unsupported'):,} unsupported",
        f"profile {info.plan.profile}",
        f"seed {info.plan.seed}",
    ]


def _counts(page: Page, info: RunInfo, summary: Summary) -> None:
    page.paragraph(" · ".join([*counts(info, summary), f"{info.seconds:,.0f} s"]))
    frameworks = []
    for name, seen in summary.frameworks.items():
        tried = sum(seen.values()) - seen.get("unsupported", 0)
        bad = sum(seen.get(verdict, 0) for verdict in FINDINGS)
        frameworks.append(f"{name} {tried:,}" + (f" ({bad:,} with findings)" if bad else ""))
    if len(frameworks) > 1:
        page.paragraph("Checks run by framework: " + " · ".join(frameworks))
    for name, count in sorted(info.missing.items()):
        verb = "its 1 check did" if count == 1 else f"its {count:,} checks did"
        page.paragraph(f"{name} is not installed: {verb} not run (pip install {to_install(name)})", style="yellow")
    if "pass" in summary.verdicts and summary.findings and summary.without_gradients:
        who = ", ".join(names(summary.without_gradients, summary.implementations))
        page.paragraph(f"Gradients were not judged for {who}.", style="yellow")


def headers(groups: Iterable[str], width: int = CELL) -> dict[str, str]:
    """Return a short, distinct column head for each group of laws."""
    heads: dict[str, str] = {}
    for group in groups:
        head = group[:width]
        extra = 2
        while head in heads.values():
            head = f"{group[: width - len(str(extra))]}{extra}"
            extra += 1
        heads[group] = head
    return heads


def _matrix(page: Page, summary: Summary) -> None:
    if not summary.rows:
        return
    heads = headers(summary.groups)
    many = [row.implementation for row in summary.rows]
    labels = [_label(row, many) for row in summary.rows]
    room = max(page.width - (CELL + 1) * len(heads), 12)
    first = min(room, max(len("implementation"), *(cell_len(one_line(label)) for label in labels)))
    rows = [
        [(shorten(one_line(label), first), ""), *(_cell(row.cells.get(group)) for group in summary.groups)]
        for label, row in zip(labels, summary.rows, strict=True)
    ]
    page.heading("Implementation × group of laws")
    page.table(["implementation", *heads.values()], rows, [first, *(CELL for _ in heads)])
    shown = {cell.worst for row in summary.rows for cell in row.cells.values()}
    signs = [
        f"{SIGNS[verdict].sign}{'' if verdict in ('pass', 'unsupported') else 'n'} {SIGNS[verdict].word}"
        for verdict in SIGNS
        if verdict in shown
    ]
    if any(len(row.cells) < len(heads) for row in summary.rows):
        signs.append("blank: none applies")
    page.paragraph("the worst of a cell, n checks of it: " + ", ".join(signs), style="dim", hang="  ")
    abbreviated = [f"{head} {group}" for group, head in heads.items() if head != group]
    if abbreviated:
        page.paragraph("groups: " + ", ".join(abbreviated), style="dim", hang="  ")


def _label(row: Row, many: list[str]) -> str:
    """Name the loss too where the name alone does not tell: a user's callable, or one of several losses."""
    tells = ":" not in row.implementation and many.count(row.implementation) == 1
    return row.implementation if tells else f"{row.implementation} ({row.loss})"


def _cell(cell: Cell | None) -> tuple[str, str]:
    if cell is None:
        return "", ""
    sign = SIGNS[cell.worst]
    count = cell.counts[cell.worst]
    if cell.worst in ("pass", "unsupported"):
        return sign.sign, sign.style
    return f"{sign.sign}{count if count < 1000 else f'{count // 1000}k'}", sign.style


def _kink(page: Page, summary: Summary) -> None:
    """Implementations of one namespace that showed the same points of the interval share a line."""
    if not summary.selections:
        return
    everyone = [f"{selection.implementation}" for selection in summary.selections]
    modes = sorted({mode for selection in summary.selections for mode in selection.modes}, key=_mode_order)
    alike: dict[tuple[tuple[str, ...], ...], list[Selection]] = {}
    for selection in summary.selections:
        points = tuple(tuple(sorted(selection.modes.get(mode, {}))) for mode in modes)
        alike.setdefault(points, []).append(selection)
    first = max(page.width - 12 * len(modes), 20)
    width = max((page.width - first) // len(modes) - 1, 4)
    rows = []
    for members in alike.values():
        cells = [_points(members, mode) for mode in modes]
        rows += [
            [(shorten(who, first), ""), *((cell, "") for cell in cells)]
            for who in names([m.implementation for m in members], everyone, at_most=len(members))
        ]
    page.heading("Seen at the kink: the weight of φ' in the gradient (times, where mixed)")
    page.table(["implementation", *modes], rows, [first, *(width for _ in modes)])


def _points(members: Iterable[Selection], mode: str) -> str:
    total: dict[str, int] = {}
    for member in members:
        for point, count in member.modes.get(mode, {}).items():
            total[point] = total.get(point, 0) + count
    if len(total) < 2:
        return "".join(total)
    return " ".join(f"{point}×{count}" for point, count in sorted(total.items(), key=lambda item: -item[1]))


def _mode_order(mode: str) -> tuple[bool, str]:
    return mode != "eager", mode


def _shared(page: Page, summary: Summary, title: str, rows: Iterable[Shared]) -> None:
    rows = tuple(rows)
    if not rows:
        return
    everyone = {row.implementation for row in summary.rows}
    page.heading(title)
    for row in rows[:12]:
        law = f"{row.law}: " if row.law else ""
        text = one_line(row.text)
        text = text if len(text) <= REASON else f"{text[:REASON]}…"
        who = ", ".join(names(row.implementations, everyone))
        page.paragraph(f"- {law}{text} — {who} ({number(row.checks, 'check')})", indent="", hang="  ")
    if len(rows) > 12:
        rest = rows[12:]
        checks = sum(row.checks for row in rest)
        page.paragraph(f"- … and {len(rest)} more ({number(checks, 'check')}; in records.jsonl)")
