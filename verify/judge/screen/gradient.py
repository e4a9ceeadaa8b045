"""Which gradients are surely in the oracle's sub-differential, and which surely come too near overflow to be judged."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.judge.screen.block import Chunk, look, some
from hingeproof.judge.screen.box import beside, box, multiple, roundings, slopes
from hingeproof.judge.screen.overflow import in_range, unbounded
from hingeproof.judge.screen.rows import in_pairs, in_simplex, in_star
from hingeproof.judge.screen.shape import Hulls
from hingeproof.judge.screen.wide import Array, number
from hingeproof.reference_impls.formats import is_power_of_two
from hingeproof.reference_impls.oracle import slope_roundings

_MORE = 1 + 2.0**-10


def judge_gradients(block: Chunk, got: tuple[Array, ...], *, thorough: bool) -> tuple[Array, Array]:
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
        accepted = np.logical_or.reduce([in_pairs(block, seen, scale, got[0], dtype) for seen in looks])
        seen = looks[0]
    else:
        found = look(block, dtype, thorough)
        assert found is not None
        seen = found
        judge = _LAYOUTS.get(m.layout) or (in_star if block.loss.aggregate == "sum" else in_simplex)
        accepted = judge(block, seen, scale, got, dtype)
    # past the margin, and without terms, only 0 is right, whatever the bound
    moved = np.logical_or.reduce([some(g != 0, None) for g in got])
    moving = some((seen.least != 0) | (seen.steepest != 0), m.present)
    accepted = np.where(moved, accepted & moving, accepted | (np.asarray(m.terms) == 0))
    near, far = in_range(block, seen, scale, dtype)
    return accepted & near, far | unbounded(block)


def strict(block: Chunk) -> bool:
    """May no operation of the gradient round, and does none here?"""
    rounded = slope_roundings(block.loss, block.phi, 0)
    powers = all(c1 == 0 or (abs(c1) >= 1 and is_power_of_two(c1)) for _, (_, c1, _) in block.phi.around)
    return bool(rounded == 0 and powers and block.whole and block.products == 0 and block.weight is None)


def _own(block: Chunk, seen: Hulls, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    m, g = block.margins, got[0].astype(dtype, copy=False)
    if m.sign is not None:
        g = g * m.sign
    low, high, reach = slopes(block, seen, scale)
    off = box(block, beside(roundings(block, 1), reach), reach, dtype)
    inside = (g >= low - off) & (g <= high + off)
    if m.present is not None:
        inside = np.where(m.present, inside, g == 0)
    return ~some(~inside, None)


def _of_norm(block: Chunk, seen: Hulls, scale: Array, got: tuple[Array, ...], dtype: Any) -> Array:
    """One slope times the margin's gradient; of the slopes between, only the middle is tried."""
    norm, g = block.margins.norm, np.hstack([x.astype(dtype) for x in got])
    assert norm is not None
    steep = np.maximum(np.abs(seen.least), np.abs(seen.steepest)) * np.abs(scale)
    off = box(block, beside(roundings(block, 1), g), np.abs(norm.jacobian) * steep[:, None], dtype)
    off = off + norm.loose * steep[:, None] + number(block.arithmetic.underflow, dtype) / _MORE
    between = (seen.least, seen.steepest, (seen.least + seen.steepest) / 2)
    tried = [~some(~(np.abs(g - norm.jacobian * (s * scale)[:, None]) <= off), None) for s in between]
    return np.asarray(np.logical_or.reduce(tried))


_LAYOUTS = {"own": _own, "norm": _of_norm}
