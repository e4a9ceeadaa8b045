"""The series of a history as figures for reports."""

from __future__ import annotations

from hingeproof.bench.history.database import History
from hingeproof.bench.history.series import RunPoint, Series, every
from hingeproof.runs import figures


def of(history: History) -> list[figures.Trend]:
    """Return one figure a quantity: ratios (or seconds), failures, worst ulp. What changed stands first."""
    made = [figure for series in every(history) for figure in _figures(series)]
    return sorted(made, key=lambda figure: (not figure.change_points, figure.name))


def _figures(series: Series) -> list[figures.Trend]:
    if series.kind == "verify":
        return [*_figure(series, "failures", "failures"), *_figure(series, "worst_ulp", "ulp")]
    return _figure(series, "ratio", "times the frozen kernel") or _figure(series, "seconds", "s")


def _figure(series: Series, quantity: str, unit: str) -> list[figures.Trend]:
    """Return the figure of one quantity, or none where it was never measured."""
    points: list[figures.Moment] = []
    changed: list[RunPoint] = []
    for segment in series.segments:
        measured = [p for p in segment.points if getattr(p, quantity) is not None]
        changes = {
            change.at.key: change.text
            for change in segment.changes
            if change.factor is not None or change.text.endswith("ulp") == (unit == "ulp")
        }
        for p in measured:
            if p.key in changes:
                changed.append(p)
            note = "; ".join([*([changes[p.key]] if p.key in changes else []), *p.notes])
            value = float(getattr(p, quantity))
            points.append(figures.Moment(p.started, value, environment=segment.environment, note=note))
    if not points:
        return []
    starts = [p.started for p in changed]
    at = [i for i, moment in enumerate(points) if moment.at in starts]
    name = f"{series.name}: {unit}" if series.kind == "verify" else series.name
    return [figures.Trend(name=name, unit=unit, points=points, change_points=at)]
