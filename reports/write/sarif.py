"""Findings as SARIF 2.1.0 for code-scanning. Source: OASIS, Static Analysis Results Interchange Format 2.1.0."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from hingeproof import __version__
from hingeproof.reports.compare import Difference
from hingeproof.reports.findings import command
from hingeproof.reports.summary import Summary
from hingeproof.reports.text import one_line, visible
from hingeproof.reports.write.junit import witness_lines
from hingeproof.reports.write.page import SIGNS
from hingeproof.runs.records import Record, RunInfo

AT_MOST = 5_000  # results a run: code-scanning takes no more
# Code-scanning shows no result without a file. What is nobody's file stands where dependencies are declared.
ELSEWHERE = "pyproject.toml"
Locate = Callable[[str], str]


def module_file(target: str) -> str:
    """Return the file that `module:attribute` would be in, relative to the root of sources."""
    module, colon, _ = target.partition(":")
    return module.replace(".", "/") + ".py" if colon else ELSEWHERE


def of_runs(
    runs: Sequence[tuple[RunInfo, Summary]], statements: Mapping[str, str], locate: Locate = module_file
) -> bytes:
    """Return a log with one SARIF run for each of ours."""
    logs = []
    for info, summary in runs:
        results = [_result(info, f.record, locate) for f in summary.findings[:AT_MOST]]
        logs.append(_run(info, results, [f.record for f in summary.findings[:AT_MOST]], statements))
    return _log(logs)


def of_difference(
    d: Difference, info: RunInfo | None, statements: Mapping[str, str], locate: Locate = module_file
) -> bytes:
    """Return a log of the head's findings; `baselineState` tells the new from the old. Timings are no code's place."""
    if info is None:
        return _log([])
    kept = [(c, r) for c in d.changes if (r := c.record) is not None and (c.worse or c.kind == "still_failing")]
    kept = kept[:AT_MOST]
    results = [{**_result(info, r, locate), "baselineState": "new" if c.worse else "unchanged"} for c, r in kept]
    return _log([_run(info, results, [r for _, r in kept], statements)])


def _log(runs: list[dict[str, Any]]) -> bytes:
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": runs}
    return msgspec.json.format(msgspec.json.encode(log), indent=1) + b"\n"


def _run(
    info: RunInfo, results: list[dict[str, Any]], records: list[Record], statements: Mapping[str, str]
) -> dict[str, Any]:
    laws = {record.law: record for record in records}
    rules = [
        {
            "id": law,
            "shortDescription": {"text": visible(statements.get(law, law))},
            "properties": {"tags": [laws[law].group, laws[law].kind]},
        }
        for law in sorted(laws)
    ]
    driver = {"name": "hingeproof", "version": __version__, "rules": rules}
    return {
        "tool": {"driver": driver},
        "results": results,
        "invocations": [{"executionSuccessful": info.complete}],
        "properties": {"environment": {name: visible(value) for name, value in sorted(info.environment.items())}},
    }


def _result(info: RunInfo, record: Record, locate: Locate) -> dict[str, Any]:
    name = one_line(record.implementation)
    text = f"{name} ({record.loss}) {SIGNS[record.verdict].word}: {record.law}"
    if record.reason:
        text += f"\n{visible(record.reason)}"
    if record.witness is not None:
        text += "\n" + visible("\n".join(witness_lines(record.witness)))
    text += f"\nagain: {visible(command(info, record, record))}"
    return {
        "ruleId": record.law,
        "level": "error",
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(locate(record.implementation))},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": name, "kind": "function"}],
            }
        ],
        "partialFingerprints": {"check/v1": hashlib.sha256(_bytes(record.check)).hexdigest()[:32]},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(_bytes(path))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
