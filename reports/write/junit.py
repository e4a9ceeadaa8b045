"""Records as JUnit XML: one test case a check, the same bytes for the same run, written as it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from hingeproof.reports.compare import Change, Difference
from hingeproof.reports.text import UNSAFE, visible
from hingeproof.runs.records import FINDINGS, Record, RunInfo, Verdict, Witness

# What XML 1.0 cannot hold, not even escaped. `visible` has dealt with the control characters already.
UNWRITABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Suite = tuple[RunInfo, Callable[[], Iterable[Record]]]
OUTCOMES: dict[Verdict, str] = {
    "fail": "failure",
    "stale": "failure",
    "crash": "error",
    "timeout": "error",
    "undecided": "skipped",
    "known": "skipped",
    "unsupported": "skipped",
}


def write(info: RunInfo, records: Iterable[Record], path: Path) -> None:
    """Write `render` to a file; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(info, records))


def render(info: RunInfo, records: Iterable[Record]) -> bytes:
    """Return the XML of a run. Crash and timeout are errors; known and unsupported are skipped."""
    ordered = sorted(records, key=lambda record: record.check)
    return "".join(document([(info, lambda: ordered)])).encode()


def document(suites: Sequence[Suite]) -> Iterator[str]:
    """Yield the XML in pieces."""
    totals = [_totals(info, records()) for info, records in suites]
    together = [sum(column) for column in zip(*totals, strict=True)] if totals else [0, 0, 0, 0, 0.0]
    yield "<?xml version='1.0' encoding='utf-8'?>\n"
    yield f'<testsuites name="hingeproof" {_counts(together)}>\n'
    for (info, records), total in zip(suites, totals, strict=True):
        yield f'  <testsuite name="hingeproof" timestamp="{_attribute(info.started)}" {_counts(total)}>\n'
        yield from _properties(info)
        for record in records():
            yield _case(record, strict=info.plan.strict)
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


def of_difference(d: Difference) -> bytes:
    """Return one test case for each change and each case that is slower: only what got worse is a failure."""
    cases = []
    failures = skipped = 0
    for change in d.changes:
        failures += change.worse
        skipped += not change.worse and change.head in FINDINGS
        cases.append(_change(change))
    for row in d.timings:
        failures += row.verdict == "slower"
        body = f'<failure type="slower" message="{_attribute(row.verdict)}" />' if row.verdict == "slower" else ""
        cases.append(f'    <testcase classname="timing" name="{_attribute(row.case)}" time="0">{body}</testcase>\n')
    counts = _counts([len(cases), failures, 0, skipped, 0.0])
    name = _attribute(f"hingeproof diff {d.base} {d.head}")
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n<testsuites name=\"hingeproof\" {counts}>\n"
        f'  <testsuite name="{name}" {counts}>\n{"".join(cases)}  </testsuite>\n</testsuites>\n'
    ).encode()


def _change(change: Change) -> str:
    name = _attribute("|".join((change.law, change.implementation, change.loss)))
    words = f"{change.kind}: {change.base or 'absent'} → {change.head or 'absent'}, {change.checks} checks"
    head = f'    <testcase classname="{_attribute(change.implementation)}" name="{name} [{words}]" time="0"'
    if change.head not in FINDINGS:
        return f"{head} />\n"
    outcome = "failure" if change.worse else "skipped"
    text = "" if change.record is None else escape(_safe(_evidence(change.record)))
    return f'{head}>\n      <{outcome} type="{change.head}" message="{words}">{text}</{outcome}>\n    </testcase>\n'


def _totals(info: RunInfo, records: Iterable[Record]) -> list[float]:
    counts: dict[str | None, int] = {}
    tests, seconds = 0, 0.0
    for record in records:
        tests += 1
        seconds += record.seconds
        if record.verdict != "pass":
            outcome = _outcome(record, strict=info.plan.strict)
            counts[outcome] = counts.get(outcome, 0) + 1
    return [tests, *(counts.get(outcome, 0) for outcome in ("failure", "error", "skipped")), seconds]


def _counts(totals: Sequence[float]) -> str:
    tests, failures, errors, skipped, seconds = totals
    return f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{seconds:.6f}"'


def _outcome(record: Record, *, strict: bool) -> str | None:
    return "failure" if strict and record.verdict == "undecided" else OUTCOMES.get(record.verdict)


def _case(record: Record, *, strict: bool) -> str:
    who, name = _attribute(record.implementation), _attribute(record.check)
    head = f'    <testcase classname="{who}" name="{name}" time="{record.seconds:.6f}"'
    outcome = _outcome(record, strict=strict)
    if outcome is None:
        return f"{head} />\n"
    message = record.reason or (record.witness and f"observed {record.witness.observed}") or record.verdict
    return (
        f'{head}>\n      <{outcome} type="{record.verdict}" message="{_attribute(_first_line(message))}">'
        f"{escape(_safe(_evidence(record)))}</{outcome}>\n    </testcase>\n"
    )


def _properties(info: RunInfo) -> Iterator[str]:
    facts = {"profile": info.plan.profile, "seed": str(info.plan.seed), **info.environment}
    facts |= {f"not installed: {name}": f"{count} checks did not run" for name, count in info.missing.items()}
    yield "    <properties>\n"
    for name in sorted(facts):
        yield f'      <property name="{_attribute(name)}" value="{_attribute(facts[name])}" />\n'
    yield "    </properties>\n"


def _evidence(record: Record) -> str:
    lines = [f"CHECK {record.check}"]
    if record.reason:
        lines.append(record.reason)
    if record.witness is not None:
        lines += witness_lines(record.witness)
    return "\n".join(lines)


def witness_lines(witness: Witness) -> list[str]:
    """Return a witness as plain lines: inputs in decimal and hex, parameters, expected, observed, repro."""
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
    if text.isascii() and not UNSAFE.search(text):
        return text
    return UNWRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", visible(text))


def _attribute(text: str) -> str:
    safe = _safe(text)
    if safe.isidentifier():
        return safe
    return escape(safe, {'"': "&quot;", "\n": "&#10;"})
