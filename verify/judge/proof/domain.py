"""Which scores a proof asks, with which upstream gradients and parameters, and the bits of numbers."""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np
from flint import fmpq

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.strategies import NUMPY_DTYPES, Spec
from hingeproof.reference_impls.definition import rational as number
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.runs.proofs import WIDTH

BITS = {16: np.uint16, 32: np.uint32}
CALL = 1 << 17  # scores of one call: enough that a call's own cost is small beside theirs
# Not 1, not uniform, no powers of two alone, both signs; exact in every format.
UPSTREAM = np.array([1.5, -0.75, 0.625, -1.25, 1.0])
RUN = 1 << 15  # scores in a row under one upstream gradient, where they are many: a run is judged by one polynomial


def settings(implementation: Implementation, dtype: str) -> Mapping[str, fmpq]:
    """The loss's parameters: the defaults, or what the implementation has fixed, rounded to the dtype."""
    spec = Spec(
        loss=implementation.family,
        arithmetic=Arithmetic(FORMATS[dtype], flush=False),
        settable=frozenset(),
        fixed=tuple((n, number(v)) for n, v in implementation.fixed.items()),
    )
    return spec.parameter_sets[0]


def scores(dtype: str, first: int, count: int) -> Array:
    """The numbers of a format whose bits count up from `first`."""
    kind = BITS[WIDTH[dtype]]
    return np.arange(first, first + count, dtype=np.uint64).astype(kind).view(NUMPY_DTYPES[dtype])


def upstream(dtype: str, first: int, count: int) -> Array:
    """The upstream gradient of each of these scores: it changes at each, or where they are many at each run."""
    step = 1 if WIDTH[dtype] == 16 else RUN
    turns = np.arange(first // step, (first + count - 1) // step + 1) % len(UPSTREAM)
    return np.repeat(UPSTREAM[turns].astype(NUMPY_DTYPES[dtype]), step)[:count]


def batch(
    implementation: Implementation, dtype: str, arithmetic: Arithmetic, label: float, first: int, count: int
) -> Batch:
    """The batch of one call."""
    loss = implementation.family
    whole = loss.margins.targets == "sign"
    return Batch(
        loss=loss,
        arithmetic=arithmetic,
        inputs=(scores(dtype, first, count),),
        targets=np.full(count, label, dtype=np.int64 if whole else NUMPY_DTYPES[dtype]),
        params=settings(implementation, dtype),
        cotangent=upstream(dtype, first, count),
        scale=implementation.scale,
    )


def bits_of(x: object) -> str:
    """A number's bits in hex."""
    one = np.asarray(x)
    width = one.dtype.itemsize * 8
    return f"0x{int(one.reshape(1).view(BITS[width])[0]):0{width // 4}x}"


NAN = {
    np.dtype(np.float16): 0x7E00, np.dtype(ml_dtypes.bfloat16): 0x7FC0, np.dtype(np.float32): 0x7FC00000,
    np.dtype(np.float64): 0x7FF8000000000000,
}  # fmt: skip


def canonical(x: Array) -> Array:
    """The bits of an array, where every NaN has those of one: which of them an operation answers with means nothing."""
    kind = np.dtype(f"<u{x.dtype.itemsize}")
    out: Array = np.ascontiguousarray(x).view(kind)
    nan = np.isnan(x)
    if nan.any():
        out = out.copy()
        out[nan] = NAN[x.dtype]
    return out
