"""A run from the outside: `hingeproof verify` in a process of its own, on callables that answer, raise, crash and hang.

These use the real engine on NumPy alone, with few laws, or a stand-in for it where the engine is not what is tested.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hingeproof.run.progress import Seen
from hingeproof.runs import parts
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.passes import Passes, Tries
from hingeproof.runs.reader import Run, read
from hingeproof.runs.records import Record, RunInfo

MINE = """
import ctypes, os, signal, sys, time
import numpy as np

def good(scores, targets, margin=1.0, reduction="mean"):
    d = np.maximum(np.asarray(margin, scores.dtype) - scores * targets.astype(scores.dtype), 0).astype(scores.dtype)
    return d if reduction == "none" else d.sum(dtype=d.dtype) if reduction == "sum" else d.mean(dtype=d.dtype)

def wrong(scores, targets, margin=1.0, reduction="mean"):
    return good(scores, -targets, margin, reduction)

def slow(scores, targets, margin=1.0, reduction="mean"):
    time.sleep(0.004)
    return good(scores, targets, margin, reduction)

def segfaults(scores, targets, reduction="mean"):
    if (scores == 0.875).any():
        os.kill(os.getpid(), signal.SIGSEGV)
    return good(scores, targets, reduction=reduction)

def killed(scores, targets, reduction="mean"):
    os.kill(os.getpid(), signal.SIGKILL)

def leaves(scores, targets, reduction="mean"):
    os._exit(7)

def exits(scores, targets, reduction="mean"):
    sys.exit(3)

def sleeps(scores, targets, reduction="mean"):
    time.sleep(3600)

def holds_the_lock(scores, targets, reduction="mean"):
    ctypes.PyDLL(None).sleep(3600)  # a PyDLL call keeps the interpreter lock: no Python thread or handler runs

def raises(scores, targets, reduction="mean"):
    raise RuntimeError("no luck today")
"""
FEW = ("--law", "answers,zero_past_margin,label_flip", "--profile", "quick", "--loss", "hinge", "--framework", "numpy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hingeproof", "verify", *arguments]


def verify(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


def run_of(folder: Path, out: str = "out") -> Run[RunInfo, Record]:
    return read(folder / out, VERIFY)


def verdicts(run: Run[RunInfo, Record], implementation: str) -> set[str]:
    return {r.verdict for r in run.records if r.implementation == implementation}


def timeless(record: Record) -> Record:
    return msgspec.structs.replace(record, seconds=0.0)


# -- implementations that die, hang or raise: a verdict each, and the run goes on -----------------------------


def test_a_good_callable_passes(folder: Path) -> None:
    done = verify(folder, "mine:good", *FEW, "--out", "out", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    run = run_of(folder)
    assert run.info.complete
    assert verdicts(run, "mine:good") == {"pass"}
    assert len(run.records) == run.info.checks == 3
    kept = ["figures.jsonl", "pairs.jsonl", "pytest.log", "records.jsonl", "run.json"]
    assert sorted(p.name for p in (folder / "out").iterdir()) == kept


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("segfaults", "crash", "the process died of SIGSEGV"),
        ("killed", "crash", "the process died of SIGKILL"),
        ("leaves", "crash", "the process left with exit code 7"),
        ("exits", "crash", "it called sys.exit(3)"),
        ("sleeps", "timeout", "no answer within 5 s"),
        ("holds_the_lock", "timeout", "no answer within 5 s"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_callable_that_dies_or_hangs_has_its_verdict_and_the_others_theirs(
    folder: Path, name: str, verdict: str, reason: str, jobs: str
) -> None:
    limit = ("--timeout", "5") if verdict == "timeout" else ()
    done = verify(folder, f"mine:{name}", "mine:good", *FEW, "--out", "out", "--jobs", jobs, *limit,
                  "--dtype", "float32,float64" if verdict == "crash" else "float32")  # fmt: skip
    assert done.returncode == 1, done.stderr
    run = run_of(folder)
    assert run.info.complete
    bad = [r for r in run.records if r.implementation == f"mine:{name}"]
    assert len(bad) == (6 if verdict == "crash" else 3)
    assert {r.verdict for r in bad} == {verdict}
    assert {r.reason for r in bad} == {reason}
    assert all(r.witness is not None and r.witness.inputs["scores"].hex for r in bad)
    assert verdicts(run, "mine:good") == {"pass"}
    assert reason in done.stdout


def test_a_pass_of_one_item_that_crashes(folder: Path) -> None:
    done = verify(folder, "mine:killed", *FEW, "--out", "out", "--jobs", "1")
    assert done.returncode == 1, done.stderr
    done = verify(
        folder, "mine:killed", "--loss", "hinge", "--framework", "numpy", "--law", "zero_past_margin", "--out", "one"
    )
    assert done.returncode == 1, done.stderr
    assert [r.verdict for r in run_of(folder, "one").records if r.dtype == "float32"] == ["crash"]


def test_an_exception_is_a_failure(folder: Path) -> None:
    done = verify(folder, "mine:raises", *FEW, "--out", "out")
    assert done.returncode == 1, done.stderr
    (failed,) = [r for r in run_of(folder).records if r.verdict == "fail"]
    assert failed.witness is not None
    assert "no luck today" in failed.witness.observed


LOUD = """
from mine import good
print("hello")
def f(scores, targets):
    print("x" * 100)
    return good(scores, targets)
