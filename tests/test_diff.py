"""Two runs compared: every way that a check can go, what may explain it, and what each rendering says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from tests.made import STATEMENTS, WITNESS, good, info, record, stored

from hingeproof.commands.main import run
from hingeproof.reports import compare, tables, timings
from hingeproof.reports.compare import Difference
from hingeproof.reports.write import junit, markdown
from hingeproof.runs.records import Record, RunInfo, Verdict
from hingeproof.runs.timings import Status, Timing, TimingCase

VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "known", "stale", "unsupported", "crash", "timeout", "undecided")
WORSE = {"fail", "crash", "timeout", "stale"}


def at(version: str, **more: Any) -> RunInfo:
    return msgspec.structs.replace(info(**more), environment={"python": "3.11.7", "torch": version})


def difference(
    base: list[Record], head: list[Record], infos: tuple[RunInfo, RunInfo] | None = None, **more: Any
) -> Difference:
    one, two = infos or (at("2.13.0"), at("2.14.1"))
    return compare.compare((one, base), (two, head), **more)


@pytest.mark.parametrize("base", VERDICTS)
@pytest.mark.parametrize("head", VERDICTS)
def test_every_pair_of_verdicts_is_worse_exactly_when_a_finding_is_new(base: Verdict, head: Verdict) -> None:
    d = difference([record(verdict=base)], [record(verdict=head)])
    worse = head in WORSE and base not in WORSE
    assert d.exit_code == (1 if worse else 0)
    kinds = [change.kind for change in d.changes]
    if head in WORSE:
        assert kinds == ["newly_failing" if worse else "still_failing"]
    elif base == head:
        assert kinds == []
    elif base in WORSE | {"pass", "known"} and head in ("undecided", "unsupported"):
        assert kinds == ["not_judged"]
    else:
        assert kinds in (["newly_passing"], ["otherwise"])


def test_a_new_check_is_worse_only_if_it_fails_and_vanished_ones_only_under_strict() -> None:
    assert difference(good(), [*good(), record("more")]).exit_code == 0
    assert difference(good(), [*good(), record("more", verdict="fail")]).exit_code == 1
    lost = difference([*good(), record("more")], good())
    assert (lost.exit_code, lost.checks("vanished")) == (0, 1)
    assert difference([*good(), record("more")], good(), strict=True).exit_code == 3
    assert (
        difference(good(), [record("sub_gradient", verdict="undecided", group="gradient")], strict=True).exit_code == 3
    )


def test_runs_without_a_check_in_common_compare_nothing() -> None:
    d = difference([record()], [record("other")])
    assert d.exit_code == 5
    assert tables.diff_sentence(d) == "Nothing was compared: the runs have no check in common."


def test_what_may_explain_it_comes_first_and_only_where_it_concerns_the_framework() -> None:
    jax = record("exact", "jax.hinge", framework="jax")
    d = difference(
        [record(), jax], [record(verdict="fail"), msgspec.structs.replace(jax, verdict="fail")],
    )  # fmt: skip
    explained = {change.implementation: change.explained_by for change in d.changes}
    assert explained == {"torch.hinge": ("torch",), "jax.hinge": ()}
    assert tables.diff_tables(d)[0].key == "environment"
    assert tables.diff_sentence(d) == (
        "Worse: 2 checks newly fail in 2 implementations (torch 2.13.0 → 2.14.1 may explain it)."
    )


def test_checks_that_differ_only_in_dtype_or_mode_are_one_change() -> None:
    rows = [record(dtype=dtype, mode=mode) for dtype in ("float32", "float64") for mode in ("eager", "compile")]
    d = difference(rows, [msgspec.structs.replace(row, verdict="fail") for row in rows])
    (change,) = d.changes
    assert (change.checks, change.dtypes, change.modes) == (4, ("float32", "float64"), ("compile", "eager"))


def test_changed_selections_accuracy_and_conventions() -> None:
    def row(point: str, ulp: float, convention: str) -> Record:
        return record("s", group="gradient", selection={point: 3}, worst_ulp=ulp, convention=convention)

    d = difference([row("1", 0.5, "swallows NaN")], [row("0", 0.75, "")])
    assert (d.selections[0].base, d.selections[0].head) == (("1",), ("0",))
    assert d.selections[0].explained_by == ("torch",)
    assert (d.accuracy[0].base, d.accuracy[0].head) == (0.5, 0.75)
    assert (d.conventions[0].base, d.conventions[0].head) == ("swallows NaN", "")
    assert d.exit_code == 0, "another legal sub-gradient is no failure by itself"
    same = difference([row("1", 0.5, "x")], [msgspec.structs.replace(row("1", 0.5, "x"), selection={"1": 99})])
    assert not same.selections, "how often is a matter of the seed"


def test_names_with_bars_and_anything_else_vanish_under_their_own_name() -> None:
    odd = record("exact", "a|b|c:f")
    (change,) = difference([*good(), odd], good()).of("vanished")
    assert (change.law, change.implementation, change.loss) == ("exact", "a|b|c:f", "hinge")


def test_other_plans_are_said() -> None:
    d = difference(good(), good(), (at("2.13.0", profile="quick"), at("2.13.0", profile="ci", seed=4)))
    assert [(fact.name, fact.base, fact.head) for fact in d.plan] == [("profile", "quick", "ci"), ("seed", "0", "4")]
    assert not d.environment


def test_an_incomplete_side_is_said_first() -> None:
    d = difference(good(), good(), (at("1"), at("1", complete=False)))
    assert tables.diff_sentence(d).startswith("head not complete; so far: Nothing got worse")


# Renderings


def failing() -> Difference:
    rows = [*good(), record("old", verdict="fail")]
    return difference(
        rows, [good()[0], *(msgspec.structs.replace(r, verdict="fail", witness=WITNESS) for r in rows[1:])]
    )


def test_markdown_of_a_difference_shows_the_witness_of_what_got_worse() -> None:
    text = markdown.of_difference(failing(), at("2.14.1"), STATEMENTS)
    assert text.startswith("## ❌ Worse: 1 check newly fail")
    assert text.index("What differs in the environment") < text.index("What got worse")
    assert "expected: a point of [-1, 0]" in text
    assert text.count("import torch") == 1, "what failed before is not shown in full again"


def test_junit_of_a_difference_fails_what_got_worse_only() -> None:
    root = ET.fromstring(junit.of_difference(failing()))
    assert [len(root.findall(f".//{kind}")) for kind in ("testcase", "failure", "skipped")] == [2, 1, 1]
    assert root.attrib["failures"] == "1"


# The command


def test_the_command_and_its_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(stored(tmp_path / "base", good(), at("2.13.0")))
    bad = [good()[0], msgspec.structs.replace(good()[1], verdict="fail", witness=WITNESS)]
    head = str(stored(tmp_path / "head", bad, at("2.14.1")))
    assert run(["diff", base, head]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "Worse: 1 check newly fails in 1 implementation (torch 2.13.0 → 2.14.1 may explain it)." in text
    assert "print(torch.relu(torch.zeros(1)))" in text
    assert run(["diff", base, base, "--quiet"]) == 0
    assert capsys.readouterr().out == "Nothing got worse in 2 checks that both runs have.\n"
    assert run(["diff", head, base, "--json"]) == 0
    data = msgspec.json.decode(capsys.readouterr().out)
    assert data["difference"]["changes"][0]["kind"] == "newly_passing"
    assert run(["diff", base, str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err
    assert run(["diff", base, head, "--html", str(tmp_path / "x"), "--junit", str(tmp_path / "x")]) == 2
    assert "named twice" in capsys.readouterr().err
    assert run(["diff", base, head, "--html", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_all_renderings_are_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    base = stored(tmp_path / "base", good(), at("2.13.0"))
    head = stored(tmp_path / "head", [record(verdict="fail", witness=WITNESS)], at("2.14.1"))
    kinds = ("html", "markdown", "comment", "junit", "sarif", "badge")

    def render(folder: str, seed: str) -> dict[str, bytes]:
        out = {kind: tmp_path / folder / kind for kind in kinds}
        arguments = [word for kind, path in out.items() for word in (f"--{kind}", str(path))]
        for command in (["diff", str(base), str(head)], ["report", str(base), str(head)]):
            done = subprocess.run(
                [sys.executable, "-m", "hingeproof", *command, *arguments],
                env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 1, done.stderr
        return {kind: path.read_bytes() for kind, path in out.items()}

    one = render("one", "1")
    assert one == render("two", "2")
    assert str(tmp_path).encode() not in b"".join(one.values()), "a path is no part of a report"


# Timings


def timing(case: str, call: float, *, spread: float = 0.01, blocks: int = 60, status: Status = "measured") -> Timing:
    fields = TimingCase(
        implementation=case, loss="hinge", framework="torch", dtype="float32", n=1000, k=1, phase="both",
        mode="eager", device="cpu",
    )  # fmt: skip
    wobble = [1 + 0.01 * ((7 * i) % 13 / 6 - 1) for i in range(blocks)]
    return Timing(
        case=case, fields=fields, status=status, blocks=[10 * call * w for w in wobble], loops=10,
        reference_blocks=[1e-3] * blocks, reference_loops=1, bytes=12_000, roof=1e10,
    )  # fmt: skip


def bench_run(directory: Path, rows: list[Timing], environment: str = "e1") -> Path:
    directory.mkdir()
    about = {
        "schema_version": 1, "kind": "bench", "plan": {}, "comparable": {"cpu": environment}, "arguments": [],
        "environment_hash": environment, "volatile": {}, "started": "2026-01-02T03:04:05Z", "complete": True,
    }  # fmt: skip
    (directory / "run.json").write_bytes(msgspec.json.encode(about))
    (directory / "records.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return directory


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "same"), (1.03, "same"), (1.2, "slower"), (0.8, "faster"), (1.05, "inconclusive")]
)
def test_a_timing_is_slower_only_when_its_whole_interval_is(factor: float, verdict: str) -> None:
    (row,) = timings.compare([timing("a", 1e-4)], [timing("a", factor * 1e-4)], comparable=True)
    assert row.verdict == verdict
    assert row.change is not None
    assert row.change.low <= row.change.middle <= row.change.high
    assert row.change.middle == pytest.approx(factor)


def test_timings_of_another_machine_are_never_a_regression(tmp_path: Path) -> None:
    base = str(bench_run(tmp_path / "a", [timing("a", 1e-4)]))
    slower = [timing("a", 2e-4)]
    assert run(["diff", base, str(bench_run(tmp_path / "b", slower))]) == 1
    assert run(["diff", base, str(bench_run(tmp_path / "c", slower, "e2"))]) == 0
    assert run(["diff", base, str(stored(tmp_path / "d", good()))]) == 2


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [(["same", "regression"], 1), (["same", "improvement"], 0), (["invalid", "regression"], 4), (["not run"], 5)],
)
def test_a_gate_run_keeps_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verdicts: list[str], code: int
) -> None:
    directory = bench_run(tmp_path / "gate", [])
    about = msgspec.json.decode((directory / "run.json").read_bytes())
    (directory / "run.json").write_bytes(msgspec.json.encode({**about, "kind": "gate"}))
    rows = [
        {"case": f"case{n}", "base": "rev:a", "head": "rev:b", "verdict": verdict, "effect": 0.1, "low": 0.05,
         "high": 0.15, "floor": 0.01}
        for n, verdict in enumerate(verdicts)
    ]  # fmt: skip
    (directory / "records.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    assert run(["report", str(directory)]) == code
    assert capsys.readouterr().out.startswith("rev:a → rev:b: 1 ")
    assert run(["report", str(directory), "--html", "-"]) == code
    assert "+5.0 % … +15.0 %" in capsys.readouterr().out
    assert run(["report", str(directory), "--json"]) == code
    assert {**rows[0], "reason": ""} in msgspec.json.decode(capsys.readouterr().out)["runs"][0]["gates"]
    assert run(["diff", str(directory), str(directory)]) == 2


def test_a_timing_run_in_every_rendering(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [timing("torch.hinge", 1e-4), timing("jax.hinge", 2e-4), timing("slow", 1.0, status="not run", blocks=0)]
    directory = str(bench_run(tmp_path / "a", rows))
    assert run(["report", directory]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 timed, 1 not.")
    assert re.search(r"torch.hinge.* 100 µs", out)
    assert run(["report", directory, "--html", str(tmp_path / "a.html"), "--markdown", str(tmp_path / "a.md")]) == 0
    assert "of 2 cases" in (tmp_path / "a.html").read_text()
    assert "`100 µs`" in (tmp_path / "a.md").read_text()


def test_the_interval_of_the_median_is_the_binomial_one() -> None:
    # P(Bin(11, 1/2) <= 0) = 1/2048 and <= 1 is 12/2048 > 0.005: the ends are the extremes
    found = timings.interval([float(i) for i in range(11)])
    assert found == timings.Span(0.0, 5.0, 10.0)
    # P(Bin(20, 1/2) <= 3) = 1351/2^20 < 0.005 < P(<= 4): ranks 3 and 16
    found = timings.interval([float(i) for i in range(20)])
    assert found == timings.Span(3.0, 9.5, 16.0)
