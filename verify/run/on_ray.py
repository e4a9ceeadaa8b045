"""The shards of a proof as Ray tasks, on this machine or a cluster: rows are streamed back and journaled here.

The machines need the same environment as this one. A worker that is killed loses nothing: its shard is asked again.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

import msgspec

from hingeproof.errors import UsageError
from hingeproof.frameworks.environment import present
from hingeproof.frameworks.process import worker_environment
from hingeproof.run.prover import Prover
from hingeproof.run.proving import Shards, environments
from hingeproof.runs.proofs import Shard, Task
from hingeproof.runs.records import Plan

LOCAL = "ray"
RETRIES = 3  # of a shard whose worker died; then the implementation is to blame


@lru_cache(maxsize=1)
def _prover(plan: bytes) -> Prover:
    return Prover(msgspec.json.decode(plan, type=Plan))


def judged(plan: bytes, task: bytes) -> bytes:
    """Judge a shard in a Ray worker. All is JSON, so that nothing of ours is pickled."""
    row = _prover(plan).shard(msgspec.json.decode(task, type=Task), lambda first, count: None)
    return msgspec.json.encode(row)


def run(shards: Shards, plan: Plan, *, address: str, timeout: float, until: float | None) -> bool:
    """Work until nothing is left, or the time is over; return whether nothing is left. Raises: UsageError."""
    ray = _connected(address)
    try:
        return _Tasks(ray, shards, plan, timeout).run(until)
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    if not present("ray"):
        raise UsageError("--on ray: ray is not installed (pip install 'hingeproof[ray]')")
    import ray

    where = {} if address == LOCAL else {"address": address}
    kept = worker_environment().items() - os.environ.items()
    try:
        ray.init(**where, log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": dict(kept)})
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"--on {address}: no cluster answers ({' '.join(str(error).split())[:200]})") from None
    return ray


class _Tasks:
    """As many shards at once as the cluster has processors, so that a shard's time is its own."""

    def __init__(self, ray: Any, shards: Shards, plan: Plan, timeout: float) -> None:
        self._ray, self._shards, self._timeout = ray, shards, timeout
        self._plan, self._environments = msgspec.json.encode(plan), environments(plan)
        self._remote = ray.remote(judged).options(max_retries=RETRIES, num_cpus=1)
        self._asked: dict[Any, tuple[Task, float]] = {}

    def run(self, until: float | None) -> bool:
        most = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        while self._shards.todo or self._asked:
            if until is not None and time.monotonic() > until:
                return False
            while self._shards.todo and len(self._asked) < most:
                self._ask(self._shards.todo.pop(0))
            for found in self._ray.wait(list(self._asked), timeout=0.2)[0]:
                self._shards.write(self._answer(found))
            self._give_up()
            self._shards.look()
        return True

    def _ask(self, task: Task) -> None:
        more = self._environments[task.claim.implementation]
        remote = self._remote.options(runtime_env={"env_vars": more}) if more else self._remote
        self._asked[remote.remote(self._plan, msgspec.json.encode(task))] = task, time.monotonic()

    def _answer(self, found: Any) -> Shard:
        task, _ = self._asked.pop(found)
        try:
            return msgspec.json.decode(self._ray.get(found), type=Shard)
        except self._ray.exceptions.WorkerCrashedError:
            return Shard(task=task, status="crash", reason=f"its worker died {RETRIES + 1} times")

    def _give_up(self) -> None:
        for asked, (task, since) in list(self._asked.items()):
            if time.monotonic() - since > self._timeout:
                del self._asked[asked]
                self._ray.cancel(asked, force=True)
                self._shards.write(Shard(task=task, status="timeout", reason=f"no answer within {self._timeout:g} s"))