"""


def test_what_users_print_does_not_get_into_the_results(folder: Path) -> None:
    (folder / "loud.py").write_text(LOUD)
    done = verify(folder, "loud:f", *FEW, "--out", "out", "--json")
    assert json.loads(done.stdout)["verdicts"]["pass"] >= 1


# -- same seed, same verdicts ---------------------------------------------------------------------------------


def test_the_number_of_workers_does_not_matter(folder: Path) -> None:
    choice = ("mine:wrong", "mine:good", "numpy.hinge", *FEW, "--dtype", "float32,float64", "--seed", "7")
    for jobs in ("1", "3"):
        assert verify(folder, *choice, "--jobs", jobs, "--out", jobs).returncode == 1
    one, three = ([timeless(r) for r in run_of(folder, jobs).records] for jobs in ("1", "3"))
    assert one == three
    assert {r.verdict for r in one} == {"pass", "fail"}
    assert [r.check for r in one] == sorted(r.check for r in one)


# -- killed, interrupted, resumed -----------------------------------------------------------------------------

LONG = ("mine:slow", *FEW, "--dtype", "float16,bfloat16,float32,float64", "--jobs", "1")  # four passes of a second


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def judged(out: Path) -> dict[str, Record]:
    return parts.rows(out, Record)


def until(condition: Any, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def processes_of(out: Path) -> list[int]:
    """Return pytest and its workers: those whose command line names the run, and their children."""
    parents: dict[int, int] = {}
    ours = set()
    for entry in Path("/proc").iterdir():
        try:
            pid = int(entry.name)
            parents[pid] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if str(out) in (entry / "cmdline").read_text().split("\0"):
                ours.add(pid)
        except (ValueError, OSError):
            continue
    return [pid for pid, parent in parents.items() if pid in ours or parent in ours]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find the whole tree")
@pytest.mark.parametrize("whole_tree", [True, False], ids=["whole tree", "parent alone"])
def test_kill_dash_nine_and_resume_lose_nothing(folder: Path, whole_tree: bool) -> None:
    out = folder / "out"
    process = start(folder, *LONG, "--out", "out")
    until(lambda: judged(out))
    tree = processes_of(out)
    assert len(tree) >= 2
    process.kill()
    if whole_tree:
        for pid in tree:
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    until(lambda: not processes_of(out))  # nobody goes on in the background
    before = judged(out)
    info = msgspec.json.decode((out / "run.json").read_bytes(), type=RunInfo)
    assert not info.complete
    assert 0 < len(before) < info.checks

    again = verify(folder, "--resume", "--out", "out")
    assert again.returncode in (0, 1), again.stderr
    run = run_of(folder)
    assert run.info.complete
    assert len(run.records) == info.checks
    assert {r.check: r for r in run.records if r.check in before} == before  # seconds too: not judged again
    assert not {r.verdict for r in run.records} & {"crash", "timeout"}

    assert verify(folder, *LONG, "--out", "whole").returncode == again.returncode
    assert [timeless(r) for r in run_of(folder, "whole").records] == [timeless(r) for r in run.records]


def test_interrupt_reports_and_says_how_to_go_on(folder: Path) -> None:
    process = start(folder, *LONG, "--out", "out")
    until(lambda: judged(folder / "out"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "The run is not complete" in out
    assert "hingeproof verify --resume --out out" in err
    assert not run_of(folder).info.complete
    assert run_of(folder).records
    assert verify(folder, "--resume", "--out", "out").returncode in (0, 1)
    assert run_of(folder).info.complete


@pytest.fixture
def interrupted(folder: Path) -> Path:
    process = start(folder, *LONG, "--out", "out")
    until(lambda: judged(folder / "out"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    return folder


def test_resume_refuses_what_would_be_another_run(interrupted: Path) -> None:
    for arguments, named in ((("--seed", "5"), "seed was 0, is 5"), (("--profile", "ci"), "profile was 'quick'")):
        done = verify(interrupted, "--resume", "--out", "out", *arguments)
        assert done.returncode == 2
        assert named in done.stderr
    path = interrupted / "out" / "run.json"
    path.write_text(path.read_text().replace('"numpy": "', '"numpy": "0.'))
    done = verify(interrupted, "--resume", "--out", "out")
    assert done.returncode == 2
    assert "numpy 0." in done.stderr


def test_resume_alone_takes_the_newest_incomplete_run(folder: Path) -> None:
    assert verify(folder, "--resume").returncode == 2
    process = start(folder, *LONG)
    until(lambda: any(judged(out) for out in (folder / ".hingeproof" / "runs").glob("*")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert verify(folder, "mine:good", *FEW).returncode == 0
    done = verify(folder, "--resume", "-q")
    assert done.returncode in (0, 1), done.stderr
    done = verify(folder, "--resume")
    assert done.returncode == 2
    assert "no incomplete run" in done.stderr


def test_a_run_is_not_written_by_two(folder: Path) -> None:
    process = start(folder, *LONG, "--out", "out")
    until(lambda: judged(folder / "out"))
    done = verify(folder, "--resume", "--out", "out")
    assert done.returncode == 2
    assert "another hingeproof" in done.stderr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


# -- options --------------------------------------------------------------------------------------------------


def test_out_that_holds_something_is_refused(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").write_text("precious")
    done = verify(folder, "mine:good", *FEW, "--out", "out")
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_last_failed_runs_what_failed(folder: Path) -> None:
    assert verify(folder, "mine:wrong", "mine:good", *FEW).returncode == 1
    first = json.loads(verify(folder, "--last-failed", "--json").stdout)
    assert set(first["verdicts"]) == {"fail"}
    assert first["checks"] == first["verdicts"]["fail"]
    assert verify(folder, "mine:good", *FEW).returncode == 0
    assert verify(folder, "--last-failed").returncode == 2


def test_fail_fast_stops(folder: Path) -> None:
    done = verify(folder, "mine:wrong", *LONG[1:], "--fail-fast", "--out", "out")
    assert done.returncode == 1, done.stderr
    run = run_of(folder)
    assert run.info.complete
    assert any(r.reason == "not run" for r in run.records)
    assert len(run.records) == run.info.checks


def test_junit_and_quiet(folder: Path) -> None:
    done = verify(folder, "mine:wrong", *FEW, "--junit", "deep/junit.xml", "--quiet")
    assert done.returncode == 1
    assert "<failure" in (folder / "deep" / "junit.xml").read_text()
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_results_and_progress_are_apart(folder: Path) -> None:
    done = verify(folder, "mine:slow", *FEW, "--jobs", "1")
    assert "checks run" in done.stdout
    assert "records and environment" in done.stderr
    assert "\x1b" not in done.stdout


def test_run_json_names_no_person_and_no_machine(folder: Path) -> None:
    verify(folder, "mine:good", *FEW, "--out", str(Path.home() / folder.name / "out"), env={"HOME": str(Path.home())})
    text = (Path.home() / folder.name / "out" / "run.json").read_text()
    assert str(Path.home()) not in text
    assert not re.search(rf"\b{re.escape(os.uname().nodename)}\b", text)
    for path in sorted((Path.home() / folder.name).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (Path.home() / folder.name).rmdir()


# -- what lies around in the user's folder --------------------------------------------------------------------

HOSTILE = {
    "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
    "conftest.py": "raise RuntimeError('not yours')\n",
    **{
        f"{name}/__init__.py": "raise RuntimeError('not yours')\n"
        for name in ("bench", "properties", "reports", "verify")
    },
}


def test_the_users_own_pytest_settings_do_not_interfere(folder: Path) -> None:
    for name, text in HOSTILE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = verify(folder, "mine:good", *FEW, env={"PYTEST_ADDOPTS": "--no-such", "PYTEST_PLUGINS": "no_such"})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("extra", [(), ("-n", "2", "--dist", "loadgroup"), ("-n", "2")], ids=" ".join)
def test_pytest_alone_collects_the_laws_from_any_folder(folder: Path, extra: tuple[str, ...]) -> None:
    for name in HOSTILE:
        if name.endswith("__init__.py"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "hingeproof.plugin", "--pyargs", "hingeproof.properties",
         "--hingeproof-select", "numpy.hinge", "-k", "value or label_flip", *extra],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


# -- our own faults -------------------------------------------------------------------------------------------

STAND_IN = """
import sys, types
engine = types.ModuleType("hingeproof.judge.engine")

