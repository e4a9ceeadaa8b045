"""A static site over runs: an index, a page a run, a loss and an implementation, and the history."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from hingeproof.reports import timings
from hingeproof.reports.model import Told, sentence
from hingeproof.reports.summary import WORST_FIRST, Shared, Summary
from hingeproof.reports.tables import versions
from hingeproof.reports.text import one_line
from hingeproof.reports.write import html
from hingeproof.reports.write.pictures import history_item
from hingeproof.runs.figures import LossCurve, Moment, Trend, UlpError
from hingeproof.runs.records import Verdict

MARKER = ".hingeproof-site"  # lists the files of the site, so that the next one can replace them
SERIES = 120  # of the history page


def pages(told: Sequence[Told], statements: Mapping[str, str], stored: Sequence[Trend] = ()) -> dict[str, str]:
    """Return the site's files by name, in one folder: `index.html`, `run-….html`, `loss-….html`, …

    stored: the series of a history, which then stand for those of the runs alone.
    """
    ordered = sorted(told, key=lambda run: (_started(run), run.name), reverse=True)
    verified = [run for run in ordered if run.info is not None]
    losses = sorted({row.loss for run in verified for row in run.summary.rows})
    implementations = sorted({row.implementation for run in verified for row in run.summary.rows})
    out = {
        f"run-{slug(run.name)}.html": html.of_runs([run], statements, home="index.html") for run in ordered
    }  # fmt: skip
    for loss in losses:
        kept = [narrowed(run, lambda _, its_loss, loss=loss: its_loss == loss) for run in verified]  # type: ignore[misc]
        out[f"loss-{slug(loss)}.html"] = html.of_runs(_judged(kept), statements, home="index.html", heading=loss)
    for name in implementations:
        kept = [narrowed(run, lambda its_name, _, name=name: its_name == name) for run in verified]  # type: ignore[misc]
        out[f"implementation-{slug(name)}.html"] = html.of_runs(
            _judged(kept), statements, home="index.html", heading=name
        )
    series = list(stored) or histories(ordered)
    out["history.html"] = html.page(
        "history.html",
        title="hingeproof: history",
        heading="History",
        home="index.html",
        items=[history_item(record) for record in series[:SERIES]],
        hidden=max(len(series) - SERIES, 0),
    )
    out["index.html"] = html.page(
        "index.html",
        title="hingeproof: runs",
        heading="hingeproof: all runs",
        runs=[_line(run) for run in ordered],
        losses=[(f"loss-{slug(loss)}.html", loss) for loss in losses],
        implementations=[(f"implementation-{slug(name)}.html", name) for name in implementations],
    )
    return out


def write(files: Mapping[str, str], directory: Path) -> None:
    """Write a site, in the place of the one that stood there.

    Raises: FileExistsError where the directory holds something that is no site of ours.
    """
    marker = directory / MARKER
    if marker.exists():
        for name in marker.read_text(encoding="utf-8").splitlines():
            if re.fullmatch(r"[\w.-]+\.html", name) and name not in files:
                (directory / name).unlink(missing_ok=True)
    elif directory.exists() and any(directory.iterdir()):
        raise FileExistsError
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_bytes(text.encode("utf-8", "backslashreplace"))
    marker.write_text("\n".join(sorted(files)) + "\n", encoding="utf-8")


def slug(name: str) -> str:
    """Return a file name for a name: itself where it is harmless, else what is harmless of it and a checksum."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip(".-")
    return (
        safe if safe and safe == name else f"{safe}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}".lstrip("-")
    )


def _started(run: Told) -> str:
    return run.info.started if run.info is not None else run.timed.started if run.timed is not None else ""


