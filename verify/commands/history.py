"""`hingeproof history`: add, list, show, annotate, import. What a command needs is imported when it runs."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hingeproof.commands.flags import Json

if TYPE_CHECKING:
    from hingeproof.bench.history.series import Series

app = typer.Typer(help="Timings and verdicts over time.", no_args_is_help=True, rich_markup_mode=None)

Place = Annotated[
    str | None, typer.Option("--db", metavar="FILE|URL", help="[.hingeproof/history.sqlite] or postgresql://…")
]


@app.command("add")
def add(runs: Annotated[list[str], typer.Argument(metavar="RUN…")], db: Place = None) -> None:
    """Store runs of `bench run` or `verify`; one that is there already is left as it is."""
    from hingeproof.bench.history import storing
    from hingeproof.bench.history.database import History

    entries = [storing.of_run(Path(run)) for run in runs]  # all are read before any is stored
    with History(db) as history:
        print(f"{storing.store(history, entries)} of {len(entries)} runs stored in {history.shown}")


@app.command("import")
def import_(sources: Annotated[list[str], typer.Argument(metavar="FILE|URL…")], db: Place = None) -> None:
    """Store pytest-benchmark's JSON files, or everything of another history (a file or a postgresql:// URL)."""
    from hingeproof.bench.history import storing
    from hingeproof.bench.history.database import History

    entries: list[Any] = []
    for source in sources:
        if source.endswith(".json"):
            entries.append(storing.of_pytest_benchmark(Path(source)))
        else:
            with History(source, create=False) as other:
                entries += storing.of_history(other)
    with History(db) as history:
        print(f"{storing.store(history, entries)} of {len(entries)} runs stored in {history.shown}")


@app.command("list")
def list_(db: Place = None, json: Json = False) -> None:
    """One line a series: points, newest value, last change."""
    from hingeproof.bench.history import series
    from hingeproof.bench.history.database import History
    from hingeproof.bench.timing.show import columns, seconds

    with History(db, create=False) as history:
        found = series.every(history)
    if json:
        print(jsons.dumps([_plain(s) for s in found]))
        return
    rows = [("points", "environments", "ratio", "time", "failures", "worst ulp", "last change", "series")]
    for s in found:
        newest, changes = s.newest, [c for segment in s.segments for c in segment.changes]
        last = max(changes, key=lambda c: c.at.started, default=None)
        rows.append(
            (
                str(sum(len(x.points) for x in s.segments)),
                str(len(s.segments)),
                "-" if newest.ratio is None else f"{newest.ratio:.3g}",
                seconds(newest.seconds),
                "-" if newest.failures is None else str(newest.failures),
                "-" if newest.worst_ulp is None else f"{newest.worst_ulp:.3g}",
                "-" if last is None else f"{last.text} on {last.at.started[:10]}",
                s.name,
            )
        )
    print(columns(rows) if found else "the history is empty: hingeproof history add RUN")


@app.command("show")
def show(case: Annotated[str, typer.Argument(metavar="CASE")], db: Place = None, json: Json = False) -> None:
    """The points of a series, segment by segment, with changes and annotations."""
    from hingeproof.bench.history import series
    from hingeproof.bench.history.database import History

    with History(db, create=False) as history:
        found = series.of(history, case)
    if json:
        print(jsons.dumps([_plain(s) for s in found]))
        return
    for s in found:
        _show(s)


def _show(s: Series) -> None:
    from hingeproof.bench.timing.show import columns, seconds

    print(s.name)
    for segment in s.segments:
        print(f"\nenvironment {segment.environment}")
        rows = [("run", "started", "ratio", "time", "verdicts", "worst ulp", "")]
        for p in segment.points:
            said = [c.text for c in segment.changes if c.at is p] + [f"note: {n}" for n in p.notes]
            rows.append(
                (
                    p.key[:12],
                    p.started,
                    "-" if p.ratio is None else f"{p.ratio:.4g}",
                    seconds(p.seconds),
                    ", ".join(f"{n} {v}" for v, n in p.verdicts.items()) or "-",
                    "-" if p.worst_ulp is None else f"{p.worst_ulp:.3g}",
                    "; ".join(said),
                )
            )
        print(columns(rows))


@app.command("annotate")
def annotate(
    case: Annotated[str, typer.Argument(metavar="CASE")],
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's name in `history show`, or its beginning.")],
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    db: Place = None,
) -> None:
    """Write down what is known about a point: why it changed, that it is meant."""
    from hingeproof.bench.history import series, storing
    from hingeproof.bench.history.database import History

    with History(db, create=False) as history:
        storing.annotate(history, series.of(history, case)[0].name, run, text)


def _plain(s: Series) -> dict[str, Any]:
    return {
        "series": s.name,
        "kind": s.kind,
        "segments": [
            {
                "environment": segment.environment,
                "points": [
                    {
                        "run": p.key, "started": p.started, "ratio": p.ratio, "seconds": p.seconds,
                        "failures": p.failures, "worst_ulp": p.worst_ulp, "verdicts": p.verdicts,
                        "notes": list(p.notes),
                    }
                    for p in segment.points
                ],
                "changes": [
                    {"run": c.at.key, "started": c.at.started, "factor": c.factor, "text": c.text, "worse": c.worse}
                    for c in segment.changes
                ],
            }
            for segment in s.segments
        ],
    }  # fmt: skip
