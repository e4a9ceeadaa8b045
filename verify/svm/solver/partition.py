"""Which rows have their dual at 0, at C or between: a partition, and the projection that gives it. No tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hingeproof.svm.exact import Array
from hingeproof.svm.problem import Model


@dataclass(frozen=True)
class Partition:
    """Rows at C (`full`), and rows on the kink (`edge`) relative to a row of their group (`base`; −1 for none)."""

    full: Array
    edge: Array
    base: Array

    def key(self) -> bytes:
        return self.full.tobytes() + b"|" + self.edge.tobytes() + b"|" + self.base.tobytes()


def split(model: Model, z: Array) -> Partition:
    """The support of the projection of z on {p ≥ 0, Σ_group p ≤ 1}: for single rows z ≤ 0, 0 < z < 1, z ≥ 1."""
    if model.group == 1:
        full = np.flatnonzero(z >= 1) if model.C is not None else np.array([], np.int64)
        edge = np.flatnonzero((z > 0) & ((z < 1) if model.C is not None else True))
        return Partition(full, edge, np.full(len(edge), -1))
    table = z.reshape(-1, model.group)
    tight = np.maximum(table, 0).sum(axis=1) >= 1
    order = np.sort(table, axis=1)[:, ::-1]
    excess = (np.cumsum(order, axis=1) - 1) / np.arange(1, model.group + 1)
    count = (order > excess).sum(axis=1)
    level = np.where(tight, excess[np.arange(len(table)), count - 1], 0.0)
    held = table > level[:, None]
    top = np.argmax(table, axis=1)
    first = np.arange(len(table)) * model.group
    full = (first + top)[tight]
    held[tight, top[tight]] = False
    sample, k = np.nonzero(held)
    return Partition(full, first[sample] + k, np.where(tight[sample], (first + top)[sample], -1))
