"""Findings in full: the law, the input, what is allowed, what was seen, and lines to paste."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from hingeproof.reports.summary import Finding, Summary
from hingeproof.reports.text import number, one_line
from hingeproof.reports.write.page import SIGNS, Page
from hingeproof.runs.records import Record, RunInfo, Tensor, Witness

IN_FULL = 20
ELEMENTS = 8  # of an array; the rest is in records.jsonl
INDENT, COLUMN = 4, 10
NONE: Mapping[str, int] = {}


def show(page: Page, info: RunInfo, summary: Summary, statements: Mapping[str, str]) -> None:
    """Write the first findings in full, and for the rest how many and how to see them."""
    title = f"Findings ({summary.findings_count:,}; those that differ only in dtype, device or mode count once)"
    write(page, info, summary.findings, statements, title=title, more=summary.more_findings)


def write(
    page: Page,
    info: RunInfo,
    found: Sequence[Finding],
    statements: Mapping[str, str],
    *,
    title: str,
    more: Mapping[str, int] = NONE,
) -> None:
    """Write findings under a title, if there are any. more: how many others each law has."""
    if not found:
        return
    page.heading(title)
    for place, finding in enumerate(found[:IN_FULL], 1):
        page.blank()
        _finding(page, place, finding, statements)
    _rest(page, info, found, more)


def _finding(page: Page, place: int, finding: Finding, statements: Mapping[str, str]) -> None:
    record = finding.record
    sign = SIGNS[record.verdict]
    law = record.law if len(finding.laws) == 1 else number(len(finding.laws), "law")
    page.paragraph(
        f"{place:2}. {sign.sign} {record.implementation} ({record.loss}) {sign.word}: {law}",
        style=sign.style,
        hang=" " * INDENT,
    )
    pad = " " * INDENT
    if len(finding.laws) > 1:
        page.paragraph("not judged because of it: " + ", ".join(finding.laws), indent=pad)
    elif record.law in statements:
        page.paragraph(one_line(statements[record.law]), indent=pad)
    promised = record.kind == "promise" and len(finding.laws) == 1
    page.paragraph(
        f"{', '.join(finding.dtypes)} · {', '.join(finding.modes)} · {', '.join(finding.devices)} · "
        f"{number(finding.checks, 'check')}{' of a promise' if promised else ''}",
        indent=pad,
        style="dim",
    )
    page.verbatim(f"CHECK {record.check}", indent=pad)
    if record.reason:
        page.field("reason", record.reason, at=COLUMN, indent=INDENT)
    if record.witness is not None:
        _witness(page, record, record.witness)


def _witness(page: Page, record: Record, witness: Witness) -> None:
    def field(name: str, text: str, lines: int = 8) -> None:
        page.field(name, text, at=COLUMN, indent=INDENT, lines=lines)

    for place, (name, tensor) in enumerate(witness.inputs.items()):
        field("input" if place == 0 else "", _array(name, tensor), lines=7)
    if witness.parameters:
        field(
            "" if witness.inputs else "input",
            ", ".join(f"{k} = {v!r}" for k, v in witness.parameters.items()),
        )
    field("expected", witness.expected)
    field("observed", witness.observed)
    if record.worst_bound is not None and record.worst_bound > 1:
        ulp = "" if record.worst_ulp is None else f" ({record.worst_ulp:.3g} ulp)"
        field("error", f"at worst {record.worst_bound:.3g} times its bound{ulp}")
    if witness.repro.strip():
        state = {
            True: "shown again in a clean process",
            False: "NOT shown again in a clean process",
            None: "",
        }
        field("repro", state[witness.reproduced])
        page.verbatim(witness.repro.strip("\n"), indent=" " * (INDENT + 2))


def _array(name: str, tensor: Tensor) -> str:
    shape = f"({tensor.shape[0]},)" if len(tensor.shape) == 1 else f"({', '.join(map(str, tensor.shape))})"
    lines = [f"{name}: {tensor.dtype} {shape}", _elements(tensor.decimal)]
    if tensor.hex != tensor.decimal:
        lines.append(_elements(tensor.hex))
    return "\n".join(f"{'  ' if place else ''}{line}" for place, line in enumerate(lines))


def _elements(values: list[str]) -> str:
    rest = len(values) - ELEMENTS
    return ", ".join(values[:ELEMENTS]) + (f", … {rest} more" if rest > 0 else "")


def _rest(page: Page, info: RunInfo, found: Sequence[Finding], more: Mapping[str, int]) -> None:
    rest = len(found[IN_FULL:])
    if not rest:
        return
    page.blank()
    page.paragraph(f"… and {number(rest + sum(more.values()), 'finding')} more. To see them:")
    commands = again(info, found, rest, more)
    for line, count in list(commands.items())[:10]:
        page.verbatim(f"{count:5,}  {line}")
    if len(commands) > 10:
        hidden = sum(list(commands.values())[10:])
        page.paragraph(f"{hidden:5,}  more, all of them in records.jsonl")


def again(info: RunInfo, found: Sequence[Finding], last: int, more: Mapping[str, int] = NONE) -> dict[str, int]:
    """Return commands that show the last findings, and those more of each law, with how many each shows."""
    everything = Counter(finding.record.law for finding in found)
    commands: Counter[str] = Counter()
    for finding in found[len(found) - last :]:
        # A law with too many findings for one page is shown one implementation at a time.
        implementation = finding.record if everything[finding.record.law] > IN_FULL else None
        commands[command(info, finding.record, implementation)] += 1
    for law, count in more.items():
        commands[shlex.join(["hingeproof", "verify", "--law", law, *_settings(info)])] += count
    return dict(commands)


def command(info: RunInfo, record: Record, only: Record | None) -> str:
    """Return the command that verifies a record's law again, on `only` one implementation or on all."""
    words = ["hingeproof", "verify"]
    user = next((u for u in info.plan.users if u.target == record.implementation), None)
    if user is not None:
        words += [user.target, "--loss", user.loss, "--framework", user.framework]
        words += ["--grad", user.grad] if user.grad else []
        contract = [*(["strict"] if user.strict else []), *(f"{k}={v}" for k, v in user.contract)]
        words += ["--contract", ",".join(contract)] if contract else []
    elif only is not None:
        words.append(only.implementation)
    return shlex.join([*words, "--law", record.law, *_settings(info)])


def _settings(info: RunInfo) -> list[str]:
    words = ["--profile", info.plan.profile] if info.plan.profile != "ci" else []
    return words + (["--seed", str(info.plan.seed)] if info.plan.seed else [])
