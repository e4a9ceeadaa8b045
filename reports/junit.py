"""Records as JUnit XML: one test case a check, the same bytes for the same run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from hingeproof.records import Record, RunInfo, Witness
from hingeproof.reports.text import visible

# What XML 1.0 cannot hold, not even escaped. `visible` has dealt with the control characters already.
UNWRITABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(info: RunInfo, records: Iterable[Record], path: Path) -> None:
    """Write `render` to a file; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(info, records))


def render(info: RunInfo, records: Iterable[Record]) -> bytes:
    """Return the XML of a run. Crash and timeout are errors; known and unsupported are skipped."""
    ordered = sorted(records, key=lambda record: record.check)
    suite = ET.Element("testsuite", name="hingeproof", timestamp=_safe(info.started))
    _properties(suite, info)
    outcomes = {"failure": 0, "error": 0, "skipped": 0}
    for record in ordered:
        outcome = _outcome(record, strict=info.plan.strict)
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_safe(record.implementation),
            name=_safe(record.check),
            time=f"{record.seconds:.6f}",
        )
        if outcome is not None:
            outcomes[outcome] += 1
            message = record.reason or (record.witness and f"observed {record.witness.observed}") or record.verdict
            child = ET.SubElement(case, outcome, type=record.verdict, message=_safe(_first_line(message)))
            child.text = _safe(_evidence(record))
    counts = {
        "tests": str(len(ordered)),
        "failures": str(outcomes["failure"]),
        "errors": str(outcomes["error"]),
        "skipped": str(outcomes["skipped"]),
        "time": f"{sum(record.seconds for record in ordered):.6f}",
    }
    suite.attrib.update(counts)
    root = ET.Element("testsuites", {"name": "hingeproof", **counts})
    root.append(suite)
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _outcome(record: Record, *, strict: bool) -> str | None:
    undecided = "failure" if strict else "skipped"
    kinds: Mapping[str, str | None] = {
        "pass": None,
        "fail": "failure",
        "stale": "failure",
        "crash": "error",
        "timeout": "error",
        "undecided": undecided,
        "known": "skipped",
        "unsupported": "skipped",
    }
    return kinds[record.verdict]


def _properties(suite: ET.Element, info: RunInfo) -> None:
    facts = {"profile": info.plan.profile, "seed": str(info.plan.seed), **info.environment}
    facts |= {f"not installed: {name}": f"{count} checks did not run" for name, count in info.missing.items()}
    properties = ET.SubElement(suite, "properties")
    for name in sorted(facts):
        ET.SubElement(properties, "property", name=_safe(name), value=_safe(facts[name]))


def _evidence(record: Record) -> str:
    lines = [f"CHECK {record.check}"]
    if record.reason:
        lines.append(record.reason)
    if record.witness is not None:
        lines += _witness(record.witness)
    return "\n".join(lines)


def _witness(witness: Witness) -> list[str]:
    lines = []
    for name, tensor in witness.inputs.items():
        lines.append(f"{name}: {tensor.dtype} {tuple(tensor.shape)}")
        lines.append(f"  {', '.join(tensor.decimal)}")
        lines.append(f"  {', '.join(tensor.hex)}")
    lines += [f"{name} = {value!r}" for name, value in witness.parameters.items()]
    lines += [f"expected: {witness.expected}", f"observed: {witness.observed}", "repro:", witness.repro]
    return lines


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _safe(text: str) -> str:
    return UNWRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", visible(text))
