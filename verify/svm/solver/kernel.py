"""SVMs with a kernel: the float stage on a factor of K, the exact stage on K itself.

The dual's rows are those of the linear model; scores are Σ β_j K(x_j, ·), so there is no w. A candidate is an optimum
when its primal and dual objectives are equal; of an enclosed kernel they never are, and the interval is what is proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb_mat, ctx, fmpq, fmpq_mat, fmpz_mat

from hingeproof.errors import UsageError
from hingeproof.svm.exact import Array, common, pivots, rounded
from hingeproof.svm.given import matrix
from hingeproof.svm.kernel import MOST, Gram, gram, parse
from hingeproof.svm.problem import BINARY, MULTICLASS, Model, Point, build
from hingeproof.svm.result import Result, with_kernel
from hingeproof.svm.solver import cost
from hingeproof.svm.solver.bounds import lost as lost_by
from hingeproof.svm.solver.bounds import repaired, trivial
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.limits import within
from hingeproof.svm.solver.oracle import guesses
from hingeproof.svm.solver.partition import Partition, split

ROUNDS = 12
RANK = 1e-14  # eigenvalues below this share of the largest are left out of the float factor
GRAIN = 1 << 200  # of multipliers with an enclosed kernel
PRECISION = 400  # bits of its equations
Z = fmpq(0)


@dataclass(frozen=True)
class Candidate:
    """Multipliers by row, a bias, and the exact bounds that they prove."""

    p: dict[int, fmpq]
    b: fmpq
    lower: fmpq
    upper: fmpq

    def point(self) -> Point:
        found = Point([self.b], np.array([], np.int64), self.p)
        found.objective = self.upper if self.lower == self.upper else None
        return found


def factor(near: Array) -> Array:
    """Rows whose inner products are about K: the data of a linear problem."""
    values, vectors = np.linalg.eigh(near)
    keep = values > RANK * max(float(values[-1]), 1e-300)
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep])) if keep.any() else np.zeros((len(near), 1))


class Search:
    """Partitions from float candidates, each settled exactly, until the bounds meet or nothing new comes."""

    def __init__(self, model: Model, gram: Gram, deadline: float | None, found: Callable[[Candidate], None]) -> None:
        self.model, self.gram, self.deadline, self.found = model, gram, deadline, found
        self.sample = model.names[:, 0].tolist()
        if model.loss in BINARY:
            self.sign = [int(model.y[i]) for i in self.sample]
        else:
            self.sign = [-1 if k else 1 for k in model.names[:, 1].tolist()]
        self.tied = int(model.bias == "regularised") * gram.unit  # ½b² is the kernel K + 1
        self.target = fmpq(1 if model.loss == "one_class" else 0)
        self.best: Candidate | None = None
        self.solver, self.note = "none", ""

    def run(self) -> Candidate | None:
        """The best candidate; `note` says why it is no better."""
        for guess in guesses(self.model, self.deadline):
            self.solver = guess.solver
            caps = None if self.model.C is None else rounded(self.model.C) * self.model.shares
            unit = np.full(len(guess.p), max(float(guess.p.max(initial=0.0)), 1e-300)) if caps is None else caps
            z = guess.u / self._knee() if self.model.kappa > 0 else guess.p / unit + guess.u
            self._keep(repaired(self.model, guess.p), guess.theta[-1] if self.model.bias != "none" else Z)
            if self._polished(z, guess.p / unit):
                return self.best
            if self.gram.radius or self.note or (self.deadline is not None and time.monotonic() > self.deadline):
                break
        return self.best

    def _knee(self) -> float:
        return 1.0 if self.model.C is None else rounded(self.model.kappa * self.model.C)

    def _polished(self, z: Array, share: Array) -> bool:
        """Whether an optimum was found."""
        seen: set[bytes] = set()
        for _ in range(ROUNDS):
            partition = split(self.model, z)
            if partition.key() in seen:
                return False
            seen.add(partition.key())
            m, width = len(partition.edge), self.gram.unit.bit_length()
            need = cost.exact_stage(m, width)
            if self.deadline is None and need > cost.PATIENCE and not self.gram.radius:
                self.note = (
                    f"{m:,} exact equations take about {cost.spoken(need)}: --time-limit {need * 3:.0f} allows it"
                )
                return False
            settled = self._settled(partition, share)
            if settled is None:
                return False
            p, b = settled
            u = self._values(p, b)
            if all(v >= 0 and (self.model.C is None or v <= self.model.cap(r)) for r, v in p.items()):
                self._keep(p, b)
                if self.best is not None and self.best.lower == self.best.upper:
                    return True
            held = np.zeros(self.model.rows)
            for r, v in p.items():
                held[r] = rounded(v / self.model.cap(r)) if self.model.C is not None else rounded(v)
            z = u / self._knee() if self.model.kappa > 0 else held + u
            share = np.clip(held, 0, None)
        return False

    def _settled(self, partition: Partition, share: Array) -> tuple[dict[int, fmpq], fmpq] | None:
        """p and b of a partition: u = κp on its edge, Σ ± p as the bias wants it."""
        model, K, unit = self.model, self.gram.K, self.gram.unit
        p = {r: model.cap(r) for r in partition.full.tolist()} if model.C is not None else {}
        edge: list[int] = partition.edge.tolist()
        sign, sample = self.sign, self.sample
        free = model.free
        if model.kappa == 0 and edge:
            columns = [[sign[r] * sign[q] * (int(K[sample[r], sample[q]]) + self.tied) for r in edge] for q in edge]
            kept = set(pivots([[*c, sign[q] * unit * free] for c, q in zip(columns, edge, strict=True)]))
            for k, r in enumerate(edge):
                if k not in kept:  # a duplicate: free to hold what the float stage gave it
                    cap = model.cap(r) if model.C is not None else fmpq(1)
                    p[r] = cap * fmpq(
                        round(min(max(float(share[r]), 0.0), 1.0 if model.C is not None else 1e9) * 2**30), 2**30
                    )
            edge = [r for k, r in enumerate(edge) if k in kept]
        pulled = self._scores(p)
        m = len(edge)
        right = [model.exact_offset(r) - sign[r] * pulled[sample[r]] for r in edge]
        if free:
            right.append(self.target - sum((sign[r] * v for r, v in p.items()), Z))
        if not m:
            return (p, self._between(p)) if not free or right == [Z] else None
        solved = self._solved(edge, right, free)
        if solved is None:
            return None
        p.update(zip(edge, solved[:m], strict=True))
        p = {r: v for r, v in sorted(p.items()) if v != 0}
        if model.bias == "none":
            return p, Z
        return p, solved[m] if free else sum((sign[r] * v for r, v in p.items()), Z)

    def _solved(self, edge: list[int], right: list[fmpq], free: int) -> list[fmpq] | None:
        model, K, m = self.model, self.gram.K, len(edge)
        one = fmpq(1, self.gram.unit)
        lines = [[Z] * (m + free) for _ in range(m + free)]
        for i, r in enumerate(edge):
            for j, q in enumerate(edge):
                lines[i][j] = self.sign[r] * self.sign[q] * (K[self.sample[r], self.sample[q]] + self.tied) * one
            lines[i][i] += model.curve(r)
            if free:
                lines[i][m] = lines[m][i] = fmpq(self.sign[r])
        try:
            if not self.gram.radius:
                size = m + free
                return fmpq_mat(lines).solve(fmpq_mat(size, 1, right)).entries()
            return self._enclosed(lines, right, edge, free)
        except ZeroDivisionError:
            return None

    def _enclosed(self, lines: list[list[fmpq]], right: list[fmpq], edge: list[int], free: int) -> list[fmpq]:
        """A solution on a grid, its balance mended: any p in the box proves a bound, so it need not be exact."""
        before, ctx.prec = ctx.prec, PRECISION
        try:
            solved = arb_mat(fmpq_mat(lines)).solve(arb_mat(fmpq_mat(len(right), 1, right)))
            found = []
            for v in solved.entries():
                man, exp = v.mid().man_exp()
                exact = fmpq(man) * (fmpq(2) ** int(exp))
                found.append(fmpq((exact * GRAIN).floor(), GRAIN))
        finally:
            ctx.prec = before
        if free:
            m = len(edge)
            left = right[m] - sum((self.sign[r] * v for r, v in zip(edge, found, strict=False)), Z)
            at = max(range(m), key=lambda i: found[i])
            found[at] += self.sign[edge[at]] * left
        return found

    def _between(self, p: dict[int, fmpq]) -> fmpq:
        """A bias at which rows at 0 have u ≤ 0 and rows at C have u ≥ 0, where no row is between."""
        if self.model.bias == "none":
            return Z
        if not self.model.free:
            return sum((self.sign[r] * v for r, v in p.items()), Z)
        scores = self._scores(p)
        low: list[fmpq] = []
        high: list[fmpq] = []
        for r in range(self.model.rows):
            edge = self.sign[r] * (self.model.exact_offset(r) - self.sign[r] * scores[self.sample[r]])
            (high if (r in p) == (self.sign[r] > 0) else low).append(edge)
        return max(low) if low else min(high, default=Z)

    def _scores(self, p: dict[int, fmpq]) -> list[fmpq]:
        """Σ β_j (K + 1 where the bias is regularised) of each sample, in the middle of an enclosure."""
        n = self.model.n
        if not p:
            return [Z] * n
        beta, Q = self._beta(p)
        total = sum(beta) * self.tied
        return [fmpq(v + total, self.gram.unit * Q) for v in (self.gram.K * fmpz_mat(n, 1, beta)).entries()]

    def _beta(self, p: dict[int, fmpq]) -> tuple[list[int], int]:
        numerators, Q = common(list(p.values()))
        beta = [0] * self.model.n
        for r, v in zip(p, numerators, strict=True):
            beta[self.sample[r]] += self.sign[r] * int(v)
        return beta, int(Q)

    def _values(self, p: dict[int, fmpq], b: fmpq) -> Array:
        """u of each row, rounded."""
        shift = b if self.model.free else Z  # a regularised bias is in the scores
        scores = self._scores(p)
        rows = zip(self.sample, self.sign, range(self.model.rows), strict=True)
        return np.array([rounded(self.model.exact_offset(r) - s * (scores[i] + shift)) for i, s, r in rows])

    def _keep(self, p: dict[int, fmpq], b: fmpq) -> None:
        """Bounds of a feasible p and any b, kept where they are closer than what there is."""
        if self.model.free and sum((self.sign[r] * v for r, v in p.items()), Z) != self.target:
            return
        lower, upper = self.bounds(p, b)
        if self.best is None or upper - lower < self.best.upper - self.best.lower:
            self.best = Candidate(p, b, lower, upper)
            self.found(self.best)

    def bounds(self, p: dict[int, fmpq], b: fmpq) -> tuple[fmpq, fmpq]:
        """D(p) and P(β, b), exactly; of an enclosed kernel their safe ends."""
        model, gram = self.model, self.gram
        beta, Q = self._beta(p) if p else ([0] * model.n, 1)
        table = (gram.K * fmpz_mat(model.n, 1, beta)).entries()
        unit, size = gram.unit * Q, sum(map(abs, beta))
        doubt = fmpq(gram.radius * size, unit)
        ridge = fmpq(sum(m * int(v) for m, v in zip(beta, table, strict=True)), unit * Q) + doubt * fmpq(size, Q)
        balance = fmpq(sum(beta), Q)
        tied = model.bias == "regularised"
        upper = (ridge + (b * b if tied else Z)) / 2 + (b if model.loss == "one_class" else Z)
        for r in range(model.rows):
            u = model.exact_offset(r) - self.sign[r] * (fmpq(table[self.sample[r]], unit) + b) + doubt
            upper += lost_by(model, r, u)
        gain = sum((v * model.exact_offset(r) for r, v in p.items()), Z)
        curved = sum((model.curve(r) * v * v for r, v in p.items()), Z) if model.kappa > 0 else Z
        return gain - (ridge + (balance * balance if tied else Z)) / 2 - curved / 2, upper


def solve_with_kernel(name: str, X: Any, y: Any, time_limit: float | None, **how: Any) -> Result:
    """The problem of a kernel. Raises: UsageError."""
    began = time.monotonic()
    deadline = None if time_limit is None else began + time_limit
    kernel = parse(name)
    if how["hard"] or how["loss"] in MULTICLASS:
        raise UsageError("a kernel goes with a binary loss with C, with epsilon_insensitive and with one_class")
    data, lost = matrix(X)
    if len(y) > MOST:
        raise UsageError(f"n = {len(y):,}: kernels are solved up to n = {MOST:,}; take a sample, or a linear model")
    model = build(X, y, **how)
    known: list[Candidate] = []

    def work(send: Callable[[Candidate], None]) -> tuple[str, str]:
        table = gram(kernel, data, lost)
        search = Search(build(factor(table.near), y, **how), table, deadline, send)
        search.run()
        return search.solver, search.note

    solver, note = "none", ""
    try:
        solver, note = work(known.append) if deadline is None else within(deadline, work, known.append)
    except OutOfTimeError:
        note = f"the time limit of {time_limit:g} s"
    seconds = {"build": 0.0, "solve": 0.0, "certify": time.monotonic() - began}
    if known:
        point, bounds = known[-1].point(), (known[-1].lower, known[-1].upper)
    elif model.loss == "one_class":
        raise UsageError("no bound was found in time: give more")
    else:
        lower, upper, _ = trivial(model)
        point, bounds = Point([Z], np.array([], np.int64), {}), (lower, upper)
    if not note:
        enclosed = "the kernel's values are enclosures: the interval is as narrow as they allow"
        note = enclosed if kernel.name == "rbf" else "no candidate could be certified"
    return with_kernel(model, point, bounds, kernel.certified(), solver, seconds, note)
