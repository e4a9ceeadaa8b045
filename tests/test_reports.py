"""The reports on made-up records: what they say, how wide they are, and that hostile names stay names."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console
from tests.made import HOSTILE, STATEMENTS, WITNESS, everything, good, info, record, stored

from hingeproof.errors import FINDING, GOOD, NOTHING, UNDECIDED
from hingeproof.reports import findings
from hingeproof.reports.summary import (
    NOT_RUN,
    WORST_FIRST,
    Summary,
    exit_code,
    summarise,
)
from hingeproof.reports.tables import gate_table
from hingeproof.reports.text import names, number, shorten, visible
from hingeproof.reports.write import junit, page, terminal
from hingeproof.runs import reader as read
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.records import FINDINGS, SCHEMA_VERSION, Record, RunInfo, UserImplementation, Verdict
from hingeproof.runs.timings import GateRow, TimingCase


def rendered(records: list[Record], about: RunInfo | None = None, **console: Any) -> str:
    out = io.StringIO()
    settings: dict[str, Any] = {"width": 80, "color_system": None} | console
    terminal.render(about or info(), records, STATEMENTS, Console(file=out, **settings))
    return out.getvalue()


def first_sentence(records: list[Record], about: RunInfo | None = None) -> str:
    about = about or info()
    return terminal.verdict_sentence(about, summarise(about, records))


# The summary


def test_counts_and_the_worst_of_a_cell() -> None:
    summary = summarise(info(), everything())
    assert summary.count("fail") == 5
    assert summary.checks_run == len(everything()) - 1, "all but the unsupported one"
    assert summary.frameworks["jax"] == {"stale": 1, "known": 1, "pass": 1}
    cells = {row.implementation: row.cells for row in summary.rows}
    assert cells["optax.losses.hinge_loss"]["value"].worst == "stale"
    assert cells["optax.losses.hinge_loss"]["value"].counts == {"stale": 1, "known": 1}
    assert "gradient" not in cells["numpy.ramp"]
    assert summary.groups == ("value", "gradient")
    assert set(WORST_FIRST) == set(get_args(Verdict)), "every verdict has a rank"
    assert set(page.SIGNS) == set(get_args(Verdict)), "and a sign"


def test_findings_that_differ_only_in_dtype_or_mode_count_once() -> None:
    found = {f.record.implementation: f for f in summarise(info(), everything()).findings if f.record.verdict == "fail"}
    finding = found["torch.nn.MultiMarginLoss"]
    assert finding.dtypes == ("float32", "float64")
    assert finding.modes == ("compile", "eager")
    assert finding.checks == 4
    assert finding.record.witness == WITNESS


def test_a_crash_is_one_finding_for_all_the_laws_it_took_along() -> None:
    crashes = [f for f in summarise(info(), everything()).findings if f.record.verdict == "crash"]
    assert [f.laws for f in crashes] == [("law0", "law1", "law2")]


def test_the_finding_shown_is_one_with_a_witness() -> None:
    rows = [
        record(dtype="bfloat16", verdict="fail"),
        record(dtype="float64", verdict="fail", witness=WITNESS),
    ]
    assert summarise(info(), rows).findings[0].record.dtype == "float64"


def test_selections_add_up_over_dtypes_but_not_over_laws_of_one_pass() -> None:
    rows = [
        record("a", group="gradient", selection={"0": 5}),
        record("b", group="gradient", selection={"0": 5}),
        record("a", group="gradient", selection={"0": 2, "1/2": 1}, dtype="float64"),
    ]
    assert summarise(info(), rows).selections[0].modes == {"eager": {"0": 7, "1/2": 1}}


def test_the_order_of_records_does_not_matter() -> None:
    assert summarise(info(), everything()) == summarise(info(), everything()[::-1])


@pytest.mark.parametrize(
    ("verdicts", "strict", "code"),
    [
        ({"pass": 1}, False, GOOD),
        ({"pass": 1, "known": 1}, True, GOOD),
        ({"pass": 1, "undecided": 1}, False, GOOD),
        ({"pass": 1, "undecided": 1}, True, UNDECIDED),
        ({"undecided": 1}, True, NOTHING),
        ({"unsupported": 1}, False, NOTHING),
        ({}, False, NOTHING),
        *(({"pass": 9, "undecided": 1, bad: 1}, True, FINDING) for bad in FINDINGS),
    ],
)  # fmt: skip
def test_exit_codes(verdicts: dict[Verdict, int], strict: bool, code: int) -> None:
    assert exit_code(verdicts, strict=strict) == code


# The sentence


def test_the_sentence_says_correct_only_where_gradients_were_judged() -> None:
    assert first_sentence(good()) == ("All 2 checks passed: 1 implementation is correct as far as these laws reach.")
    assert first_sentence([record(), record("convex")]) == "All 2 checks passed; gradients were not judged."
    no_gradient = record("sub_gradient", "numpy.f", "unsupported", group="gradient")
    mixed = first_sentence([*good(), record("exact", "numpy.f"), no_gradient])
    assert mixed == "All 3 checks passed; gradients were not judged for numpy.f."


@pytest.mark.parametrize("verdict", ["undecided", "known"])
def test_the_sentence_does_not_say_correct_where_something_stays_open(verdict: Verdict) -> None:
    sentence = first_sentence([*good(), record("open", verdict=verdict)])
    assert "correct" not in sentence
    assert sentence.startswith("2 of 3 checks passed, none failed; 1 ")


def test_the_sentence_counts_what_went_wrong() -> None:
    assert first_sentence(everything()) == (
        "5 of 17 checks failed, 3 crashed, 1 timed out, 1 met a stale deviation: "
        "5 findings in 4 implementations; 1 known to deviate; 2 undecided."
    )


def test_checks_that_a_broken_run_never_came_to_were_not_run() -> None:
    rows = [*good(), record("late", verdict="undecided", reason=NOT_RUN)]
    assert first_sentence(rows, info(complete=False)) == (
        "The run is not complete; so far all 2 checks passed; 1 check did not run."
    )


def test_nothing_judged() -> None:
    assert first_sentence([]) == "Nothing was judged: no check was selected."
    only = [record(verdict="unsupported", reason="no gradient")]
    assert first_sentence(only) == "Nothing was judged: 0 checks run, none came to a verdict."
    assert "no gradient — torch.hinge (1 check)" in rendered(only)
    long = rendered([record(verdict="unsupported", reason="word\n" * 500)])
    assert long.count("word") < 60, "an exception's text is cut"
    assert summarise(info(), only).exit_code == NOTHING
    assert rendered([]).startswith("Nothing was judged")


# The terminal


def test_missing_frameworks_are_named_with_what_to_do() -> None:
    text = " ".join(rendered(good(), info(missing={"torch": 214, "mindspore": 1})).split())
    assert "torch is not installed: its 214 checks did not run (pip install 'hingeproof[torch]')" in text
    assert "mindspore is not installed: its 1 check did not run (pip install mindspore)" in text


def test_a_finding_has_all_that_one_needs_to_see_it_again() -> None:
    text = rendered(everything())
    for line in (
        "The gradient lies in the sub-differential, kink included.",
        "CHECK sub_gradient|torch.nn.MultiMarginLoss|hinge|float32|cpu|compile",
        "input     scores: float32 (1, 3)",
        "1.0, -0.5, 0.25",
        "0x1.0p+0, -0x1.0p-1, 0x1.0p-2",
        "margin = 1.0, reduction = 'mean'",
        "expected  a point of [-1, 0]",
        "observed  0.25 (0x1.0p-2)",
        "error     at worst 3.25 times its bound (5 ulp)",
        "repro     shown again in a clean process",
        "      print(torch.relu(torch.zeros(1)))\n",
    ):
        assert line in text


def test_tables_lists_and_legend() -> None:
    text = rendered(everything())
    for line in (
        "groups: valu value, grad gradient",
        "blank: none applies",
        "1×34 0×6",
        "- labels: label 0 is answered with a constant 1 — mypkg.losses:my_hinge",
        "- nan: swallows NaN — optax.losses.hinge_loss (1 check)",
        "- kink, subnormal — numpy.ramp (1 check)",
        "- the ball holds the kink — numpy.ramp (1 check)",
    ):
        assert line in text, line
    assert re.search(r"^torch.nn.MultiMarginLoss +✗4$", text, re.MULTILINE)


@pytest.mark.parametrize("groups", [0, 7, 11])
def test_no_line_is_wider_than_80_columns(groups: int) -> None:
    many = [
        record(f"law{n}", f"some.library.with.a.long.path.Name{n % 7}OfALossThatIsLong", group=f"group{n}")
        for n in range(groups)
    ]
    modes = ("eager", "jit", "compile", "inductor", "vmap", "forward", "double_backward")
    many += [record("sub_gradient", group="gradient", mode=mode, selection={"0": 1, "other": 9}) for mode in modes]
    pasteable = (*WITNESS.repro.splitlines(), "CHECK ")
    for line in rendered(everything() + many).splitlines():
        if not line.strip().startswith(pasteable):
            assert cell_len(line) <= 80, line
        assert line == line.rstrip()


def test_column_heads_are_short_and_distinct() -> None:
    heads = terminal.headers(["reductions", "relations", "reductive", "modes", "mode"])
    assert len(set(heads.values())) == len(heads)
    assert all(len(head) <= terminal.CELL for head in heads.values())


def test_hostile_names_move_no_cursor_and_are_no_markup() -> None:
    for text in (
        rendered(everything()),
        rendered(everything(), color_system="truecolor", force_terminal=True),
    ):
        assert "\x1b[31m[red]" not in text
        assert not {"\x00", "\u202e", "\r", "\ud800"} & set(text)
        assert "\\x1b[31m[red]\\x00<&\"'>]]>" in text
    assert "\x1b" not in rendered(everything())


def test_no_color_and_a_terminal_that_knows_ascii_only() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    terminal.render(info(), everything(), STATEMENTS, Console(file=out, width=80, no_color=True))
    out.flush()
    text = raw.getvalue().decode("ascii")
    assert "x4" in text


def test_at_most_twenty_findings_in_full_and_a_command_for_the_rest() -> None:
    rows = [record(f"law{n:02}", verdict="fail", witness=WITNESS) for n in range(25)]
    text = rendered(rows, info(seed=7, profile="quick"))
    assert text.count("CHECK ") == findings.IN_FULL
    assert "… and 5 findings more. To see them:" in text
    assert "1  hingeproof verify --law law20 --profile quick --seed 7\n" in text


def test_a_law_with_too_many_findings_is_shown_one_implementation_at_a_time() -> None:
    rows = [record("exact", f"torch.loss{n:02}", "fail") for n in range(25)]
    assert "1  hingeproof verify torch.loss24 --law exact\n" in rendered(rows)
    user = UserImplementation(target="my pkg:f", loss="hinge", framework="torch", strict=True, grad="m:g")
    record_ = record("exact", "my pkg:f", "fail")
    assert findings.command(info(users=(user,)), record_, None) == (
        "hingeproof verify 'my pkg:f' --loss hinge --framework torch --grad m:g --contract strict --law exact"
    )


# Text


def test_small_words() -> None:
    assert [number(1, "check"), number(1240, "check"), number(2, "loss"), number(3)] == [
        "1 check", "1,240 checks", "2 losses", "3"
    ]  # fmt: skip
    assert visible("a\tb\nc\x7f") == "a    b\nc\\x7f"
    assert shorten("torch.nn.MultiLabelMarginLoss", 12) == "torc…ginLoss"
    everyone = [f"jax.{n}" for n in "abcd"] + ["m:f", "m:g", "m:h"]
    assert names(["jax.a", "jax.b", "jax.c"], everyone) == ["jax.* (3 of 4)"]
    assert names(["m:f", "m:g", "m:h"], everyone, at_most=2) == ["m:f", "2 more"]


# JUnit


def test_junit_has_a_case_for_each_check() -> None:
    root = ET.fromstring(junit.render(info(), everything()))
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(everything()) == int(root.attrib["tests"])
    kinds = [len(root.findall(f"testsuite/testcase/{kind}")) for kind in ("failure", "error", "skipped")]
    assert kinds == [6, 4, 4]
    assert kinds == [int(root.attrib[name]) for name in ("failures", "errors", "skipped")]
    text = root.find("testsuite/testcase[@classname='torch.nn.MultiMarginLoss']/failure")
    assert text is not None
    assert WITNESS.repro in (text.text or "")
    assert text.attrib["message"] == "observed 0.25 (0x1.0p-2)"


def test_junit_of_an_undecided_check_is_a_failure_under_strict() -> None:
    rows = [record(verdict="undecided", reason="thin")]
    assert b"<skipped" in junit.render(info(), rows)
    assert b"<failure" in junit.render(info(strict=True), rows)


def test_junit_holds_hostile_names_and_is_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    written = junit.render(info(), everything())
    assert written == junit.render(info(), everything()[::-1])
    root = ET.fromstring(written)
    assert any("\\x1b[31m[red]\\x00<&\"'>]]>\\ud800" in case.attrib["classname"] for case in root.iter("testcase"))
    junit.write(info(), [], tmp_path / "new" / "junit.xml")
    assert ET.parse(tmp_path / "new" / "junit.xml").getroot().attrib["tests"] == "0"


# Reading


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [row for row in everything() if row.implementation != HOSTILE]
    assert read.read(stored(tmp_path, rows), VERIFY) == read.Run(info(), tuple(rows))


def test_a_killed_run_may_end_in_half_a_line_or_have_no_records_yet(tmp_path: Path) -> None:
    directory = stored(tmp_path, good(), info(complete=False), tail=b'{"check": "ex')
    run = read.read(directory, VERIFY)
    assert run.records == tuple(good())
    (directory / "records.jsonl").unlink()
    assert read.read(directory, VERIFY).records == ()


def refusal(directory: Path) -> str:
    with pytest.raises(read.UnreadableRunError) as caught:
        read.read(directory, VERIFY)
    message = str(caught.value).replace(str(directory), "RUN")
    assert "\n" not in message
    return message


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "RUN is not a run (it has no run.json): give the directory that --out named"
    stored(tmp_path, good(), tail=b'{"check": "ex')
    assert refusal(tmp_path).startswith("RUN/records.jsonl, line 3 is damaged: ")
    stored(tmp_path, good(), info(complete=False), tail=b'{"check": 1}\n')
    assert refusal(tmp_path).startswith("RUN/records.jsonl, line 3 is damaged: ")
    stored(tmp_path, [*good(), record()])
    expected = "RUN/records.jsonl, line 3: exact|torch.hinge|hinge|float32|cpu|eager is there already (line 1)"
    assert refusal(tmp_path) == expected
    (tmp_path / "records.jsonl").unlink()
    assert refusal(tmp_path).startswith("RUN/records.jsonl is missing though the run is complete")
    (tmp_path / "run.json").write_text('{"schema_version": 1, "kind": ')
    assert refusal(tmp_path).startswith("RUN/run.json is damaged (")


def test_a_newer_schema_is_refused_and_the_previous_one_read(tmp_path: Path) -> None:
    newer = msgspec.structs.replace(info(), schema_version=SCHEMA_VERSION + 1)
    stored(tmp_path, good(), newer)
    assert refusal(tmp_path) == (
        f"RUN/run.json has schema version {SCHEMA_VERSION + 1}, "
        f"this hingeproof reads up to {SCHEMA_VERSION}: pip install --upgrade hingeproof"
    )
    previous = msgspec.structs.replace(info(), schema_version=SCHEMA_VERSION - 1)
    assert read.read(stored(tmp_path, good(), previous), VERIFY).records == tuple(good())
    ancient = msgspec.structs.replace(info(), schema_version=SCHEMA_VERSION - 2)
    assert "read it with an older hingeproof" in refusal(stored(tmp_path, good(), ancient))


def test_reports_import_no_framework_and_no_engine() -> None:
    code = (
        "import sys, hingeproof.reports.write.terminal, hingeproof.reports.write.junit, hingeproof.reports.model\n"
        "found = {'torch', 'jax', 'numpy', 'scipy', 'hypothesis', 'flint', 'pytest', 'pytest_benchmark'}\n"
        "found &= set(sys.modules)\n"
        "found |= {m for m in sys.modules if m.startswith(('hingeproof.properties', 'hingeproof.judge'))}\n"
        # words that laws and records share, and no law
        "found -= {'hingeproof.properties' + w for w in ('', '.failure_kinds', '.groups')}\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "PYTHONPATH": ""})


def test_the_summary_is_data(tmp_path: Path) -> None:
    summary = summarise(info(), [row for row in everything() if row.implementation != HOSTILE])
    assert msgspec.json.decode(msgspec.json.encode(summary), type=Summary) == summary


def test_tables_of_timings_say_once_what_all_cases_share() -> None:
    base = TimingCase(
        implementation="torch.hinge", loss="hinge", framework="torch", dtype="float32", n=1000, k=1, phase="forward",
        mode="eager", device="cpu",
    )  # fmt: skip
    rows = [
        GateRow(case=c.id, fields=c, base="a", head="b", verdict="equivalent")
        for c in (base, msgspec.structs.replace(base, phase="both"))
    ]
    table = gate_table(rows)
    assert [line.cells[:2] for line in table.lines] == [("torch.hinge", "both"), ("torch.hinge", "forward")]
    assert table.title == "Paired gate: eager, N=1,000, float32, cpu, 0.5 inside, contiguous, warm, 1 thread"
    older = GateRow(case="forward|torch.hinge", base="a", head="b", verdict="equivalent")  # without its fields
    assert gate_table([older]).lines[0].cells[:2] == ("forward|torch.hinge", "")
    assert gate_table([]).title == "Paired gate"