def run_pass(checks, plan, about_to_try, **_):
    from hingeproof.judge.unjudged import unjudged
    about_to_try({"x": 1})
    yield unjudged(checks[0], plan, verdict="pass", reason="")
    if checks[0].dtype == "float64":
        raise ZeroDivisionError("ours")
    for check in checks[1:]:
        yield unjudged(check, plan, verdict="pass", reason="")

engine.run_pass = run_pass
sys.modules["hingeproof.judge.engine"] = engine
"""


def test_an_internal_error_is_70_and_says_where_the_log_is_and_resumes(folder: Path) -> None:
    """The stand-in for the engine reaches workers as sitecustomize, since the current folder is on their path."""
    (folder / "sitecustomize.py").write_text(STAND_IN)
    done = verify(folder, "numpy.hinge", "--law", "convex,nan", "--dtype", "float32,float64", "--out", "out")
    assert done.returncode == 70, done.stderr
    assert "ZeroDivisionError: ours" in done.stderr
    log = done.stderr.split("see ")[1].split()[0]
    assert "ZeroDivisionError" in (folder / log).read_text()
    assert "1 check did not run" in done.stdout
    assert not run_of(folder).info.complete
    (folder / "sitecustomize.py").write_text(STAND_IN.replace("float64", "none"))
    done = verify(folder, "--resume", "--out", "out", "--quiet")
    assert done.returncode == 0, done.stderr
    assert {r.verdict for r in run_of(folder).records} == {"pass"}


# -- the journal ----------------------------------------------------------------------------------------------


def record(check: str) -> Record:
    return Record(
        check=check, law="value", group="value", kind="law", implementation="numpy.hinge", framework="numpy",
        loss="hinge", dtype="float32", device="cpu", mode="eager", verdict="pass",
    )  # fmt: skip


def test_half_a_line_is_no_verdict(tmp_path: Path) -> None:
    part = parts.part(tmp_path, "gw0")
    parts.append(part, record("a"))
    with part.open("ab") as file:
        file.write(msgspec.json.encode(record("b"))[:-9])
    assert set(parts.rows(tmp_path, Record)) == {"a"}
    tail = parts.Tail(tmp_path, Seen)
    assert [seen.check for seen in tail] == ["a"]
    with part.open("ab") as file:
        file.write(msgspec.json.encode(record("b"))[-9:] + b"\n")
    assert [seen.check for seen in tail] == ["b"]


def test_what_was_about_to_be_tried_is_readable_whatever_stood_there(tmp_path: Path) -> None:
    passes = Passes(tmp_path)
    passes.inflight.mkdir()
    tries = Tries(passes, "a|b")
    tries({"scores": [1.0] * 100})
    tries({"scores": [2.0]})
    left = passes.left_behind("a|b")
    assert left is not None
    assert (left.pass_id, left.pid, left.input) == ("a|b", os.getpid(), {"scores": [2.0]})
    assert passes.in_progress() == ["a|b"]
    tries.done()
    assert passes.left_behind("a|b") is None
