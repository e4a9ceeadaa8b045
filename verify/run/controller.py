"""Start pytest on a plan, watch it, and gather what the workers wrote."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

from hingeproof.evidence.pairs import pairs
from hingeproof.evidence.points import Answers
from hingeproof.frameworks.process import worker_environment
from hingeproof.judge.unjudged import unjudged
from hingeproof.plan.checks import implementations
from hingeproof.run.progress import Progress
from hingeproof.run.worker import post_mortem
from hingeproof.runs import parts
from hingeproof.runs.directory import locked
from hingeproof.runs.journal import write_lines
from hingeproof.runs.passes import Passes
from hingeproof.runs.records import NOT_RUN, Check, Plan, Record, RunInfo

TIMEOUT = {"quick": 120.0, "ci": 300.0, "nightly": 1800.0}  # seconds a pass


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to. `records` has one for every check of the plan, run or not."""

    info: RunInfo
    records: tuple[Record, ...]
    interrupted: bool = False
    broken: str = ""


def execute(
    passes: Passes,
    info: RunInfo,
    checks: Sequence[Check],
    *,
    jobs: int,
    timeout: float | None,
    fail_fast: bool,
    progress: Progress,
) -> Outcome:
    """Judge all checks of a plan that the run has no verdict on."""
    with locked(passes.directory):
        judged = passes.journal.rows()
        todo = [check.id for check in checks if check.id not in judged]
        passes.begin(info, todo)
        started = time.monotonic()
        limit = timeout if timeout is not None else TIMEOUT[info.plan.profile]
        code, interrupted = 0, False
        if todo:
            count = len({check.pass_id for check in checks})
            command = pytest_command(
                passes.directory, jobs=min(jobs, count), limit=limit, fail_fast=fail_fast, passes=count
            )
            code, interrupted = judge(command, passes, info.plan, todo, progress)
        records = passes.journal.rows()
        if code in (0, 1, 2) and not interrupted:
            fill_in(passes, info, checks, records, limit)
        found = [records[check.id] for check in checks if check.id in records]
        without = [check for check in checks if check.id not in records]
        broken = "" if interrupted else what_broke(passes, code, fail_fast=fail_fast, without=len(without))
        seconds = round(info.seconds + time.monotonic() - started, 3)
        info = msgspec.structs.replace(info, complete=not interrupted and not broken, seconds=seconds)
        rest = [unjudged(check, info.plan, verdict="undecided", reason=NOT_RUN) for check in without]
        finish(passes, info, [*found, *rest] if info.complete else found)
    return Outcome(info, (*found, *rest), interrupted, broken)


def judge(command: list[str], passes: Passes, plan: Plan, todo: Sequence[str], progress: Progress) -> tuple[int, bool]:
    """Run pytest once for each environment that implementations need; return as `watch` does."""
    code, interrupted = 0, False
    for environment, part in by_environment(plan, todo):
        passes.write_todo(part)
        code, interrupted = watch(command, passes, progress, environment)
        if interrupted or code not in (0, 1):
            break
    return code, interrupted


def by_environment(plan: Plan, todo: Sequence[str]) -> list[tuple[dict[str, str], list[str]]]:
    """Return the checks that can share a process: a library like Keras takes its backend from it, once."""
    needs = {name: dict(i.environment) for name, i in implementations(plan).items()}
    parts: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for check in todo:
        name = check.split("|")[1]
        parts.setdefault(tuple(sorted(needs.get(name, {}).items())), []).append(check)
    return [(dict(key), part) for key, part in sorted(parts.items())]


def finish(passes: Passes, info: RunInfo, records: Sequence[Record]) -> None:
    """Write what the passes found, each kind of it into a file of its own."""
    directory = passes.directory
    ordered = sorted(records, key=lambda record: record.id)
    write_lines(directory / "pairs.jsonl", pairs(passes.answers(Answers)))
    figures = [figure for record in ordered for figure in record.figures]
    if figures:
        write_lines(directory / "figures.jsonl", figures)
    passes.journal.finish(info, [msgspec.structs.replace(r, figures=[]) if r.figures else r for r in ordered])
    if info.complete:
        passes.clear()


