"""The figures of runs as sections of a page: each a title, what it shows, and pictures with their captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hingeproof.reports.model import Told
from hingeproof.reports.summary import Selection
from hingeproof.reports.tables import points
from hingeproof.reports.text import names
from hingeproof.reports.write import charts
from hingeproof.runs.figures import Figure, LossCurve, SvmPicture, Training, Trend, UlpError

SERIES = 24  # of a history, in a report; a site has more


def picture_sections(told: Sequence[Told], stored: Sequence[Trend] = ()) -> list[dict[str, Any]]:
    """Return the sections of a page that show pictures, those that have any."""
    records = list({_key(figure): figure for run in told for figure in run.figures}.values())
    histories = [*stored, *(r for r in records if isinstance(r, Trend))]
    histories = [history for history in histories if history.points]
    hidden = len(histories) - SERIES
    unseen = f" {hidden:,} series more are in the history." if hidden > 0 else ""
    selections = [s for run in told for s in run.summary.selections]
    made = [
        {
            "key": "curves",
            "title": "Loss and slope",
            "note": "Each loss from its definition. At a kink, the grey bar is the interval of sub-gradients, and each "
            "dot beside it an implementation's selection (all its modes; point at it for the name).",
            "pictures": curve_items([r for r in records if isinstance(r, LossCurve)], selections),
            "open": False,
        },
        {
            "key": "ulp",
            "title": "Error along the scores",
            "note": "(computed − exact) / ulp for every finite float16 score in ascending order: the least and the "
            "greatest of each of 512 columns. A correctly rounded loss stays within ±½.",
            "pictures": ulp_items([r for r in records if isinstance(r, UlpError)]),
            "open": False,
        },
        {
            "key": "svm",
            "title": "Exact SVM margins",
            "note": "The certified optimum: line, margin band (dashed edges), support vectors (ringed). A trained "
            "model's line is dashed. One class is round, the other square.",
            "pictures": [
                (charts.svm(r), r.name, [f"{k}: {v}" for k, v in r.facts.items()])
                for r in records
                if isinstance(r, SvmPicture)
            ],
            "open": True,
        },
        {
            "key": "training",
            "title": "Training against the certified optimum",
            "note": "How far above the certified optimum a framework's own optimiser is, and the margin it reached.",
            "pictures": training_items([r for r in records if isinstance(r, Training) and r.steps]),
            "open": False,
        },
        {
            "key": "times",
            "title": "Timings against the roof",
            "note": "Median of blocks with its 99 % interval. The dashed mark is the roof: the time that copying the "
            "same bytes takes on this machine; the percentage is the share of it that was reached.",
            "pictures": [item for run in told for item in timing_items(run)],
            "open": True,
        },
        {
            "key": "history",
            "title": "History",
            "note": "A line breaks where the environment changed; a dashed mark is a change point; ※ is an annotation."
            + unseen,
            "pictures": [history_item(history) for history in histories[:SERIES]],
            "open": True,
        },
    ]
    return [figure for figure in made if figure["pictures"]]


def _key(figure: Figure) -> tuple[str, ...]:
    """The same figure of several runs is drawn once: a curve; an envelope once a result."""
    if isinstance(figure, LossCurve):
        return ("curve", figure.loss, str(figure.label))
    if isinstance(figure, UlpError):
        return ("ulp", figure.implementation, figure.loss, str(figure.low), str(figure.high))
    if isinstance(figure, Training):
        return ("training", figure.check, figure.title)
    return (type(figure).__name__, figure.name)


Item = tuple[str, str, list[str]]


def curve_items(records: Sequence[LossCurve], selections: Iterable[Selection]) -> list[Item]:
    """Return a figure for each curve, with what was selected at its kinks."""
    by_loss: dict[str, dict[str, set[str]]] = {}
    for s in selections:
        seen = by_loss.setdefault(s.loss, {}).setdefault(s.implementation, set())
        seen.update(point for counts in s.modes.values() for point in counts)
    out = []
    for record in records:
        seen_here = by_loss.get(record.loss, {}) if record.kinks else {}
        more = [record.formula, *_selected_words(seen_here)]
        label = "" if record.label is None else f", y = {record.label:+d}"
        out.append((charts.curve(record, seen_here), f"{record.title}{label}", more))
    return out


def _selected_words(seen: Mapping[str, set[str]]) -> list[str]:
    """Say in words what the dots show."""
    alike: dict[str, list[str]] = {}
    for name, selected in seen.items():
        alike.setdefault(points(selected), []).append(name)
    return [f"w = {what}: {', '.join(names(who, seen, at_most=6))}" for what, who in sorted(alike.items())]


def ulp_items(records: Sequence[UlpError]) -> list[Item]:
    """Return a figure for each result; implementations that agree in every column share one."""
    alike: dict[tuple[str, str, str], list[UlpError]] = {}
    for r in records:
        alike.setdefault((r.loss, str(r.low), str(r.high)), []).append(r)
    out = []
    for members in alike.values():
        first = members[0]
        who = ", ".join(names([m.implementation for m in members], [r.implementation for r in records], at_most=6))
        worst = f"at worst {first.worst:.4g} ulp, at score {float.fromhex(first.worst_at):g}"
        wrong = f"; {first.wrong:,} results NaN or infinite where the exact one is not" if first.wrong else ""
        out.append(
            (charts.envelope(first), who, [f"{first.loss}, {first.dtype}, y = {first.label:+d}: {worst}{wrong}"])
        )
    return out


def training_items(records: Sequence[Training]) -> list[Item]:
    """Return a figure for each picture; frameworks whose curves look the same share one."""
    alike: dict[tuple[str, str], list[Training]] = {}
    for r in records:
        alike.setdefault((charts.training(r), r.title), []).append(r)
    return [(svg, title, [f"{r.optimiser}: {r.check}" for r in members]) for (svg, title), members in alike.items()]


BARS = 40  # of one chart; a run may time thousands of cases


def timing_items(run: Told) -> list[Item]:
    """Return a chart for each phase and size of a timing run."""
    charts_: dict[str, list[Any]] = {}
    for row in run.timings:
        if row.status == "measured" and row.blocks:
            c = row.fields
            size = f"N = {c.n:,}" + (f", K = {c.k:,}" if c.k > 1 else "")
            charts_.setdefault(f"{c.phase}, {size}, {c.dtype}, {c.device}, {c.mode}", []).append(row)
    out: list[Item] = []
    for title, rows in sorted(charts_.items()):
        hidden = len(rows) - BARS
        more = [f"… and {hidden:,} cases more: in the table"] if hidden > 0 else []
        out.append((charts.timings(rows[:BARS]), title, more))
    return out


def history_item(record: Trend) -> Item:
    """Return a history's figure with its annotations in words."""
    notes = [f"※ {p.at}: {p.note}" for p in record.points if p.note]
    changes = [f"change at {record.points[i].at}" for i in record.change_points if 0 <= i < len(record.points)]
    return charts.history(record), f"{record.name} ({record.unit})", [*changes, *notes]
