"""Runs into the history: timing runs, verification runs, pytest-benchmark's JSON, another history."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from hingeproof.bench.history.database import History, accuracy, notes, runs, timings
from hingeproof.bench.timing.surroundings import hashed
from hingeproof.errors import UsageError
from hingeproof.runs import reader
from hingeproof.runs.kinds import BENCH, GATE, VERIFY, InfoT, RowT, RunKind
from hingeproof.runs.records import FINDINGS

# facts of an environment that change by the day, or say where and not what
PASSING = ("hingeproof", "os", "flags", "pytest", "pytest-xdist", "hypothesis")


class Entry(msgspec.Struct, kw_only=True):
    """A run as it is stored. `key` names its content: what is there already is not stored twice."""

    key: str
    kind: str
    started: str
    comparable: dict[str, str]
    volatile: dict[str, str] = {}
    timings: list[dict[str, Any]] = []
    accuracy: list[dict[str, Any]] = []
    notes: list[dict[str, str]] = []


def of_run(directory: Path) -> Entry:
    """A run directory of `bench run` or `verify`. Raises: UsageError for another, a damaged or an unfinished one."""
    kind = reader.kind_of(directory)
    if kind == GATE.name:
        raise UsageError(f"{directory} compares two sides: it is no point of a series; add a run of `bench run`")
    return _timing_run(directory) if kind == BENCH.name else _verification_run(directory)


def _whole(directory: Path, kind: RunKind[InfoT, RowT]) -> reader.Run[InfoT, RowT]:
    run = reader.read(directory, kind)
    if not run.info.complete:
        raise UsageError(f"{directory} is not complete: finish it with --resume, then add it")
    return run


def _key(directory: Path) -> str:
    return hashlib.sha256(b"".join((directory / n).read_bytes() for n in ("run.json", "records.jsonl"))).hexdigest()


def _timing_run(directory: Path) -> Entry:
    run = _whole(directory, BENCH)
    info = run.info
    rows = [
        {"name": r.case, "ratio": r.ratio, "seconds": r.seconds, "blocks": len(r.blocks)}
        for r in run.records
        if r.status == "measured"
    ]
    return Entry(
        key=_key(directory), kind="bench", started=info.started, comparable=info.comparable, volatile=info.volatile,
        timings=rows,
    )  # fmt: skip


def _verification_run(directory: Path) -> Entry:
    run = _whole(directory, VERIFY)
    verdicts: dict[str, Counter[str]] = {}
    worst: dict[str, float] = {}
    for r in run.records:
        name = r.check.partition("|")[2]  # the pass: implementation, loss, dtype, device, mode
        verdicts.setdefault(name, Counter())[r.verdict] += 1
        if r.worst_ulp is not None:
            worst[name] = max(worst.get(name, 0.0), r.worst_ulp)
    rows = [
        {
            "name": name,
            "verdicts": json.dumps(dict(sorted(count.items()))),
            "failures": sum(count[v] for v in FINDINGS),
            "worst_ulp": worst.get(name),
        }
        for name, count in sorted(verdicts.items())
    ]
    environment = {n: v for n, v in run.info.environment.items() if n not in PASSING}
    return Entry(key=_key(directory), kind="verify", started=run.info.started, comparable=environment, accuracy=rows)


def of_pytest_benchmark(path: Path) -> Entry:
    """pytest-benchmark's JSON, anyone's. Series bear its full names; ours bring their ratio along."""
    try:
        data = path.read_bytes()
        found = json.loads(data)
        machine, rows = found["machine_info"], []
        for b in found["benchmarks"]:
            extra = b.get("extra_info") or {}
            rows.append(
                {
                    "name": str(extra.get("case") or b["fullname"])[:400],
                    "ratio": extra.get("ratio_to_frozen_kernel"),
                    "seconds": float(b["stats"]["median"]),
                    "blocks": int(b["stats"]["rounds"]),
                }
            )
        comparable = {
            "python": str(machine["python_version"]),
            "machine": str(machine["machine"]),
            "processor": str(machine.get("cpu", {}).get("brand_raw", "")),
            "os": str(machine["system"]),
        }
        started = str(found["datetime"])
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no JSON of pytest-benchmark ({type(error).__name__}: {error})") from None
    return Entry(
        key=hashlib.sha256(data).hexdigest(), kind="bench", started=started, comparable=comparable, timings=rows
    )


def of_history(other: History) -> list[Entry]:
    """Everything of another history."""
    with other.changing() as connection:
        return [_entry(connection, run) for run in connection.execute(sa.select(runs).order_by(runs.c.id)).mappings()]


def _entry(connection: sa.Connection, run: Any) -> Entry:
    def rows(table: sa.Table) -> list[dict[str, Any]]:
        found = connection.execute(sa.select(table).where(table.c.run == run["id"])).mappings()
        return [{k: v for k, v in r.items() if k not in ("run", "id")} for r in found]

    return Entry(
        key=run["key"], kind=run["kind"], started=run["started"], comparable=json.loads(run["comparable"]),
        volatile=json.loads(run["volatile"]), timings=rows(timings), accuracy=rows(accuracy), notes=rows(notes),
    )  # fmt: skip


def store(history: History, entries: Sequence[Entry]) -> int:
    """Store what is not there yet, each run whole or not at all; return how many were new."""
    new = 0
    for entry in entries:
        with history.changing() as connection:
            new += _store(connection, entry)
    return new


def _store(connection: sa.Connection, entry: Entry) -> bool:
    if connection.execute(sa.select(runs.c.id).where(runs.c.key == entry.key)).first():
        return False
    made = connection.execute(
        sa.insert(runs)
        .values(
            key=entry.key, kind=entry.kind, started=entry.started, environment=hashed(entry.comparable),
            comparable=json.dumps(entry.comparable, sort_keys=True), volatile=json.dumps(entry.volatile),
        )
        .returning(runs.c.id)
    ).scalar_one()  # fmt: skip
    for table, rows in ((timings, entry.timings), (accuracy, entry.accuracy), (notes, entry.notes)):
        if rows:
            connection.execute(sa.insert(table), [{**row, "run": made} for row in rows])
    return True


def annotate(history: History, name: str, key: str, text: str) -> None:
    """Write down what is known about one point. Raises: UsageError where there is none, or several."""
    with history.changing() as connection:
        found = connection.execute(sa.select(runs.c.id).where(runs.c.key.startswith(key, autoescape=True))).all()
        if len(found) != 1:
            raise UsageError(f"{len(found)} runs begin with {key!r}: `hingeproof history show` names them")
        connection.execute(
            sa.insert(notes).values(
                run=found[0][0], name=name, text=text,
                written=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            )
        )  # fmt: skip
