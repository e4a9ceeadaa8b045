"""`solve`: candidates of the float stage, one after the other, until the exact stage proves one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.errors import UsageError
from hingeproof.svm.exact import rounded
from hingeproof.svm.problem import Model, Point, build
from hingeproof.svm.result import Result, bounded, infeasible, optimum
from hingeproof.svm.solver import cost
from hingeproof.svm.solver.bounds import interval
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.limits import within
from hingeproof.svm.solver.oracle import Guess, guesses
from hingeproof.svm.solver.polish import equations, polish


def solve(
    X: Any, y: Any = None, C: Any = 1, loss: str = "hinge", bias: str = "free", *, epsilon: Any = "0.1", gamma: Any = 1,
    nu: Any = "0.5", margin: Any = 1, hard: bool = False, time_limit: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Result:  # fmt: skip
    """Minimise ½‖w‖² (+ ½b² where regularised) + C Σ loss, and prove it.

    Parameters are read as exact decimals, data are taken as the float64 they are.

    time_limit: seconds after which the best interval so far is returned. progress: told in a line what to expect of a
    problem that takes long, and what is proved so far.

    Shapes: X (n, d) dense or SciPy sparse, y (n,) labels, targets for epsilon_insensitive, None for one_class.
    Raises: UsageError for data or parameters that make no problem.
    """
    if time_limit is not None and not time_limit >= 0:
        raise UsageError(f"the time limit is {time_limit}: it must be at least 0 seconds")
    began = time.monotonic()
    deadline = None if time_limit is None else began + time_limit
    if y is None:
        y = np.zeros(np.shape(X)[0])
    model = build(X, y, C=C, loss=loss, bias=bias, epsilon=epsilon, gamma=gamma, nu=nu, margin=margin, hard=hard)
    if progress is not None:
        text = cost.ahead(model, time_limit)
        if text:
            progress(text)
    search = _Search(model, hard, deadline, progress or (lambda text: None))
    search.seconds["build"] = time.monotonic() - began
    result = search.run()
    if result is not None:
        return result
    note = search.note or (f"the time limit of {time_limit:g} s" if time_limit is not None else "")
    if hard:
        raise UsageError(f"neither a margin nor its absence is proved: {note or 'no candidate could be certified'}")
    best = search.best or interval(model, np.zeros(model.size), np.zeros(model.rows))
    found = bounded(model, best, search.solver, search.seconds)
    return replace(found, note=note or "no candidate could be certified") if found.kind == "interval" else found


class _Search:
    """The candidates one after the other, until one is proved, time is up, or the proof would cost too much."""

    def __init__(self, model: Model, hard: bool, deadline: float | None, say: Callable[[str], None]) -> None:
        self.model, self.hard, self.deadline, self.say = model, hard, deadline, say
        self.best: tuple[fmpq, fmpq, Point] | None = None
        self.solver, self.note = "none", ""
        self.seconds = {"build": 0.0, "solve": 0.0, "certify": 0.0}

    def run(self) -> Result | None:
        last = time.monotonic()
        candidates = guesses(self.model, self.deadline)
        try:
            while True:
                guess = next(candidates, None)
                self.seconds["solve"] += time.monotonic() - last
                last = time.monotonic()
                if guess is None:
                    return None if self.note or not self.hard else self._not_separable()
                self.solver = guess.solver
                found = self._certified(guess)
                if found is not None or self.note:
                    return found
                self.seconds["certify"] += time.monotonic() - last
                last = time.monotonic()
        except (OutOfTimeError, MemoryError) as error:
            self.note = str(error)
            return None
        finally:
            self.seconds["certify"] += time.monotonic() - last

    def _certified(self, guess: Guess) -> Result | None:
        m = equations(self.model, guess.theta, guess.p)
        need = cost.exact_stage(m, cost.bits(self.model))
        quick = guess.status == "candidate"
        first = quick or need > 1.0 or self._left() < 1.0
        if first and not self.hard:
            self._bound(guess)
        point = None
        refusal = cost.refusal(m, self.model, self.deadline)
        if refusal:
            self.note = "" if quick else refusal  # a better candidate may have fewer rows on the kink
            return None
        # from a quick candidate where that is cheap, or where a better one would come too late to be proved
        if not quick or need < self._left() / 4 or cost.float_stage(self.model) + need > self._left():
            if need > 1.0:
                self.say(f"{m:,} exact equations, about {cost.spoken(need)}")
            point = _polished(self.model, guess, self.deadline, need)
        if point is not None:
            return optimum(self.model, point, self.solver, self.seconds)
        if self.hard:
            return self._not_separable()
        if not first:
            self._bound(guess)
        return None

    def _left(self) -> float:
        return math.inf if self.deadline is None else self.deadline - time.monotonic()

    def _bound(self, guess: Guess) -> None:
        new = interval(self.model, guess.theta, guess.p)
        if self.best is None or new[1] - new[0] < self.best[1] - self.best[0]:
            self.best = new
        self.say(f"{guess.solver}: the optimum lies in [{rounded(self.best[0]):.12g}, {rounded(self.best[1]):.12g}]")

    def _not_separable(self) -> Result | None:
        model, deadline = self.model, self.deadline
        need = cost.float_stage(model) + cost.exact_stage(cost.most_equations(model), cost.bits(model))
        if deadline is None or need < min(1.0, self._left()):
            farkas = not_separable(model, deadline)
        else:
            farkas = within(deadline, lambda: not_separable(model, deadline))
        return None if farkas is None else infeasible(self.model, farkas, self.solver, self.seconds)


def _polished(model: Model, guess: Guess, deadline: float | None, need: float) -> Point | None:
    """Polish; where that may outlast the time limit, in a process that can be ended."""
    if deadline is None:
        return polish(model, guess.theta, guess.p, deadline=None)
    if need < min(1.0, deadline - time.monotonic()):
        return polish(model, guess.theta, guess.p, deadline=deadline)
    return within(deadline, lambda: polish(model, guess.theta, guess.p, deadline=deadline))  # type: ignore[no-any-return]


def not_separable(model: Model, deadline: float | None) -> dict[int, fmpq] | None:
    """A Farkas vector, from the exact point of least norm in the hull of the rows; None where that is not 0."""
    rows = -model.A
    hull = build(
        rows, np.zeros(model.n), C=1, loss="one_class", bias="free", epsilon=0, gamma=1, nu=1, margin=1, hard=False
    )
    # ν → 0: no bound on a single weight
    hull = replace(hull, C=fmpq(1))
    for guess in guesses(hull, deadline):
        point = polish(hull, guess.theta, guess.p, deadline=deadline)
        if point is None:
            continue
        if any(v != 0 for v in point.theta[: hull.ridged]):
            return None
        found = {**point.part, **dict.fromkeys(point.full.tolist(), fmpq(1))}
        return {r: v for r, v in found.items() if v != 0}
    return None
