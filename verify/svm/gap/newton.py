"""A nearly optimal point in floats: Newton on the smoothed loss, its width going to 0. Nothing is proved here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.gap.objective import Objective
from hingeproof.svm.gap.smooth import curvature, excess, moving, slopes

STEPS, MOST = 12, 240  # of Newton: at one width, and at all
FIRST, SLOWEST = 0.3, 0.9  # factors by which the width shrinks
LOOKS = 60  # at the slope along one step
NARROWEST = 1e-12  # the last width, in units of the first
ROUGH = 1e-3  # the relative gap at which a sample has served


@dataclass(frozen=True)
class Candidate:
    """A point, the width of the smoothing at which it was found, and its objective and gap as floats have them."""

    theta: Array  # (K, d + 1)
    width: float
    value: float
    gap: float


def candidates(o: Objective, aim: float, start: Candidate | None = None) -> list[Candidate]:
    """Points of ever smaller gaps, the best last: until the relative gap is below the aim, or steps are used up.

    A sample of the rows makes the start, where there are many and none is given.
    """
    few = max(4_000, 40 * (o.d + 1) * o.scores)
    with np.errstate(all="ignore"):  # what overflows is no candidate
        if start is None and o.n >= 4 * few:
            at = np.sort(np.random.default_rng(0).choice(o.n, few, replace=False))
            start = _Descent(o.sample(at)).run(None, ROUGH)[-1]
        return [found for found in _Descent(o).run(start, aim) if np.isfinite(found.theta).all()]


@dataclass(frozen=True)
class _Reached:
    """At one width: objective and gap in floats, what of it smoothing loses, and the size of what is bounded."""

    value: float
    gap: float
    lost: float
    size: float
    tangent: Array  # of the path of minima, by the width


class _Descent:
    """Scores of every sample at the present point, and the moves that lower the smoothed objective."""

    def __init__(self, o: Objective) -> None:
        self.o, self.C = o, rounded(o.C)
        d, K = o.d, o.scores
        # columns are shifted (where the bias is free to follow) and scaled, so that floats resolve them
        low, high = o.range.low[:d], o.range.high[:d]
        middle = low / 2 + high / 2
        far = (np.abs(middle) > 4 * (high - middle)) & (o.bias == "free")
        self.shift = np.where(far, middle, 0.0)
        size = np.maximum(high - self.shift, self.shift - low)
        self.scale = np.ldexp(1.0, np.where(size > 0, -np.frexp(size)[1], 0))
        self.plain = not far.any() and bool((np.abs(np.log2(self.scale)) < 20).all())
        if self.plain:
            self.scale = np.ones(d)
        self.ridge = np.zeros((K, d + 1))
        self.ridge[:, :d] = self.scale**2
        if o.bias == "regularised":
            self.ridge[:, d] = rounded(o.ridge)
        self.tau = np.zeros((K, d + 1))
        self.tau[:, d] = rounded(o.tau)
        self.tau[:, :d] = -rounded(o.tau) * self.shift * self.scale
        fixed = np.zeros((K, d + 1), dtype=bool)
        fixed[:, d] = o.bias == "none"
        fixed[0, d] |= o.bias == "free" and K > 1  # moving all biases together changes nothing
        self.open = np.flatnonzero(~fixed.ravel())
        self.theta = np.zeros((K, d + 1))
        self.scores = np.zeros((o.n, K))
        self.steps = 0

    def run(self, start: Candidate | None, aim: float) -> list[Candidate]:
        """The candidates on the way to the aim, each better than those before it."""
        o = self.o
        if start is not None:
            self._place(start.theta)
        exact = rounded(o.kappa)
        width = exact or (start.width if start is not None else self._first_width())
        last, found = width * NARROWEST, [Candidate(self._theta(), width, np.inf, np.inf)]
        kept, tangent, factor = (width, self.theta, self.scores.copy()), np.zeros_like(self.theta), FIRST
        while True:
            reached = self._settle(width, aim)
            if reached.gap < found[-1].gap:
                found.append(Candidate(self._theta(), width, reached.value, reached.gap))
            if reached.gap <= aim * reached.size or exact or not last < width or not np.isfinite(reached.gap):
                return found
            if self.steps > MOST:
                return found
            if reached.gap > 3 * reached.lost and factor < SLOWEST:
                # too far at once: back, and a smaller step
                factor = factor**0.5
                self._restore(kept)
                self._follow(tangent, kept[0] * (factor - 1))
                width = kept[0] * factor
                continue
            # what smoothing loses is in proportion to the width
            share = 0.5 * aim * reached.size / reached.lost if reached.lost else 0.0
            factor = max(FIRST, factor**1.5, min(share, 0.5))
            kept, tangent = (width, self.theta, self.scores.copy()), reached.tangent
            self._follow(tangent, width * (factor - 1))
            width *= factor

    def _restore(self, kept: tuple[float, Array, Array]) -> None:
        _, self.theta, scores = kept
        self.scores = scores.copy()

    def _follow(self, tangent: Array, change: float) -> None:
        """Along the path of minima as the width changes: samples on the curved piece keep their multipliers."""
        self.theta = self.theta + change * tangent
        self.scores += change * self._scores(tangent)

    def _settle(self, width: float, aim: float) -> _Reached:
        """Newton steps at one width, until smoothing is what loses most."""
        for _ in range(STEPS):
            gradient, drift, bend, value, lost = self._look(width)
            solve = self._solver(bend, width)
            direction = solve(-gradient)
            slope = -float((gradient * direction).sum())
            pull = self._pull(gradient) + max(slope, 0.0) / 2
            size = max(abs(value), abs(value - lost - pull))
            if not np.isfinite(pull):
                break
            if pull <= 0.3 * max(lost, aim * size):
                break
            self._move(direction, width)
            self.steps += 1
        return _Reached(value, lost + pull, lost, size, solve(drift) / width)

    def _pull(self, gradient: Array) -> float:
        """Half the squared length of the gradient, in the metric of the ridge: what the dual loses by it."""
        some = self.ridge > 0
        return float((gradient[some] ** 2 / self.ridge[some]).sum()) / 2

    def _look(self, width: float) -> tuple[Array, Array, Array, float, float]:
        """Of the smoothed objective: gradient, its change as the width shrinks, second derivative; the value without
        smoothing, and what smoothing loses.
        """
        o, K, m = self.o, self.o.scores, self.o.d + 1
        gradient = self.ridge * self.theta + self.tau
        bend, drift = np.zeros((K, m, K, m)), np.zeros((K, m))
        value = float((self.ridge * self.theta**2).sum()) / 2 + float((self.tau * self.theta).sum())
        total, lost = 0.0, 0.0
        for at, V in o.blocks():
            rows, y, r = self._frame(V), o.y[at], None if o.heft is None else o.heft[at]
            u = o.margins(self.scores[at], y)
            s = slopes(o, u, width)
            g = o.pull(s.a, y)
            part, slack = excess(o, u, s.a, r)
            total, lost = total + part, lost + slack
            gradient += self.C * ((g if r is None else g * r[:, None]).T @ rows)
            curved = np.flatnonzero(s.curved)
            if len(curved):
                some, a = rows[curved], s.a[curved]
                q, shift = curvature(o, a, y[curved], width), o.pull(moving(o, a), y[curved])
                if r is not None:
                    q, shift = q * r[curved][:, None, None], shift * r[curved][:, None]
                drift += self.C * (shift.T @ some)
                for k in range(K):
                    for j in range(k + 1):
                        bend[k, :, j] += self.C * ((some * q[:, k, j, None]).T @ some)
        for k in range(K):
            for j in range(k):
                bend[j, :, k] = bend[k, :, j]
        return gradient, drift, bend.reshape(K * m, K * m), value + self.C * total, self.C * lost

    def _solver(self, bend: Array, width: float) -> Callable[[Array], Array]:
        # where no sample is curved, a free bias bends as if one were: the walk along the direction finds the length
        floor = np.where(self.ridge > 0, self.ridge, self.C / width).ravel()
        matrix = bend + np.diag(np.maximum(self.ridge.ravel(), np.where(np.diag(bend) < floor, floor, 0.0)))
        matrix = matrix[np.ix_(self.open, self.open)]
        size = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
        even = matrix / size[:, None] / size + 1e-14 * np.eye(len(size))

        def solve(right: Array) -> Array:
            even_right = right.ravel()[self.open] / size
            try:
                step = np.linalg.solve(even, even_right)
            except np.linalg.LinAlgError:
                step = np.linalg.lstsq(even, even_right, rcond=1e-14)[0]
            out = np.zeros(self.theta.size)
            out[self.open] = step / size
            return out.reshape(self.theta.shape)

        return solve

    def _move(self, direction: Array, width: float) -> None:
        """Go to where the smoothed objective is least on the way: its slope is monotone, and bisected."""
        o = self.o
        ahead = self._scores(direction)
        linear = float(((self.ridge * self.theta + self.tau) * direction).sum())
        quadratic = float((self.ridge * direction**2).sum())

        def slope(t: float) -> float:
            g = o.pull(slopes(o, o.margins(self.scores + t * ahead, o.y), width).a, o.y)
            along = (g * ahead).sum(axis=1)
            along = along if o.heft is None else along * o.heft
            return linear + t * quadratic + self.C * float(along.sum())

        low, high, t, first = 0.0, np.inf, 1.0, abs(slope(0.0))
        for _ in range(LOOKS):
            at = slope(t)
            if abs(at) <= 0.3 * first:
                break
            low, high = (low, t) if at > 0 else (t, high)
            t = (low + high) / 2 if np.isfinite(high) else 4 * t
        self.theta = self.theta + t * direction
        self.scores += t * ahead

    def _scores(self, theta: Array) -> Array:
        out = np.empty((self.o.n, self.o.scores))
        for at, V in self.o.blocks():
            out[at] = self._frame(V) @ theta.T
        return out

    def _frame(self, V: Array) -> Array:
        """Rows x, 1 in the shifted and scaled columns."""
        d = self.o.d
        rows = V[:, : d + 1]
        if not self.plain:
            rows[:, :d] -= self.shift
            rows[:, :d] *= self.scale
        return rows

    def _theta(self) -> Array:
        """The present point in the columns of the data."""
        out = self.theta.copy()
        out[:, :-1] *= self.scale
        out[:, -1] -= out[:, :-1] @ self.shift
        return out

    def _place(self, theta: Array) -> None:
        self.theta = theta.copy()
        self.theta[:, -1] += theta[:, :-1] @ self.shift
        self.theta[:, :-1] /= self.scale
        self.scores = self._scores(self.theta)

    def _first_width(self) -> float:
        """A width at which most samples are on the curved piece."""
        if self.o.tau:
            return sum(float((V[:, :-1] ** 2).sum()) for _, V in self.o.blocks()) / self.o.n or 1.0
        u = (
            self.o.margins(self.scores[:1], self.o.y[:1])
            if self.o.scores > 1
            else self.o.margins(self.scores, self.o.y)
        )
        return 2 * float(np.abs(u[np.isfinite(u)]).max(initial=0.0)) or 1.0
