"""How far off a coordinate of a gradient may be: the oracle's counts of roundings, and the box that they make."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.judge.screen.block import Chunk, asked
from hingeproof.judge.screen.shape import Hulls
from hingeproof.judge.screen.wide import Array, errors, number
from hingeproof.reference_impls.oracle import additions, slope_roundings

_MORE = 1 + 2.0**-10


def multiple(block: Chunk, dtype: Any) -> Array:
    """What each sample's slopes are multiplied by."""
    upstream = block.multiplier
    scale = block.factor(dtype) * (
        number(upstream, dtype) if isinstance(upstream, fmpq) else upstream.astype(dtype, copy=False)
    )
    if block.weight is not None:
        scale = scale * block.weight.astype(dtype)
    return np.broadcast_to(scale, (len(block),))


def roundings(block: Chunk, touched: Array | int, active: Array | int = 0) -> Any:
    """Roundings of a coordinate that so many terms touch: the oracle's counts."""
    loss, phi = block.loss, block.phi
    each = asked(lambda n: slope_roundings(loss, phi, n), np.asarray(active))
    adds = asked(lambda n: additions(loss, n), np.asarray(touched))
    some_term = np.asarray(block.margins.terms) > 0
    own = np.where(some_term, each, 0) + block.scalings + block.products + (block.weight is not None)
    return adds + (own[:, None] if adds.ndim > 1 and own.ndim else own)


def box(block: Chunk, counts: Array, reach: Array, dtype: Any) -> Array:
    """γ_n · reach + n · η, and what a mode that flushes may lose, less the share kept for the wide dtype."""
    if not counts.any() and not block.arithmetic.flush:
        return np.zeros(np.shape(reach), dtype)
    relative, absolute = errors(block.arithmetic, int(counts.max()), dtype)
    flush = number(block.arithmetic.underflow, dtype) / _MORE if block.arithmetic.flush else 0
    size: Array = relative[counts] * reach + absolute[counts] + flush
    return size


def beside(scale: Array, like: Array) -> Array:
    """One number a sample, shaped to stand beside its terms."""
    return scale.reshape(-1, *[1] * (like.ndim - 1)) if scale.ndim else scale


def slopes(block: Chunk, seen: Hulls, scale: Array) -> tuple[Array, Array, Array]:
    """Each term's slopes times the multiple, as an interval, and the larger size of its ends."""
    by = beside(scale, seen.least)
    a, b = seen.least * by, seen.steepest * by
    return np.minimum(a, b), np.maximum(a, b), np.maximum(np.abs(a), np.abs(b))
