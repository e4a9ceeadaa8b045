"""The largest error of a value, in ulp: φ in float64 is exact enough beside a format of at most 24 bits."""

from __future__ import annotations

import numpy as np

from hingeproof.judge.proof.domain import bits_of
from hingeproof.judge.screen.pieces import OnePiece
from hingeproof.judge.screen.shape import shape
from hingeproof.judge.screen.wide import EXACT
from hingeproof.properties.batch import Array, Batch
from hingeproof.reference_impls.formats import Format, to_float
from hingeproof.reference_impls.phi import Phi
from hingeproof.runs.proofs import Worst


def worst(known: Worst | None, batch: Batch, phi: Phi, z: Array, value: Array, fast: OnePiece | None) -> Worst | None:
    """The worse of what is known and what these values show. Results that are not finite have no error."""
    want = _wanted(batch, phi, z, fast)
    if want is None:
        return known
    fmt, got = batch.format, value.astype(EXACT)
    with np.errstate(all="ignore"):
        error = abs(got - want)
        if fast is not None:
            # monotone: the smallest ulp of the run is that of an end
            least = float(_ulp(np.minimum(*abs(want[[0, -1]]))[None], fmt)[0])
            if not error.max() / least > (known.ulp if known else -1.0):
                return known
        in_ulp = error / _ulp(want, fmt)
        low = to_float(fmt.tiny) if batch.arithmetic.flush else 0.0
        judged = np.isfinite(got) & (abs(want) <= to_float(fmt.largest)) & (abs(want) >= low)
    in_ulp = np.where(judged, in_ulp, -1.0)
    at = int(np.argmax(in_ulp))
    if in_ulp[at] <= (known.ulp if known else -1.0):
        return known
    score = batch.inputs[0][at]
    assert batch.targets is not None
    return Worst(float(f"{in_ulp[at]:.6g}"), float(batch.targets[at]), bits_of(score), repr(float(score)))


def _wanted(batch: Batch, phi: Phi, z: Array, fast: OnePiece | None) -> Array | None:
    if fast is not None:
        return np.broadcast_to(np.asarray(fast.piece.value(z - fast.piece.anchor) * fast.factor), z.shape)
    table = shape(phi, EXACT)
    return None if table is None else table.at(lambda mark: z - mark).low * to_float(batch.multiple)


def _ulp(want: Array, fmt: Format) -> Array:
    _, exponent = np.frexp(np.abs(want))
    ulp: Array = np.ldexp(1.0, np.clip(exponent - 1, fmt.emin, fmt.emax) - fmt.precision + 1)
    return ulp
