"""Where intermediate results or gradients come so near overflow that the oracle judges nothing, and where not."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.judge.screen.block import Chunk, greatest, summed
from hingeproof.judge.screen.box import beside, roundings
from hingeproof.judge.screen.shape import Hulls
from hingeproof.judge.screen.wide import EXACT, Array, errors, number

_MORE = 1 + 2.0**-10  # far more than the wide dtype's roundings


def bounds_exist(block: Chunk, seen: Hulls, ends: list[Array], dtype: Any) -> tuple[Array, Array]:
    """Where no intermediate result overflows, or none is larger than the result; and where one surely does."""
    largest = number(block.arithmetic.format.largest, dtype)
    scale = _largest_scale(block, dtype)
    yes, no = np.ones(len(block), bool), np.zeros(len(block), bool)
    if rough_peak(block) * np.max(scale) * _MORE < largest:
        return yes, no
    tops, grows = _peaks(block, dtype)
    yes = tops * scale * _MORE < largest
    plain = block.margins.y is None and not block.arithmetic.flush  # then e(z) = 0, and both sizes are seen
    least = summed(seen.magnitude, block.margins.present) * scale / _MORE
    if plain and block.margins.x.ndim == 1 and block.whole:
        heavy = True if block.weight is None else np.abs(block.weight) >= 1
        yes |= grows & heavy & ~np.isnan(least)
    larger: Array | bool = True if plain else np.abs(block.factor(dtype)) * _MORE < 1
    no = ~yes & (least >= largest) & (least > np.maximum(*map(np.abs, ends)) * _MORE) & larger
    return yes, no


def _largest_scale(block: Chunk, dtype: Any) -> Any:
    """What of factor, class weight and weight may have been multiplied with when an intermediate is formed."""
    factor = block.factor(dtype)
    weight = np.maximum(1, 1 if block.weight is None else np.abs(block.weight.astype(dtype)))
    return np.maximum(np.maximum(1, factor), np.abs(factor / number(block.base, dtype))) * weight


def rough_peak(block: Chunk) -> Any:
    """No intermediate result in the block is larger, before factors and weights."""
    m, dtype = block.margins, np.longdouble
    table = block.shape(dtype)
    assert table is not None
    sizes = [dtype(np.nanmax(np.abs(p), initial=0)) for p in (m.x, m.y) if p is not None]
    d = sum(sizes, dtype(1)) + max(abs(p.anchor) for p in table.pieces)
    terms = dtype(np.max(m.terms, initial=1))
    return max(max(p.magnitude(d), d * d if p.c2 else d) for p in table.pieces) * terms


def _peaks(block: Chunk, dtype: Any) -> tuple[Array, Array]:
    """At least each sample's largest intermediate result, and where none is larger than φ itself."""
    table, m = block.shape(dtype), block.margins
    assert table is not None
    z = (m.x if m.y is None else m.x - m.y).astype(dtype)
    peak, total, grows = np.zeros(z.shape, dtype), np.zeros(z.shape, dtype), np.ones(z.shape, bool)
    for piece, here, d in table.touched(z, m.error()):
        size = piece.magnitude(d)
        total = np.where(here, np.maximum(total, size), total)
        peak = np.where(here, np.maximum(peak, np.maximum(size, d * d if piece.c2 else d)), peak)
        grows &= ~here | piece.grows
    return np.maximum(summed(total, m.present), greatest(peak, m.present)), grows


def in_range(block: Chunk, seen: Hulls, scale: Array, dtype: Any) -> tuple[Array, Array]:
    """Where every gradient allowed is surely below a quarter of the largest number; and where one surely is not."""
    quarter = number(block.arithmetic.format.largest, dtype) / 4
    m, table = block.margins, block.shape(dtype)
    assert table is not None
    yes, no = np.ones(len(block), bool), np.zeros(len(block), bool)
    if m.norm is not None:
        reach = m.norm.reach.max(axis=1) * max(abs(p.c1) for p in table.pieces) * np.abs(scale) * _MORE
        return np.asarray(reach < quarter) & ~m.norm.singular, m.norm.singular
    terms = np.max(m.terms, initial=1)
    d = sum(np.nanmax(np.abs(p), initial=0).astype(dtype) for p in (m.x, m.y) if p is not None)
    d = (d + max([dtype(1), *(abs(p.anchor) for p in table.pieces)])) * _MORE
    steepest = max(abs(p.c1) + 2 * abs(p.c2) * d for p in table.pieces)
    if np.abs(scale).max(initial=0) * steepest * terms * _MORE < quarter:
        return yes, no
    z = (m.x if m.y is None else m.x - m.y).astype(dtype)
    most = np.zeros(z.shape, dtype)
    for piece, here, far in table.touched(z, m.error()):
        most = np.where(here, np.maximum(most, abs(piece.c1) + 2 * abs(piece.c2) * far), most)
    shared = m.layout != "own" and block.loss.aggregate == "sum"
    yes = (summed if shared else greatest)(most, m.present) * np.abs(scale) * _MORE < quarter
    by = beside(scale, seen.least)
    ends = [seen.least * by, seen.steepest * by]
    if block.loss.aggregate == "max":
        return yes, no
    sizes = [np.abs((summed if m.layout == "star" else _largest)(e, m.present)) for e in ends]
    return yes, ~yes & (np.maximum(*sizes) / _MORE >= quarter)


def _largest(x: Array, present: Array | None) -> Array:
    return greatest(np.abs(x), present)


def unbounded(block: Chunk) -> Array:
    """Where so many terms are added up that no bound exists."""
    m = block.margins
    touched = np.asarray(1 if m.layout in ("own", "norm") else m.terms)
    if m.layout == "pairs" and m.present is not None:
        touched = np.maximum(m.present.sum(axis=1).max(axis=1), m.present.sum(axis=2).max(axis=1))
    counts = roundings(block, touched)
    relative, _ = errors(block.arithmetic, int(counts.max()), EXACT)
    return np.asarray(np.isnan(relative[counts]))
