"""The charts of a report, each from one record: curves, error envelopes, SVM pictures, timings, histories."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from hingeproof.reports.timings import interval, seconds
from hingeproof.reports.write import svg
from hingeproof.reports.write.svg import Scale, short
from hingeproof.runs.figures import Boundary, LossCurve, SvmPicture, Training, Trend, UlpError
from hingeproof.runs.timings import Timing

WEIGHTS = {"0": 0.0, "1/2": 0.5, "1": 1.0}


def curve(record: LossCurve, selections: Mapping[str, Iterable[str]]) -> str:
    """Return φ and φ′ side by side, at each kink the interval of sub-gradients and the points that were selected.

    selections: the weights that each implementation selected, by its name.
    """
    width, height, top, bottom = 560, 190, 22, 165
    left, right = (40.0, 265.0), (315.0, 540.0)
    x1 = Scale(record.z[0], record.z[-1], *left)
    x2 = Scale(record.z[0], record.z[-1], *right)
    values = Scale(min(0.0, *record.value), max(record.value), bottom, top)
    steepest = [*record.slope, *(s for k in record.kinks for s in (k.low, k.high)), 0.0]
    room = (max(steepest) - min(steepest)) * 0.08
    slopes = Scale(min(steepest) - room, max(steepest) + room, bottom, top)
    label = "" if record.label is None else f", y = {record.label:+d}"
    parts = [svg.text(left[0], 13, f"φ(z){label}", "b"), svg.text(right[0], 13, f"φ′(z){label}", "b")]
    parts += svg.axes(x1, values, (*left[:1], top, left[1], bottom))
    parts += svg.axes(x2, slopes, (*right[:1], top, right[1], bottom))
    parts.append(svg.line([(x1(z), values(v)) for z, v in zip(record.z, record.value, strict=True)], "c1"))
    for piece in _pieces(record):
        parts.append(svg.line([(x2(z), slopes(s)) for z, s in piece], "c1"))
    for kink in record.kinks:
        parts.append(svg.dot(x1(kink.z), values(kink.value), "kink", f"kink at z = {kink.z:g}"))
        x = x2(kink.z)
        span = f"M{short(x)} {short(slopes(kink.low))}V{short(slopes(kink.high))}"
        parts.append(f'<path class="span" d="{span}"/>')
        steep = kink.low if abs(kink.low) >= abs(kink.high) else kink.high
        parts += _selected(selections, x, steep, slopes)
    words = f"{record.title}{label}: φ and its slope; kinks at " + (
        ", ".join(f"z = {k.z:g}, sub-gradients {k.low:g} to {k.high:g}" for k in record.kinks) or "no z"
    )
    return svg.figure(width, height, words, parts)


def _selected(selections: Mapping[str, Iterable[str]], x: float, steep: float, slopes: Scale) -> Iterable[str]:
    at: dict[str, list[str]] = {}
    for name in sorted(selections):
        for weight in selections[name]:
            at.setdefault(weight, []).append(name)
    for weight, names in sorted(at.items()):
        if weight not in WEIGHTS:
            continue
        y = slopes(WEIGHTS[weight] * steep)
        for place, name in enumerate(names):
            # one dot an implementation, in rows of eight beside the interval
            row, column = divmod(place, 8)
            yield svg.dot(
                x + 7 + 6 * column, y + (row - (len(names) - 1) // 8 / 2) * 6, "sel", f"{name}: w = {weight}", 2.5
            )


def _pieces(record: LossCurve) -> list[list[svg.Point]]:
    """Split φ′ where it jumps: at a z that stands twice."""
    pieces: list[list[svg.Point]] = [[]]
    for i, (z, slope) in enumerate(zip(record.z, record.slope, strict=True)):
        if i and z == record.z[i - 1] and slope != record.slope[i - 1]:
            pieces.append([])
        pieces[-1].append((z, slope))
    return pieces


def envelope(record: UlpError) -> str:
    """Return the least and greatest error in ulp along the scores, a column for each stretch of them."""
    width, height, top, bottom, left, right = 560, 130, 10, 105, 40, 552
    reach = max((abs(v) for v in (*record.low, *record.high) if v is not None), default=0.0)
    reach = max(0.55, reach * 1.1)
    y = Scale(-reach, reach, bottom, top)
    columns = len(record.first)
    step = (right - left) / columns
    parts = [f'<path class="grid" d="{"".join(f"M{left} {short(y(v))}H{right}" for v in y.ticks(4))}"/>']
    parts += [svg.text(left - 5, y(v) + 4, svg.number(v), anchor="e") for v in y.ticks(4)]
    for at, words in _score_ticks(record.first):
        x = left + at * step
        parts.append(f'<path class="grid" d="M{short(x)} {top}V{bottom}"/>')
        parts.append(svg.text(x, bottom + 14, words, anchor="m"))
    parts.append(f'<path class="c1 fill" d="{_band(record, y, left, step)}"/>')
    words = (
        f"error of {record.implementation} in ulp along all {record.scores:,} {record.dtype} scores: "
        f"at worst {record.worst:g} ulp, at score {float.fromhex(record.worst_at):g}"
    )
    return svg.figure(width, height, words, parts)


def _band(record: UlpError, y: Scale, left: float, step: float) -> str:
    """Return the outline as horizontal runs, to a tenth of a pixel: columns alike cost nothing."""
    out = []
    for values, forth in ((record.high, True), (record.low, False)):
        places = range(len(values)) if forth else range(len(values) - 1, -1, -1)
        for i in places:
            value = values[i]
            at = y(0.0 if value is None else value)
            # a band thinner than a line would not be seen
            height = round(at + (-0.5 if forth else 0.5))
            start, end = (i, i + 1) if forth else (i + 1, i)
            out.append((height, left + start * step, left + end * step))
    d, last = f"M{short(out[0][1])} {out[0][0]}", out[0][0]
    for place, (height, _, reach) in enumerate(out):
        if height != last:
            d += f"V{height}"
            last = height
        follows = out[place + 1][0] if place + 1 < len(out) else None
        if follows != height:
            d += f"H{short(reach)}"
    return d + "Z"


def _score_ticks(first: Sequence[float]) -> list[tuple[int, str]]:
    wanted = (
        (-1024.0, "−1024"),
        (-1.0, "−1"),
        (-0.001, "−10⁻³"),
        (0.0, "0"),
        (0.001, "10⁻³"),
        (1.0, "1"),
        (1024.0, "1024"),
    )
    found = []
    for value, words in wanted:
        at = next((i for i, start in enumerate(first) if start >= value), None)
        if at is not None:
            found.append((at, words))
    return found


def svm(record: SvmPicture) -> str:
    """Return data, separating line, margin band and support vectors, and trained models' lines beside it."""
    size, edge = 420, 26
    xs, ys = [p[0] for p in record.points], [p[1] for p in record.points]
    # samples at the border are seen whole
    x, y = Scale(*_wider(xs), edge, size - edge), Scale(*_wider(ys), size - edge, edge)
    box = (edge, edge, size - edge, size - edge)
    parts = list(svg.axes(x, y, box))
    best = record.optimum
    low, high = _ends(best, -record.margin, x, y), _ends(best, record.margin, x, y)
    clip = f'<clipPath id="svm-{abs(hash_of(record.name))}"><rect x="{edge}" y="{edge}" width="{size - 2 * edge}" height="{size - 2 * edge}"/></clipPath>'  # noqa: E501
    parts.append(f'{clip}<g clip-path="url(#svm-{abs(hash_of(record.name))})">')
    if low and high:
        band = [*low, *reversed(high)]
        parts.append(f'<polygon class="band" points="{" ".join(f"{short(a)},{short(b)}" for a, b in band)}"/>')
        for ends in (low, high):
            parts.append(svg.line(ends, "edge"))
    if ends := _ends(best, 0.0, x, y):
        parts.append(svg.line(ends, "c1"))
    for trained in record.trained:
        if ends := _ends(trained, 0.0, x, y):
            parts.append(svg.line(ends, "c2"))
    support = set(record.support)
    for i, ((px, py), label) in enumerate(zip(record.points, record.labels, strict=True)):
        parts.append(_sample(x(px), y(py), label))
        if i in support:
            parts.append(svg.dot(x(px), y(py), "ring", f"support vector {i}", 7))
    parts.append("</g>")
    words = (
        f"{record.name}: {len(record.points)} samples, {len(support)} support vectors, separating line and margin"
        + (f", and the line of {', '.join(t.name for t in record.trained)}" if record.trained else "")
    )
    return svg.figure(size, size, words, parts)