def _line(run: Told) -> dict[str, str]:
    bad, good = bool(run.summary.findings), run.summary.count("pass") or run.timed is not None
    return {
        "href": f"run-{slug(run.name)}.html",
        "name": run.name,
        "kind": run.kind,
        "started": _started(run),
        "sign": "✗" if bad else "✓" if good else "?",
        "state": "bad" if bad else "good" if good else "open",
        "sentence": one_line(sentence(run)),
        "versions": versions(run.info) if run.info is not None else "",
    }


def _judged(runs: Sequence[Told]) -> list[Told]:
    return [run for run in runs if run.summary.rows]


def narrowed(run: Told, keep: Callable[[str, str], bool]) -> Told:
    """Return a run as if it had been asked only for the implementations and losses that are kept."""
    old = run.summary
    rows = tuple(row for row in old.rows if keep(row.implementation, row.loss))
    counts: dict[Verdict, int] = {}
    for row in rows:
        for cell in row.cells.values():
            for verdict, count in cell.counts.items():
                counts[verdict] = counts.get(verdict, 0) + count
    names = {row.implementation for row in rows}
    losses = {row.loss for row in rows}

    def shared(texts: Sequence[Shared]) -> tuple[Shared, ...]:
        return tuple(
            msgspec.structs.replace(text, implementations=kept)
            for text in texts
            if (kept := tuple(name for name in text.implementations if name in names))
        )

    summary: Summary = msgspec.structs.replace(
        old,
        verdicts={verdict: counts[verdict] for verdict in WORST_FIRST if verdict in counts},
        frameworks={},
        groups=tuple(group for group in old.groups if any(group in row.cells for row in rows)),
        rows=rows,
        findings=tuple(f for f in old.findings if keep(f.record.implementation, f.record.loss)),
        more_findings={},
        selections=tuple(s for s in old.selections if keep(s.implementation, s.loss)),
        conventions=shared(old.conventions),
        notes=shared(old.notes),
        unsupported=shared(old.unsupported),
        undecided=shared(old.undecided),
        known=shared(old.known),
        thin=shared(old.thin),
        implementations=tuple(name for name in old.implementations if name in names),
        without_gradients=tuple(name for name in old.without_gradients if name in names),
        not_run=0,
    )
    figures = tuple(
        figure
        for figure in run.figures
        if (isinstance(figure, LossCurve) and figure.loss in losses)
        or (isinstance(figure, UlpError) and keep(figure.implementation, figure.loss))
    )
    pairs = tuple(p for p in run.pairs if keep(p.first, p.loss) or keep(p.second, p.loss))
    return msgspec.structs.replace(run, summary=summary, figures=figures, pairs=pairs)


# -- history ---------------------------------------------------------------------------------------------------


def histories(told: Sequence[Told]) -> list[Trend]:
    """Return the series of all runs in order of time: those that runs brought, findings, errors in ulp, timings."""
    ordered = sorted(told, key=lambda run: (_started(run), run.name))
    brought = {f.name: f for run in ordered for f in run.figures if isinstance(f, Trend)}
    series: dict[tuple[str, str], list[Moment]] = {}
    for run in ordered:
        at = _started(run)
        if run.info is not None:
            where = versions(run.info)
            found = Moment(at, run.summary.findings_count, environment=where)
            series.setdefault(("findings", "findings"), []).append(found)
            for name, ulp in sorted(run.summary.worst_ulp.items()):
                moment = Moment(at, ulp, environment=where)
                series.setdefault((f"worst error of {name}", "ulp"), []).append(moment)
        for row in run.timings:
            ratio = timings.interval(row.ratios)
            if ratio is not None and run.timed is not None:
                moment = Moment(at, ratio.middle, ratio.low, ratio.high, run.timed.environment_hash)
                series.setdefault((row.case, "times the frozen kernel"), []).append(moment)
    made = [
        Trend(name=name, unit=unit, points=points) for (name, unit), points in sorted(series.items()) if len(points) > 1
    ]
    # what changed is looked at first
    made.sort(key=lambda h: (h.name != "findings", len({p.value for p in h.points}) == 1, h.name))
    return [*brought.values(), *made]
