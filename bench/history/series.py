"""Series as they are read: the points of a case in time, in segments of one environment, with their changes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import sqlalchemy as sa

from hingeproof.bench.history.changes import change_points, rises
from hingeproof.bench.history.database import History, accuracy, runs, timings
from hingeproof.bench.history.database import notes as annotated
from hingeproof.errors import UsageError, nearest


@dataclass(frozen=True)
class RunPoint:
    """One run of one case. Timings have `ratio` and `seconds`, verification runs `failures` and `worst_ulp`."""

    key: str
    started: str
    environment: str
    ratio: float | None = None
    seconds: float | None = None
    failures: int | None = None
    worst_ulp: float | None = None
    verdicts: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shift:
    """A step at a point: by which factor the ratio rose (below 1: fell), or what got worse."""

    at: RunPoint
    factor: float | None
    text: str

    @property
    def worse(self) -> bool:
        return self.factor is None or self.factor > 1


@dataclass(frozen=True)
class Segment:
    """Points of one environment. Nothing is ever compared across a border: another machine is no regression."""

    environment: str
    points: list[RunPoint]
    changes: list[Shift]


@dataclass(frozen=True)
class Series:
    """All of one case, oldest segment first."""

    name: str
    kind: str
    segments: list[Segment]

    @property
    def newest(self) -> RunPoint:
        return max((s.points[-1] for s in self.segments), key=lambda p: p.started)


def every(history: History, kind: str | None = None) -> list[Series]:
    """All series."""
    with history.changing() as connection:
        found = []
        for table, name in ((timings, "bench"), (accuracy, "verify")):
            if kind in (None, name):
                names = connection.execute(sa.select(table.c.name).distinct().order_by(table.c.name)).scalars()
                found += [_series(connection, table, n, name) for n in list(names)]
        return found


def of(history: History, text: str) -> list[Series]:
    """The series of a case, or of a unique beginning or part of its name. Raises: UsageError."""
    with history.changing() as connection:
        names = {
            (n, kind, table)
            for table, kind in ((timings, "bench"), (accuracy, "verify"))
            for n in connection.execute(sa.select(table.c.name).distinct()).scalars()
        }
        exact = [x for x in names if x[0] == text] or [x for x in names if text in x[0]]
        if not exact:
            raise UsageError(f"no series is named {text!r}{nearest(text, {n for n, _, _ in names})}")
        if len({n for n, _, _ in exact}) > 1:
            some = ", ".join(sorted({n for n, _, _ in exact})[:3])
            raise UsageError(f"{text!r} is part of {len(exact)} names ({some} …): give more of one")
        return [_series(connection, table, n, kind) for n, kind, table in sorted(exact, key=lambda x: x[1])]


def _series(connection: sa.Connection, table: sa.Table, name: str, kind: str) -> Series:
    rows = connection.execute(
        sa.select(runs, table).join(table, table.c.run == runs.c.id).where(table.c.name == name)
        .order_by(runs.c.started, runs.c.id)
    ).mappings()  # fmt: skip
    notes: dict[int, list[str]] = {}
    for note in connection.execute(sa.select(annotated).where(annotated.c.name == name)).mappings():
        notes.setdefault(note["run"], []).append(note["text"])
    grouped: dict[str, list[RunPoint]] = {}
    for row in rows:
        point = _point(row, tuple(notes.get(row["id"], ())))
        grouped.setdefault(point.environment, []).append(point)
    return Series(name, kind, [Segment(e, points, changes_of(points)) for e, points in grouped.items()])


def _point(row: Any, notes: tuple[str, ...]) -> RunPoint:
    more = {k: row[k] for k in ("ratio", "seconds", "failures", "worst_ulp") if k in row}
    verdicts = json.loads(row["verdicts"]) if "verdicts" in row else {}
    return RunPoint(row["key"], row["started"], row["environment"], verdicts=verdicts, notes=notes, **more)


def changes_of(points: list[RunPoint]) -> list[Shift]:
    """Steps of the ratio (of the seconds, where no ratio was measured), or rises of failures and worst ulp."""
    if points[0].failures is not None:
        found = [Shift(points[i], None, f"{points[i].failures} failures") for i in rises([p.failures for p in points])]
        found += [
            Shift(points[i], None, f"worst error {points[i].worst_ulp:.3g} ulp")
            for i in rises([p.worst_ulp for p in points])
        ]
        return found
    values = [p.ratio for p in points]
    if any(v is None for v in values):
        values = [p.seconds for p in points]
    series = [float(v) for v in values if v]
    at = change_points(series) if len(series) == len(points) else []
    bounds = [0, *at, len(series)]
    out = []
    for i, k in enumerate(at):
        factor = median(series[k : bounds[i + 2]]) / median(series[bounds[i] : k])
        out.append(
            Shift(points[k], factor, f"{'slower' if factor > 1 else 'faster'} by {abs(100 * (factor - 1)):.1f} %")
        )
    return out
