"""Runs and differences as one self-contained page: style, script and pictures inside, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hingeproof import __version__
from hingeproof.errors import FINDING, GOOD
from hingeproof.reports.compare import Difference
from hingeproof.reports.findings import NONE, again, command
from hingeproof.reports.model import Told, sentence
from hingeproof.reports.proofs import offender_table, proved_table
from hingeproof.reports.summary import Finding, Summary
from hingeproof.reports.tables import (
    diff_sentence,
    diff_tables,
    gate_table,
    pair_tables,
    run_tables,
    timing_table,
    versions,
)
from hingeproof.reports.text import number, one_line, visible
from hingeproof.reports.write.markdown import tensor_lines
from hingeproof.reports.write.page import SIGNS
from hingeproof.reports.write.pictures import picture_sections
from hingeproof.reports.write.terminal import counts
from hingeproof.runs.figures import Trend
from hingeproof.runs.records import RunInfo

if TYPE_CHECKING:
    from jinja2 import Environment

FINDINGS_IN_FULL = 200
COMMANDS = 20  # for findings that are not shown
ROWS = 500  # of a table or a matrix
LEGEND = ", ".join(f"{sign.sign} {sign.word}" for sign in SIGNS.values())


@lru_cache(maxsize=1)
def _templates() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = files("hingeproof.reports") / "templates"
    sources = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name.endswith(".html")}
    made = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["line"] = one_line
    made.filters["lines"] = visible
    return made


@lru_cache(maxsize=2)
def _asset(name: str) -> str:
    return (files("hingeproof.reports") / "templates" / name).read_text(encoding="utf-8").strip()


def page(template: str = "page.html", **context: Any) -> str:
    """Return a page. Its policy lets run and style only what is in the package, and fetch nothing."""
    css, js = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(js)}'; base-uri 'none'; form-action 'none'"
    )
    nothing: dict[str, Any] = {
        "home": "", "verdicts": [], "sections": [], "first": [], "matrices": [], "tables": [], "findings": [],
        "figures": [], "environments": [],
    }  # fmt: skip
    return (
        _templates()
        .get_template(template)
        .render({**nothing, **context}, css=css, js=js, policy=policy, version=__version__, legend=LEGEND, limit=ROWS)
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# -- one run or several ----------------------------------------------------------------------------------------


def of_runs(
    told: Sequence[Told],
    statements: Mapping[str, str],
    *,
    home: str = "",
    heading: str = "hingeproof report",
    stored: Sequence[Trend] = (),
) -> str:
    """Return the page of one run or several. stored: the series of a history, to be drawn with their changes."""
    verified = [run for run in told if run.info is not None]
    several = len(told) > 1
    groups = [
        _findings(place, run.name if several else "", run.verified, run.summary.findings, statements,
                  more=run.summary.more_findings)
        for place, run in enumerate(verified)
        if run.summary.findings
    ]  # fmt: skip
    matrices = [_matrix(place, run.name if several else "", run.summary)
                for place, run in enumerate(verified) if run.summary.rows]  # fmt: skip
    tables = run_tables([(run.verified, run.summary) for run in verified])
    tables += pair_tables([pair for run in verified for pair in run.pairs])
    tables += [timing_table(run.timings) for run in told if run.timings]
    tables += [gate_table(run.gates) for run in told if run.gates]
    for run in told:
        if run.proved is not None:
            tables += [proved_table(run.proved.certificates), offender_table(run.proved.certificates)]
    figures = picture_sections(told, stored)
    environments = [(run.name, sorted(_environment(run).items())) for run in told]
    sections = [
        *((m["key"], m["title"]) for m in matrices),
        *((t.key, t.title.partition(":")[0]) for t in tables if t.key == "kink"),
        *((g["key"], g["title"]) for g in groups),
        *((t.key, t.title.partition(":")[0]) for t in tables if t.key != "kink"),
        *((f["key"], f["title"]) for f in figures),
        ("environment", "Environment"),
    ]
    return page(
        title=f"hingeproof: {sentence(told[0])}" if not several else f"hingeproof: {len(told)} runs",
        heading=heading,
        home=home,
        verdicts=[_verdict(run) for run in told],
        sections=sections,
        matrices=matrices,
        tables=tables,
        findings=groups,
        figures=figures,
        environments=environments,
    )


def _environment(run: Told) -> dict[str, str]:
    if run.info is not None:
        return run.info.environment
    if run.proved is not None:
        return {name: version for c in run.proved.certificates for name, version in c.versions.items()}
    return run.timed.comparable if run.timed is not None else {}


def _verdict(run: Told) -> dict[str, Any]:
    facts = [f"{run.name} ({run.kind})"]
    state = "open"
    if run.info is not None:
        info, summary = run.info, run.summary
        state = "bad" if summary.findings else "good" if summary.count("pass") else "open"
        facts = [" · ".join([run.name, *counts(info, summary), info.started]), versions(info)]
        for name, count in sorted(info.missing.items()):
            facts.append(f"{name} is not installed: {number(count, 'check')} did not run")
    if run.kind in ("gate", "proof"):
        state = "good" if run.exit_code == GOOD else "bad" if run.exit_code == FINDING else "open"
    sign = {"bad": "✗", "good": "✓", "open": "?" if run.info is not None else "⏱"}[state]
    return {"state": state, "sign": sign, "sentence": sentence(run), "facts": [fact for fact in facts if fact]}


def _matrix(place: int, name: str, summary: Summary) -> dict[str, Any]:
    """Rows in the order of names; where there are too many, those with findings are kept."""
    anchors: dict[tuple[str, str, str], str] = {}
    for at, finding in enumerate(summary.findings[:FINDINGS_IN_FULL]):
        for group in finding.groups:
            anchors.setdefault((finding.record.implementation, finding.record.loss, group), f"f{place}-{at}")
    guilty = summary.guilty
    rows = list(summary.rows)
    if len(rows) > ROWS:
        rows = sorted(rows, key=lambda r: ((r.implementation, r.loss) not in guilty, r.implementation, r.loss))[:ROWS]
    shown = []
    for row in rows:
        cells: list[dict[str, str] | None] = []
        for group in summary.groups:
            cell = row.cells.get(group)
            if cell is None:
                cells.append(None)
                continue
            sign, count = SIGNS[cell.worst], cell.counts[cell.worst]
            quiet = cell.worst in ("pass", "unsupported")
            cells.append(
                {
                    "verdict": cell.worst,
                    "text": sign.sign if quiet else f"{sign.sign} {count:,}",
                    "anchor": anchors.get((row.implementation, row.loss, group), ""),
                    "label": f"{sign.word}: {row.implementation}, {group}",
                }
            )
        bad = (row.implementation, row.loss) in guilty
        told = row.implementation.rpartition(".")[2] == row.loss  # by the name, as with all references
        shown.append({"name": row.implementation, "loss": "" if told else row.loss, "cells": cells, "bad": bad})
    return {
        "key": f"matrix{place or ''}",
        "title": f"Implementation × group of laws{f' in {name}' if name else ''}",
        "groups": summary.groups,
        "rows": shown,
        "hidden": len(summary.rows) - len(shown),
    }


def _findings(
    place: int,
    name: str,
    info: RunInfo,
    found: Sequence[Finding],
    statements: Mapping[str, str],
    *,
    more: Mapping[str, int] = NONE,
) -> dict[str, Any]:
    shown = [
        _finding(f"f{place}-{at}", info, finding, statements) for at, finding in enumerate(found[:FINDINGS_IN_FULL])
    ]
    hidden = max(len(found) - FINDINGS_IN_FULL, 0)
    rest = sorted(again(info, found, hidden, more).items(), key=lambda item: -item[1]) if hidden else []
    everything = len(found) + sum(more.values())
    return {
        "key": f"findings{place or ''}",
        "title": f"Findings{f' in {name}' if name else ''} ({everything:,})",
        "shown": shown,
        "hidden": everything - len(shown),
        "rest": rest[:COMMANDS],
        "unlisted": sum(count for _, count in rest[COMMANDS:]),
    }


def _finding(anchor: str, info: RunInfo, finding: Finding, statements: Mapping[str, str]) -> dict[str, Any]:
    record = finding.record
    one = len(finding.laws) == 1
    fields: list[tuple[str, str]] = []
    if not one:
        fields.append(("laws", ", ".join(finding.laws)))
    if record.reason:
        fields.append(("reason", record.reason[:2000]))
    witness = record.witness
    if witness is not None:
        for name, tensor in witness.inputs.items():
            fields.append(("input", "\n".join(tensor_lines(name, tensor))))
        if witness.parameters:
            fields.append(("parameters", ", ".join(f"{k} = {v!r}" for k, v in witness.parameters.items())))
        fields += [("expected", witness.expected[:2000]), ("observed", witness.observed[:2000])]
    if record.worst_bound is not None and record.worst_bound > 1:
        ulp = "" if record.worst_ulp is None else f" ({record.worst_ulp:.3g} ulp)"
        fields.append(("error", f"at worst {record.worst_bound:.3g} times its bound{ulp}"))
    where = f"{', '.join(finding.dtypes)} · {', '.join(finding.modes)} · {', '.join(finding.devices)}"
    again_state = {True: "Shown again in a clean process:", False: "NOT shown again in a clean process:", None: ""}
    sign = SIGNS[record.verdict]
    return {
        "anchor": anchor,
        "verdict": record.verdict,
        "sign": sign.sign,
        "word": sign.word,
        "name": record.implementation,
        "loss": record.loss,
        "law": record.law if one else number(len(finding.laws), "law"),
        "statement": statements.get(record.law, "") if one else "",
        "where": f"{where} · {number(finding.checks, 'check')}",
        "check": record.check,
        "fields": fields,
        "repro": witness.repro.strip("\n")[:8000] if witness is not None else "",
        "repro_state": again_state[witness.reproduced] if witness is not None else "",
        "again": command(info, record, record),
    }


# -- two runs --------------------------------------------------------------------------------------------------


def of_difference(d: Difference, sides: Sequence[Told], statements: Mapping[str, str]) -> str:
    """Return the page on two runs."""
    tables = diff_tables(d)
    info = sides[1].info
    groups = []
    if info is not None and d.findings:
        groups = [{**_findings(0, "", info, d.findings, statements), "title": f"What got worse ({len(d.findings):,})"}]
    state = "bad" if d.exit_code == FINDING else "good" if d.compared else "open"
    verdicts = [
        {
            "state": state,
            "sign": {"bad": "✗", "good": "✓", "open": "?"}[state],
            "sentence": diff_sentence(d),
            "facts": [f"base: {d.base}", f"head: {d.head}"],
        }
    ]
    first = [t for t in tables if t.key in ("environment", "plan")]
    rest = [t for t in tables if t.key not in ("environment", "plan")]
    sections = [*((t.key, t.title) for t in first), *((g["key"], g["title"]) for g in groups)]
    return page(
        title=f"hingeproof diff: {one_line(diff_sentence(d))}",
        heading="hingeproof diff",
        verdicts=verdicts,
        sections=[*sections, *((t.key, t.title) for t in rest)],
        first=first,
        tables=rest,
        findings=groups,
    )
