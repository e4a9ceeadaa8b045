"""The little of SVG that our charts need: scales, rounded numbers, escaped text. Colours are classes of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from hingeproof.reports.text import one_line

Point = tuple[float, float]


class Scale:
    """A linear map of values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
            low, high = (low - 1, low + 1) if math.isfinite(low) else (0.0, 1.0)
        self.low, self.high, self.start = low, high, start
        self.factor = (end - start) / (high - low)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) * self.factor

    def ticks(self, about: int = 5) -> list[float]:
        """Return round values within the range."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / about))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= about)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """Return a coordinate with at most one decimal: a tenth of a pixel is not seen."""
    return f"{value:.1f}".removesuffix(".0").replace("-0", "-0") if value else "0"


def number(value: float) -> str:
    """Return a tick's label."""
    text = f"{value:.4g}"
    return text.replace("-", "−")


def figure(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """Return a picture that a screen reader names by its title."""
    name = escape(one_line(title))
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}"><title>{name}</title>{inner}</svg>'


def line(points: Sequence[Point], style: str) -> str:
    """Return a line through points."""
    d = "M" + "L".join(f"{short(x)} {short(y)}" for x, y in points)
    return f'<path class="{style}" d="{d}"/>'


def text(x: float, y: float, words: str, style: str = "", anchor: str = "") -> str:
    """Return words at a place; anchor: `m` or `e` for the middle or the end."""
    names = " ".join(filter(None, (style, anchor)))
    kind = f' class="{names}"' if names else ""
    return f'<text{kind} x="{short(x)}" y="{short(y)}">{escape(one_line(words))}</text>'


def dot(x: float, y: float, style: str, title: str = "", r: float = 3.5) -> str:
    """Return a dot that tells its title when pointed at."""
    tip = f"<title>{escape(one_line(title))}</title>" if title else ""
    end = f">{tip}</circle>" if tip else "/>"
    return f'<circle class="{style}" cx="{short(x)}" cy="{short(y)}" r="{r:g}"{end}'


def axes(x: Scale, y: Scale, box: tuple[float, float, float, float], *, ticks: int = 5) -> Iterable[str]:
    """Yield the frame's two axes with ticks; box: left, top, right, bottom."""
    left, top, right, bottom = box
    grid = "".join(f"M{short(left)} {short(y(v))}H{short(right)}" for v in y.ticks(ticks))
    grid += "".join(f"M{short(x(v))} {short(top)}V{short(bottom)}" for v in x.ticks(ticks))
    yield f'<path class="grid" d="{grid}"/>'
    for v in x.ticks(ticks):
        yield text(x(v), bottom + 14, number(v), anchor="m")
    for v in y.ticks(ticks):
        yield text(left - 5, y(v) + 4, number(v), anchor="e")