def _wider(values: Sequence[float]) -> tuple[float, float]:
    room = (max(values) - min(values)) * 0.05
    return min(values) - room, max(values) + room


def hash_of(name: str) -> int:
    """Return a number for a name that is the same in every process."""
    import zlib

    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


def _sample(x: float, y: float, label: int) -> str:
    """A dot for one class, a square for the other: told apart without colour."""
    if label > 0:
        return svg.dot(x, y, "pos")
    return f'<rect class="neg" x="{short(x - 3)}" y="{short(y - 3)}" width="6" height="6"/>'


def _ends(line: Boundary, level: float, x: Scale, y: Scale) -> list[svg.Point]:
    """Return where w·p + b = level enters and leaves a region well beyond the picture."""
    (w1, w2), b = line.w, line.b - level
    norm = math.hypot(w1, w2)
    if not norm or not math.isfinite(norm) or not math.isfinite(b):
        return []
    # through the point of the line nearest the picture's middle, as far as the picture is wide in each direction
    u1, u2 = w1 / norm, w2 / norm
    middle = ((x.low + x.high) / 2, (y.low + y.high) / 2)
    away = u1 * middle[0] + u2 * middle[1] + b / norm
    far = 2 * (x.high - x.low + y.high - y.low)
    if abs(away) > 10 * far:
        return []  # nowhere near the picture
    foot = (middle[0] - u1 * away, middle[1] - u2 * away)
    return [(x(foot[0] - s * u2 * far), y(foot[1] + s * u1 * far)) for s in (-1, 1)]


