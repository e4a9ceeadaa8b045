"""The equations of a partition, solved exactly."""

from __future__ import annotations

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from hingeproof.svm.exact import Array, common, pivots, power, product, rational, rounded
from hingeproof.svm.problem import Model, Point
from hingeproof.svm.solver.partition import Partition

NEAR = 1e-6  # a dual this near to a bound, in units of C, is put on it where it is free to choose
Z = fmpq(0)


def settle(model: Model, partition: Partition, weight: Array, theta: list[fmpq], unit: Array) -> Point | None:
    """Solve the equations of a partition exactly."""
    if model.kappa == 0:
        return _border(model, partition, weight, theta, unit)
    if len(partition.edge) + model.free < model.size:
        return _ridge_by_rows(model, partition, theta)
    return _ridge(model, partition, theta)


def _ridge(model: Model, partition: Partition, theta: list[fmpq]) -> Point | None:
    """κ > 0: (D + A_EᵀA_E/κ) θ = −c − Aᵀp_V − A_Eᵀ offset_E/κ, of the size of θ. With weights, A_E/κ is by row."""
    right = [-v for v in model.pull(partition.full)[0]]
    edge, size = partition.edge, model.size
    matrix, e = model.whole(edge)
    A = fmpz_mat(len(edge), size, matrix)
    unit = power(e)
    weights, scale = common([model.weight[r] for r in edge.tolist()]) if model.weight else ([], fmpz(1))
    scaled = A
    if model.weight:
        rows = ([w * v for v in matrix[i * size : (i + 1) * size]] for i, w in enumerate(weights))
        scaled = fmpz_mat(len(edge), size, [v for row in rows for v in row])
    offsets = [model.exact_offset(int(r)) for r in edge] if model.h is not None else [model.constant] * len(edge)
    gram = A.transpose() * scaled
    curve = model.kappa * scale
    lines = [[gram[i, j] * unit * unit / curve for j in range(size)] for i in range(size)]
    for j in range(model.ridged):
        lines[j][j] += 1
    if model.h is None:
        ones = fmpz_mat(1, len(edge), [1] * len(edge))
        pull = [fmpq(v) * unit * model.constant for v in (ones * scaled).entries()]
    else:
        pull = [v * unit for v in (fmpq_mat(1, len(edge), offsets) * fmpq_mat(scaled)).entries()]
    right = [r - v / curve for r, v in zip(right, pull, strict=True)]
    for j in range(model.free):
        right[model.ridged + j] -= model.c[j]
    loose = model.free and not len(edge)
    keep = model.ridged if loose else size
    if loose and any(right[keep:]):
        return None
    try:
        solved = fmpq_mat(keep, keep, [v for line in lines[:keep] for v in line[:keep]]).solve(
            fmpq_mat(keep, 1, right[:keep])
        )
    except ZeroDivisionError:
        return None
    exact = [*solved.entries(), *theta[keep:]]
    point = Point(exact, partition.full, {})
    point.notes["edge"] = edge
    quadratic = fmpq_mat(1, size, exact) * fmpq_mat(gram) * fmpq_mat(size, 1, exact)
    cross = sum((a * b for a, b in zip(pull, exact, strict=True)), Z)
    total = sum(weights, fmpz(0)) if model.weight else len(edge)
    square = model.constant**2 * total
    if model.h is not None:
        square = sum((w * o * o for w, o in zip(weights or [fmpz(1)] * len(edge), offsets, strict=True)), Z)
    point.notes["squares"] = (quadratic[0, 0] * unit * unit + 2 * cross + square) / scale
    return point


def _ridge_by_rows(model: Model, partition: Partition, theta: list[fmpq]) -> Point | None:
    """κ > 0 and few rows on the slope: (A_E A_Eᵀ + κ) p_E = offset_E − A_E(…), with the free coordinates."""
    edge, ridge, free, m = partition.edge, model.ridged, model.free, len(partition.edge)
    fixed, _ = model.pull(partition.full)
    matrix, e = model.whole(edge)
    unit, width = power(e), model.size
    table = [matrix[i * width : (i + 1) * width] for i in range(m)]
    A = fmpz_mat(m, ridge, [a for line in table for a in line[:ridge]])
    border = [[a * unit for a in line[ridge:]] for line in table]
    if free and not m:
        if any(f + c for f, c in zip(fixed[ridge:], model.c, strict=True)):
            return None
        free = 0
    gram = A * A.transpose()
    size = m + free
    lines = [[Z] * size for _ in range(size)]
    pulled = product([a for line in table for a in line[:ridge]], m, fixed[:ridge])
    right = [model.exact_offset(int(r)) - v * unit for r, v in zip(edge, pulled, strict=True)]
    for i in range(m):
        for j in range(m):
            lines[i][j] = gram[i, j] * unit * unit
        lines[i][i] += model.curve(int(edge[i]))
        for j in range(free):
            lines[i][m + j], lines[m + j][i] = -border[i][j], border[i][j]
    right += [-fixed[ridge + j] - model.c[j] for j in range(free)]
    try:
        solved = fmpq_mat(size, size, [v for line in lines for v in line]).solve(fmpq_mat(size, 1, right)).entries()
    except ZeroDivisionError:
        return None
    p = solved[:m]
    moved = [v * unit for v in (fmpq_mat(1, m, p) * fmpq_mat(A)).entries()] if m and ridge else [Z] * ridge
    exact = [-(f + v) for f, v in zip(fixed, moved, strict=False)]
    point = Point([*exact[:ridge], *(solved[m:] if free else theta[ridge:])], partition.full, {})
    point.notes["edge"] = edge
    curves = [model.curve(int(r)) for r in edge]
    point.notes["squares"] = sum((k * v * v for k, v in zip(curves, p, strict=True)), Z) * model.kappa
    return point


