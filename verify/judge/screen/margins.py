"""Margins of whole arrays: how each map lays its terms out, and the margins that a correct program may have computed.

Laid out `own`, each term moves one coordinate; as a `star`, each moves its own and a centre's; as `pairs`, all of one
set against all of another; a `norm` moves all. The terms of a sample lie along the axes behind the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from hingeproof.judge.screen.norms import Norm, cosine, triplet
from hingeproof.judge.screen.shape import Offset, Shape
from hingeproof.judge.screen.wide import EXACT, Array, exactly, inexact, rounded, summed
from hingeproof.properties.batch import Batch
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.margins import label_set
from hingeproof.reference_impls.oracle import Arithmetic

Layout = Literal["own", "star", "pairs", "norm"]


@dataclass(frozen=True)
class Margins:
    """z = x − y, or x alone, in numbers of the format held as float64.

    present: the terms that there are (None: all). marks: the numbers that may be taken off before y is.
    given: is y an input, so that a mode that flushes may count a subnormal one as 0?
    """

    arithmetic: Arithmetic
    layout: Layout
    x: Array
    y: Array | None = None
    present: Array | None = None
    sign: Array | None = None  # of the coordinate in z, for `own`
    centre: Array | None = None  # its index, for a `star`; the indices of the first set, for `pairs` (−1: none)
    marks: tuple[Any, ...] = ()
    given: bool = True
    norm: Norm | None = None

    @cached_property
    def terms(self) -> Array | int:
        """How many terms each sample has."""
        axes = tuple(range(1, self.x.ndim))
        if self.present is None:
            return int(np.prod(np.broadcast_shapes(self.x.shape, () if self.y is None else self.y.shape)[1:]))
        return self.present.sum(axis=axes) if axes else self.present.astype(np.intp)

    def take(self, where: Array | slice) -> Margins:
        picked = {
            name: part[where]
            for name in ("x", "y", "present", "sign", "centre")
            if (part := getattr(self, name)) is not None
        }
        return replace(self, norm=self.norm and self.norm.take(where), **picked)

    def first(self, dtype: Any) -> Offset:
        """The margin that most programs compute: the rounded difference, of flushed numbers where the mode flushes."""
        fmt, tiny = self.arithmetic.format, to_float(self.arithmetic.format.tiny)
        x, y = self.x, self.y
        if self.arithmetic.flush:
            x = np.where(np.abs(x) < tiny, 0, x)
            y = np.where(np.abs(y) < tiny, 0, y) if y is not None and self.given else y
        z = x if y is None else _finite(summed(x, -y, fmt))
        if self.arithmetic.flush:
            z = np.where(np.abs(z) < tiny, 0, z)
        z = z.astype(dtype, copy=False)
        return lambda mark: z - mark

    def more(self, dtype: Any, shape: Shape) -> Iterator[Offset]:
        """The others within e(z): the exact one, and those where a mark is added to one of both numbers first."""
        x, y, fmt = self.x.astype(dtype), self.y, self.arithmetic.format
        if y is None:
            yield lambda mark: x - mark
            if self.norm is not None:
                half = self.norm.half
                yield lambda mark: (self.x + half).astype(dtype) - mark
                yield lambda mark: (self.x - half).astype(dtype) - mark
            return
        if self.arithmetic.flush:
            unflushed = _finite(summed(self.x, -y, fmt)).astype(dtype)
            yield lambda mark: unflushed - mark
        z = x - y
        z = np.where(inexact(x, -y, z), np.nan, z)

        def exact(mark: Any) -> Array:
            d: Array = z - mark
            return np.where(inexact(z, -mark, d), np.nan, d)

        yield exact
        if shape.reorders(self.marks):
            yield lambda mark: _finite(summed(self.x, -EXACT(mark), fmt)).astype(dtype) - y
            yield lambda mark: x - _finite(summed(y, EXACT(mark), fmt)).astype(dtype)

    def error(self) -> Array | float:
        """At least e(z)."""
        fmt, y = self.arithmetic.format, self.y
        flushed = 3 * to_float(fmt.tiny) if self.arithmetic.flush else 0.0
        if self.norm is not None:
            return self.norm.error
        if y is None:
            return flushed
        most = max((abs(float(m)) for m in self.marks), default=0.0)
        return 2 * to_float(fmt.unit) * (np.abs(self.x) + np.abs(y) + most) + flushed

    def strict(self) -> Array:
        """Where e(z) = 0 for every term, so that the selection at a kink can be seen."""
        fmt, y, tiny = self.arithmetic.format, self.y, to_float(self.arithmetic.format.tiny)
        loose = np.zeros(self.x.shape, bool)
        if y is not None:
            sums = [(self.x, -y), *((self.x, -EXACT(m)) for m in self.marks), *((y, EXACT(m)) for m in self.marks)]
            loose = np.zeros(np.broadcast_shapes(self.x.shape, y.shape), bool)
            for a, b in sums:
                total = a + b
                loose |= inexact(a, b, total) | (rounded(np.ascontiguousarray(total), fmt) != total)
        if self.arithmetic.flush:
            z = self.x if y is None else self.x - y
            near = [z - m for m in self.marks]
            for part in (self.x, z, *near, *([y] if y is not None and self.given else [])):
                loose |= (part != 0) & (np.abs(part) < tiny)
        if self.present is not None:
            loose &= self.present
        return ~np.asarray(loose.any(axis=tuple(range(1, loose.ndim))))


def _finite(x: Array) -> Array:
    """A result that overflowed is no margin within e(z)."""
    return np.where(np.isfinite(x), x, np.nan)


# -- the maps ----------------------------------------------------------------------------------------------------------


def margins(batch: Batch) -> Margins | None:
    """The batch's margins as arrays; None where no such form is known."""
    inputs = [np.asarray(x).astype(EXACT) for x in batch.inputs]
    if batch.loss.margins.norms:
        norm = {"triplet": triplet, "cosine": cosine}[batch.loss.margins.name](batch, inputs)
        return None if norm is None else Margins(batch.arithmetic, "norm", norm.z, norm=norm)
    make = _MAPS.get(batch.loss.margins.name)
    return make(batch, inputs) if make else None


