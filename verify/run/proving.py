"""`hingeproof prove`: workers are given shard after shard; one that dies or hangs costs the shard, never the run."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from hingeproof.frameworks.process import worker_environment
from hingeproof.plan.checks import implementations
from hingeproof.run.prover import inflight
from hingeproof.run.rate import Rate
from hingeproof.run.worker import how
from hingeproof.runs import parts
from hingeproof.runs.directory import locked
from hingeproof.runs.journal import Journal
from hingeproof.runs.kinds import PROOF
from hingeproof.runs.proofs import Claim, Shard, Task
from hingeproof.runs.records import Plan, RunInfo

DEATHS = 3  # shards of a claim that may die, or be refused, before the rest of them is not asked


class ProverProcess:
    """A worker process, with the shard that it is at."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.environment, self.since = environment, 0.0
        self.task: Task | None = None
        self.claim: Claim | None = None
        with (directory / "provers.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hingeproof.run.prover", str(directory.resolve())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env={**worker_environment(), **environment}, start_new_session=True,  # Ctrl-C is ours to deal with
            )  # fmt: skip

    def give(self, task: Task) -> None:
        assert self.process.stdin is not None
        self.task, self.claim, self.since = task, task.claim, time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # it has died: the end of its output says so
            self.process.stdin.write(msgspec.json.encode(task) + b"\n")
            self.process.stdin.flush()

    def done(self) -> bool:
        """Take note of what it says: True where the shard is judged, False where the process has ended."""
        assert self.process.stdout is not None
        return bool(os.read(self.process.stdout.fileno(), 64))

    def end(self) -> int:
        """End the process, whatever it is at, and return how it ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return code


class Shards:
    """The shards of a run that have no row yet, and the journal of those that have."""

    def __init__(self, directory: Path, todo: Sequence[Task], rate: Rate) -> None:
        self.directory, self.todo, self.rate = directory, list(todo), rate
        self._deaths: dict[Claim, int] = {}
        self._part = parts.part(directory, "parent")
        self._tail = parts.Tail(directory, Shard)
        self._tail.skip()

    def write(self, row: Shard) -> None:
        """Journal a row."""
        parts.append(self._part, row)

    def look(self) -> None:
        """Read the rows that are new; a claim whose shards die or are refused again and again is not asked further."""
        for row in self._tail:
            self.rate.add(row)
            if row.status in ("crash", "timeout", "raised"):
                claim = row.task.claim
                self._deaths[claim] = self._deaths.get(claim, 0) + 1
                if self._deaths[claim] == DEATHS or _cannot(row):
                    self._abandon(row)
        self.rate.say()

    def _abandon(self, row: Shard) -> None:
        claim = row.task.claim
        left = [task for task in self.todo if task.claim == claim]
        self.todo[:] = [task for task in self.todo if task.claim != claim]
        for task in left:
            self.write(msgspec.structs.replace(row, task=task, reason=f"not asked, after: {row.reason}", seconds=0.0))


class Provers:
    """Worker processes on this machine."""

    def __init__(self, shards: Shards, plan: Plan, timeout: float) -> None:
        self.shards, self.todo, self.timeout = shards, shards.todo, timeout
        self._environments = environments(plan)
        self._workers: dict[int, ProverProcess] = {}
        self._said = selectors.DefaultSelector()

    def run(self, jobs: int, until: float | None) -> bool:
        """Work until nothing is left, or the time is over; return whether nothing is left."""
        try:
            while self.todo or any(w.task for w in self._workers.values()):
                if until is not None and time.monotonic() > until:
                    return False
                self._employ(jobs)
                for key, _ in self._said.select(timeout=0.2):
                    self._hear(key.data)
                for worker in list(self._workers.values()):
                    if worker.task is not None and time.monotonic() - worker.since > self.timeout:
                        self._bury(worker, "timeout")
                self.shards.look()
            return True
        finally:
            for worker in list(self._workers.values()):
                self._dismiss(worker)
            self.shards.look()

    # -- who does what -----------------------------------------------------------------------------------------

    def _employ(self, jobs: int) -> None:
        """Give every idle worker a shard: of its own claim, of one that nobody is at, or of any."""
        for worker in list(self._workers.values()):
            if worker.task is None:
                self._next(worker)
        while self.todo and len(self._workers) < jobs:
            self._next(None)

    def _next(self, worker: ProverProcess | None) -> None:
        if not self.todo:
            return
        others = {w.claim for w in self._workers.values() if w is not worker}
        own = worker.claim if worker is not None else None
        place = min(
            range(len(self.todo)),
            key=lambda i: (self.todo[i].claim != own, self.todo[i].claim in others, i),
        )
        task = self.todo.pop(place)
        environment = self._environments[task.claim.implementation]
        if worker is not None and worker.environment != environment:  # a library takes its backend from it, once
            self._dismiss(worker)
            worker = None
        if worker is None:
            worker = ProverProcess(self.shards.directory, environment)
            assert worker.process.stdout is not None
            self._workers[worker.process.pid] = worker
            self._said.register(worker.process.stdout, selectors.EVENT_READ, worker)
        worker.give(task)

    def _dismiss(self, worker: ProverProcess) -> int:
        if self._workers.pop(worker.process.pid, None) is not None:
            assert worker.process.stdout is not None
            self._said.unregister(worker.process.stdout)
        return worker.end()

    # -- what comes of it --------------------------------------------------------------------------------------

    def _hear(self, worker: ProverProcess) -> None:
        if worker.done():
            worker.task = None
        elif worker.process.pid in self._workers:
            self._bury(worker, "crash")

    def _bury(self, worker: ProverProcess, status: str) -> None:
        """Give the shard of a worker that died, or hangs, its row."""
        code, task = self._dismiss(worker), worker.task
        if task is None:
            return
        said = f"no answer within {self.timeout:g} s" if status == "timeout" else how(code)
        with contextlib.suppress(OSError, ValueError):
            first, last = inflight(self.shards.directory, worker.process.pid).read_text(encoding="utf-8").split()
            said += f" when asked the scores {first} … {last}"
        self.shards.write(Shard(task=task, status=status, reason=said))  # type: ignore[arg-type]


def environments(plan: Plan) -> dict[str, dict[str, str]]:
    """Return the variables that each implementation's process needs from the start."""
    return {name: dict(i.environment) for name, i in implementations(plan).items()}


