"""Arithmetic with digits to spare: NumPy arrays in a dtype that is wide beside the format under test."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.reference_impls.formats import Extended, Format, exact, to_float
from hingeproof.reference_impls.oracle import Arithmetic

Array = np.ndarray[Any, Any]
EXACT = np.float64  # every format's numbers are numbers of it
_EXPONENT = np.int64(0x7FF << 52)


def wide(fmt: Format) -> Any | None:
    """The dtype to compute bounds in: float64, and 80 or 128 bits for float64 itself; None where there is none."""
    if fmt.precision <= 24:
        return np.float64
    return np.longdouble if np.finfo(np.longdouble).nmant >= fmt.precision + 10 else None


def share(fmt: Format) -> float:
    """How much of a derived error is handed out: the rest covers the roundings of the wide dtype.

    An answer is off by n u (n ≥ 2) relative to a magnitude, the wide arithmetic by at most 8 (n + 8) of its own units
    relative to the same. 2⁻¹⁶ of 2⁻²⁴ is 2¹³ units of float64, 2⁻⁵ of 2⁻⁵³ is 2⁶ units of 80 bits.
    """
    return 1 - 2.0**-16 if fmt.precision <= 24 else 1 - 2.0**-5


def number(q: fmpq, dtype: Any) -> Any:
    """The rational as a number of this dtype: two float64 parts, so good to all digits of 80 bits."""
    high = to_float(q)
    rest: Extended = exact(high)
    return dtype(high) + dtype(to_float(q - rest)) if isinstance(rest, fmpq) else dtype(high)


def exactly(q: fmpq) -> bool:
    """Is the rational a float64?"""
    return exact(to_float(q)) == q


def rounded(x: Array, fmt: Format) -> Array:
    """float64 numbers rounded to nearest, ties to even, into the format; NaN where x is infinite.

    Casts to 16 bits go through float32 in every library, and so round twice: (x + M) − M with M = 1.5 · 2⁵² ulp(x).
    """
    if fmt.precision == 53:
        return x
    if fmt.precision == 24:
        return x.astype(np.float32).astype(np.float64)
    top = (x.view(np.int64) & _EXPONENT).view(np.float64)
    top *= 2.0 ** (1 - fmt.precision) * 1.5 * 2.0**52
    top = np.maximum(top, to_float(fmt.subnormal) * 1.5 * 2.0**52)
    out = (x + top) - top
    out[np.abs(out) > to_float(fmt.largest)] *= np.inf
    return out


def summed(a: Array, b: Any, fmt: Format) -> Array:
    """a + b of numbers of the format, rounded into it: 2p + 2 ≤ 53 bits make the second rounding harmless."""
    return rounded(np.asarray(a + b), fmt)


def inexact(a: Array, b: Any, total: Array) -> Array:
    """Did a + b = total round? (Knuth's two-sum, TAOCP 4.2.2.)"""
    part = total - a
    lost: Array = ((a - (total - part)) + (b - part)) != 0
    return lost


@lru_cache(maxsize=256)
def errors(arithmetic: Arithmetic, most: int, dtype: Any) -> tuple[Array, Array]:
    """What 0 … `most` roundings may be off, relatively and absolutely, as far as it is handed out; NaN: no bound."""
    pairs = [arithmetic.errors(n) for n in range(most + 1)]
    part = dtype(share(arithmetic.format))
    columns = ([dtype(np.nan) if p is None else number(p[i], dtype) * part for p in pairs] for i in (0, 1))
    first, second = (np.array(column, dtype=dtype) for column in columns)
    return first, second


def flushes() -> bool:
    """Does this thread count subnormal numbers as 0? (torch.set_flush_denormal sets NumPy's mode, too.)"""
    return bool(np.array([2.0**-1074]) * np.array([1.0]) == 0)
