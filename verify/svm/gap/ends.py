"""Both ends of the gap as exact rationals: P at a given point, and D at the multipliers that a point and a width make.

D needs multipliers that balance over a free bias. They do where it minimises the smoothed objective. That is solved
exactly, as sums over pieces are exact: a linear equation, and another where the solution moves samples to other pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from hingeproof.svm.gap.objective import Objective, Theta, Z
from hingeproof.svm.gap.sums import Curved, Matrix, Sums, Vector, dot, gather, lambdas, times

ROUNDS = 60  # of the equation for one bias; for several, where nothing brackets them, see MANY
MANY = 8


class UnbalancedError(ArithmeticError):
    """No bias was found that balances the multipliers."""


@dataclass(frozen=True)
class Dual:
    """Multipliers as a point and a width; the lower bound that they prove."""

    theta: Theta
    width: fmpq
    value: fmpq


def primal(o: Objective, theta: Theta) -> fmpq:
    """The objective at a point."""
    kappa = o.kappa
    sums = gather(o, theta, kappa)
    lines = lambdas(o, theta)
    loss = sum((dot(v, line) for v, line in zip(sums.flat, lines, strict=True)), Z)
    loss -= kappa / 2 * sum((v[o.d] for v in sums.flat), Z)
    for piece in sums.curved:
        line = lines[piece.cells[0]]
        loss += dot(line, times(piece.matrix, line)) / (2 * kappa)
    value = sum((v * v for line in theta for v in line[:-1]), Z) / 2
    for line in theta:
        value += o.tau * line[-1]
        if o.bias == "regularised":
            value += o.ridge * line[-1] ** 2 / 2
    return value + o.C * loss


def dual(o: Objective, theta: Theta, width: fmpq) -> Dual:
    """The lower bound from a point and a width (the loss's own where it is smooth). Raises: UnbalancedError."""
    width = o.kappa or width
    if o.bias != "free":
        return Dual(theta, width, _value(o, theta, width, gather(o, theta, width)))
    return _one_bias(o, theta, width) if o.scores == 1 else _many_biases(o, theta, width)


def _one_bias(o: Objective, theta: Theta, width: fmpq) -> Dual:
    """The imbalance grows with the bias: Newton's step where it stays between the signs seen, else their middle."""
    low: fmpq | None = None
    high: fmpq | None = None
    b, reach = theta[0][-1], fmpq(1)
    for _ in range(ROUNDS):
        theta = [[*theta[0][:-1], b]]
        sums = gather(o, theta, width)
        rest, slope = _imbalance(o, theta, width, sums)
        if rest[0] == 0:
            return Dual(theta, width, _value(o, theta, width, sums))
        low, high = (low, b) if rest[0] > 0 else (b, high)
        step = -rest[0] / slope[0][0] if slope[0][0] else None
        if step is not None and (low is None or b + step > low) and (high is None or b + step < high):
            b += step
        elif low is not None and high is not None:
            b = (low + high) / 2
        else:
            b += reach if high is None else -reach
            reach *= 4
    raise UnbalancedError


def _many_biases(o: Objective, theta: Theta, width: fmpq) -> Dual:
    """That of class 0 stays: moving all of them together changes nothing."""
    K = o.scores
    for _ in range(MANY):
        sums = gather(o, theta, width)
        rest, slope = _imbalance(o, theta, width, sums)
        if not any(rest):
            return Dual(theta, width, _value(o, theta, width, sums))
        try:
            step = (
                fmpq_mat([line[1:] for line in slope[1:]]).solve(fmpq_mat(K - 1, 1, [-v for v in rest[1:]])).entries()
            )
        except ZeroDivisionError:
            break
        theta = [theta[0], *([*line[:-1], line[-1] + s] for line, s in zip(theta[1:], step, strict=True))]
    raise UnbalancedError


def _multipliers(o: Objective, lines: list[Vector], width: fmpq, piece: Curved) -> list[Vector]:
    """Σ r a v of each cell of a piece."""
    held = [lines[c] for c in piece.cells]
    if piece.tight:
        share = [sum(column, Z) / len(held) for column in zip(*held, strict=True)]
        held = [[v - s for v, s in zip(line, share, strict=True)] for line in held]
    out = [[v / width for v in times(piece.matrix, line)] for line in held]
    if piece.tight:
        count = [line[o.d] / len(held) for line in piece.matrix]
        out = [[v + c for v, c in zip(line, count, strict=True)] for line in out]
    return out


def _pulled(o: Objective, theta: Theta, width: fmpq, sums: Sums) -> list[Vector]:
    """Σ r a v by cell."""
    lines = lambdas(o, theta)
    out = [list(v) for v in sums.flat]
    for piece in sums.curved:
        for cell, part in zip(piece.cells, _multipliers(o, lines, width, piece), strict=True):
            out[cell] = [v + p for v, p in zip(out[cell], part, strict=True)]
    return out


def _by_class(o: Objective, cells: list[Vector], column: int) -> Vector:
    return [
        sum((c.direction[k] * v[column] for c, v in zip(o.cells, cells, strict=True) if c.direction[k]), Z)
        for k in range(o.scores)
    ]


def _imbalance(o: Objective, theta: Theta, width: fmpq, sums: Sums) -> tuple[Vector, Matrix]:
    """τ/C + Σ r a direction, and its derivative over the biases."""
    K, shift = o.scores, o.tau / o.C
    rest = [v + shift for v in _by_class(o, _pulled(o, theta, width, sums), o.d)]
    slope = [[Z] * K for _ in range(K)]
    for piece in sums.curved:
        count, m = piece.matrix[o.d][o.d] / width, len(piece.cells)
        for i, a in enumerate(piece.cells):
            for j, b in enumerate(piece.cells):
                bend = count * ((i == j) - (fmpq(1, m) if piece.tight else 0))
                for k, s in enumerate(o.cells[a].direction):
                    for l, t in enumerate(o.cells[b].direction):
                        slope[k][l] += bend * (s * t)
    return rest, slope


def _value(o: Objective, theta: Theta, width: fmpq, sums: Sums) -> fmpq:
    """D of multipliers that are feasible."""
    cells = _pulled(o, theta, width, sums)
    gain = Z
    for cell, v in zip(o.cells, cells, strict=True):
        gain += cell.constant * v[o.d] + (cell.target * v[-1] if cell.target else Z)
    if o.kappa:
        lines = lambdas(o, theta)
        squares = sum((v[o.d] for v in sums.flat), Z)
        for piece in sums.curved:
            line = lines[piece.cells[0]]
            squares += dot(line, times(piece.matrix, line)) / width**2
        gain -= o.kappa / 2 * squares
    value = o.C * gain
    for j in range(o.d):
        value -= sum((v * v for v in _by_class(o, cells, j)), Z) * o.C**2 / 2
    if o.bias == "regularised":
        value -= sum((v * v for v in _by_class(o, cells, o.d)), Z) * o.C**2 / (2 * o.ridge)
    return value
