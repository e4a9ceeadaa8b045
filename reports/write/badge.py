"""A badge: the verdict of runs in a small SVG that any page can show."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from hingeproof.reports.compare import Difference
from hingeproof.reports.summary import Summary

# (background, sign): dark enough for white text at 4.5:1, told apart by the sign and the words as well
GOOD, BAD, OPEN = ("#1a7f37", "✓"), ("#b3261e", "✗"), ("#57606a", "?")
LABEL = "hingeproof"


def render(summaries: Sequence[Summary]) -> str:
    """Return the SVG; the worst of several runs decides its colour."""
    findings = sum(summary.findings_count for summary in summaries)
    passed = sum(summary.count("pass") for summary in summaries)
    if findings:
        (colour, sign), words = BAD, f"{findings:,} finding{'' if findings == 1 else 's'}"
    elif passed:
        (colour, sign), words = GOOD, f"{passed:,} passed"
    else:
        (colour, sign), words = OPEN, "nothing judged"
    return _svg(LABEL, f"{sign} {words}", colour)


def of_difference(d: Difference) -> str:
    """Return the SVG of a comparison."""
    slower = sum(row.verdict == "slower" for row in d.timings)
    if count := len(d.worse) + slower:
        return _svg(LABEL, f"{BAD[1]} {count:,} worse", BAD[0])
    if not d.compared:
        return _svg(LABEL, f"{OPEN[1]} nothing compared", OPEN[0])
    return _svg(LABEL, f"{GOOD[1]} nothing worse", GOOD[0])


def _svg(label: str, message: str, colour: str) -> str:
    left, right = _width(label), _width(message)
    label, message = escape(label), escape(message)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {message}"><title>{label}: {message}</title>'
        f'<rect width="{left + right}" height="20" rx="3" fill="#24292f"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" fill="{colour}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 12}">{label}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 12}">{message}</text></g></svg>\n'
    )


def _width(text: str) -> int:
    return round(len(text) * 6.6) + 14
