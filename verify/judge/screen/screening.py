"""The screen alone: it accepts what it can show to be right, and rejects nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hingeproof.judge.screen import exact
from hingeproof.judge.screen.block import Chunk
from hingeproof.judge.screen.blocks import Reduction, blocks, by
from hingeproof.judge.screen.gradient import judge_gradients
from hingeproof.judge.screen.selection import kinked, selected
from hingeproof.judge.screen.value import judge_values
from hingeproof.judge.screen.wide import EXACT, Array, rounded
from hingeproof.properties.batch import Batch, rows_of
from hingeproof.reference_impls.formats import to_float


@dataclass(frozen=True)
class Masks:
    """What the screen says of the samples at `where`: accepted, and not to be judged; what is in neither is open.

    selection: that seen in the gradients accepted.
    """

    where: Array
    values: tuple[Array, Array]
    gradients: tuple[Array, Array]
    selection: Counter[str]


def screen(
    batch: Batch, value: Array | None, gradients: Sequence[Array] | None, *, reduction: Reduction = "none"
) -> Iterator[Masks]:
    """The screen alone, block by block. It accepts only what the oracle accepts, and it rejects nothing."""
    for where, block in blocks(batch, reduction):
        with np.errstate(all="ignore"):
            unjudged = _not_finite(batch, where)
            nothing = np.zeros(len(where), bool), unjudged
            values, slopes, seen = nothing, nothing, Counter[str]()
            if block is not None and value is not None:
                values = _values(block, value[where], unjudged)
            if block is not None and gradients is not None:
                got = tuple(np.asarray(g[where]).astype(EXACT) for g in gradients)
                slopes = _gradients(block, got, unjudged)
                seen = selected(block.finite, got, slopes[0])
                if block.margins.norm is not None:
                    seen = _selected(batch, where[slopes[0] & kinked(block)], gradients, reduction)
        yield Masks(where, values, slopes, seen)


def _selected(batch: Batch, where: Array, gradients: Sequence[Array], reduction: Reduction) -> Counter[str]:
    """The selection at kinks of margins with norms, in rationals."""
    out: Counter[str] = Counter()
    for i in where.tolist():
        e = batch.take([i]).evaluations[0]
        out += exact.selection(e, by(batch, i, reduction), rows_of(gradients, i))
    return out


def _not_finite(batch: Batch, where: Array) -> Array:
    """Where a weight or an upstream gradient is not finite: no law speaks of that."""
    given = [x[where] for x in (batch.weight, batch.cotangent) if x is not None]
    finite: Array = np.logical_and.reduce([np.isfinite(x.astype(EXACT)) for x in given])
    return ~finite


def _values(block: Chunk, value: Array, unjudged: Array) -> tuple[Array, Array]:
    got = np.asarray(value).astype(EXACT)
    fits = _fits(value, got, block)
    infinite, lost = block.infinite * _scaled(block), block.infinite != 0
    accepted = lost & ((got == infinite) | (np.isnan(got) & np.isnan(infinite)))

    def look(part: Chunk, i: Array | slice, thorough: bool) -> tuple[Array, Array]:
        good, none = judge_values(part, got[i], thorough=thorough)
        return good if fits is None else good & fits[i], none

    return _twice(block.finite, accepted, unjudged.copy(), lost, look)


def _gradients(block: Chunk, got: tuple[Array, ...], unjudged: Array) -> tuple[Array, Array]:
    def look(part: Chunk, i: Array | slice, thorough: bool) -> tuple[Array, Array]:
        return judge_gradients(part, tuple(g[i] for g in got), thorough=thorough)

    lost = block.infinite != 0
    return _twice(block.finite, np.zeros(len(block), bool), unjudged | lost, lost, look)


def _twice(
    block: Chunk,
    accepted: Array,
    unjudged: Array,
    lost: Array,
    look: Callable[[Chunk, Array | slice, bool], tuple[Array, Array]],
) -> tuple[Array, Array]:
    """The likeliest margins first; for what that leaves open, all that a correct program may compute."""
    for thorough in (False, True):
        rest = ~(accepted | unjudged | lost)
        if not rest.any():
            break
        everywhere = rest.all()
        where = slice(None) if everywhere else np.flatnonzero(rest)
        good, none = look(block if everywhere else block.take(where), where, thorough)
        accepted[where] |= good
        unjudged[where] |= none & ~good
    return accepted & ~unjudged, unjudged


def _scaled(block: Chunk) -> Array:
    """What an infinite loss is multiplied by, as the oracle does it."""
    factor = np.array([to_float(f) for f in block.factors])[block.of]
    return np.asarray(factor if block.weight is None else factor * block.weight)


def _fits(given: Array, got: Array, block: Chunk) -> Array | None:
    """Is the answer a number of the format? A wider one has a narrower interval: the oracle judges it."""
    fmt = block.arithmetic.format
    if np.asarray(given).dtype.name == fmt.name:
        return None  # all of them
    return np.asarray((rounded(got, fmt) == got) | ~np.isfinite(got))
