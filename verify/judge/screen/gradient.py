"""Which gradients are surely in the oracle's sub-differential, and which surely come too near overflow to be judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.judge.screen.block import Block, asked, greatest, look, some, summed
from hingeproof.judge.screen.shape import Seen
from hingeproof.judge.screen.wide import EXACT, Array, errors, number
from hingeproof.reference_impls.formats import is_power_of_two
from hingeproof.reference_impls.oracle import additions, slope_roundings

_MORE = 1 + 2.0**-10


def judge_gradients(block: Block, got: tuple[Array, ...], *, thorough: bool) -> tuple[Array, Array]:
    """Two masks over the samples: accepted, and not judged. What is in neither is open."""
    m = block.margins
    dtype = block.dtype(m.layout == "own" and strict(block))
    table = None if dtype is None else block.shape(dtype)
    nothing = np.zeros(len(block), bool)
    if dtype is None or table is None:
        return nothing, nothing
    scale = multiple(block, dtype)
    if m.layout == "pairs":
        looks = [table.at(m.first(dtype)), *(table.at(z) for z in (m.more(dtype, table) if thorough else ()))]
        accepted = np.logical_or.reduce([_in_pairs(block, seen, scale, got[0], dtype) for seen in looks])
        seen = looks[0]
    else:
        found = look(block, dtype, thorough)
        assert found is not None
        seen = found
        judge = _LAYOUTS.get(m.layout) or (_in_star if block.loss.aggregate == "sum" else _in_simplex)
        accepted = judge(block, seen, scale, got, dtype)
    # past the margin, and without terms, only 0 is right, whatever the bound
    moved = np.logical_or.reduce([some(g != 0, None) for g in got])
    moving = some((seen.least != 0) | (seen.steepest != 0), m.present)
    accepted = np.where(moved, accepted & moving, accepted | (np.asarray(m.terms) == 0))
    near, far = in_range(block, seen, scale, dtype)
    return accepted & near, far | _unbounded(block)


def _unbounded(block: Block) -> Array:
    """Where so many terms are added up that no bound exists."""
    m = block.margins
    touched = np.asarray(1 if m.layout in _LAYOUTS else m.terms)
    if m.layout == "pairs" and m.present is not None:
        touched = np.maximum(m.present.sum(axis=1).max(axis=1), m.present.sum(axis=2).max(axis=1))
    counts = _counts(block, touched)
    relative, _ = errors(block.arithmetic, int(counts.max()), EXACT)
    return np.asarray(np.isnan(relative[counts]))


def strict(block: Block) -> bool:
    """May no operation of the gradient round, and does none here?"""
    slopes = slope_roundings(block.loss, block.phi, 0)
    powers = all(c1 == 0 or (abs(c1) >= 1 and is_power_of_two(c1)) for _, (_, c1, _) in block.phi.around)
    return bool(slopes == 0 and powers and block.whole and block.products == 0 and block.weight is None)


def multiple(block: Block, dtype: Any) -> Array:
    """What each sample's slopes are multiplied by."""
    upstream = block.multiplier
    scale = block.factor(dtype) * (
        number(upstream, dtype) if isinstance(upstream, fmpq) else upstream.astype(dtype, copy=False)
    )
    if block.weight is not None:
        scale = scale * block.weight.astype(dtype)
    return np.broadcast_to(scale, (len(block),))


def _counts(block: Block, touched: Array | int, active: Array | int = 0) -> Any:
    """Roundings of a coordinate that so many terms touch: the oracle's counts."""
    loss, phi = block.loss, block.phi
    slopes = asked(lambda n: slope_roundings(loss, phi, n), np.asarray(active))
    adds = asked(lambda n: additions(loss, n), np.asarray(touched))
    some_term = np.asarray(block.margins.terms) > 0
    own = np.where(some_term, slopes, 0) + block.scalings + block.products + (block.weight is not None)
    return adds + (own[:, None] if adds.ndim > 1 and own.ndim else own)


def _box(block: Block, counts: Array, reach: Array, dtype: Any) -> Array:
    if not counts.any() and not block.arithmetic.flush:
        return np.zeros(np.shape(reach), dtype)
    relative, absolute = errors(block.arithmetic, int(counts.max()), dtype)
    flush = number(block.arithmetic.underflow, dtype) / _MORE if block.arithmetic.flush else 0
    box: Array = relative[counts] * reach + absolute[counts] + flush
    return box


def beside(scale: Array, like: Array) -> Array:
    """One number a sample, shaped to stand beside its terms."""
    return scale.reshape(-1, *[1] * (like.ndim - 1)) if scale.ndim else scale


def _slopes(block: Block, seen: Seen, scale: Array) -> tuple[Array, Array, Array]:
    """Each term's slopes times the multiple, as an interval, and the larger size of its ends."""
    by = beside(scale, seen.least)
    a, b = seen.least * by, seen.steepest * by
    return np.minimum(a, b), np.maximum(a, b), np.maximum(np.abs(a), np.abs(b))


