"""Some thousand samples, ready to be judged: margins, factors, counts of roundings, and what is not finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.judge.screen.margins import Margins
from hingeproof.judge.screen.shape import Hulls, Shape, shape
from hingeproof.judge.screen.wide import EXACT, Array, number, wide
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import is_power_of_two, to_float
from hingeproof.reference_impls.oracle import Arithmetic, scaling_roundings
from hingeproof.reference_impls.phi import Phi

ONE = fmpq(1)


@dataclass(frozen=True)
class Chunk:
    """Samples that share φ. `factors` are those of the classes (one for all without class weights), `of` picks one.

    multiplier: what the gradients are multiplied by beside factor and weight: the upstream gradient, 1 or 1/N.
    products: the roundings of forming it.
    """

    loss: Loss
    phi: Phi
    arithmetic: Arithmetic
    margins: Margins
    base: fmpq
    factors: tuple[fmpq, ...]
    of: Array
    weight: Array | None
    multiplier: Array | fmpq
    products: int

    def take(self, where: Array | slice) -> Chunk:
        return replace(
            self,
            margins=self.margins.take(where),
            of=self.of[where],
            weight=None if self.weight is None else self.weight[where],
            multiplier=self.multiplier if isinstance(self.multiplier, fmpq) else self.multiplier[where],
        )

    def __len__(self) -> int:
        return len(self.of)

    @cached_property
    def finite(self) -> Chunk:
        """The same with each infinite margin at which φ has a limit in the reals moved to where φ is that limit.

        A margin of +∞ past the end of the margin is no term any more. What is left and not finite is in `infinite`.
        """
        return self._sorted[0]

    @cached_property
    def infinite(self) -> Array:
        """Each sample's value where it is not finite; 0 where it is."""
        return self._sorted[1]

    @cached_property
    def _sorted(self) -> tuple[Chunk, Array]:
        m = self.margins
        parts = [m.x] if m.y is None else [m.x, m.y]
        if all(np.isfinite(p).all() for p in parts):
            return self, np.zeros(len(self))
        x, y = (np.where(np.isfinite(p), 0, p) for p in (m.x, np.zeros(()) if m.y is None else m.y))
        z = x - y
        present = np.broadcast_to(True if m.present is None else m.present, z.shape)
        limits = [self.phi.limit(1), self.phi.limit(-1)]
        masked = limits[0] == 0 and self.phi.zero_from is not None
        total = np.where(present & np.isnan(z), np.nan, 0.0)
        new_x, new_y = (np.broadcast_to(p, z.shape).copy() for p in (m.x, y if m.y is None else m.y))
        for at, limit, sign in zip((np.inf, -np.inf), limits, (1, -1), strict=True):
            here = present & (z == at)
            if masked and sign > 0:
                present = present & ~here
            elif isinstance(limit, float):
                total = np.where(here, limit, total)
                continue
            far = to_float(self.phi.breaks[-1] + 1 if sign > 0 else self.phi.breaks[0] - 1)
            new_x[here], new_y[here] = far, 0
        lost = ~(np.isfinite(new_x) & np.isfinite(new_y))
        new_x[lost], new_y[lost] = np.nan, 0  # absent, or the sample is not finite: it is judged by `infinite`
        margins = replace(m, x=new_x, y=None if m.y is None else new_y, present=present)
        return replace(self, margins=margins), total.sum(axis=tuple(range(1, z.ndim)))

    # -- facts -----------------------------------------------------------------------------------------------------

    @cached_property
    def scalings(self) -> Array | int:
        """Roundings of the products behind the sum, sample by sample."""
        counts = [scaling_roundings(self.loss, self.base, f != self.base) for f in self.factors]
        return counts[0] if len(counts) == 1 else np.array(counts)[self.of]

    def factor(self, dtype: Any) -> Any:
        """1/K, the class weight and the implementation's own scale: a number, or one for each sample."""
        table = [number(f, dtype) for f in self.factors]
        return table[0] if len(table) == 1 else np.array(table, dtype)[self.of]

    @property
    def whole(self) -> bool:
        """Does no factor make a number smaller, or round it?"""
        return all(is_power_of_two(f) and abs(f) >= 1 for f in self.factors)

    def shape(self, dtype: Any) -> Shape | None:
        return shape(self.phi, dtype)

    def dtype(self, strict: bool) -> Any | None:
        """Where to compute: in float64 itself, too, if nothing but the one rounding allowed is done there."""
        return EXACT if strict and self.arithmetic.format.precision == 53 else wide(self.arithmetic.format)


def asked(count: Callable[[int], int], of: Array) -> Array:
    """A count of the oracle's, asked once for each number that occurs."""
    least, most = int(of.min()), int(of.max())
    return np.asarray(np.array([count(n) for n in range(least, most + 1)])[of - least])


def over(how: np.ufunc, x: Array) -> Array:
    """Each sample's terms, combined; few columns are faster one by one."""
    if x.ndim == 2 and 0 < x.shape[1] < 16:
        return np.asarray(reduce(how, x.T))
    return np.asarray(how.reduce(x, axis=tuple(range(1, x.ndim))))  # over no axis at all it stays what it is


def _where(present: Array | None, x: Array, other: Any) -> Array:
    return x if present is None else np.where(present, x, other)


def summed(x: Array, present: Array | None) -> Array:
    """Per-term numbers, added up over the terms that there are."""
    return over(np.add, _where(present, x, 0))


def greatest(x: Array, present: Array | None) -> Array:
    """The largest of them and 0."""
    return over(np.maximum, np.maximum(_where(present, x, 0), 0))


def some(mask: Array, present: Array | None) -> Array:
    """Is it so for some term?"""
    return over(np.logical_or, _where(present, mask, False))


def look(block: Chunk, dtype: Any, thorough: bool) -> Hulls | None:
    """φ over the margins that may have been computed: the likeliest alone, or all that are known."""
    table = block.shape(dtype)
    if table is None:
        return None
    seen = table.at(block.margins.first(dtype))
    if thorough:
        for z in block.margins.more(dtype, table):
            seen = seen.joined(table.at(z))
    return seen
