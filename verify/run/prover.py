"""A worker of `hingeproof prove`: judges the shards that it is given, a line of stdin each, and journals the rows.

Run as `python -m hingeproof.run.prover DIRECTORY`. It says `done` for each on what was its standard output; whatever
an implementation prints goes to the log.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue

import msgspec

from hingeproof.judge.proof.sweep import AboutToTry, Sweep
from hingeproof.plan.checks import implementations
from hingeproof.runs import parts
from hingeproof.runs.kinds import PROOF
from hingeproof.runs.proofs import Claim, Shard, Task
from hingeproof.runs.reader import read_info
from hingeproof.runs.records import Plan

DONE = b"done\n"


class Prover:
    """Sweeps of a plan, one at a time: what an implementation has compiled goes with it."""

    def __init__(self, plan: Plan) -> None:
        self._known = implementations(plan)
        self._sweep: Sweep | None = None

    def shard(self, task: Task, about_to_try: AboutToTry) -> Shard:
        """Return the row of a shard; an exception that is ours is a row, too."""
        try:
            return self._of(task.claim).shard(task, about_to_try)
        except Exception:
            return Shard(task=task, status="error", reason=traceback.format_exc())

    def _of(self, claim: Claim) -> Sweep:
        if self._sweep is None or self._sweep.claim != claim:
            self._sweep = None
            self._sweep = Sweep(claim, self._known[claim.implementation])
        return self._sweep


def main(directory: Path) -> None:
    """Judge what is asked until nothing more comes."""
    said = os.dup(1)
    os.dup2(2, 1)
    prover = Prover(read_info(directory, PROOF).plan)
    part = parts.part(directory, "prover")
    given: SimpleQueue[Task] = SimpleQueue()
    threading.Thread(target=_listen, args=(given,), daemon=True).start()
    with inflight(directory, os.getpid()).open("w", encoding="utf-8") as file:

        def about_to_try(first: int, count: int) -> None:
            file.seek(0)
            file.write(f"{first:#010x} {first + count - 1:#010x}\n")
            file.flush()

        while True:
            parts.append(part, prover.shard(given.get(), about_to_try))
            os.write(said, DONE)


def _listen(given: SimpleQueue[Task]) -> None:
    """Take shards until whoever gives them is gone: then nobody waits for this process, whatever it is at."""
    for line in sys.stdin.buffer:
        given.put(msgspec.json.decode(line, type=Task))
    os._exit(0)


def inflight(directory: Path, pid: int) -> Path:
    """Return the file that says which scores a worker is about to ask."""
    return directory / "inflight" / str(pid)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
