"""The rational interval that weak duality always gives: [D(repaired p), P(θ)]."""

from __future__ import annotations

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.svm.exact import Array, common, integers, power, product, rational
from hingeproof.svm.problem import Model, Point

GRAIN = 2**40
Z = fmpq(0)


def interval(model: Model, theta: Array, p: Array) -> tuple[fmpq, fmpq, Point]:
    """A lower and an upper bound of the optimum, with the point (θ, p) that gives them."""
    exact = [rational(t) for t in theta.tolist()]
    upper = primal(model, exact)
    at_zero = [Z] * model.size
    zero_value = primal(model, at_zero)
    if zero_value < upper:
        exact, upper = at_zero, zero_value
    duals = repaired(model, p)
    lower = dual(model, duals)
    if model.loss != "one_class" and lower < 0:
        duals, lower = {}, Z
    return lower, upper, Point(exact, np.array([], np.int64), duals)


def primal(model: Model, theta: list[fmpq]) -> fmpq:
    """P(θ), exactly."""
    value = sum((t * t for t in theta[: model.ridged]), Z) / 2
    value += sum((c * t for c, t in zip(model.c, theta[model.ridged :], strict=True)), Z)
    u, error = model.floats(theta)
    if model.kappa == 0 and model.group == 1 and model.C is not None:
        sure = u >= error
        doubt = np.flatnonzero(~sure & (u > -error))
        through, offsets = model.total(np.flatnonzero(sure))
        total = offsets + sum((a * t for a, t in zip(through, theta, strict=True)), Z)
        total += sum((v for v in model.values(doubt, theta) if v > 0), Z)
        return value + model.C * total
    rows = np.arange(model.rows) if model.group > 1 else np.flatnonzero(u > -error)
    exact = model.values(rows, theta)
    if model.group > 1:
        g = model.group
        tops = [max([Z, *exact[i : i + g]]) for i in range(0, len(exact), g)]
        return value + (model.C or Z) * sum(tops, Z)
    for v in exact:
        if v > 0:
            cap = v if model.C is None else min(v, model.kappa * model.C)
            value += cap * (v - cap / 2) / model.kappa
    return value


def repaired(model: Model, p: Array) -> dict[int, fmpq]:
    """The duals on a grid in [0, C], with the free stationarity mended exactly; nothing where that fails."""
    unit = model.C if model.C is not None else rational(float(np.max(p, initial=0.0)) or 1.0)
    top = GRAIN if model.C is not None else 2**60
    share = np.clip(np.nan_to_num(p / float(unit)), 0, 1)
    if model.group > 1:
        sums = share.reshape(-1, model.group).sum(axis=1)
        share = share / np.repeat(np.maximum(sums * (1 + 2.0**-30), 1.0), model.group)
    k = [fmpq(round(v * GRAIN)) for v in share.tolist()]
    if model.free:
        border = model.A[:, np.arange(model.ridged, model.size)]
        border = border.toarray() if sparse.issparse(border) else border
        for j in range(model.free):
            column = border[:, j].tolist()
            left = sum((int(a) * v for a, v in zip(column, k, strict=True) if a), Z) + model.c[j] * GRAIN / unit
            if left == 0:
                continue
            if model.free > 1:
                return {}
            room = [(v if (a > 0) == (left > 0) else top - v) for a, v in zip(column, k, strict=True)]
            for i in sorted(range(len(k)), key=lambda i: min(k[i], top - k[i]), reverse=True):
                step = min(room[i], abs(left))
                k[i] += -step if (column[i] > 0) == (left > 0) else step
                left += -step if left > 0 else step
                if left == 0:
                    break
            if left != 0:
                return {}
    return {r: v * unit / GRAIN for r, v in enumerate(k) if v != 0}


def dual(model: Model, p: dict[int, fmpq]) -> fmpq:
    """D(p) for a p that is feasible."""
    if not p:
        return Z
    rows = np.array(sorted(p), np.int64)
    values = [p[int(r)] for r in rows]
    through = pulled(model, rows, values)
    ridge = sum((v * v for v in through[: model.ridged]), Z)
    gain = sum((model.exact_offset(int(r)) * v for r, v in zip(rows, values, strict=True)), Z)
    return gain - ridge / 2 - model.kappa * sum((v * v for v in values), Z) / 2


def pulled(model: Model, rows: Array, values: list[fmpq]) -> list[fmpq]:
    """Aᵀp, exactly."""
    if not sparse.issparse(model.A):
        flat, e = integers(model.dense(rows).ravel())
        size, m = model.size, len(rows)
        columns = [flat[i * size + j] for j in range(size) for i in range(m)]
        return [v * power(e) for v in product(columns, size, values)]
    part = model.A[rows].tocoo()
    flat, e = integers(part.data)
    numerators, scale = common(values)
    whole = [int(v) for v in numerators]
    out = [0] * model.size
    for a, i, j in zip(flat, part.row.tolist(), part.col.tolist(), strict=True):
        out[j] += a * whole[i]
    return [fmpq(v, scale) * power(e) for v in out]
