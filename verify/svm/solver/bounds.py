"""The rational interval that weak duality always gives: [D(repaired p), P(θ)]."""

from __future__ import annotations

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.svm.exact import Array, rational, rounded
from hingeproof.svm.problem import Model, Point

GRAIN = 2**40
Z = fmpq(0)


def interval(model: Model, theta: list[fmpq], p: Array) -> tuple[fmpq, fmpq, Point]:
    """A lower and an upper bound of the optimum, with the point (θ, p) that gives them."""
    exact, upper = theta, primal(model, theta)
    _, at_zero, nothing = trivial(model)
    if at_zero < upper:
        exact, upper = nothing.theta, at_zero
    duals = repaired(model, p)
    lower = dual(model, duals)
    if model.loss != "one_class" and lower < 0:
        duals, lower = {}, Z
    return lower, upper, Point(exact, np.array([], np.int64), duals)


def trivial(model: Model) -> tuple[fmpq, fmpq, Point]:
    """The interval of θ = 0 and p = 0, without a product with the data. In one_class p = 0 is no dual."""
    value = Z
    if model.h is None and model.weight is None:
        value = lost(model, 0, model.constant) * (model.rows // model.group) if model.constant > 0 else Z
    else:
        for r in range(0, model.rows, model.group):
            value += lost(model, r, model.exact_offset(r))
    return Z, value, Point([Z] * model.size, np.array([], np.int64), {})


def lost(model: Model, row: int, u: fmpq) -> fmpq:
    """φ(u) of a row."""
    if u <= 0:
        return Z
    if model.kappa == 0:
        return model.cap(row) * u if model.C is not None else Z
    top = u if model.C is None else min(u, model.kappa * model.C)
    return top * (u - top / 2) / model.curve(row)


def primal(model: Model, theta: list[fmpq]) -> fmpq:
    """P(θ), exactly."""
    value = sum((t * t for t in theta[: model.ridged]), Z) / 2
    value += sum((c * t for c, t in zip(model.c, theta[model.ridged :], strict=True)), Z)
    u, error = model.floats(theta)
    if model.kappa == 0 and model.group == 1 and model.C is not None:
        sure = u >= error
        doubt = np.flatnonzero(~sure & (u > -error))
        through, offsets = model.pull(np.flatnonzero(sure))
        value += offsets + sum((a * t for a, t in zip(through, theta, strict=True)), Z)
        doubted = zip(doubt.tolist(), model.values(doubt, theta), strict=True)
        return value + sum((model.cap(r) * v for r, v in doubted if v > 0), Z)
    rows = np.arange(model.rows) if model.group > 1 else np.flatnonzero(u > -error)
    exact = model.values(rows, theta)
    if model.group > 1:
        g = model.group
        tops = [max([Z, *exact[i : i + g]]) for i in range(0, len(exact), g)]
        return value + sum((model.cap(i * g) * v for i, v in enumerate(tops) if v), Z)
    return value + sum((lost(model, r, v) for r, v in zip(rows.tolist(), exact, strict=True)), Z)


def repaired(model: Model, p: Array) -> dict[int, fmpq]:
    """The duals on a grid in [0, C], with the free stationarity mended exactly; nothing where that fails."""
    if model.C is None:
        unit = rational(float(np.max(p, initial=0.0)) or 1.0)
        tops, share = [unit * 2**20] * model.rows, p / rounded(unit)
    else:
        tops = [model.cap(r) for r in range(model.rows)]
        share = p / np.array([rounded(v) for v in tops])
    share = np.clip(np.nan_to_num(share), 0, 1)
    if model.group > 1:
        sums = share.reshape(-1, model.group).sum(axis=1)
        share = share / np.repeat(np.maximum(sums * (1 + 2.0**-30), 1.0), model.group)
    units = tops if model.C is not None else [unit] * model.rows
    held = [u * round(v * GRAIN) / GRAIN if v else Z for v, u in zip(share.tolist(), units, strict=True)]
    if model.free and not _balanced(model, held, tops, share):
        return {}
    return {r: v for r, v in enumerate(held) if v != 0}


def _balanced(model: Model, held: list[fmpq], tops: list[fmpq], share: Array) -> bool:
    """Move duals, those furthest from their bounds first, until Σ a_r p_r + c is 0. Whether that could be done."""
    border = model.A[:, np.arange(model.ridged, model.size)]
    border = border.toarray() if sparse.issparse(border) else border
    for j in range(model.free):
        column = border[:, j].tolist()
        left = sum((v if a > 0 else -v for a, v in zip(column, held, strict=True) if a and v), Z) + model.c[j]
        if left == 0:
            continue
        if model.free > 1:
            return False
        for i in np.argsort(-np.minimum(share, 1 - share), kind="stable").tolist():
            down = (column[i] > 0) == (left > 0)
            step = min(held[i] if down else tops[i] - held[i], abs(left))
            held[i] += -step if down else step
            left += -step if left > 0 else step
            if left == 0:
                break
        if left != 0:
            return False
    return True


def dual(model: Model, p: dict[int, fmpq]) -> fmpq:
    """D(p) for a p that is feasible."""
    if not p:
        return Z
    rows = np.array(sorted(p), np.int64)
    values = [p[int(r)] for r in rows]
    through = model.combined(rows, values)
    ridge = sum((v * v for v in through[: model.ridged]), Z)
    gain = sum((model.exact_offset(int(r)) * v for r, v in zip(rows, values, strict=True)), Z)
    return gain - ridge / 2 - _curved(model, rows, values) / 2


def _curved(model: Model, rows: Array, values: list[fmpq]) -> fmpq:
    """Σ κ_r v_r²."""
    if model.kappa == 0:
        return Z
    if model.weight is None:
        return model.kappa * sum((v * v for v in values), Z)
    return sum((model.curve(r) * v * v for r, v in zip(rows.tolist(), values, strict=True)), Z)
