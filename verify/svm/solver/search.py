"""`solve`: candidates of the float stage, one after the other, until the exact stage proves one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.errors import UsageError, among
from hingeproof.svm.exact import rounded
from hingeproof.svm.given import decimal
from hingeproof.svm.problem import LOSSES, PARAMETERS, Model, Point, build
from hingeproof.svm.result import Result, bounded, infeasible, optimum
from hingeproof.svm.solver import cost
from hingeproof.svm.solver.bounds import interval, trivial
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.limits import within
from hingeproof.svm.solver.moved import Guess
from hingeproof.svm.solver.oracle import guesses
from hingeproof.svm.solver.polish import equations, polish

NEAR = fmpq(1, 10_000)  # a relative gap from which a quick candidate is worth an exact solve
DEFAULTS = {"C": 1, "margin": 1, "gamma": 1, "epsilon": "0.1", "nu": "0.5"}


def solve(
    X: Any, y: Any = None, C: Any = None, loss: str = "hinge", bias: str = "free", *, epsilon: Any = None,
    gamma: Any = None, nu: Any = None, margin: Any = None, hard: bool = False, class_weight: Any = None,
    sample_weight: Any = None, kernel: str | None = None, time_limit: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Result:  # fmt: skip
    """Minimise ½‖w‖² (+ ½b² where regularised) + C Σ loss, and prove it.

    Parameters are read as exact decimals, data are taken as the numbers they are: float64, or integers of 64 bits.

    C, margin, gamma [1], epsilon [0.1], nu [0.5]: those of the loss; another is refused. class_weight: `balanced`, or
    factors of C by label (the others 1); sample_weight: factors by row, also exact. kernel: `rbf:gamma=1` (an interval,
    some 40 digits narrow), `polynomial:degree=3,gamma=1,coef0=0` or `precomputed`. time_limit: seconds after which the
    best interval so far is returned. progress: told in a line what to expect of a problem that takes long, and what is
    proved so far.

    Shapes: X (n, d) dense or SciPy sparse, y (n,) labels, targets for epsilon_insensitive, None for one_class;
    sample_weight (n,).
    Raises: UsageError for data or parameters that make no problem.
    """
    if time_limit is not None and not time_limit >= 0:
        raise UsageError(f"the time limit is {time_limit}: it must be at least 0 seconds")
    import cvxpy  # noqa: F401 - seconds that are no part of a time limit

    began = time.monotonic()
    deadline = None if time_limit is None else began + time_limit
    given = options(loss, hard, C=C, margin=margin, gamma=gamma, epsilon=epsilon, nu=nu)
    if y is None:
        y = np.zeros(np.shape(X)[0])
    weights = {"class_weight": class_weight, "sample_weight": sample_weight}
    if kernel is not None:
        from hingeproof.svm.solver.kernel import solve_with_kernel

        return solve_with_kernel(kernel, X, y, time_limit, loss=loss, bias=bias, hard=hard, **weights, **given)
    model = build(X, y, loss=loss, bias=bias, hard=hard, **weights, **given)
    if progress is not None:
        text = cost.ahead(model, time_limit)
        if text:
            progress(text)
    search = _Search(model, hard, deadline, progress or (lambda text: None))
    search.seconds["build"] = time.monotonic() - began
    found = search.run() if time_limit is None else search.watched(time_limit)
    if isinstance(found, Point):
        return optimum(model, found, search.solver, search.seconds)
    if found is not None:
        return infeasible(model, found, search.solver, search.seconds)
    note = search.note or "no candidate could be certified"
    if hard:
        raise UsageError(f"neither a margin nor its absence is proved: {note}")
    best = search.best or _nothing(model)
    result = bounded(model, best, search.solver, search.seconds)
    return replace(result, note=note) if result.kind == "interval" else result


def path(
    X: Any, y: Any = None, C: Sequence[Any] = (), *, time_limit: float | None = None, **how: Any
) -> list[Result]:  # fmt: skip
    """One result for each C, in their order; `how` as in `solve`. A time limit is for all of them together.

    Shapes: those of `solve`.
    Raises: UsageError where one C is no number, before anything is solved.
    """
    values = [decimal("C", value) for value in C]
    if not values:
        raise UsageError("a path needs one C at least")
    began, out = time.monotonic(), []
    for i, value in enumerate(values):
        share = None
        if time_limit is not None:
            share = max(began + time_limit - time.monotonic(), 0.0) / (len(values) - i)
        out.append(solve(X, y, value, time_limit=share, **how))
    return out


def options(loss: str, hard: bool, **given: Any) -> dict[str, Any]:
    """The parameters with their defaults. Raises: UsageError for one that the loss does not have."""
    among(loss, LOSSES, "loss of the SVM oracle")
    for name, value in given.items():
        if value is None:
            continue
        if name not in PARAMETERS[loss]:
            raise UsageError(
                f"{loss} has no {name}: its parameters are {', '.join(PARAMETERS[loss])}; leave {name} out"
            )
        if hard and name == "C":
            raise UsageError("a hard margin has no C: leave C out, or hard")
    return {name: DEFAULTS[name] if value is None else value for name, value in given.items()}


def _nothing(model: Model) -> tuple[fmpq, fmpq, Point]:
    """The interval that costs nothing; of one_class, whose p = 0 is no dual, that of equal multipliers."""
    if model.loss != "one_class":
        return trivial(model)
    return interval(model, [fmpq(0)] * model.size, np.full(model.rows, 1 / model.rows))


class _Search:
    """The candidates one after the other, until one is proved, time is up, or the proof would cost too much.

    A Point is an exact optimum, a dict the Farkas vector of data that no hard margin separates.
    """

    def __init__(self, model: Model, hard: bool, deadline: float | None, say: Callable[[str], None]) -> None:
        self.model, self.hard, self.deadline, self.say = model, hard, deadline, say
        self.best: tuple[fmpq, fmpq, Point] | None = None
        self.solver, self.note = "none", ""
        self.seconds = {"build": 0.0, "solve": 0.0, "certify": 0.0}
        self.send: Callable[[Any], None] | None = None

    def watched(self, time_limit: float) -> Point | dict[int, fmpq] | None:
        """`run` in a process that is ended at the deadline; the bounds that it has found by then are kept."""
        out_of_time = f"the time limit of {time_limit:g} s"
        if self._left() <= 0:
            self.note = out_of_time
            return None

        def work(send: Callable[[Any], None]) -> Any:
            self.send = send
            self.say = lambda text: send(text)
            found = self.run()
            return found, self.best, self.solver, self.note, self.seconds

        def heard(news: Any) -> None:
            if isinstance(news, str):
                self.say(news)
            else:
                self.best, self.solver, self.seconds = news

        began = time.monotonic()
        try:
            found, self.best, self.solver, self.note, self.seconds = within(self.deadline or 0.0, work, heard)
        except OutOfTimeError:
            self.note = out_of_time
            self.seconds["certify"] = time.monotonic() - began - self.seconds["solve"]
            return None
        except MemoryError as error:
            self.note = str(error)
            return None
        if found is None and not self.note and self._left() <= 0:
            self.note = out_of_time
        return found  # type: ignore[no-any-return]

    def run(self) -> Point | dict[int, fmpq] | None:
        last = time.monotonic()
        candidates = guesses(self.model, self.deadline)
        try:
            while True:
                guess = next(candidates, None)
                self.seconds["solve"] += time.monotonic() - last
                last = time.monotonic()
                if guess is None:
                    return not_separable(self.model, self.deadline) if self.hard and not self.note else None
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

    def _certified(self, guess: Guess) -> Point | dict[int, fmpq] | None:
        if guess.status == "bound":
            self._bound(guess)
            return None
        m = equations(self.model, guess)
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
        # from a quick candidate only where it is near the optimum already: else all rows would object
        if not quick or (self.best is not None and self.best[1] - self.best[0] <= NEAR * abs(self.best[1])):
            if need > 1.0:
                self.say(f"{m:,} exact equations, about {cost.spoken(need)}")
            point = polish(self.model, guess, deadline=self.deadline)
        if point is not None:
            return point
        if self.hard:
            return not_separable(self.model, self.deadline)
        if not first:
            self._bound(guess)
        return None

    def _left(self) -> float:
        return math.inf if self.deadline is None else self.deadline - time.monotonic()

    def _bound(self, guess: Guess) -> None:
        new = interval(self.model, guess.theta, guess.p) if guess.bounds is None else guess.bounds()
        if self.best is None or new[1] - new[0] < self.best[1] - self.best[0]:
            self.best = new
            if self.send is not None:
                self.send((new, self.solver, self.seconds))
        self.say(f"{guess.solver}: the optimum lies in [{rounded(self.best[0]):.12g}, {rounded(self.best[1]):.12g}]")


def not_separable(model: Model, deadline: float | None) -> dict[int, fmpq] | None:
    """A Farkas vector, from the exact point of least norm in the hull of the rows; None where that is not 0."""
    rows = -model.A
    hull = build(
        rows, np.zeros(model.n), C=1, loss="one_class", bias="free", epsilon=0, gamma=1, nu=1, margin=1, hard=False
    )
    # ν → 0: no bound on a single weight
    hull = replace(hull, C=fmpq(1))
    for guess in guesses(hull, deadline):
        point = polish(hull, guess, deadline=deadline)
        if point is None:
            continue
        if any(v != 0 for v in point.theta[: hull.ridged]):
            return None
        found = {**point.part, **dict.fromkeys(point.full.tolist(), fmpq(1))}
        return {r: v for r, v in found.items() if v != 0}
    return None
