"""`hingeproof bench run`: the run directory, resumption, dead workers, pytest-benchmark's JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from hingeproof.bench.timing import controller as running
from hingeproof.bench.timing.measure import row
from hingeproof.bench.timing.session import Session, new_info
from hingeproof.bench.timing.show import seconds, sentence, table
from hingeproof.bench.timing.surroundings import comparable, hashed, volatile
from hingeproof.commands.main import run
from hingeproof.runs import parts
from hingeproof.runs.journal import Journal
from hingeproof.runs.kinds import BENCH
from hingeproof.runs.reader import Run, read
from hingeproof.runs.timings import BenchInfo, BenchPlan, Timing

QUICK = ["bench", "run", "numpy.hinge", "--phase", "forward", "--blocks", "3"]


def run_of(directory: Path) -> Run[BenchInfo, Timing]:
    return read(directory, BENCH)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bench") / "run"
    assert run([*QUICK, "--size", "1000,2000", "--out", str(out)]) == 0
    return out


def test_a_run_is_a_directory(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info, rows = run_of(measured).info, run_of(measured).records
    assert info.complete
    assert info.kind == "bench"
    assert info.cases == len(rows) == 2
    assert [r.case for r in rows] == sorted(r.case for r in rows)
    assert all(r.status == "measured" and len(r.blocks) == 3 and r.ratio and r.roof for r in rows)
    assert [c.framework for c in info.self_checks] == ["numpy"]
    assert info.self_checks[0].passed
    assert sorted(p.name for p in measured.iterdir()) == ["artifacts", "numpy.log", "records.jsonl", "run.json"]
    assert "2 measured" in sentence(info, rows, str(measured))
    assert "N=1000" in table(rows)


def test_the_environment_is_split(measured: Path) -> None:
    info = run_of(measured).info
    assert info.environment_hash == hashed(info.comparable)
    assert set(info.volatile) == set(volatile())
    assert not set(info.volatile) & set(info.comparable)
    assert hashed(comparable(1)) == hashed(comparable(1))
    assert hashed(comparable(1)) != hashed(comparable(2))
    text = (measured / "run.json").read_text()
    assert str(Path.home()) not in text


def test_pytest_benchmark_writes_the_same_numbers(measured: Path) -> None:
    written = json.loads((measured / "artifacts" / "numpy.json").read_text())
    found = {b["extra_info"]["case"]: b["stats"] for b in written["benchmarks"]}
    for r in run_of(measured).records:
        blocks = [b / r.loops for b in r.blocks]
        assert found[r.case]["rounds"] == 3
        assert found[r.case]["median"] == pytest.approx(sorted(blocks)[1], rel=1e-6)
        assert found[r.case]["data"] == pytest.approx(blocks, rel=1e-6)


def test_out_is_never_overwritten(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*QUICK, "--out", str(measured)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert run(["bench", "run", "--resume", "--out", str(measured)]) == 2
    assert "is complete" in capsys.readouterr().err


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    plan = BenchPlan(patterns=("numpy.hinge",), phases=("forward",), sizes=("1000", "2000"), blocks=3)
    session = Session(tmp_path / "run")
    session.begin(new_info("bench", plan, []))
    first, _ = session.todo()
    kept = row(first, status="measured", seconds=1.0, blocks=[1.0], loops=1)
    session.append(kept)
    (part,) = parts.parts(session.directory)[:1]
    with part.open("ab") as file:
        file.write(msgspec.json.encode(kept)[:40])  # killed while writing
    assert [c.n for c in session.todo()] == [2000]
    assert run(["bench", "run", "--resume", "--out", str(tmp_path / "run")]) == 0
    rows = run_of(tmp_path / "run").records
    assert {r.fields.n for r in rows} == {1000, 2000}
    assert next(r for r in rows if r.fields.n == 1000) == kept


def test_a_run_of_another_environment_does_not_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = new_info("bench", BenchPlan(patterns=("numpy.hinge",)), [])
    other = msgspec.structs.replace(info, comparable={**info.comparable, "processor": "another"})
    Journal(tmp_path / "run", BENCH).begin(other)
    assert run(["bench", "run", "--resume", "--out", str(tmp_path / "run")]) == 2
    assert "environment changed (processor another → " in capsys.readouterr().err


def test_a_case_that_kills_its_worker_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os, numpy as np\n"
        "def f(s, y):\n    if len(s) == 600: os._exit(9)\n    return np.maximum(1 - y * s, 0).mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    code = run(
        [
            *("bench", "run", "mine:f", "--loss", "hinge", "--framework", "numpy", "--phase", "forward"),
            *("--size", "500,600,700", "--blocks", "3", "--out", "run"),
        ]
    )
    assert code == 1
    found = {r.fields.n: r for r in run_of(tmp_path / "run").records}
    assert {n: r.status for n, r in found.items()} == {500: "measured", 600: "crash", 700: "measured"}
    assert found[600].reason == "the worker died (exit code 9)"


def test_an_environment_has_a_worker_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    words = ["numpy.hinge", "keras.numpy.hinge", "--phase", "forward", "--size", "500", "--blocks", "3"]
    assert run(["bench", "run", *words, "--out", str(tmp_path / "run")]) == 0
    rows = run_of(tmp_path / "run").records
    assert {r.fields.implementation: r.status for r in rows} == {
        "numpy.hinge": "measured",
        "keras.numpy.hinge": "measured",
    }
    artifacts = {p.name for p in (tmp_path / "run" / "artifacts").iterdir()}
    assert artifacts == {"numpy.json", "numpy-KERAS_BACKEND=numpy.json"}


def test_a_users_contract_is_held_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "coded.py").write_text(
        "import numpy as np\ndef f(s, y):\n    return np.maximum(1 - (2 * y - 1) * s, 0).mean() / 2\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["coded:f", "--loss", "hinge", "--framework", "numpy", "--phase", "forward", "--size", "500"]
    assert run(["bench", "run", *words, "--contract", "labels=01,scale=1/2", "--out", "right"]) == 0
    assert run(["bench", "run", *words, "--contract", "labels=01", "--out", "wrong"]) == 4
    assert run(["bench", "run", *words, "--contract", "labels=02"]) == 2
    assert "no value is named '02'" in capsys.readouterr().err


def test_a_wrong_answer_is_exit_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.py").write_text(
        "import numpy as np\ndef f(s, y):\n    return np.maximum(1 - y * s, 0)[::2].mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["wrong:f", "--loss", "hinge", "--framework", "numpy", "--phase", "forward", "--size", "500"]
    assert run(["bench", "run", *words, "--out", "run"]) == 4
    assert "invalid: wrong answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--phase", "sideways"], "no phase is named 'sideways'"),
        (["--mode", "warp"], "no mode is named 'warp'"),
        (["--profile", "huge"], "no profile is named 'huge'"),
        (["--size", "many"], "--size 'many'"),
        (["--inside", "2"], "--inside '2'"),
        (["--threads", "0"], "--threads 0"),
        (["--cache", "hot"], "no cache is named 'hot'"),
        (["torch.hing"], "did you mean"),
        (["--resume"], "there is no incomplete run of `hingeproof bench run`"),
        (["--device", "tpu"], "no device is named"),
    ],
)
def test_a_users_mistake_is_one_line(
    words: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["bench", "run", *words]) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1


def test_dry_run_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "run", "--dry-run", "numpy.hinge", "--profile", "quick"]) == 0
    assert capsys.readouterr().out == "2 cases\n"


def test_codes_take_the_worst() -> None:
    def rows(*statuses: str) -> list[Timing]:
        plan = BenchPlan(patterns=("numpy.hinge",))
        from hingeproof.bench.timing.case import cases

        return [row(cases(plan)[0], status=s) for s in statuses]

    assert running.code_of(rows("measured", "not run")) == 0
    assert running.code_of(rows("measured", "crash")) == 1
    assert running.code_of(rows("crash", "invalid")) == 4
    assert running.code_of(rows("not run")) == 5
    assert running.code_of([]) == 5


@pytest.mark.parametrize(("x", "text"), [(2.5, "2.5 s"), (3e-3, "3 ms"), (4e-6, "4 µs"), (5e-9, "5 ns"), (None, "-")])
def test_times_are_readable(x: float | None, text: str) -> None:
    assert seconds(x) == text
