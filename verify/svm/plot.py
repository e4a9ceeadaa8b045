"""A picture of a binary problem in the plane, as SVG: data, separating line, margin band, support vectors."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hingeproof.errors import UsageError
from hingeproof.svm.exact import rounded
from hingeproof.svm.problem import BINARY
from hingeproof.svm.result import Result

WIDTH, HEIGHT, EDGE = 640, 480, 30


def svg(result: Result) -> str:
    """Return the picture. Raises: UsageError unless there is a line to draw in two dimensions."""
    model = result._model
    if result.w is None or result.loss not in BINARY or model.d != 2:
        raise UsageError("--plot draws binary problems with d = 2 that have a solution")
    X = model.X.toarray() if sparse.issparse(model.X) else model.X
    low, high = X.min(axis=0), X.max(axis=0)
    span = np.where(high > low, high - low, 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        across = EDGE + (x - low[0]) / span[0] * (WIDTH - 2 * EDGE)
        return float(across), float(HEIGHT - EDGE - (y - low[1]) / span[1] * (HEIGHT - 2 * EDGE))

    w, b = [rounded(v) for v in result.w], rounded(result.b)
    margin = rounded(model.parameters["margin"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<clipPath id="c"><rect width="{WIDTH}" height="{HEIGHT}"/></clipPath><g clip-path="url(#c)">',
    ]

    def ends(level: float) -> list[tuple[float, float]]:
        far = 50.0
        norm = w[0] ** 2 + w[1] ** 2
        foot = np.array(w) * (level - b) / norm
        along = np.array([-w[1], w[0]]) / norm**0.5 * far * float(np.max(span))
        return [place(*(foot - along)), place(*(foot + along))]

    if any(w):
        band = [*ends(-margin), *reversed(ends(margin))]
        parts.append(f'<polygon points="{" ".join(f"{x:.2f},{y:.2f}" for x, y in band)}" fill="#eee"/>')
        for level, dash in ((0.0, ""), (-margin, ' stroke-dasharray="5 4"'), (margin, ' stroke-dasharray="5 4"')):
            (x1, y1), (x2, y2) = ends(level)
            parts.append(f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="#333"{dash}/>')
    held = set(result.support)
    for i, (row, sign) in enumerate(zip(X.tolist(), model.y.tolist(), strict=True)):
        x, y = place(*row)
        shape = f'cx="{x:.2f}" cy="{y:.2f}"'
        parts.append(f'<circle {shape} r="3.5" fill="{"#0072b2" if sign > 0 else "#d55e00"}"/>')
        if i in held:
            parts.append(f'<circle class="support" {shape} r="6.5" fill="none" stroke="#000"/>')
    return "\n".join([*parts, "</g></svg>"]) + "\n"
