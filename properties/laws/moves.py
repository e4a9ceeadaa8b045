"""Second batches made from a first one: samples moved along a direction, for laws that compare two or three points."""

from __future__ import annotations

import numpy as np

from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.case import Move


def _add(x: Array, step: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(x + step.astype(x.dtype), dtype=x.dtype)


def split_rows(batch: Batch, table: Array) -> tuple[Array, ...]:
    """Rows of coordinates (N, width) as the batch's input tensors."""
    parts = np.split(table, len(batch.inputs), axis=1)
    return tuple(p if x.ndim == 2 else p[:, 0] for p, x in zip(parts, batch.inputs, strict=True))


def away(batch: Batch) -> Batch:
    """Every score moved by ½ in the direction in which no margin falls."""
    steps = np.zeros((batch.size, batch.width))
    for i, e in enumerate(batch.evaluations):
        for k in range(batch.width):
            signs = {(t.term.gradient[k] > 0) for t in e.terms if k in t.term.gradient}
            if len(signs) == 1:
                steps[i, k] = 0.5 if True in signs else -0.5
    return batch.change(inputs=tuple(map(_add, batch.inputs, split_rows(batch, steps))))


def _secant(times: int) -> Move:
    def move(batch: Batch) -> Batch:
        """Every score moved `times` steps of half the tangent."""
        return batch.change(
            inputs=tuple(
                _add(x, times * t.astype(np.float64) / 2) for x, t in zip(batch.inputs, batch.tangent, strict=True)
            )
        )

    return move


_SECANTS = {times: _secant(times) for times in (1, 2)}


def secant(times: int) -> Move:
    return _SECANTS[times]
