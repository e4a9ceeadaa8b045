"""Every condition of optimality of a point, exactly: a float filter decides most signs, exact arithmetic the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from hingeproof.svm.exact import Array, common, rounded
from hingeproof.svm.problem import Model, Point

Z = fmpq(0)


@dataclass(frozen=True)
class Objection:
    """Why a point is no optimum: the rows that object, and the partition to try next."""

    rows: Array
    z: Array


# one walk over the conditions: each needs what the one before it has computed
def verify(model: Model, point: Point, unit: Array) -> Point | Objection:  # noqa: C901
    """Every condition of optimality, exactly: box, free stationarity, and the sign of u − κp in every row."""
    if model.kappa > 0:
        return _verify_smooth(model, point)
    part = point.part
    bad = [r for r, v in part.items() if v < 0 or (model.C is not None and v > model.cap(r))]
    rows = sorted(part)
    if model.free:
        shift = model.pull(point.full)[0][model.ridged :]
        held = model.dense(np.array(rows, np.int64))[:, model.ridged :] if rows else np.zeros((0, model.free))
        for line, row in zip(held.tolist(), rows, strict=True):
            for j, a in enumerate(line):
                if a:
                    shift[j] += int(a) * part[row]
        if any(s + c != 0 for s, c in zip(shift, model.c, strict=True)):
            bad += rows
            z = np.full(model.rows, -1.0)
            z[point.full], z[rows] = 2.0, 0.5
            return Objection(np.array(bad or [0], np.int64), z)
    want = np.full(model.rows, -1, np.int8)
    want[point.full] = 1
    for r, v in part.items():
        want[r] = 1 if model.C is not None and v == model.cap(r) else -1 if v == 0 else 0
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
        p[r] = rounded(v) / unit[r] if v else 0.0
        if model.group == 1 and v > 0 and (model.C is None or v < model.cap(r)):
            p[r] = min(max(p[r], 1e-300), 1 - 2.0**-53) if model.C is not None else p[r]
    return Objection(np.array(sorted(set(bad)), np.int64), p + u)


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
        cap = None if model.C is None else model.cap(g * model.group)
        if g in leader or (cap is not None and total > cap):
            bad += list(shares)
        elif total == cap:
            leader[g] = max(shares, key=lambda row: shares[row])
    for row, v in point.part.items():
        want[row] = 0 if v > 0 else -1
    groups = np.array(sorted(leader), np.int64)
    tops = np.array([leader[g] for g in groups.tolist()], np.int64)
    exact = model.values(tops, point.theta)
    levels = dict(zip(groups.tolist(), exact, strict=True))
    bad += [leader[g] for g, level in levels.items() if level < 0]
    level = np.zeros(model.rows // model.group)
    level[groups] = [rounded(v) for v in exact]
    spread = np.repeat(level, model.group)
    want[tops] = 0
    u = u - spread
    error = error + (np.abs(u) + np.abs(spread)) * 2.0**-50
    u[tops], error[tops] = 0.0, np.inf
    return u, error, levels, bad


def _verify_smooth(model: Model, point: Point) -> Point | Objection:
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
        return Objection(np.array(bad, np.int64), u / scale)
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
            through, offsets = model.pull(point.full)
            value += offsets + sum((a * t for a, t in zip(through, point.theta, strict=True)), Z)
            held = fmpq(len(point.full)) if model.weight is None else sum((model.weight[r] for r in point.full), Z)
            value -= model.kappa * model.C**2 / 2 * held
    else:
        value = sum((v * model.exact_offset(row) for row, v in point.part.items()), Z) - ridge
        value += model.pull(point.full)[1]
    point.objective = value
    return point