def _signs(batch: Batch) -> Array:
    return np.asarray(batch.targets).astype(EXACT)


def _marks(batch: Batch, name: str) -> tuple[Any, ...]:
    """What may be taken off one of both numbers first, where it is a number of the format."""
    mark = batch.params.get(name)
    if mark is None or not (batch.format.holds(mark) and exactly(mark)):
        return (EXACT(0),) if mark is None else ()
    return (EXACT(to_float(mark)),)


def _binary(batch: Batch, inputs: list[Array]) -> Margins:
    sign = _signs(batch)
    return Margins(batch.arithmetic, "own", inputs[0] * sign, sign=sign)


def _score(batch: Batch, inputs: list[Array]) -> Margins:
    return Margins(batch.arithmetic, "own", inputs[0])


def _residual(batch: Batch, inputs: list[Array]) -> Margins:
    marks = tuple(sign * m for m in _marks(batch, "epsilon") for sign in (-1, 1))
    return Margins(batch.arithmetic, "own", inputs[0], _signs(batch), marks=marks, given=False)


def _ranking(batch: Batch, inputs: list[Array]) -> Margins:
    up = _signs(batch) > 0
    x, y = (np.where(up, *pair)[:, None] for pair in (inputs, inputs[::-1]))
    return Margins(
        batch.arithmetic, "star", x, y, centre=np.where(up, 0, 1), marks=_marks(batch, "margin")
    )  # a row of two classes, of which one is the centre


def _one_vs_rest(batch: Batch, inputs: list[Array]) -> Margins:
    sign = np.where(np.arange(inputs[0].shape[1]) == np.asarray(batch.targets)[:, None], 1.0, -1.0)
    return Margins(batch.arithmetic, "own", inputs[0] * sign, sign=sign)


def _gaps(batch: Batch, inputs: list[Array]) -> Margins:
    centre = np.asarray(batch.targets).astype(np.intp)
    x = np.take_along_axis(inputs[0], centre[:, None], axis=1)
    present = np.arange(inputs[0].shape[1]) != centre[:, None]
    return Margins(batch.arithmetic, "star", x, inputs[0], present, centre=centre, marks=_marks(batch, "margin"))


def _multilabel(batch: Batch, inputs: list[Array]) -> Margins:
    scores, sets = inputs[0], [label_set(row) for row in batch.labels]
    most = max(map(len, sets), default=0) or 1
    inside = np.full((len(sets), most), -1, np.intp)
    for row, labels in zip(inside, sets, strict=True):
        row[: len(labels)] = labels
    outside = np.ones(scores.shape, bool)
    rows, columns = np.nonzero(inside >= 0)
    outside[rows, inside[rows, columns]] = False
    x = np.take_along_axis(scores, np.maximum(inside, 0), axis=1)[:, :, None]
    present = (inside >= 0)[:, :, None] & outside[:, None, :]
    return Margins(
        batch.arithmetic, "pairs", x, scores[:, None, :], present, centre=inside, marks=_marks(batch, "margin")
    )


_MAPS: dict[str, Callable[[Batch, list[Array]], Margins]] = {
    "binary": _binary,
    "score": _score,
    "residual": _residual,
    "ranking": _ranking,
    "one_vs_rest": _one_vs_rest,
    "one_vs_rest_gaps": _gaps,
    "multilabel": _multilabel,
}
