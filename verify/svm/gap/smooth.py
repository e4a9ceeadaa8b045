"""Multipliers of a smoothed loss in floating point: a = u/width cut to [0, 1], or projected on the simplex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.gap.objective import Objective


@dataclass(frozen=True)
class Slopes:
    """Multipliers by constraint, and which samples are on a curved piece (all that a second derivative needs)."""

    a: Array
    curved: Array


def slopes(o: Objective, u: Array, width: float) -> Slopes:
    """The multipliers at margins u."""
    if o.loss == "crammer_singer":
        a = projected(u / width)
        return Slopes(a, np.any(_curved(o, a), axis=1))
    a = np.maximum(u / width, 0.0)
    return Slopes(np.minimum(a, 1.0) if o.capped else a, np.any(_curved(o, a), axis=1))


def projected(z: Array) -> Array:
    """The nearest points of {a ≥ 0, Σ a ≤ 1}."""
    a = np.maximum(z, 0.0)
    over = np.flatnonzero(a.sum(axis=1) > 1)
    if len(over):
        order = -np.sort(-z[over], axis=1)
        excess = (np.cumsum(order, axis=1) - 1) / np.arange(1, z.shape[1] + 1)
        count = (order > excess).sum(axis=1)
        level = excess[np.arange(len(over)), count - 1]
        a[over] = np.maximum(z[over] - level[:, None], 0.0)
    return a


def _curved(o: Objective, a: Array) -> Array:
    """Constraints on a curved piece: their multipliers move with u."""
    return np.asarray((a > 0) & (a < 1) if o.capped else a > 0)


def moving(o: Objective, a: Array) -> Array:
    """u/width less what does not move with u: −width · ∂a/∂width, on the curved pieces."""
    free = _curved(o, a)
    if o.loss != "crammer_singer":
        return np.asarray(a * free)
    tight = a.sum(axis=1) > 1 - 1e-12
    share = np.where(tight, 1 / np.maximum(free.sum(axis=1), 1), 0.0)
    return np.asarray((a - share[:, None]) * free)


def curvature(o: Objective, a: Array, y: Array, width: float) -> Array:
    """Second derivatives over the scores, of samples on a curved piece: (m, K, K)."""
    free = _curved(o, a)
    if o.scores == 1:
        return np.asarray((free.sum(axis=1) / width)[:, None, None])
    inside = free.astype(np.float64)
    bend = inside[:, :, None] * np.eye(o.scores)
    if o.loss == "crammer_singer":
        tight = a.sum(axis=1) > 1 - 1e-12
        share = np.where(tight, 1 / np.maximum(inside.sum(axis=1), 1), 0.0)
        bend -= share[:, None, None] * inside[:, :, None] * inside[:, None, :]
    # from multipliers to scores: g = a − e_y Σa
    own = np.zeros_like(a)
    own[np.arange(len(y)), y.astype(np.int64)] = 1.0
    row = bend.sum(axis=2)
    cross = own[:, :, None] * row[:, None, :]
    both = row.sum(axis=1)[:, None, None] * own[:, :, None] * own[:, None, :]
    return np.asarray((bend - cross - cross.transpose(0, 2, 1) + both) / width)


def excess(o: Objective, u: Array, a: Array, weights: Array | None) -> tuple[float, float]:
    """Σ r φ(u), and Σ r (φ(u) − a·u + κa²/2) ≥ 0: what the multipliers lose, term by term."""
    kappa = rounded(o.kappa)
    u = np.where(np.isfinite(u), u, 0.0) if o.scores > 1 else u
    positive = np.maximum(u, 0.0)
    if o.loss == "crammer_singer":
        value = positive.max(axis=1)
    elif kappa == 0:
        value = positive.sum(axis=1)
    else:
        best = positive / kappa
        best = np.minimum(best, 1.0) if o.capped else best
        value = (best * (u - kappa / 2 * best)).sum(axis=1)
    lost = np.maximum(value - (a * u).sum(axis=1) + kappa / 2 * (a * a).sum(axis=1), 0.0)
    if weights is not None:
        value, lost = value * weights, lost * weights
    return float(value.sum()), float(lost.sum())