def _cannot(row: Shard) -> bool:
    return row.status == "raised" and unsupported(row.task.claim, row.reason)


def unsupported(claim: Claim, reason: str) -> bool:
    """Does a refusal say that the mode or dtype cannot run here, as `verify` has it?"""
    return claim.mode != "eager" or (claim.dtype in ("float16", "bfloat16") and "implemented" in reason)


def execute(
    directory: Path,
    info: RunInfo,
    tasks: Sequence[Task],
    *,
    jobs: int,
    timeout: float,
    seconds: float | None,
    rate: Rate,
    on: str | None = None,
) -> tuple[RunInfo, tuple[Shard, ...], bool]:
    """Judge all shards that have no row; return what run.json says now, all rows, and whether it was interrupted."""
    journal = Journal(directory, PROOF)
    began, interrupted, ended = time.monotonic(), False, False
    with locked(directory):
        journal.begin(info)
        (directory / "inflight").mkdir(exist_ok=True)
        done = journal.rows()
        shards = Shards(directory, [t for t in tasks if t.id not in done], rate)
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            until = None if seconds is None else began + seconds
            if on is None:
                ended = Provers(shards, info.plan, timeout).run(jobs, until)
            else:
                from hingeproof.run import on_ray

                ended = on_ray.run(shards, info.plan, address=on, timeout=timeout, until=until)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            signal.signal(signal.SIGTERM, before)
        found = journal.rows()
        rows = [found[task.id] for task in tasks if task.id in found]
        complete = ended and all(row.status != "error" for row in rows)
        spent = round(info.seconds + time.monotonic() - began, 3)
        info = msgspec.structs.replace(info, complete=complete, seconds=spent)
        journal.finish(info, rows)
    return info, tuple(rows), interrupted


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
