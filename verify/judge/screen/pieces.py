"""The short path of exhaustive proofs: consecutive scores inside one piece of φ, judged by operators alone.

One polynomial decides a whole run, so it costs less than evaluating the loss, and arrays of any library are judged
where they are: `+ − *`, comparisons and `abs` are all that is asked of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.judge.screen.shape import Piece, shape
from hingeproof.judge.screen.wide import EXACT, errors
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import exact, to_float
from hingeproof.reference_impls.oracle import (
    Arithmetic,
    amplification,
    scaling_roundings,
    slope_roundings,
    value_roundings,
)

ONE = fmpq(1)
_SIGNS: Mapping[str, Any] = {"binary": lambda label: float(label), "score": lambda label: 1.0}


@dataclass(frozen=True)
class OnePiece:
    """What is right for every score of a run. Scores and answers are numbers of the format, in float64 arrays."""

    sign: float
    piece: Piece
    factor: float
    magic: float | None  # M with (v + M) − M = v rounded to the format, where one rounding is allowed
    value_error: tuple[float, float]
    slope: float  # what slopes are multiplied by: upstream gradient, factor and the score's sign in the margin
    slope_error: tuple[float, float]

    def values_right(self, scores: Any, got: Any) -> Any:
        """A mask: which values are surely right. The rest is for `judge`."""
        d = scores * self.sign - self.piece.anchor
        value = self.piece.value(d) * self.factor
        if self.magic is not None:
            return got == (value + self.magic) - self.magic
        relative, absolute = self.value_error
        return abs(got - value) <= self.piece.magnitude(abs(d)) * (relative * abs(self.factor)) + absolute

    def gradients_right(self, scores: Any, got: Any) -> Any:
        """A mask: which gradients are surely right."""
        slope = self.piece.slope(scores * self.sign - self.piece.anchor) * self.slope
        relative, absolute = self.slope_error
        if relative == absolute == 0:
            return got == slope
        return abs(got - slope) <= abs(slope) * relative + absolute


def run(
    loss: Loss,
    params: Mapping[str, fmpq],
    arithmetic: Arithmetic,
    label: int,
    first: float,
    last: float,
    *,
    upstream: float = 1.0,
    scale: fmpq = ONE,
) -> OnePiece | None:
    """What is right from score `first` to score `last`; None where that takes more than one polynomial.

    That is where a break or another sign lies between, a result nears overflow or the subnormal range of a mode that
    flushes, values lie in several binades that one rounding would have to be looked up for, or the margin is no score.
    """
    fmt, phi = arithmetic.format, loss.shape(label if loss.labels_decide else None, params)
    table = shape(phi, EXACT)
    if table is None or fmt.precision > 24 or loss.margins.name not in _SIGNS:
        return None
    sign = _SIGNS[loss.margins.name](label)
    ends = sorted((float(first) * sign, float(last) * sign))  # float32 scalars would overflow below
    upstream = float(upstream)
    index = int(np.searchsorted([float(b) for b in table.breaks], ends[0], side="right"))
    if not all(map(np.isfinite, ends)) or any(ends[0] <= b <= ends[1] for b in table.breaks):
        return None
    found = table.pieces[index]
    piece = Piece(float(found.anchor), float(found.c0), float(found.c1), float(found.c2))
    tiny, largest = to_float(fmt.tiny), to_float(fmt.largest)
    if arithmetic.flush and (ends[0] * ends[1] <= 0 or _nearest(ends, (0.0, *map(float, table.breaks))) < tiny):
        return None
    distances = [abs(e - piece.anchor) for e in ends]
    top = max(max(piece.magnitude(d), d * d if piece.c2 else d) for d in distances) * max(1.0, to_float(scale))
    slopes = [abs(piece.slope(e - piece.anchor) * upstream) * max(1.0, to_float(scale)) for e in ends]
    if top * 2 >= largest or max(slopes) * 8 >= largest:
        return None
    scalings = scaling_roundings(loss, scale, False)
    n, k = value_roundings(loss, phi, 1) + scalings, slope_roundings(loss, phi, 0) + scalings
    magic = None
    if n <= 1:
        values = [abs(piece.value(e - piece.anchor) * to_float(scale)) for e in ends]
        binades = {np.frexp(max(v, tiny))[1] for v in values}
        if len(binades) > 1:
            return None
        magic = float(np.ldexp(1.5, int(binades.pop()) - fmt.precision + 52))
    value_error, slope_error = (_pair(arithmetic, count) for count in (n, k))
    if piece.constant:  # past the margin only 0 is right, whatever the bound
        value_error, slope_error = (value_error if piece.c0 else (0.0, 0.0)), (0.0, 0.0)
    amplified = to_float(amplification(phi)) * max(1.0, to_float(scale))
    by = fmpq(*upstream.as_integer_ratio()) * scale * int(sign)
    if k == 0 and exact(to_float(by)) != by:
        return None
    return OnePiece(
        sign, piece, to_float(scale), magic, (value_error[0], value_error[1] * amplified), to_float(by), slope_error
    )  # fmt: skip


def _pair(arithmetic: Arithmetic, count: int) -> tuple[float, float]:
    relative, absolute = errors(arithmetic, count, EXACT)
    return float(relative[count]), float(absolute[count])


def _nearest(ends: list[float], marks: tuple[float, ...]) -> float:
    """How near a run comes to a mark outside of it."""
    return min(abs(e - m) for e in ends for m in marks)
