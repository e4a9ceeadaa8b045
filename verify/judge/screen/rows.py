"""Gradients of rows: is a point in a star, in a simplex, or one of the corners of a set of pairs?"""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.judge.screen.block import Chunk, greatest, over, some, summed
from hingeproof.judge.screen.box import beside, box, roundings, slopes
from hingeproof.judge.screen.shape import Hulls
from hingeproof.judge.screen.wide import Array


def in_star(block: Chunk, seen: Hulls, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    """Each term's multiple t_k is confined by its own coordinate; the centre confines their sum."""
    m = block.margins
    centre, others = _coordinates(block, got, dtype)
    low, high, reach = slopes(block, seen, scale)
    own = box(block, beside(roundings(block, 1), reach), reach, dtype)
    low, high = np.maximum(low, others - own), np.minimum(high, others + own)
    off = box(block, roundings(block, np.asarray(m.terms)), summed(reach, m.present), dtype)
    fits = ~some(~(low <= high), m.present) & _rest_is_zero(block, others, m.present)
    return np.asarray(fits & (summed(low, m.present) <= centre + off) & (summed(high, m.present) >= centre - off))


def in_simplex(block: Chunk, seen: Hulls, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    """A maximum: shares λ ≥ 0 of the terms that attain it, Σ λ = 1, or ≤ 1 where 0 attains it, too."""
    m = block.margins
    table = block.shape(dtype)
    assert table is not None
    steep = {p.c1 for p in table.pieces if not p.constant}
    if len(steep) != 1 or any(p.c2 for p in table.pieces):
        return np.zeros(len(block), bool)  # the terms' slopes differ: shares are no longer seen one by one
    full = steep.pop() * scale
    centre, others = _coordinates(block, got, dtype)
    floor = greatest(seen.low, m.present)
    moving = (seen.least != 0) | (seen.steepest != 0)
    active = (seen.high >= floor[:, None]) & moving
    if m.present is not None:
        active &= m.present
    ties = over(np.add, active.astype(np.intp)) + (floor == 0)
    counts = roundings(block, 0, ties)
    off = box(block, counts, np.abs(full), dtype)
    ends = np.minimum(full, 0), np.maximum(full, 0)
    low = np.where(active, np.maximum(ends[0][:, None], others - off[:, None]), 0)
    high = np.where(active, np.minimum(ends[1][:, None], others + off[:, None]), 0)
    fits = ~some(~(low <= high), None) & _rest_is_zero(block, others, active)
    fits &= (counts > 0) | _add_exactly(np.where(active, others, 0), full)
    first, last = (np.where(floor == 0, end, full) for end in ends)
    least = np.maximum(np.maximum(summed(low, None), first), centre - off)
    most = np.minimum(np.minimum(summed(high, None), last), centre + off)
    return np.asarray(fits & (least <= most))


def _add_exactly(shares: Array, full: Array) -> Array:
    """Without a box the shares must add up exactly: two of them do in the wide dtype, where none is far smaller."""
    small = (shares != 0) & (np.abs(shares) < np.abs(full)[:, None] * 2.0**-8)
    return ~some(small, None) | (over(np.add, (shares != 0).astype(np.intp)) <= 1)


def _rest_is_zero(block: Chunk, others: Array, terms: Array | None) -> Array:
    """Are the coordinates 0 that neither these terms nor the centre move? (None: all are moved.)"""
    centre = block.margins.centre
    if terms is None or centre is None:
        return np.ones(len(block), bool)
    return ~some((others != 0) & ~terms & (np.arange(others.shape[1]) != centre[:, None]), None)


def _coordinates(block: Chunk, got: tuple[Array, ...], dtype: Any) -> tuple[Array, Array]:
    """The centre's gradient, and those of the others with their signs turned, 0 where there is no term."""
    m = block.margins
    assert m.centre is not None
    table = np.stack(got, axis=1) if len(got) > 1 else got[0]
    centre = np.take_along_axis(table, m.centre[:, None], axis=1)[:, 0].astype(dtype)
    others = np.take_along_axis(table, 1 - m.centre[:, None], axis=1) if len(got) > 1 else table
    return centre, -others.astype(dtype)


def in_pairs(block: Chunk, seen: Hulls, scale: Array, got: Array, dtype: Any) -> Array:
    """Is the gradient one that takes the same side of every kink, or the middle? Other choices are left open."""
    m, g = block.margins, got.astype(dtype)
    assert m.present is not None
    assert m.centre is not None
    by = scale[:, None, None]
    sizes = np.where(m.present, np.maximum(np.abs(seen.least), np.abs(seen.steepest)) * np.abs(by), 0)
    inside = m.centre >= 0
    first = np.where(inside, np.take_along_axis(g, np.maximum(m.centre, 0), axis=1), 0)
    boxes = [
        box(block, roundings(block, np.where(m.present, 1, 0).sum(axis=axis)), sizes.sum(axis=axis), dtype)
        for axis in (2, 1)
    ]
    outside = np.ones(g.shape, bool)
    rows, columns = np.nonzero(inside)
    outside[rows, m.centre[rows, columns]] = False
    touched = m.present.any(axis=1)
    found = np.zeros(len(block), bool)
    for slope in (seen.least, seen.steepest, (seen.least + seen.steepest) / 2):
        each = np.where(m.present, slope * by, 0)
        rest = first - each.sum(axis=2), g + each.sum(axis=1)
        near = (np.abs(rest[0]) <= boxes[0]) | ~inside
        other = np.where(touched, np.abs(rest[1]) <= boxes[1], g == 0) | ~outside
        found |= near.all(axis=1) & other.all(axis=1)
    return found
