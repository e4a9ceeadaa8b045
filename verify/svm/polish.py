"""From a float candidate to an exact optimum: partition, exact solve, exact verification, and what if it fails."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from hingeproof.svm.exact import Array, common, integers, pivots, power, product, rational, rounded
from hingeproof.svm.lemke import OutOfTimeError, lemke
from hingeproof.svm.model import Model, Point

ROUNDS = 8  # of the active-set update
LEMKE = 150  # ambiguous rows up to which the complete fallback is tried
NEAR = 1e-6  # a dual this near to a bound, in units of C, is put on it where it is free to choose
Z = fmpq(0)


@dataclass(frozen=True)
class Partition:
    """Rows at C (`full`), and rows on the kink (`edge`) relative to a row of their group (`base`; −1 for none)."""

    full: Array
    edge: Array
    base: Array

    def key(self) -> bytes:
        return self.full.tobytes() + b"|" + self.edge.tobytes() + b"|" + self.base.tobytes()


@dataclass(frozen=True)
class Failure:
    """Why a point is no optimum: the rows that object, and the partition to try next."""

    rows: Array
    z: Array


def equations(model: Model, theta: Array, p: Array) -> int:
    """How many a first exact solve near the float candidate has."""
    if model.kappa > 0:
        return model.size
    return min(len(split(model, _start(model, theta, p)).edge), model.size)


def _start(model: Model, theta: Array, p: Array) -> Array:
    u, unit = model.A @ theta + model.offset, _unit(model, p)
    z: Array = u / (rounded(model.kappa) * unit) if model.kappa > 0 else p / unit + u
    return z


def polish(model: Model, theta: Array, p: Array, *, deadline: float | None) -> Point | None:
    """Return an exact optimum near the float candidate, or None."""
    u = model.A @ theta + model.offset
    unit = _unit(model, p)
    z = _start(model, theta, p)
    weight = p / unit
    trouble: set[int] = set()
    seen: set[bytes] = set()
    for _ in range(ROUNDS):
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError
        partition = split(model, z)
        if partition.key() in seen:
            break
        seen.add(partition.key())
        failure: Failure | None = None
        for shares in _choices(model, partition, weight, theta):
            point = settle(model, partition, shares, theta, unit)
            found = None if point is None else verify(model, point, unit)
            if isinstance(found, Point):
                return found
            failure = found or failure
        if failure is None:
            break
        trouble |= set(failure.rows.tolist())
        z, weight = failure.z, np.clip(failure.z, 0.0, 1.0)
    if model.kappa > 0:
        return None
    return _complete(model, p / unit + u, trouble, theta, unit, deadline)


def _unit(model: Model, p: Array) -> float:
    """What a dual is measured in: C, or the largest where there is no bound."""
    if model.C is not None:
        return rounded(model.C)
    return float(np.max(p, initial=0.0)) or 1.0


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


def _choices(model: Model, partition: Partition, weight: Array, theta: Array) -> Iterable[Array]:
    """Duals to start from where they are not unique: the float ones, then a vertex of their polyhedron."""
    yield weight
    if model.kappa == 0 and len(partition.edge) and len(partition.edge) > 1:
        vertex = _vertex(model, partition, theta)
        if vertex is not None:
            yield vertex


def _vertex(model: Model, partition: Partition, theta: Array) -> Array | None:
    """A basic solution of 0 ≤ p ≤ C, Aᵀp = −(Dθ + c), by a float LP."""
    from scipy.optimize import linprog

    if model.group > 1 or len(partition.edge) > 3_000:
        return None
    A = model.dense(partition.edge)
    ones = np.ones(len(partition.full))
    unit = rounded(model.C) if model.C is not None else 1.0
    fixed = unit * (model.A[partition.full].T @ ones) if len(ones) else np.zeros(model.size)
    right = -fixed
    right[: model.ridged] -= theta[: model.ridged]
    right[model.ridged :] -= np.array([rounded(v) for v in model.c])
    scale = max(float(np.abs(A).max()) * unit, 1e-300)
    found = linprog(
        np.zeros(len(A)), A_eq=A.T * (unit / scale), b_eq=right / scale,
        bounds=(0, 1 if model.C is not None else None), method="highs-ds",
    )  # fmt: skip
    if found.x is None:
        return None
    out = np.zeros(model.rows)
    out[partition.edge] = found.x
    return out


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


def _border(model: Model, partition: Partition, weight: Array, theta: Array, unit: float) -> Point | None:
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


def verify(model: Model, point: Point, unit: float) -> Point | Failure:
    """Every condition of optimality, exactly: box, free stationarity, and the sign of u − κp in every row."""
    if model.kappa > 0:
        return _verify_smooth(model, point)
    part = point.part
    bad = [r for r, v in part.items() if v < 0 or (model.C is not None and v > model.C)]
    limit = model.C if model.C is not None else Z
    rows = sorted(part)
    if model.free:
        through, _ = model.total(point.full)
        shift = [limit * v for v in through[model.ridged :]]
        held = model.dense(np.array(rows, np.int64))[:, model.ridged :] if rows else np.zeros((0, model.free))
        for line, row in zip(held.tolist(), rows, strict=True):
            for j, a in enumerate(line):
                if a:
                    shift[j] += int(a) * part[row]
        if any(s + c != 0 for s, c in zip(shift, model.c, strict=True)):
            bad += rows
            z = np.full(model.rows, -1.0)
            z[point.full], z[rows] = 2.0, 0.5
            return Failure(np.array(bad or [0], np.int64), z)
    want = np.full(model.rows, -1, np.int8)
    want[point.full] = 1
    for r, v in part.items():
        want[r] = 1 if model.C is not None and v == model.C else -1 if v == 0 else 0
    if model.group == 1:
        if model.free == 1 and not bad and (want != 0).all():  # a row with 0 < p < C pins the bias: u = 0 there
            point = _with_bias(model, point, want)
        u, error = model.floats(point.theta)
        levels: dict[int, fmpq] = {}
    else:
        u, error, levels, wrong = _above_level(model, point, want)
        bad += wrong
    wrong_sign = ((want <= 0) & (u > error)) | ((want >= 0) & (u < -error))
    open_rows = np.flatnonzero(~wrong_sign & ~(((want < 0) & (u <= -error)) | ((want > 0) & (u >= error))))
    bad += np.flatnonzero(wrong_sign).tolist()
    for row, value in zip(open_rows.tolist(), model.values(open_rows, point.theta), strict=True):
        v = value - levels.get(row // model.group, Z) if model.group > 1 else value
        if (want[row] <= 0 and v > 0) or (want[row] >= 0 and v < 0):
            bad.append(row)
            u[row] = rounded(v) or (1e-300 if v > 0 else -1e-300)
        elif v == 0:
            u[row] = 0.0
    if not bad:
        return _measured(model, point)
    p = np.zeros(model.rows)
    p[point.full] = 1.0
    for r, v in part.items():
        p[r] = rounded(v) / unit if v else 0.0
        if model.group == 1 and v > 0 and (model.C is None or v < model.C):
            p[r] = min(max(p[r], 1e-300), 1 - 2.0**-53) if model.C is not None else p[r]
    return Failure(np.array(sorted(set(bad)), np.int64), p + u)


def _above_level(model: Model, point: Point, want: Array) -> tuple[Array, Array, dict[int, fmpq], list[int]]:
    """Crammer–Singer: u less the maximum of its group, which is 0 where Σp < C."""
    u, error = model.floats(point.theta)
    held: dict[int, dict[int, fmpq]] = {}
    for row, v in point.part.items():
        held.setdefault(row // model.group, {})[row] = v
    leader: dict[int, int] = {int(r) // model.group: int(r) for r in point.full}
    bad: list[int] = []
    for g, shares in held.items():
        total = sum(shares.values(), Z)
        if g in leader or (model.C is not None and total > model.C):
            bad += list(shares)
        elif total == model.C:
            leader[g] = max(shares, key=lambda row: shares[row])
    for row, v in point.part.items():
        want[row] = 0 if v > 0 else -1
    groups = np.array(sorted(leader), np.int64)
    tops = np.array([leader[g] for g in groups.tolist()], np.int64)
    exact = model.values(tops, point.theta)
    levels = dict(zip(groups.tolist(), exact, strict=True))
    bad += [leader[g] for g, level in levels.items() if level < 0]
    level = np.zeros(model.n)
    level[groups] = [rounded(v) for v in exact]
    spread = np.repeat(level, model.group)
    want[tops] = 0
    u = u - spread
    error = error + (np.abs(u) + np.abs(spread)) * 2.0**-50
    u[tops], error[tops] = 0.0, np.inf
    return u, error, levels, bad


def _verify_smooth(model: Model, point: Point) -> Point | Failure:
    """κ > 0: p is a continuous function of u, so the partition alone must fit."""
    edge = point.notes["edge"]
    want = np.zeros(model.rows, np.int8)
    want[edge], want[point.full] = 1, 2
    if model.free and not len(edge):
        point = _with_bias(model, point, np.where(want == 2, 1, -1))
    top = model.kappa * model.C if model.C is not None else None
    u, error = model.floats(point.theta)
    high = np.inf if top is None else rounded(top)
    slack = 0.0 if top is None else abs(high) * 2.0**-50
    inside = (u >= error) & (u + error + slack <= high)
    good = np.where(want == 0, u <= -error, np.where(want == 1, inside, u - error - slack >= high))
    open_rows = np.flatnonzero(~good)
    bad = []
    for row, v in zip(open_rows.tolist(), model.values(open_rows, point.theta), strict=True):
        state = want[row]
        low_ok = v <= 0 if state == 0 else v >= 0 if state == 1 else top is not None and v >= top
        if not low_ok or (state == 1 and top is not None and v > top):
            bad.append(row)
            u[row] = rounded(v)
    if bad:
        scale = high if top is not None else 1.0
        return Failure(np.array(bad, np.int64), u / scale)
    return _measured(model, point)


def _with_bias(model: Model, point: Point, want: Array) -> Point:
    """The exact interval of optimal biases, given w; and a bias inside where the equations left it free."""
    lean = [*point.theta[:-1], Z]
    u, error = model.floats(lean)
    sign = model.dense(slice(None))[:, -1] if not hasattr(model.A, "tocsr") else model.A[:, [-1]].toarray().ravel()
    # u + s·b ≤ 0 where p < C, ≥ 0 where p > 0
    low: fmpq | None = None
    high: fmpq | None = None
    for upper in (False, True):
        up = ((want <= 0) & (sign > 0)) | ((want >= 0) & (sign < 0)) if upper else (
            ((want <= 0) & (sign < 0)) | ((want >= 0) & (sign > 0))
        )  # fmt: skip
        rows = np.flatnonzero(up)
        if not len(rows):
            continue
        edge = -u[rows] * sign[rows]
        room = error[rows]
        if upper:
            near = rows[edge - room <= np.min(edge + room)]
            high = min(-v * int(sign[r]) for r, v in zip(near, model.values(near, lean), strict=True))
        else:
            near = rows[edge + room >= np.max(edge - room)]
            low = max(-v * int(sign[r]) for r, v in zip(near, model.values(near, lean), strict=True))
    b = point.theta[-1]
    if low is not None and high is not None and low > high:
        return point
    if low is not None and b < low:
        b = low if high is None else (low + high) / 2
    elif high is not None and b > high:
        b = high if low is None else (low + high) / 2
    point.theta = [*point.theta[:-1], b]
    point.biases = (low, high)
    return point


def _measured(model: Model, point: Point) -> Point:
    """Attach the objective, exactly: the dual one, as all conditions hold and it needs the fewest products."""
    numerators, denominator = common(point.theta[: model.ridged])
    ridge = fmpq(sum(int(v) ** 2 for v in numerators), 2 * int(denominator) ** 2)
    if model.kappa > 0:
        value = ridge + sum((c * t for c, t in zip(model.c, point.theta[model.ridged :], strict=True)), Z)
        value += point.notes["squares"] / (2 * model.kappa)
        if model.C is not None and len(point.full):
            through, offsets = model.total(point.full)
            total = offsets + sum((a * t for a, t in zip(through, point.theta, strict=True)), Z)
            value += model.C * total - model.kappa * model.C**2 / 2 * len(point.full)
    else:
        value = sum((v * model.exact_offset(row) for row, v in point.part.items()), Z) - ridge
        if model.C is not None:
            value += model.C * model.offsets(point.full)
    point.objective = value
    return point


def _complete(
    model: Model, z: Array, trouble: set[int], theta: Array, unit: float, deadline: float | None
) -> Point | None:
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
    through, _ = model.total(fixed)
    limit = model.C if model.C is not None else Z
    pulled = [limit * v for v in through]
    ridge, free, m = model.ridged, model.free, len(rows)
    flat, e = integers(model.dense(rows).ravel()) if m else ([], 0)
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
        q[m + k] = limit
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
