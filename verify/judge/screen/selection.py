"""Which sub-gradient was taken at each kink, counted over arrays as the law `kink_selection` counts it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.judge.screen.block import ONE, Chunk
from hingeproof.judge.screen.box import beside, multiple
from hingeproof.judge.screen.wide import Array, exactly, number, wide
from hingeproof.reference_impls.formats import to_float


def selected(block: Chunk, got: tuple[Array, ...], judged: Array) -> Counter[str]:
    """The weights w of the steep side, at each kink whose margin is exact and alone moves a coordinate."""
    m, dtype = block.margins, wide(block.arithmetic.format)
    out: Counter[str] = Counter()
    if dtype is None or m.norm is not None or not block.phi.kinks:
        return out
    z = m.x if m.y is None else m.x - m.y
    for kink in block.phi.kinks:
        low, high = block.phi.slopes(kink)
        steep = low if abs(low) >= abs(high) else high
        on = z == to_float(kink)
        if m.present is not None:
            on &= m.present
        rows = np.flatnonzero(judged & (on.any(axis=tuple(range(1, on.ndim))) if on.ndim > 1 else on))
        if not len(rows) or not exactly(kink):
            continue
        part = block.take(rows)
        keep = part.margins.strict() & (multiple(part, dtype) != 0)
        part, rows = part.take(keep), rows[keep]
        full, over, known = _full(part, steep, dtype)
        for g, sign, here in _alone(part, tuple(x[rows] for x in got), on[rows]):
            each = (np.broadcast_to(beside(x, g), g.shape)[here] for x in (full, over, known))
            _count(out, (g * sign).astype(dtype)[here], *each)
    return out


def kinked(block: Chunk) -> Array:
    """Where a margin of norms may be exactly on a kink."""
    return np.isin(block.margins.x, [to_float(kink) for kink in block.phi.kinks])


def _count(out: Counter[str], g: Array, full: Array, over: Array, known: Array) -> None:
    """Count g as a part of full/over."""
    seen = np.isfinite(g) & (full != 0)
    scaled, exact = _product(g, over)
    known = known & exact & seen
    zero, whole, half = seen & (g == 0), known & (scaled == full), known & (2 * scaled == full)
    for name, mask in (("0", zero), ("1", whole), ("1/2", half), ("other", seen & ~(zero | whole | half))):
        if mask.any():
            out[name] += int(mask.sum())


def _full(block: Chunk, steep: fmpq, dtype: Any) -> tuple[Array, Array, Array]:
    """The gradient of the steep side as numerator and denominator, and where the first is exact.

    An inexact one is no multiple of a number that can be answered.
    """
    upstream = block.multiplier
    rest = [upstream] if isinstance(upstream, np.ndarray) else []
    constants = [f * steep * (ONE if rest else upstream) for f in block.factors]
    above, below = [fmpq(c.p) for c in constants], [fmpq(c.q) for c in constants]
    full, over = (np.array([number(q, dtype) for q in qs])[block.of] for qs in (above, below))
    known = np.array([exactly(p) and exactly(q) for p, q in zip(above, below, strict=True)])[block.of]
    for part in (*rest, *([] if block.weight is None else [block.weight])):
        full, exact = _product(full, part.astype(dtype))
        known = known & exact
    return full, over, known


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """a b, and where it is exact (Dekker's product, Veltkamp's split)."""
    split = a.dtype.type(2) ** ((np.finfo(a.dtype).nmant + 2) // 2) + 1

    def halves(x: Array) -> tuple[Array, Array]:
        high = split * x - (split * x - x)
        return high, x - high

    p, (ah, al), (bh, bl) = a * b, halves(a), halves(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl == 0


def _alone(block: Chunk, got: tuple[Array, ...], on: Array) -> list[tuple[Array, Array, Array]]:
    """Gradients, the signs of their coordinates in the margin, and where a kinked term is the only one to move them."""
    m, n = block.margins, len(block)
    if m.layout == "own":
        sign = np.ones(on.shape) if m.sign is None else m.sign
        return [(got[0], sign, on)]
    assert m.centre is not None
    if len(got) > 1:  # two inputs: the first is looked at first
        sign, first = np.where(m.centre == 0, 1.0, -1.0), np.isfinite(got[0])
        return [(got[0], sign, on[:, 0] & first), (got[1], -sign, on[:, 0] & ~first)]
    g = got[0]
    if m.layout == "star":
        single = np.broadcast_to(m.terms, (n,)) == 1
        centre = np.take_along_axis(g, m.centre[:, None], axis=1)[:, 0]
        first = single & np.isfinite(centre)
        return [
            (centre, np.ones(n), first & on.any(axis=1)),
            (g, np.full(g.shape, -1.0), on & ~first[:, None]),
        ]
    assert m.present is not None
    inside = np.take_along_axis(g, np.maximum(m.centre, 0), axis=1)[:, :, None] + np.zeros(on.shape)
    row_alone = (m.present.sum(axis=2) == 1)[:, :, None] & np.isfinite(inside)
    column_alone = (m.present.sum(axis=1) == 1)[:, None, :]
    return [
        (inside, np.ones(on.shape), on & row_alone),
        (g[:, None, :] + np.zeros(on.shape), np.full(on.shape, -1.0), on & column_alone & ~row_alone),
    ]