def training(record: Training) -> str:
    """Return the sub-optimality against steps, both logarithmic, and the share of the margin reached."""
    width, height, top, bottom, left, right = 560, 180, 22, 150, 48, 545
    steps = [math.log10(max(s, 1)) for s in record.steps]
    found = [v for v in record.suboptimality if v is not None and v > 0 and math.isfinite(v)]
    floor = math.log10(min(found)) - 0.5 if found else -16.0
    levels = [(s, v) for s, v in zip(steps, record.suboptimality, strict=True) if v is not None and math.isfinite(v)]
    levels = [(s, math.log10(v) if v > 0 else floor) for s, v in levels] or [(steps[0], floor)]
    x = Scale(min(steps), max(steps), left, right)
    y = Scale(min(v for _, v in levels), max(v for _, v in levels), bottom, top)
    parts = [
        svg.text(left, 13, "log₁₀ of the relative sub-optimality (line); share of the margin (dashed, 0 to 1)", "b")
    ]
    parts += svg.axes(x, y, (left, top, right, bottom))
    parts.append(svg.text(right, height - 2, "log₁₀ of the step", anchor="e"))
    parts.append(svg.line([(x(s), y(v)) for s, v in levels], "c1"))
    share = Scale(0.0, 1.0, bottom, top)
    margin = [(x(s), share(min(m, 1.0))) for s, m in zip(steps, record.margin, strict=True) if m is not None]
    if len(margin) > 1:
        parts.append(svg.line(margin, "c2"))
    last = record.suboptimality[-1]
    end = "not finite" if last is None else f"{last:.3g}"
    words = f"{record.title}, {record.optimiser}: relative sub-optimality {end} after {record.steps[-1]:,} steps"
    return svg.figure(width, height, words, parts)


