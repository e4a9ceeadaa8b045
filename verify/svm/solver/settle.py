"""The equations of a partition, solved exactly."""

from __future__ import annotations

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from hingeproof.svm.exact import Array, integers, pivots, power, product, rational
from hingeproof.svm.problem import Model, Point
from hingeproof.svm.solver.partition import Partition

NEAR = 1e-6  # a dual this near to a bound, in units of C, is put on it where it is free to choose
Z = fmpq(0)


def settle(model: Model, partition: Partition, weight: Array, theta: Array, unit: float) -> Point | None:
    """Solve the equations of a partition exactly."""
    return _ridge(model, partition, theta) if model.kappa > 0 else _border(model, partition, weight, theta, unit)


def _ridge(model: Model, partition: Partition, theta: Array) -> Point | None:
    """κ > 0: (D + A_EᵀA_E/κ) θ = −c − Aᵀp_V − A_Eᵀ offset_E/κ, of the size of θ."""
    through, _ = model.total(partition.full)
    edge, size = partition.edge, model.size
    matrix, e = integers(model.dense(edge).ravel())
    A = fmpz_mat(len(edge), size, matrix)
    unit = power(e)
    offsets = [model.exact_offset(int(r)) for r in edge] if model.h is not None else [model.constant] * len(edge)
    gram = A.transpose() * A
    lines = [[gram[i, j] * unit * unit / model.kappa for j in range(size)] for i in range(size)]
    for j in range(model.ridged):
        lines[j][j] += 1
    if model.h is None:
        pull = [fmpq(v) * unit * model.constant for v in (fmpz_mat(1, len(edge), [1] * len(edge)) * A).entries()]
    else:
        pull = [v * unit for v in (fmpq_mat(1, len(edge), offsets) * fmpq_mat(A)).entries()]
    limit = model.C if model.C is not None else Z
    right = [-(limit * through[j]) - pull[j] / model.kappa for j in range(size)]
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
    exact = [*solved.entries(), *(rational(t) for t in theta[keep:].tolist())]
    point = Point(exact, partition.full, {})
    point.notes["edge"] = edge
    quadratic = fmpq_mat(1, size, exact) * fmpq_mat(gram) * fmpq_mat(size, 1, exact)
    cross = sum((a * b for a, b in zip(pull, exact, strict=True)), Z)
    square = sum((o * o for o in offsets), Z) if model.h is not None else model.constant**2 * len(edge)
    point.notes["squares"] = quadratic[0, 0] * unit * unit + 2 * cross + square
    return point


# pivots, solution and repair share one set of index lists, which parts of it would only hand round
def _border(  # noqa: C901
    model: Model, partition: Partition, weight: Array, theta: Array, unit: float
) -> Point | None:
    """κ = 0: independent rows on the kink and the free coordinates, in one bordered Gram system."""
    through, _ = model.total(partition.full)
    limit = model.C if model.C is not None else Z
    fixed = [limit * v for v in through]
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
        exact_unit = model.C if model.C is not None else rational(unit)
        for i in sorted(set(range(len(edge))) - set(chosen)):
            w = float(weight[edge[i]])
            if w < NEAR:
                continue
            value = exact_unit if model.C is not None and w > 1 - NEAR else exact_unit * fmpq(round(w * 2**30), 2**30)
            part[int(edge[i])] = value
            for j, a in enumerate(table[i]):
                if a:
                    fixed[j] += value * a * step
    m = len(chosen)
    # the free columns are 0 or ±1: unscaled, and independent ones alone are unknown
    border = [[round(a * 2.0**e) if e >= 0 else a >> -e for a in table[i][ridge:]] for i in chosen]
    columns = pivots([[row[j] for row in border] for j in range(free)]) if m else []
    exact_theta = [Z] * ridge + [rational(t) for t in theta[ridge:].tolist()]
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
            shared[bases[row]] = shared.get(bases[row], limit) - value
    if shared:
        full = full[~np.isin(full, list(shared))]
        part.update(shared)
    return Point(exact_theta, full, part)


def _edge_rows(model: Model, edge: Array, base: Array) -> tuple[list[list[int]], int]:
    """The rows (less those of their base) as integers times 2^e."""
    if not len(edge):
        return [], 0
    A = model.dense(edge)
    with_base = base >= 0
    if with_base.any():
        # a_k − a_base: x in two blocks, ±1: what both hold in the block of y cancels exactly
        A = A.copy()
        A[with_base] -= model.dense(base[with_base])
    flat, e = integers(A.ravel())
    e_low = min(e, 0)
    if e_low != e:
        flat = [a << (e - e_low) for a in flat]
    if model.free and e_low > 0:  # pragma: no cover
        raise AssertionError
    width = model.size
    return [flat[i * width : (i + 1) * width] for i in range(len(edge))], e_low


def _edge_offset(model: Model, row: int, base: int) -> fmpq:
    return model.exact_offset(row) - (model.exact_offset(base) if base >= 0 else Z)
