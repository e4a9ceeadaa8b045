"""A timing run as its workers see it: what is to be timed, what is done, and which case was being timed last.

Rows go to the journal. Beside them, while the run goes on:

self_checks.jsonl   what each worker's clock detected
inflight            the case being timed: it is the culprit when the worker dies
artifacts/          pytest-benchmark's own JSON, one file a worker
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from hingeproof.bench.timing import surroundings
from hingeproof.bench.timing.case import cases, chosen, unset
from hingeproof.frameworks.environment import without_home
from hingeproof.runs import parts
from hingeproof.runs.journal import Journal
from hingeproof.runs.kinds import BENCH
from hingeproof.runs.reader import read_info
from hingeproof.runs.timings import BENCH_SCHEMA_VERSION, BenchInfo, BenchPlan, SelfCheck, Timing, TimingCase


def new_info(
    kind: Literal["bench", "gate"],
    plan: BenchPlan,
    arguments: Sequence[str],
    *,
    sides: Mapping[str, dict[str, str]] | None = None,
) -> BenchInfo:
    """What run.json says of a run that begins here and now."""
    environment = surroundings.comparable(plan.threads)
    return BenchInfo(
        schema_version=BENCH_SCHEMA_VERSION, kind=kind, plan=plan, comparable=environment,
        environment_hash=surroundings.hashed(environment), volatile=surroundings.volatile(),
        arguments=[without_home(argument) for argument in arguments],
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), complete=False,
        sides=dict(sides or {}),
    )  # fmt: skip


class Session:
    """One run directory of kind `bench`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal(directory, BENCH)
        self.inflight = directory / "inflight"
        self._self_checks = directory / "self_checks.jsonl"

    def begin(self, info: BenchInfo) -> None:
        """Make the directory ready, new or to go on with: nobody is to blame for what comes."""
        (self.directory / "artifacts").mkdir(parents=True, exist_ok=True)
        self.inflight.unlink(missing_ok=True)
        self.journal.begin(info)

    def info(self) -> BenchInfo:
        """Raises: UnreadableRunError where there is no timing run, or a newer hingeproof wrote it."""
        return read_info(self.directory, BENCH)

    def todo(self, framework: str | None = None, environment: Mapping[str, str] | None = None) -> list[TimingCase]:
        """The cases without a row; those of one framework that a process with these variables can time."""
        done, plan = self.journal.rows(), self.info().plan
        left = [c for c in cases(plan) if c.id not in done and framework in (None, c.framework)]
        if environment is None:
            return left
        known = chosen(plan)
        return [c for c in left if not unset(known[c.implementation], environment)]

    def starting(self, case: TimingCase) -> None:
        self.inflight.write_text(case.id, encoding="utf-8")

    def append(self, row: Timing) -> None:
        parts.append(parts.part(self.directory, row.fields.framework), row)
        self.inflight.unlink(missing_ok=True)

    def append_self_check(self, found: SelfCheck) -> None:
        parts.append(self._self_checks, found)

    def self_checks(self) -> list[SelfCheck]:
        return list({c.framework: c for c in parts.lines(self._self_checks, SelfCheck)}.values())

    def culprit(self) -> str | None:
        try:
            return self.inflight.read_text(encoding="utf-8") or None
        except FileNotFoundError:
            return None

    def finish(self, info: BenchInfo, *, complete: bool) -> BenchInfo:
        rows = self.journal.rows().values()
        info = msgspec.structs.replace(info, complete=complete, self_checks=self.self_checks(), cases=len(rows))
        self.journal.finish(info, rows)
        if complete:
            for path in (self._self_checks, self.inflight):
                path.unlink(missing_ok=True)
        return info