def _own(block: Block, seen: Seen, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    m, g = block.margins, got[0].astype(dtype, copy=False)
    if m.sign is not None:
        g = g * m.sign
    low, high, reach = _slopes(block, seen, scale)
    box = _box(block, beside(_counts(block, 1), reach), reach, dtype)
    inside = (g >= low - box) & (g <= high + box)
    if m.present is not None:
        inside = np.where(m.present, inside, g == 0)
    return ~some(~inside, None)


def _coordinates(block: Block, got: tuple[Array, ...], dtype: Any) -> tuple[Array, Array]:
    """The centre's gradient, and those of the others with their signs turned, 0 where there is no term."""
    m = block.margins
    assert m.centre is not None
    table = np.stack(got, axis=1) if len(got) > 1 else got[0]
    centre = np.take_along_axis(table, m.centre[:, None], axis=1)[:, 0].astype(dtype)
    others = np.take_along_axis(table, 1 - m.centre[:, None], axis=1) if len(got) > 1 else table
    return centre, -others.astype(dtype)


def _elsewhere_zero(block: Block, others: Array) -> Array:
    """Are the coordinates of masked classes 0?"""
    m = block.margins
    if m.present is None:
        return np.ones(len(block), bool)
    assert m.centre is not None
    free = m.present | (np.arange(others.shape[1]) == m.centre[:, None]) if others.shape[1] > 1 else m.present
    return np.asarray(((others == 0) | free).all(axis=1))


def _in_star(block: Block, seen: Seen, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    """Each term's multiple t_k is confined by its own coordinate; the centre confines their sum."""
    m = block.margins
    centre, others = _coordinates(block, got, dtype)
    low, high, reach = _slopes(block, seen, scale)
    own = _box(block, beside(_counts(block, 1), reach), reach, dtype)
    low, high = np.maximum(low, others - own), np.minimum(high, others + own)
    terms = m.terms
    box = _box(block, _counts(block, np.asarray(terms)), summed(reach, m.present), dtype)
    fits = ~some(~(low <= high), m.present) & _elsewhere_zero(block, others)
    return np.asarray(fits & (summed(low, m.present) <= centre + box) & (summed(high, m.present) >= centre - box))


def _in_simplex(block: Block, seen: Seen, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    """A maximum: shares λ ≥ 0 of the terms that attain it, Σ λ = 1, or ≤ 1 where 0 attains it, too."""
    m = block.margins
    table = block.shape(dtype)
    steep = {p.c1 for p in table.pieces if not p.constant} if table else set()
    if len(steep) != 1 or any(p.c2 for p in table.pieces):  # type: ignore[union-attr]
        return np.zeros(len(block), bool)  # the terms' slopes differ: shares are no longer seen one by one
    full = steep.pop() * scale
    centre, others = _coordinates(block, got, dtype)
    floor = greatest(seen.low, m.present)
    moving = (seen.least != 0) | (seen.steepest != 0)
    active = (seen.high >= floor[:, None]) & moving
    if m.present is not None:
        active &= m.present
    ties = active.sum(axis=1) + (floor == 0)
    counts = _counts(block, 0, ties)
    reach = np.abs(full)
    own = _box(block, counts, reach, dtype)[:, None]
    ends = np.minimum(full, 0)[:, None], np.maximum(full, 0)[:, None]
    low = np.where(active, np.maximum(ends[0], others - own), 0)
    high = np.where(active, np.minimum(ends[1], others + own), 0)
    still = active | (others == 0) if m.present is None else active | ~m.present | (others == 0)
    fits = (low <= high).all(axis=1) & still.all(axis=1) & _elsewhere_zero(block, others)
    # without a box the shares must add up exactly: they do so in the wide dtype where none is far smaller
    shares = np.where(active, others, 0)
    small = ((shares != 0) & (np.abs(shares) < np.abs(full)[:, None] * 2.0**-8)).any(axis=1)
    fits &= (counts > 0) | ~small | ((shares != 0).sum(axis=1) <= 1)
    sums = low.sum(axis=1), high.sum(axis=1)
    box = _box(block, counts, reach * (ties > 0), dtype)
    first = np.where(floor == 0, np.minimum(full, 0), full)
    last = np.where(floor == 0, np.maximum(full, 0), full)
    least = np.maximum(np.maximum(sums[0], first), centre - box)
    most = np.minimum(np.minimum(sums[1], last), centre + box)
    within: Array = fits & (least <= most)
    return within


def _in_pairs(block: Block, seen: Seen, scale: Array, got: Array, dtype: Any) -> Array:
    """Is the gradient one that takes the same side of every kink, or the middle? Other choices are left open."""
    m, g = block.margins, got.astype(dtype)
    assert m.present is not None
    assert m.centre is not None
    by = scale[:, None, None]
    sizes = np.where(m.present, np.maximum(np.abs(seen.least), np.abs(seen.steepest)) * np.abs(by), 0)
    inside = m.centre >= 0
    first = np.where(inside, np.take_along_axis(g, np.maximum(m.centre, 0), axis=1), 0)
    boxes = [
        _box(block, _counts(block, np.where(m.present, 1, 0).sum(axis=axis)), sizes.sum(axis=axis), dtype)
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


def _of_norm(block: Block, seen: Seen, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    """One slope times the margin's gradient; of the slopes between, only the middle is tried."""
    norm, g = block.margins.norm, np.hstack([x.astype(dtype) for x in got])
    assert norm is not None
    steep = np.maximum(np.abs(seen.least), np.abs(seen.steepest)) * np.abs(scale)
    box = _box(block, beside(_counts(block, 1), g), np.abs(norm.jacobian) * steep[:, None], dtype)
    box = box + norm.loose * steep[:, None] + number(block.arithmetic.underflow, dtype) / _MORE
    slopes = (seen.least, seen.steepest, (seen.least + seen.steepest) / 2)
    tried = [~some(~(np.abs(g - norm.jacobian * (s * scale)[:, None]) <= box), None) for s in slopes]
    return np.asarray(np.logical_or.reduce(tried))


_LAYOUTS = {"own": _own, "norm": _of_norm}


# -- near overflow -----------------------------------------------------------------------------------------------------


def in_range(block: Block, seen: Seen, scale: Array, dtype: Any) -> tuple[Array, Array]:
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
