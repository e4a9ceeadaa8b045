"""A float candidate in seconds where an interior-point method takes minutes: projected gradient on the dual.

Accelerated: Beck and Teboulle 2009 (FISTA) with the restart of O'Donoghue and Candès 2015. It needs products with A
alone. What it finds is a candidate like any other: the interval that it gives is exact.
"""

from __future__ import annotations

import time

import numpy as np
from scipy import sparse

from hingeproof.svm.exact import Array
from hingeproof.svm.solver.moved import FloatProblem, Guess


def candidate(form: FloatProblem, until: float) -> Guess | None:
    """θ and p, improved until a time (monotonic) or until nothing moves. None for groups and several free biases."""
    model = form.model
    if model.group > 1 or model.free > 1:
        return None
    A = form.A[:, : model.ridged]
    sign = np.zeros(0)
    if model.free:
        last = form.A[:, [-1]].toarray() if sparse.issparse(form.A) else form.A[:, -1]
        sign = np.asarray(last).ravel()
    cap = np.full(model.rows, np.inf) if form.upper is None else form.upper
    kappa, offset = form.kappa, form.offset
    target = -float(form.linear[0]) if model.free else 0.0
    step = 1.0 / (_norm(A) + float(kappa.max()) + 1e-300)
    p = q = _onto(np.zeros(model.rows), sign, target, cap)
    momentum = 1.0
    best = p
    while time.monotonic() < until:
        moved = _onto(q + step * (offset - A @ (A.T @ q) - kappa * q), sign, target, cap)
        change = moved - p
        if float(np.dot(q - moved, change)) > 0:
            momentum = 1.0  # the step went uphill: start anew
        after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        q, p, momentum = moved + (momentum - 1) / after * change, moved, after
        best = p
        if float(np.abs(change).max()) <= 1e-13 * max(float(np.abs(p).max()), 1e-300):
            break
    theta = -np.asarray(A.T @ best)
    if model.free:
        theta = np.append(theta, _bias(A @ theta + offset, sign, best, cap, kappa))
    return form.back(theta, best, "first order", "candidate")


def _norm(A: Array) -> float:
    """An upper estimate of ‖A‖², by power iteration."""
    v = np.ones(A.shape[1])
    size = 1.0
    for _ in range(30):
        v = np.asarray(A.T @ (A @ v))
        size = float(np.linalg.norm(v))
        if size == 0:
            return 1.0
        v /= size
    return 1.05 * size


def _onto(p: Array, sign: Array, target: float, cap: Array) -> Array:
    """The nearest point with 0 ≤ p ≤ cap and sign·p = target: the shift along sign by bisection."""
    if not len(sign):
        return np.clip(p, 0, cap)
    low, high = -1.0, 1.0
    while float(sign @ np.clip(p - low * sign, 0, cap)) < target and low > -1e300:
        low *= 4
    while float(sign @ np.clip(p - high * sign, 0, cap)) > target and high < 1e300:
        high *= 4
    for _ in range(60):
        middle = (low + high) / 2
        if float(sign @ np.clip(p - middle * sign, 0, cap)) > target:
            low = middle
        else:
            high = middle
    return np.clip(p - high * sign, 0, cap)


def _bias(u: Array, sign: Array, p: Array, cap: Array, kappa: Array) -> float:
    """The free bias at which rows inside their box are met: u + sign·b = κp there."""
    inside = (p > 0) & (p < cap)
    rows = inside if inside.any() else np.ones(len(p), bool)
    return float(np.median(((kappa * p - u) / sign)[rows]))