def pytest_command(directory: Path, *, jobs: int, limit: float, fail_fast: bool, passes: int) -> list[str]:
    """Return the command line: our configuration, our plugins, nobody else's."""
    return [
        *(sys.executable, "-m", "pytest", "-c", str(files("hingeproof") / "pytest.ini")),
        *("--rootdir", str(files("hingeproof.properties"))),
        *("-p", "xdist", "-p", "timeout", "-p", "hingeproof.plugin", "--noconftest"),
        # each of these costs every item its share of a millisecond
        *(
            f"-pno:{name}"
            for name in ("cacheprovider", "logging", "warnings", "subtests", "unraisableexception", "threadexception")
        ),
        *("--pyargs", "hingeproof.properties"),
        # always a worker, so that a crash is never the run's; each may crash once a pass
        *("-n", str(jobs), "--dist", "loadgroup", f"--max-worker-restart={passes + jobs + 2}"),
        *(f"--timeout={limit}", "--hingeproof-run", str(directory.resolve()), "--hingeproof-watch-stdin"),
        *("-qq", "--no-header", "--no-summary", "--tb=short", "--capture=no", "--color=no"),
        *(["-x"] if fail_fast else []),
    ]


def environment_of(directory: Path) -> dict[str, str]:
    """Return the environment of pytest and its workers: what Hypothesis stores goes to the run."""
    return {
        **worker_environment(),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(directory.resolve() / "inflight" / "hypothesis"),
    }


def watch(command: list[str], passes: Passes, progress: Progress, environment: Mapping[str, str]) -> tuple[int, bool]:
    """Run pytest until it ends or the user has had enough; return its exit code and whether it was stopped."""
    with (passes.directory / "pytest.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # never written to: its end tells pytest that we are gone
            stdout=log,
            stderr=log,
            env={**environment_of(passes.directory), **environment},
            start_new_session=True,  # Ctrl-C is ours to deal with
        )
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            with progress.watching(passes):
                while process.poll() is None:
                    progress.look()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=0.2)
                progress.look()
            return process.returncode, False
        except KeyboardInterrupt:
            return 0, True
        finally:
            signal.signal(signal.SIGTERM, before)
            # all verdicts are on the disk; hung workers would not listen to anything milder
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def what_broke(passes: Passes, code: int, *, fail_fast: bool, without: int) -> str:
    """Return what is wrong with us, in a line, if anything. pytest: 0 all passed, 1 some failed, 2 stopped by -x.

    without: how many checks have no verdict, though pytest came to its end.
    """
    log = passes.directory / "pytest.log"
    errors = passes.internal_errors()
    if errors:
        last = (errors[0].read_text(encoding="utf-8").strip().splitlines() or [""])[-1]  # a full disk keeps none
        return f"internal error in {len(errors)} pass{'es' if len(errors) > 1 else ''} ({last}): see {errors[0]}"
    if code == 2 and fail_fast:
        return ""
    if code not in (0, 1):
        return f"internal error: pytest ended with {code}: see {log}"
    return f"internal error: {without:,} checks have no verdict: see {log}" if without and not fail_fast else ""


def fill_in(passes: Passes, info: RunInfo, checks: Sequence[Check], records: dict[str, Record], limit: float) -> None:
    """Give the checks of a pass whose worker died, and that no other worker came to, their verdict."""
    dead = set(passes.in_progress())
    part = parts.part(passes.directory, "parent")
    for check in checks:
        if check.id not in records and check.pass_id in dead:
            verdict, reason, witness = post_mortem(passes, check.pass_id, limit)
            records[check.id] = unjudged(check, info.plan, verdict=verdict, reason=reason, witness=witness)
            parts.append(part, records[check.id])
