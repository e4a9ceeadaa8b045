"""A timing run's directory as its workers see it: what is to be timed, what is done, and the rows as they come.

run.json            the plan and the environment; `complete` at the end
rows.jsonl          rows as they are measured, one fsynced line each; sorted into records.jsonl at the end
self_checks.jsonl   what each worker's clock detected
inflight            the case being timed: it is the culprit when the worker dies
artifacts/          pytest-benchmark's own JSON, one file a worker
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from hingeproof.bench.timing import surroundings
from hingeproof.bench.timing.case import cases, chosen, unset
from hingeproof.errors import UsageError
from hingeproof.runs.directory import RUNS
from hingeproof.runs.journal import write
from hingeproof.runs.timings import BENCH_SCHEMA_VERSION, BenchInfo, BenchPlan, Case, SelfCheck, Timing

T = TypeVar("T")


class Session:
    """One run directory of kind `bench`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rows = directory / "rows.jsonl"
        self.inflight = directory / "inflight"

    def begin(self, plan: BenchPlan, arguments: list[str], kind: str = "bench") -> BenchInfo:
        (self.directory / "artifacts").mkdir(parents=True, exist_ok=True)
        environment = surroundings.comparable(plan.threads)
        info = BenchInfo(
            schema_version=BENCH_SCHEMA_VERSION, kind=kind, plan=plan, comparable=environment,  # type: ignore[arg-type]
            environment_hash=surroundings.hashed(environment), volatile=surroundings.volatile(), arguments=arguments,
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), complete=False,
        )  # fmt: skip
        self.write_info(info)
        return info

    def write_info(self, info: BenchInfo) -> None:
        write(self.directory / "run.json", msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")

    def info(self) -> BenchInfo:
        """Raises: UsageError where there is no timing run, or a newer hingeproof wrote it."""
        return read_info(self.directory)

    def done(self) -> dict[str, Timing]:
        """The rows so far; half a line, left by a kill, is none."""
        return {row.case: row for row in lines(self.rows, Timing)}

    def todo(self, framework: str | None = None, environment: Mapping[str, str] | None = None) -> list[Case]:
        """The cases without a row; those of one framework that a process with these variables can time."""
        done, plan = self.done(), self.info().plan
        left = [c for c in cases(plan) if c.id not in done and framework in (None, c.framework)]
        if environment is None:
            return left
        known = chosen(plan)
        return [c for c in left if not unset(known[c.implementation], environment)]

    def starting(self, case: Case) -> None:
        self.inflight.write_text(case.id, encoding="utf-8")

    def append(self, row: Timing) -> None:
        _append(self.rows, row)
        self.inflight.unlink(missing_ok=True)

    def append_self_check(self, found: SelfCheck) -> None:
        _append(self.directory / "self_checks.jsonl", found)

    def self_checks(self) -> list[SelfCheck]:
        return list({c.framework: c for c in lines(self.directory / "self_checks.jsonl", SelfCheck)}.values())

    def culprit(self) -> str | None:
        try:
            return self.inflight.read_text(encoding="utf-8") or None
        except FileNotFoundError:
            return None

    def finish(self, info: BenchInfo, *, complete: bool) -> BenchInfo:
        rows = sorted(self.done().values(), key=lambda r: r.case)
        write(self.directory / "records.jsonl", b"".join(msgspec.json.encode(r) + b"\n" for r in rows))
        info = msgspec.structs.replace(info, complete=complete, self_checks=self.self_checks(), cases=len(rows))
        self.write_info(info)
        if complete:
            for name in ("rows.jsonl", "self_checks.jsonl", "inflight"):
                (self.directory / name).unlink(missing_ok=True)
        return info


def new_directory(kind: str) -> Path:
    """A new directory in the default place."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1000):
        directory = RUNS / f"{stamp}-{kind}{f'-{number}' if number else ''}"
        with contextlib.suppress(FileExistsError):
            directory.mkdir(parents=True)
            return directory
    raise UsageError(f"{RUNS} has a thousand runs of this second: clear it")


def lines(path: Path, kind: type[T]) -> list[T]:
    """The records of a JSON Lines file that is being written; what cannot be read was cut off, and is left out."""
    found = []
    if path.exists():
        decoder = msgspec.json.Decoder(kind)
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                found.append(decoder.decode(line))
    return found


def _append(path: Path, record: msgspec.Struct) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        # a line break first: half a line of a killed process must not swallow this one
        os.write(file, b"\n" + msgspec.json.encode(record) + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


class _Version(msgspec.Struct):
    schema_version: int
    kind: str = ""


def read_info(directory: Path) -> BenchInfo:
    """run.json of a timing run. Raises: UsageError."""
    path = directory / "run.json"
    try:
        head = msgspec.json.decode(path.read_bytes(), type=_Version)
        if head.kind not in ("bench", "gate"):
            raise UsageError(
                f"{directory} is a run of kind {head.kind or 'verify'}: give one of `hingeproof bench run`"
            )
        if head.schema_version > BENCH_SCHEMA_VERSION:
            raise UsageError(
                f"{path} has schema version {head.schema_version}, this hingeproof reads up to {BENCH_SCHEMA_VERSION}: "
                "pip install --upgrade hingeproof"
            )
        return msgspec.json.decode(path.read_bytes(), type=BenchInfo)
    except OSError:
        raise UsageError(
            f"{directory} is not a run (it has no run.json): give the directory that --out named"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is damaged ({' '.join(str(error).split())}): measure again into a new --out"
        ) from None


def read_rows(directory: Path) -> list[Timing]:
    """The rows of a timing run, finished or not. Raises: UsageError for a damaged file."""
    path = directory / "records.jsonl"
    if not path.exists():
        return list(Session(directory).done().values())
    decoder = msgspec.json.Decoder(Timing)
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}, line {number} is damaged: {' '.join(str(error).split())}") from None
    return found
