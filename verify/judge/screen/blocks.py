"""A batch, cut into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from flint import fmpq

from hingeproof.judge.screen.block import ONE, Chunk
from hingeproof.judge.screen.margins import margins
from hingeproof.judge.screen.wide import EXACT, Array
from hingeproof.properties.batch import Batch, rationals

Reduction = Literal["none", "sum", "mean"]
PRODUCTS = {"none": 0, "sum": 0, "mean": 2}  # roundings of what the gradient is multiplied by
_COORDINATES = 1 << 14  # what fits a core's cache; 2¹⁶ was two to three times slower


def blocks(batch: Batch, reduction: Reduction = "none") -> Iterator[tuple[Array, Chunk | None]]:
    """The batch in pieces that share φ: where its samples are, and they as a block; None: for the oracle alone."""
    factors = _factors(batch)
    size = max(1, _COORDINATES // batch.width)
    for label, places in _by_label(batch):
        phi = batch.loss.shape(label, batch.params)
        count = batch.size if places is None else len(places)
        for start in range(0, count, size):
            end = min(start + size, count)
            where = np.arange(start, end) if places is None else places[start:end]
            part = _part(batch, slice(start, end) if places is None else where)
            made = margins(part)
            if made is None:
                yield where, None
                continue
            block = Chunk(
                loss=batch.loss,
                phi=phi,
                arithmetic=batch.arithmetic,
                margins=made,
                base=_base(batch),
                factors=factors,
                of=np.zeros(len(where), np.intp) if len(factors) == 1 else np.asarray(part.targets, np.intp),
                weight=None if part.weight is None else part.weight.astype(EXACT),
                multiplier=multiplier(batch, reduction) or part.cotangent.astype(EXACT),
                products=PRODUCTS[reduction],
            )
            yield where, block


def _part(batch: Batch, at: slice | Array) -> Batch:
    """Some samples; a slice of them is no copy."""
    return batch.change(
        inputs=tuple(x[at] for x in batch.inputs),
        targets=None if batch.targets is None else batch.targets[at],
        cotangent=batch.cotangent[at],
        weight=None if batch.weight is None else batch.weight[at],
    )


def _by_label(batch: Batch) -> list[tuple[int | None, Array | None]]:
    """The labels that have a φ of their own, and where they are; None: everywhere."""
    if not batch.loss.labels_decide:
        return [(None, None)]
    labels = np.asarray(batch.targets).astype(np.int64)
    return [(int(y), np.flatnonzero(labels == y)) for y in np.unique(labels)]


def _base(batch: Batch) -> fmpq:
    return batch.multiple / batch.width if batch.loss.per_class else batch.multiple


def _factors(batch: Batch) -> tuple[fmpq, ...]:
    weights = [ONE] if batch.class_weight is None else rationals(batch.class_weight)
    return tuple(_base(batch) * w for w in weights)


def by(batch: Batch, i: int, reduction: Reduction) -> fmpq:
    """What one sample's gradient is multiplied by, its weight included."""
    upstream = multiplier(batch, reduction) or rationals(batch.cotangent[i : i + 1])[0]
    return upstream if batch.weight is None else upstream * rationals(batch.weight[i : i + 1])[0]


def multiplier(batch: Batch, reduction: Reduction) -> fmpq | None:
    """What every sample's gradient is multiplied by under a reduction; None: by its own upstream gradient."""
    return {"none": None, "sum": ONE, "mean": fmpq(1, max(batch.size, 1))}[reduction]
