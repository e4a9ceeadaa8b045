"""The run directory of any kind: written while workers die, read at any moment, gone on with, never another run."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.made import info as verify_info
from tests.made import record

from hingeproof.bench.timing.case import cases
from hingeproof.bench.timing.measure import row as timing_row
from hingeproof.bench.timing.session import Session, new_info
from hingeproof.commands.main import run
from hingeproof.errors import UsageError
from hingeproof.runs import parts, reader
from hingeproof.runs.directory import RUNS, known_runs, locked, new_directory
from hingeproof.runs.journal import Journal, write
from hingeproof.runs.kinds import BENCH, GATE, VERIFY, RunKind
from hingeproof.runs.timings import BenchPlan, GateRow, SelfCheck, Timing

PLAN = BenchPlan(patterns=("numpy.hinge",), phases=("forward",), sizes=("1000", "2000"), blocks=3)
WORDS = ["numpy.hinge", "--phase", "forward", "--size", "1000,2000", "--blocks", "3"]


def timings() -> list[Timing]:
    return [timing_row(case, status="measured", seconds=1.0, blocks=[1.0], loops=1) for case in cases(PLAN)]


def gates() -> list[GateRow]:
    return [GateRow(case=name, base="rev:a", head="rev:b", verdict="equivalent") for name in ("b", "a")]


KINDS: list[tuple[RunKind[Any, Any], Callable[[], Any], Callable[[], list[Any]]]] = [
    (VERIFY, lambda: verify_info(complete=False), lambda: [record("value"), record("exact")]),
    (BENCH, lambda: new_info("bench", PLAN, []), timings),
    (GATE, lambda: new_info("gate", PLAN, []), gates),
]
of_every_kind = pytest.mark.parametrize(("kind", "about", "rows"), KINDS, ids=[kind.name for kind, _, _ in KINDS])


# -- written, killed, gone on with, read ----------------------------------------------------------------------


@of_every_kind
def test_no_row_of_a_killed_run_is_lost_and_half_a_one_is_none(
    kind: RunKind[Any, Any], about: Callable[[], Any], rows: Callable[[], list[Any]], tmp_path: Path
) -> None:
    first, second = rows()
    journal = Journal(tmp_path, kind)
    journal.begin(about())
    part = parts.part(tmp_path, "gw0")
    parts.append(part, first)
    with part.open("ab") as file:
        file.write(msgspec.json.encode(second)[:-9])  # killed while writing
    assert reader.read(tmp_path, kind).records == (first,)

    journal = Journal(tmp_path, kind)  # another process goes on
    journal.begin(reader.read_info(tmp_path, kind))
    parts.append(parts.part(tmp_path, "gw0"), second)
    assert journal.rows() == {first.id: first, second.id: second}
    assert reader.read(tmp_path, kind).records == tuple(sorted((first, second), key=lambda r: r.id))

    journal.finish(msgspec.structs.replace(about(), complete=True), journal.rows().values())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["records.jsonl", "run.json"]
    run = reader.read(tmp_path, kind)
    assert run.info.complete
    assert run.records == tuple(sorted((first, second), key=lambda r: r.id))


@of_every_kind
def test_an_interrupted_run_that_goes_on_and_is_killed_shows_all_it_has(
    kind: RunKind[Any, Any], about: Callable[[], Any], rows: Callable[[], list[Any]], tmp_path: Path
) -> None:
    first, second = rows()
    journal = Journal(tmp_path, kind)
    journal.begin(about())
    parts.append(parts.part(tmp_path, "gw0"), first)
    journal.finish(about(), journal.rows().values())  # interrupted
    assert reader.read(tmp_path, kind).records == (first,)
    journal.begin(about())
    parts.append(parts.part(tmp_path, "gw1"), second)
    assert len(reader.read(tmp_path, kind).records) == 2


def test_of_two_rows_on_one_thing_the_first_stands(tmp_path: Path) -> None:
    parts.append(parts.part(tmp_path, "a"), record("value", verdict="crash"))
    parts.append(parts.part(tmp_path, "b"), record("value", verdict="pass"))
    assert [r.verdict for r in parts.rows(tmp_path, VERIFY.row).values()] == ["crash"]


def test_a_line_after_half_a_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    path.write_bytes(b'{"framework": "nu')
    found = SelfCheck(framework="numpy", unsynchronised=True, compile_in_round=True, asynchronous=False)
    parts.append(path, found)
    assert list(parts.lines(path, SelfCheck)) == [found]


SHORT = """
import resource, sys
from pathlib import Path
from hingeproof.runs import parts
from hingeproof.runs.timings import SelfCheck

