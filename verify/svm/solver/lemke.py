"""Exact lexicographic Lemke: w = Mz + q, w ≥ 0, z ≥ 0, wᵀz = 0, complete for positive semi-definite M.

Source: Cottle, Pang, Stone, The Linear Complementarity Problem (1992), algorithm 4.4.5 and the lexicographic rule 4.9.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from flint import fmpq, fmpz

from hingeproof.svm.exact import common


class OutOfTimeError(Exception):
    """The deadline passed."""


# the algorithm as Lemke wrote it down: entering, ratio test and pivot share one tableau
def lemke(  # noqa: C901
    M: Sequence[Sequence[fmpq]], q: Sequence[fmpq], *, deadline: float | None
) -> list[fmpq] | None:
    """Return a solution z, or None where a secondary ray proves that there is none.

    The tableau holds integers over one common denominator, the last pivot (Edmonds 1967).
    """
    n = len(q)
    if all(v >= 0 for v in q):
        return [fmpq(0)] * n
    rows: list[list[fmpz]] = []
    for i in range(n):
        numbers, _ = common([*(-v for v in M[i]), q[i]])
        # row i of w − Mz − z0 = q over its common denominator; w_i's unit does not matter to complementarity
        rows.append([*(fmpz(int(j == i)) for j in range(n)), *numbers[:n], -fmpz(1), numbers[n]])
    artificial, last = 2 * n, 2 * n + 1
    basis = list(range(n))
    den = fmpz(1)

    def key(r: int, c: int) -> list[fmpq]:
        return [fmpq(rows[r][last], rows[r][c]), *(fmpq(rows[r][j], rows[r][c]) for j in range(n))]

    def pivot(r: int, c: int) -> None:
        nonlocal den
        p, top = rows[r][c], rows[r]
        for i, row in enumerate(rows):
            if i == r:
                continue
            f = row[c]
            if f == 0:
                if p != den:
                    rows[i] = [a * p // den if a else a for a in row]
            else:
                rows[i] = [(a * p - f * b) // den for a, b in zip(row, top, strict=True)]
        den = p
        if den < 0:
            den = -den
            rows[:] = [[-a for a in row] for row in rows]

    # the artificial variable enters where q is lexicographically least
    first = min(range(n), key=lambda r: [fmpq(rows[r][last]), *(fmpq(rows[r][j]) for j in range(n))])
    entering = basis[first] + n
    basis[first] = artificial
    pivot(first, artificial)
    while True:
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError
        rising = [r for r in range(n) if rows[r][entering] > 0]
        if not rising:
            return None
        least = min(fmpq(rows[r][last], rows[r][entering]) for r in rising)
        tied = [r for r in rising if fmpq(rows[r][last], rows[r][entering]) == least]
        out = next((r for r in tied if basis[r] == artificial), None)
        if out is None:
            out = tied[0] if len(tied) == 1 else min(tied, key=lambda r: key(r, entering))
        left = basis[out]
        basis[out] = entering
        pivot(out, entering)
        if left == artificial:
            break
        entering = left + n if left < n else left - n
    z = [fmpq(0)] * n
    for r, variable in enumerate(basis):
        if n <= variable < 2 * n:
            z[variable - n] = fmpq(rows[r][last], den)
    return z
