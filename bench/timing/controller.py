"""`hingeproof bench run`: a worker for each framework and environment, in turn, so that none runs beside a timing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files

import msgspec

from hingeproof.bench.timing.case import Place, cases, places, threads_of
from hingeproof.bench.timing.measure import row
from hingeproof.bench.timing.session import Session
from hingeproof.errors import FINDING, GOOD, INTERNAL, INTERRUPTED, INVALID, NOTHING, UsageError
from hingeproof.frameworks.environment import present
from hingeproof.frameworks.process import worker_environment
from hingeproof.runs.directory import locked
from hingeproof.runs.kinds import BENCH
from hingeproof.runs.reader import read
from hingeproof.runs.timings import BenchInfo, BenchPlan, Timing, TimingCase


def execute(session: Session, info: BenchInfo) -> tuple[BenchInfo, int]:
    """Time every case that has no row yet; return what run.json says now, and the exit code. Raises: UsageError."""
    if not present("pytest_benchmark"):
        raise UsageError("pytest-benchmark is not installed: pip install 'hingeproof[bench]'")
    began, interrupted, broken = time.monotonic(), False, ""
    with locked(session.directory):
        session.begin(info)
        try:
            for place in places(info.plan):
                broken = broken or _place(session, place, info.plan)
        except KeyboardInterrupt:
            interrupted = True
        seconds = round(info.seconds + time.monotonic() - began, 1)
        info = session.finish(msgspec.structs.replace(info, seconds=seconds), complete=not interrupted and not broken)
    if broken:
        print(f"hingeproof: {broken}", file=sys.stderr)
    return info, INTERRUPTED if interrupted else INTERNAL if broken else exit_code(session)


def _place(session: Session, place: Place, plan: BenchPlan) -> str:
    """Start workers until nothing is left; a case that kills its worker is a row. Return what is wrong with us."""
    framework, more = place
    environment = worker_environment(threads_of(framework, plan)) | dict(more)
    name = "-".join([framework, *(f"{n}={value}" for n, value in more)])
    left = session.todo(framework, environment)
    while left:
        code = _worker(session, framework, environment, name)
        now = session.todo(framework, environment)
        culprit = session.culprit()
        if culprit is not None and (dead := _named(now, culprit)) is not None:
            session.append(row(dead, status="crash", reason=f"the worker died ({_how(code)})"))
            now = session.todo(framework, environment)
        if len(now) == len(left):
            return f"the worker of {name} ended with {code}: see {session.directory / f'{name}.log'}"
        left = now
    return ""


def _named(left: list[TimingCase], name: str) -> TimingCase | None:
    return next((c for c in left if c.id == name), None)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _worker(session: Session, framework: str, environment: Mapping[str, str], name: str) -> int:
    number = len(list((session.directory / "artifacts").glob(f"{name}*.json")))
    json = session.directory / "artifacts" / f"{name}{f'-{number}' if number else ''}.json"
    command = [
        *(sys.executable, "-m", "pytest", "-c", str(files("hingeproof") / "pytest.ini")),
        *("-o", "python_files=test_timing.py", "--capture=no"),
        *("--rootdir", str(files("hingeproof.bench.timing")), "--noconftest", "-pno:cacheprovider", "-pno:xdist"),
        *("-p", "pytest_benchmark.plugin", "-p", "hingeproof.plugin"),
        *("--pyargs", "hingeproof.bench.timing.test_timing"),
        *("--hingeproof-bench", str(session.directory.resolve()), "--hingeproof-bench-framework", framework),
        "--hingeproof-watch-stdin",
        *("--benchmark-json", str(json), "-q", "--no-header", "--tb=short", "--color=no"),
    ]  # fmt: skip
    with (session.directory / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # never written to: its end tells the worker that we are gone
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is ours to deal with
        )
        try:
            while process.poll() is None:
                _say(session)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
    _say(session, end=True)
    return process.returncode


def _say(session: Session, *, end: bool = False) -> None:
    if sys.stderr.isatty():
        now = session.culprit() or ""
        print(
            f"\r\033[K{len(session.journal.rows())} timed  {now[:100]}", end="\r\033[K" if end else "", file=sys.stderr
        )


def exit_code(session: Session) -> int:
    """4 a row is no measurement, 1 an implementation crashed, 5 nothing was timed."""
    return code_of(read(session.directory, BENCH).records)


def code_of(rows: Sequence[Timing]) -> int:
    found: Mapping[str, int] = {status: sum(r.status == status for r in rows) for status in {r.status for r in rows}}
    if found.get("invalid"):
        return INVALID
    if found.get("crash"):
        return FINDING
    return GOOD if found.get("measured") else NOTHING


def dry_run(plan: BenchPlan) -> int:
    """How many cases there are."""
    return len(cases(plan))