# pivots, solution and repair share one set of index lists, which parts of it would only hand round
def _border(  # noqa: C901
    model: Model, partition: Partition, weight: Array, theta: list[fmpq], unit: Array
) -> Point | None:
    """κ = 0: independent rows on the kink and the free coordinates, in one bordered Gram system."""
    fixed, _ = model.pull(partition.full)
    ridge, free = model.ridged, model.free
    inside = np.minimum(weight, 1 - weight) if model.C is not None else weight
    order = np.argsort(-inside[partition.edge], kind="stable")
    edge, base = partition.edge[order], partition.base[order]
    part: dict[int, fmpq] = {}
    chosen: list[int] = []
    table, e = _edge_rows(model, edge, base)
    if len(edge):
        chosen = pivots(table)
        step = power(e)
        for i in sorted(set(range(len(edge))) - set(chosen)):
            w = float(weight[edge[i]])
            if w < NEAR:
                continue
            row = int(edge[i])
            cap = model.cap(row) if model.C is not None else None
            measure = cap if cap is not None and rounded(cap) == unit[row] else rational(unit[row])
            value = cap if cap is not None and w > 1 - NEAR else measure * fmpq(round(w * 2**30), 2**30)
            part[int(edge[i])] = value
            for j, a in enumerate(table[i]):
                if a:
                    fixed[j] += value * a * step
    m = len(chosen)
    # the free columns are 0 or ±1: unscaled, and independent ones alone are unknown
    border = [[round(a * 2.0**e) if e >= 0 else a >> -e for a in table[i][ridge:]] for i in chosen]
    columns = pivots([[row[j] for row in border] for j in range(free)]) if m else []
    exact_theta = [Z] * ridge + theta[ridge:]
    A = fmpz_mat(m, ridge, [a for i in chosen for a in table[i][:ridge]])
    values: list[fmpq] = []
    if m:
        gram = A * A.transpose()
        size = m + len(columns)
        lines: list[list[int]] = [[0] * size for _ in range(size)]
        for i in range(m):
            for j in range(m):
                lines[i][j] = -int(gram[i, j])
            for j, column in enumerate(columns):
                lines[i][m + j] = lines[m + j][i] = border[i][column]
        right: list[fmpq] = []
        pulled = product([a for i in chosen for a in table[i][:ridge]], m, fixed[:ridge])
        for i, index in enumerate(chosen):
            r = -_edge_offset(model, int(edge[index]), int(base[index])) + pulled[i] * power(e)
            for j in range(free):
                if j not in columns:
                    r -= exact_theta[ridge + j] * border[i][j]
            right.append(r)
        fours = power(2 * e)
        right += [(-fixed[ridge + j] - model.c[j]) * fours for j in columns]
        try:
            solved = fmpq_mat(fmpz_mat(size, size, [v for line in lines for v in line])).solve(fmpq_mat(size, 1, right))
        except ZeroDivisionError:
            return None
        entries = solved.entries()
        values = [v / fours for v in entries[:m]]
        for j, column in enumerate(columns):
            exact_theta[ridge + column] = entries[m + j]
    for index, value in zip(chosen, values, strict=True):
        part[int(edge[index])] = value
    moved = (fmpq_mat(1, m, values) * fmpq_mat(A)).entries() if m and ridge else [Z] * ridge
    for j in range(ridge):
        exact_theta[j] = -(fixed[j] + moved[j] * power(e))
    # what rows of a tight group hold is taken from the C of their base
    bases = dict(zip(edge.tolist(), base.tolist(), strict=True))
    full = partition.full
    shared: dict[int, fmpq] = {}
    for row, value in part.items():
        if bases[row] >= 0:
            shared[bases[row]] = shared.get(bases[row], model.cap(bases[row])) - value
    if shared:
        full = full[~np.isin(full, list(shared))]
        part.update(shared)
    return Point(exact_theta, full, part)


def _edge_rows(model: Model, edge: Array, base: Array) -> tuple[list[list[int]], int]:
    """The rows (less those of their base) as integers times 2^e."""
    if not len(edge):
        return [], 0
    flat, e = model.whole(edge)
    with_base = np.flatnonzero(base >= 0)
    if len(with_base):  # a_k − a_base: x in two blocks, ±1
        width = model.size
        less, f = model.whole(base[with_base])
        low = min(e, f)
        flat, e = [a << (e - low) for a in flat], low
        for i, at in enumerate(with_base.tolist()):
            for j in range(width):
                flat[at * width + j] -= less[i * width + j] << (f - low)
    e_low = min(e, 0)
    if e_low != e:
        flat = [a << (e - e_low) for a in flat]
    if model.free and e_low > 0:  # pragma: no cover
        raise AssertionError
    width = model.size
    return [flat[i * width : (i + 1) * width] for i in range(len(edge))], e_low


def _edge_offset(model: Model, row: int, base: int) -> fmpq:
    return model.exact_offset(row) - (model.exact_offset(base) if base >= 0 else Z)
