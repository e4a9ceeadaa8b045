"""The kinds of run: what run.json of each holds, and what a line of its records.jsonl is. A new kind is a row here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hingeproof.runs.proofs import PROOF_SCHEMA_VERSION, Shard
from hingeproof.runs.records import SCHEMA_VERSION, Record, RunInfo
from hingeproof.runs.timings import BENCH_SCHEMA_VERSION, BenchInfo, GateRow, Timing


class HasId(Protocol):
    """What a run finds, one a line. A run has one row on a thing, and its `id` says on which."""

    @property
    def id(self) -> str: ...


InfoT = TypeVar("InfoT", bound=RunInfo | BenchInfo)
RowT = TypeVar("RowT", bound=HasId)


@dataclass(frozen=True)
class RunKind(Generic[InfoT, RowT]):
    """`version`: the newest schema that is read, and the one that is written; `command`: what makes such a run."""

    name: str
    info: type[InfoT]
    row: type[RowT]
    version: int
    command: str


VERIFY = RunKind("verify", RunInfo, Record, SCHEMA_VERSION, "hingeproof verify")
BENCH = RunKind("bench", BenchInfo, Timing, BENCH_SCHEMA_VERSION, "hingeproof bench run")
GATE = RunKind("gate", BenchInfo, GateRow, BENCH_SCHEMA_VERSION, "hingeproof bench gate")
PROOF = RunKind("proof", RunInfo, Shard, PROOF_SCHEMA_VERSION, "hingeproof prove")

VERSIONS = {kind.name: kind.version for kind in (VERIFY, BENCH, GATE, PROOF)}