path = Path("part.jsonl")
row = lambda name: SelfCheck(framework=name, unsynchronised=True, compile_in_round=True, asynchronous=False)
parts.append(path, row("before"))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
try:
    parts.append(path, row("lost"))
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    parts.append(path, row("after"))
    print([r.framework for r in parts.lines(path, SelfCheck)])
"""


def test_a_row_that_does_not_fit_on_the_disk_is_an_error_and_spoils_no_other(tmp_path: Path) -> None:
    said = subprocess.check_output([sys.executable, "-c", SHORT], cwd=tmp_path, text=True)
    assert said == "['before', 'after']\n"


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "run.json"
    write(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"run.json cannot be written: No space left on device; make room"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# -- which directory ------------------------------------------------------------------------------------------


def test_a_directory_is_held_by_one_and_let_go_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path), pytest.raises(UsageError, match="is being written by another hingeproof"):  # noqa: SIM117
        with locked(tmp_path):
            pass
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_where_nothing_can_be_made_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = "cannot be made: Not a directory; name another with --out"
    with pytest.raises(UsageError, match=said), locked(tmp_path / "file" / "run"):
        pass


def test_runs_are_known_by_their_kind_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for second in (1, 3, 2):
        about = msgspec.structs.replace(new_info("bench", PLAN, []), started=f"2026-01-01T00:00:0{second}+00:00")
        Journal(new_directory(None, BENCH), BENCH).begin(about)
    Journal(new_directory(None, GATE), GATE).begin(new_info("gate", PLAN, []))
    new_directory(None, BENCH)  # killed before it began
    assert [info.started[-7] for _, info in known_runs(BENCH)] == ["3", "2", "1"]
    assert len(known_runs(GATE)) == 1
    assert not known_runs(VERIFY)


# -- what is no run, or none of this kind ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ('{"schema_version": 1, "kind": "gate"}', "is a run of kind gate: give one of `hingeproof bench run`"),
        ('{"schema_version": 1, "kind": "verify"}', "is a run of kind verify: give one of `hingeproof bench run`"),
        ('{"schema_version": 1, "kind": "census"}', "is of kind 'census', which this hingeproof does not know"),
        ('{"schema_version": 9, "kind": "bench"}', "has schema version 9, this hingeproof reads up to 1"),
        ('{"schema_version": 1, "kind": "bench"}', "is damaged (Object missing required field `plan`): run again"),
        ('{"kind": "bench"}', "is damaged (Object missing required field `schema_version`): run again"),
        ("[]", "is damaged"),
        ("", "is damaged"),
    ],
)
def test_what_is_no_timing_run_is_refused_in_one_line(
    head: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(head)
    assert run(["bench", "run", "--resume", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_damaged_row_of_a_timing_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal(tmp_path, BENCH).finish(msgspec.structs.replace(new_info("bench", PLAN, []), complete=True), timings())
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    for command in (["report", str(tmp_path)], ["history", "add", str(tmp_path), "--db", str(tmp_path / "h.db")]):
        assert run(command) == 2
        assert "records.jsonl, line 2 is damaged" in capsys.readouterr().err


# -- resumption of timing runs --------------------------------------------------------------------------------


def begun(directory: Path) -> tuple[Path, Timing]:
    """A run of which one case is timed."""
    session = Session(directory)
    session.begin(new_info("bench", PLAN, []))
    kept = timings()[0]
    session.append(kept)
    return directory, kept


def test_resume_alone_takes_the_newest_incomplete_timing_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    directory, kept = begun(new_directory(None, BENCH))
    Journal(RUNS / "29990101T000000Z-verify", VERIFY).begin(verify_info(complete=False))  # of another kind
    assert run(["bench", "run", "--resume"]) == 0
    found = reader.read(directory, BENCH)
    assert found.info.complete
    assert found.records[0] == kept
    assert len(found.records) == 2
    assert run(["bench", "run", "--resume"]) == 2
    assert "there is no incomplete run of `hingeproof bench run`" in capsys.readouterr().err


def test_nobody_is_blamed_for_what_was_timed_when_an_earlier_process_was_killed(tmp_path: Path) -> None:
    directory, _ = begun(tmp_path)
    Session(directory).starting(cases(PLAN)[1])
    assert Session(directory).culprit() == cases(PLAN)[1].id
    Session(directory).begin(Session(directory).info())
    assert Session(directory).culprit() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--blocks", "7"], "blocks was 3, is 7"),
        (["torch.hinge"], "patterns was ('numpy.hinge',), is ('torch.hinge',)"),
        (["--size", "1000"], "sizes was ('1000', '2000'), is ('1000',)"),
        (["--profile", "ci"], "profile was 'quick', is 'ci'"),
    ],
)
def test_a_timing_run_that_is_asked_for_otherwise_does_not_go_on(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(tmp_path)
    assert run(["bench", "run", *words, "--resume", "--out", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
    assert len(parts.rows(tmp_path, Timing)) == 1


def test_a_timing_run_of_an_older_version_is_read_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until 0.1 rows stood in rows.jsonl, each between line breaks, and the case being timed in a file as now."""
    kept, other = timings()
    Journal(tmp_path, BENCH).write_info(new_info("bench", PLAN, []))
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "inflight").write_text(other.case)  # killed while this was timed: nobody's fault
    half = msgspec.json.encode(other)[:50]
    (tmp_path / "rows.jsonl").write_bytes(b"\n" + msgspec.json.encode(kept) + b"\n\n" + half)
    found = SelfCheck(framework="numpy", unsynchronised=True, compile_in_round=True, asynchronous=False, note="old")
    (tmp_path / "self_checks.jsonl").write_bytes(b"\n" + msgspec.json.encode(found) + b"\n")
    assert Session(tmp_path).self_checks() == [found]
    assert run(["report", str(tmp_path)]) == 0
    assert "The run is not complete; so far 1 timed." in capsys.readouterr().out

    assert run(["bench", "run", *WORDS, "--resume", "--out", str(tmp_path)]) == 0
    done = reader.read(tmp_path, BENCH)
    assert done.records[0] == kept
    assert [r.status for r in done.records] == ["measured", "measured"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["artifacts", "numpy.log", "records.jsonl", "run.json"]


SLOW = """
import time
import numpy as np
def f(s, y):
    time.sleep(0.02)
    return np.maximum(1 - y * s, 0).mean()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see who goes on")
def test_kill_dash_nine_of_a_timing_run_stops_its_worker_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = [
        *("slow:f", "--loss", "hinge", "--framework", "numpy", "--phase", "forward", "--blocks", "5"),
        *("--size", "100,200,300,400,500", "--out", "out"),
    ]
    command = [sys.executable, "-m", "hingeproof", "bench", "run"]
    process = subprocess.Popen([*command, *words], cwd=tmp_path, stderr=subprocess.DEVNULL)
    out = tmp_path / "out"
    wait_for(lambda: parts.rows(out, Timing))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not held_by_somebody(out))
    before = parts.rows(out, Timing)
    time.sleep(1)
    assert parts.rows(out, Timing) == before
    assert len(before) < 5
    done = subprocess.run(
        [*command, "--resume", "--out", "out", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = {r.case: r for r in reader.read(out, BENCH).records}
    assert len(found) == 5
    assert {name: found[name] for name in before} == before


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def held_by_somebody(out: Path) -> bool:
    """Whether a process lives whose command line names the run, or its lock is held."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(out) in entry.read_text().split("\0"):
                return True
        except OSError:
            continue
    with (out / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


# -- a disk that fills up while a worker judges ---------------------------------------------------------------

FULL = """
import resource
import numpy as np
def f(scores, targets, reduction="mean"):
    if (scores == 0.875).any():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    d = np.maximum(1 - scores * targets.astype(scores.dtype), 0).astype(scores.dtype)
    return d if reduction == "none" else d.sum(dtype=d.dtype) if reduction == "sum" else d.mean(dtype=d.dtype)
"""


def test_a_worker_that_cannot_write_is_our_error_and_no_crash_of_the_implementation(tmp_path: Path) -> None:
    (tmp_path / "full.py").write_text(FULL)
    words = [
        *("full:f", "--law", "answers,zero_past_margin,label_flip", "--profile", "quick", "--loss", "hinge"),
        *("--framework", "numpy", "--dtype", "float32", "--out", "out", "--jobs", "1"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "hingeproof", "verify", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 70, done.stdout + done.stderr
    assert "internal error" in done.stderr
    found = reader.read(tmp_path / "out", VERIFY)
    assert not found.info.complete
    assert "crash" not in {r.verdict for r in found.records}
