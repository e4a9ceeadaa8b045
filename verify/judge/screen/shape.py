"""φ over arrays: value, slopes on both sides and magnitude, at margins that are known by their distances to marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hingeproof.judge.screen.wide import Array, exactly, number
from hingeproof.reference_impls.phi import Phi

Offset = Callable[[Any], Array]
"""A margin z, given as the function mark ↦ z − mark: its sign is exact, its size good to a unit of the wide dtype."""


@dataclass(frozen=True)
class Piece:
    """c0 + c1 d + c2 d² with d = z − anchor."""

    anchor: Any
    c0: Any
    c1: Any
    c2: Any

    def value(self, d: Array) -> Any:
        if self.c2 == 0:
            return self.c0 if self.c1 == 0 else d * self.c1 + self.c0 if self.c0 else d * self.c1
        inner = d * self.c2 + self.c1 if self.c1 else d * self.c2
        return inner * d + self.c0 if self.c0 else inner * d

    def slope(self, d: Array) -> Any:
        return d * (2 * self.c2) + self.c1 if self.c2 else self.c1

    def magnitude(self, d: Array) -> Any:
        """Σ |c_k| |d|^k, for d ≥ 0."""
        return Piece(self.anchor, abs(self.c0), abs(self.c1), abs(self.c2)).value(d)

    @property
    def constant(self) -> bool:
        return bool(self.c1 == 0 and self.c2 == 0)

    @property
    def grows(self) -> bool:
        """Is the magnitude φ itself, and nothing on the way to it larger?"""
        ahead = self.c2 if self.c1 == 0 else self.c1 if self.c2 == 0 else 0
        return bool(self.c0 == 0 and abs(ahead) >= 1)


@dataclass(frozen=True)
class Hulls:
    """What φ is at one margin or over several: hulls of values and of slopes, the largest magnitude. NaN: unknown."""

    low: Array
    high: Array
    least: Array
    steepest: Array
    magnitude: Array

    def joined(self, other: Hulls) -> Hulls:
        return Hulls(
            np.fmin(self.low, other.low),
            np.fmax(self.high, other.high),
            np.fmin(self.least, other.least),
            np.fmax(self.steepest, other.steepest),
            np.fmax(self.magnitude, other.magnitude),
        )


@dataclass(frozen=True)
class Shape:
    """φ in a wide dtype."""

    breaks: tuple[Any, ...]
    pieces: tuple[Piece, ...]

    def at(self, z: Offset) -> Hulls:
        """φ at one margin."""
        known: dict[float, Array] = {}

        def offset(mark: Any) -> Array:
            if float(mark) not in known:
                known[float(mark)] = z(mark)
            return known[float(mark)]

        d = offset(self.pieces[0].anchor)
        value, slope = self.pieces[0].value(d), self.pieces[0].slope(d)
        left, size = slope, self.pieces[0].magnitude(np.abs(d))
        nowhere = np.isnan(d)
        for mark, piece in zip(self.breaks, self.pieces[1:], strict=True):
            side, d = offset(mark), offset(piece.anchor)
            right, on = side >= 0, side == 0
            here = piece.slope(d)
            nowhere = nowhere | np.isnan(d) | np.isnan(side)
            left = np.where(on, slope, np.where(right, here, left)) if on.any() else np.where(right, here, left)
            slope = np.where(right, here, slope)
            value = np.where(right, piece.value(d), value)
            size = np.where(right, piece.magnitude(np.abs(d)), size)
        full = [np.broadcast_to(x, d.shape) for x in (value, left, slope, size)]
        if nowhere.any():  # a comparison with NaN has chosen a piece: what it says is void
            full = [np.where(nowhere, np.nan, x) for x in full]
        value, left, slope, size = full
        return Hulls(value, value, np.minimum(left, slope), np.maximum(left, slope), size)

    def touched(self, z: Array, error: Array | float) -> list[tuple[Piece, Array, Array]]:
        """Each piece, where [z − error, z + error] meets it, and the largest |d| there (an upper bound)."""
        edges = [-np.inf, *self.breaks, np.inf]
        return [
            (p, (z + error >= low) & (z - error <= high), (np.abs(z - p.anchor) + error) * (1 + 2.0**-40))
            for p, low, high in zip(self.pieces, edges[:-1], edges[1:], strict=True)
        ]

    def reorders(self, marks: Sequence[Any]) -> bool:
        """May each break be reached by a margin of its own, all of them within e(z)?

        So where inner pieces are constant: then a margin on either side of a break is all that must be known.
        """
        outer = (self.pieces[0].anchor == self.breaks[0], self.pieces[-1].anchor == self.breaks[-1])
        near = all(p.constant or a for p, a in zip((self.pieces[0], self.pieces[-1]), outer, strict=True))
        return near and all(p.constant for p in self.pieces[1:-1]) and set(self.breaks) <= set(marks)


@lru_cache(maxsize=256)
def shape(phi: Phi, dtype: Any) -> Shape | None:
    """φ in this dtype; None where its breaks are no float64 numbers, or a slope may cancel: the oracle judges those."""
    if not all(exactly(b) for b in (*phi.breaks, *(a for a, _ in phi.around))):
        return None
    if any(c1 != 0 and c2 != 0 for _, (_, c1, c2) in phi.around):
        return None
    return Shape(
        tuple(number(b, dtype) for b in phi.breaks),
        tuple(Piece(number(a, dtype), *(number(c, dtype) for c in around)) for a, around in phi.around),
    )
