"""Margins made of norms, as arrays: a number, how far around it the oracle's e(z) surely reaches, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hingeproof.judge.screen.wide import Array, number, rounded, share, wide
from hingeproof.properties.batch import Batch
from hingeproof.reference_impls.formats import Format, to_float
from hingeproof.reference_impls.norms import norm_roundings


@dataclass(frozen=True)
class Norm:
    """z and, sample by sample, what goes with it.

    half: every margin within it of z is within e(z). error: at least e(z). jacobian: ∂z over the row, `loose` what it
    may be off besides, `reach` what both are relative to. singular: z has no gradient there.
    """

    z: Array
    half: Array
    error: Array
    jacobian: Array
    loose: Array
    reach: Array
    singular: Array

    def take(self, where: Array | slice) -> Norm:
        return replace(self, **{name: part[where] for name, part in vars(self).items()})


def triplet(batch: Batch, inputs: list[Array]) -> Norm | None:
    """z = ‖a − n‖ − ‖a − p‖, without the ε of other libraries."""
    fmt, dtype = batch.format, wide(batch.format)
    if dtype is None or any(batch.params.get(name, 0) != 0 for name in ("eps", "root_eps")):
        return None
    power, width = int(batch.params["p"].p), inputs[0].shape[1]
    finite = np.logical_and.reduce([np.isfinite(x).all(axis=1) for x in inputs])
    a, near, far = (np.where(finite[:, None], x, 0).astype(dtype) for x in inputs)
    norms, slopes, sizes = [], [], []
    singular = np.zeros(len(a), bool)
    for other in (near, far):
        d = a - other
        norm = np.abs(d).sum(axis=1) if power == 1 else np.sqrt((d * d).sum(axis=1))
        u = np.sign(d) if power == 1 else d / np.where(norm == 0, 1, norm)[:, None]
        singular |= (norm == 0) | ((d == 0).any(axis=1) if power == 1 else False)
        norms.append(norm)
        slopes.append(u)
        sizes.append(np.abs(u))
    counts = norm_roundings("triplet", width)
    total = norms[0] + norms[1] + number(abs(batch.params["margin"]), dtype)
    # where both norms are numbers of the format the oracle may find them exact, with e(z) = 0
    exact = np.logical_and.reduce([rounded(n.astype(np.float64), fmt) == n for n in norms])
    z = norms[1] - norms[0]
    plain = [np.where(np.isfinite(x), 0, x) for x in inputs]
    lost = np.abs(plain[0] - plain[2]).sum(axis=1) - np.abs(plain[0] - plain[1]).sum(axis=1)
    loose = 0 if power == 1 else 1
    return _norm(
        batch, np.where(finite, z, lost), total, exact | ~finite, counts, singular,
        np.hstack([slopes[1] - slopes[0], slopes[0], -slopes[1]]),
        np.hstack([sizes[0] + sizes[1], *sizes]), loose,
    )  # fmt: skip


def cosine(batch: Batch, inputs: list[Array]) -> Norm | None:
    """z = ⟨x₁, x₂⟩ / (‖x₁‖ ‖x₂‖), 0 where a vector is 0."""
    dtype = wide(batch.format)
    if dtype is None:
        return None
    finite = np.logical_and.reduce([np.isfinite(x).all(axis=1) for x in inputs])
    one, two = (np.where(finite[:, None], x, 0).astype(dtype) for x in inputs)
    norms = [np.sqrt((x * x).sum(axis=1)) for x in (one, two)]
    singular = (norms[0] == 0) | (norms[1] == 0)
    n, m = (np.where(singular, 1, x)[:, None] for x in norms)
    u, v = one / n, two / m
    cos = np.where(singular, 0, (u * v).sum(axis=1))
    jacobian = np.hstack([(v - cos[:, None] * u) / n, (u - cos[:, None] * v) / m])
    reach = np.hstack([(np.abs(v) + np.abs(u)) / n, (np.abs(u) + np.abs(v)) / m])
    counts = norm_roundings("cosine", inputs[0].shape[1])
    z = np.where(finite, cos, np.nan)
    return _norm(batch, z, np.ones(len(z)), singular | ~finite, counts, singular, jacobian, reach, 1)


def _norm(
    batch: Batch,
    z: Array,
    total: Array,
    strict: Array,
    counts: tuple[int, int],
    singular: Array,
    jacobian: Array,
    reach: Array,
    loose: int,
) -> Norm:
    fmt, dtype = batch.format, jacobian.dtype.type
    relative, slope = (_gamma(fmt, n, dtype) for n in counts)
    flushed = to_float(fmt.tiny) * (jacobian.shape[1] + 3) if batch.arithmetic.flush else 0.0
    # what z itself may be off: the wide dtype's roundings, and the one to float64
    own = (counts[0] + 16) * np.finfo(dtype).eps * total + np.finfo(np.float64).eps * np.abs(z)
    half = np.where(strict, 0, np.maximum(relative * share(fmt) * total - own, 0))
    return Norm(
        z.astype(np.float64),
        half.astype(np.float64) * (1 - 2.0**-20),
        (2 * relative * total + own).astype(np.float64) + flushed,
        jacobian,
        loose * slope * dtype(share(fmt)) * reach,
        reach,
        singular,
    )


def _gamma(fmt: Format, n: int, dtype: Any) -> Any:
    gamma = fmt.gamma(n)
    assert gamma is not None, "rows of a metric loss are short"
    return number(gamma, dtype)