def timings(rows: Sequence[Timing]) -> str:
    """Return a bar for each case, with its interval and the roof: the time that the same bytes take to copy."""
    measured = [(row, found) for row in rows if row.status == "measured" and (found := interval(row.calls))]
    width, height, left, right = 560, 22 * len(measured) + 26, 210, 455
    times = [t for _, found in measured for t in (found.low, found.high)]
    roofs = [row.bytes / row.roof for row, _ in measured if row.roof and row.bytes]
    least, most = math.log10(min([*times, *roofs])), math.log10(max([*times, *roofs]))
    x = Scale(least - 0.15, most + 0.05, left, right)
    parts = []
    for decade in range(math.ceil(x.low), math.floor(x.high) + 1):
        parts.append(f'<path class="grid" d="M{short(x(decade))} 4V{height - 20}"/>')
        parts.append(svg.text(x(decade), height - 6, seconds(10.0**decade), anchor="m"))
    for place, (row, found) in enumerate(measured):
        y = 6 + 22 * place
        end = x(math.log10(found.middle))
        parts.append(svg.text(left - 6, y + 12, row.fields.implementation[-36:], anchor="e"))
        parts.append(f'<rect class="bar" x="{left}" y="{y + 2}" width="{short(max(end - left, 1))}" height="12"/>')
        low, high = x(math.log10(found.low)), x(math.log10(found.high))
        parts.append(f'<path class="whisker" d="M{short(low)} {y + 4}v8m0-4H{short(high)}m0-4v8"/>')
        if row.roof and row.bytes:
            at = x(math.log10(row.bytes / row.roof))
            parts.append(f'<path class="roof" d="M{short(at)} {y}v16"/>')
        share = f" · {row.bytes / found.middle / row.roof:.0%}" if row.roof and row.bytes else ""
        parts.append(svg.text(max(end, high) + 5, y + 12, f"{seconds(found.middle)}{share}"))
    return svg.figure(width, height, f"time a call of {len(measured)} cases, with 99 % intervals and the roof", parts)


def history(record: Trend) -> str:
    """Return a series over runs with its intervals; change points, environments and notes stand on the line."""
    width, height, top, bottom, left, right = 560, 170, 14, 140, 48, 545
    values = [v for p in record.points for v in (p.low, p.value, p.high) if v is not None and math.isfinite(v)]
    room = (max(values) - min(values)) * 0.1 or abs(max(values)) * 0.1 or 1.0
    y = Scale(min(values) - room, max(values) + room, bottom, top)
    x = Scale(0, max(len(record.points) - 1, 1), left + 6, right - 6)
    parts = [f'<path class="grid" d="{"".join(f"M{left} {short(y(v))}H{right}" for v in y.ticks(4))}"/>']
    parts += [svg.text(left - 5, y(v) + 4, svg.number(v), anchor="e") for v in y.ticks(4)]
    for place in record.change_points:
        at = short(x(place - 0.5))
        parts.append(f'<path class="change" d="M{at} {top}V{bottom}"/>')
        parts.append(svg.text(x(place - 0.5), top - 3, "change", anchor="m"))
    for segment in _segments(record):
        parts.append(svg.line([(x(i), y(record.points[i].value)) for i in segment], "c1"))
    for i, point in enumerate(record.points):
        if point.low is not None and point.high is not None:
            parts.append(f'<path class="whisker" d="M{short(x(i))} {short(y(point.low))}V{short(y(point.high))}"/>')
        tip = f"{point.at}: {point.value:.4g} {record.unit}{f'; {point.note}' if point.note else ''}"
        parts.append(svg.dot(x(i), y(point.value), "pos", tip, 3))
        if point.note:
            parts.append(svg.text(x(i), y(point.value) - 7, "※", anchor="m"))
    first, last = record.points[0].at, record.points[-1].at
    parts += [svg.text(left, height - 14, first), svg.text(right, height - 14, last, anchor="e")]
    words = f"{record.name} over {len(record.points)} runs, in {record.unit}; {len(record.change_points)} change points"
    return svg.figure(width, height, words, parts)


def _segments(record: Trend) -> list[list[int]]:
    """A changed environment begins a new line: its level is not to be compared."""
    out: list[list[int]] = []
    for i, point in enumerate(record.points):
        if i == 0 or point.environment != record.points[i - 1].environment:
            out.append([])
        out[-1].append(i)
    return out
