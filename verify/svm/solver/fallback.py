"""What is left where a partition resists: exact Lemke on the rows in doubt, verified on all."""

from __future__ import annotations

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from hingeproof.svm.exact import Array, power, product
from hingeproof.svm.problem import Model, Point
from hingeproof.svm.solver.conditions import verify
from hingeproof.svm.solver.lemke import lemke
from hingeproof.svm.solver.partition import split

LEMKE = 150  # ambiguous rows up to which the complete fallback is tried
Z = fmpq(0)


def complete(model: Model, z: Array, trouble: set[int], unit: Array, deadline: float | None) -> Point | None:
    """Exact Lemke on the rows in doubt, verified on all; rows that object join them."""
    partition = split(model, z)
    g = model.group
    table = np.abs(z) < 1e-5
    if model.C is not None:
        table |= np.abs(z - 1) < 1e-5
    doubt = {int(r) // g for r in (*partition.edge.tolist(), *trouble, *np.flatnonzero(table).tolist())}
    for _ in range(40):
        if len(doubt) * g > LEMKE:
            return None
        rows = np.array([h * g + k for h in sorted(doubt) for k in range(g)], np.int64)
        fixed = partition.full[~np.isin(partition.full // g, list(doubt))]
        if g > 1:  # groups that share their C between rows cannot be fixed
            shared = {int(b) // g for b in partition.base[partition.base >= 0]} - doubt
            if shared:
                doubt |= shared
                continue
        point = subproblem(model, rows, fixed, deadline)
        if point is None:
            if len(rows) == model.rows:
                return None
            # the rows held fixed leave no solution: free those nearest to a change of state
            far = np.abs(z - np.clip(np.round(z), 0, 1))
            near = [int(r) // g for r in np.argsort(far, kind="stable") if int(r) // g not in doubt]
            near += [int(r) // g for r in fixed[np.argsort(z[fixed], kind="stable")]]
            doubt |= set(near[: max(4, len(doubt) // 2)])
            continue
        found = verify(model, point, unit)
        if isinstance(found, Point):
            return found
        fresh = {int(r) // g for r in found.rows} - doubt
        if not fresh:
            return None
        doubt |= fresh
    return None


def subproblem(model: Model, rows: Array, fixed: Array, deadline: float | None) -> Point | None:
    """The optimum with all other rows at p = 0, or at C on `fixed`."""
    pulled, _ = model.pull(fixed)
    ridge, free, m = model.ridged, model.free, len(rows)
    flat, e = model.whole(rows) if m else ([], 0)
    width = model.size
    table = [flat[i * width : (i + 1) * width] for i in range(m)]
    step = power(e)
    A = fmpz_mat(m, ridge, [a for line in table for a in line[:ridge]])
    gram = A * A.transpose()
    border = [[fmpq(a) * step for a in line[ridge:]] for line in table]
    groups = m // model.group if model.C is not None else 0
    n = m + groups + 2 * free
    M = [[Z] * n for _ in range(n)]
    q = [Z] * n
    drift = product([a for line in table for a in line[:ridge]], m, pulled[:ridge])
    for i in range(m):
        for j in range(m):
            M[i][j] = fmpq(gram[i, j]) * step * step
        if groups:
            M[i][m + i // model.group] = fmpq(1)
            M[m + i // model.group][i] = fmpq(-1)
        for j in range(free):
            up, down = m + groups + j, m + groups + free + j
            M[i][up], M[i][down] = -border[i][j], border[i][j]
            M[up][i], M[down][i] = border[i][j], -border[i][j]
        q[i] = drift[i] * step - model.exact_offset(int(rows[i]))
    for k in range(groups):
        q[m + k] = model.cap(int(rows[k * model.group]))
    for j in range(free):
        q[m + groups + j] = pulled[ridge + j] + model.c[j]
        q[m + groups + free + j] = -q[m + groups + j]
    solution = lemke(M, q, deadline=deadline)
    if solution is None:
        return None
    p = solution[:m]
    theta = [-v for v in pulled[:ridge]]
    if ridge and m:
        moved = (fmpq_mat(1, m, p) * fmpq_mat(A)).entries()
        theta = [t - v * step for t, v in zip(theta, moved, strict=True)]
    theta += [solution[m + groups + j] - solution[m + groups + free + j] for j in range(free)]
    part = {int(r): v for r, v in zip(rows, p, strict=True) if v != 0}
    return Point(theta, fixed, part)
