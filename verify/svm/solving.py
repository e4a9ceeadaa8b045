"""`solve`: the float stage, the exact polish, and what comes of both as a frozen result."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.errors import UsageError
from hingeproof.svm.checker import write
from hingeproof.svm.exact import rounded
from hingeproof.svm.problem import BINARY, MULTICLASS, Model, Point, build
from hingeproof.svm.solver import cost
from hingeproof.svm.solver.bounds import interval
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.limits import within
from hingeproof.svm.solver.oracle import Guess, guesses
from hingeproof.svm.solver.polish import equations, polish


@dataclass(frozen=True)
class Result:
    """What was proved. Numbers are exact rationals (flint's fmpq); `exact` means a duality gap of 0.

    `w` is a list (of lists, one a class, for multi-class losses), `alpha` the non-zero multipliers by
    (sample, constraint), `margin_squared` the exact square of the geometric margin 1/‖w‖ of a binary problem,
    `biases` the exact interval of optimal biases (None: unbounded on that side) where there is a single free bias.
    """

    kind: Literal["optimum", "interval", "infeasible"]
    status: Literal["exact", "interval"]
    loss: str
    bias: str
    w: list[Any] | None
    b: Any
    objective: fmpq | None
    lower: fmpq | None
    upper: fmpq | None
    margin_squared: fmpq | None
    biases: tuple[fmpq | None, fmpq | None] | None
    farkas: dict[int, fmpq] | None
    solver: str
    seconds: dict[str, float]
    note: str  # why an interval is no more than that
    _model: Model = field(repr=False)
    _point: Point | None = field(repr=False)

    @property
    def alpha(self) -> dict[tuple[int, int], fmpq]:
        """The non-zero multipliers by (sample, constraint)."""
        if self._point is None:
            return {}
        names = self._model.names
        found = multipliers(self._model, self._point)
        placed = {(int(names[r][0]), int(names[r][1])): v for r, v in found.items() if v != 0}
        return dict(sorted(placed.items()))

    @property
    def margin(self) -> float | None:
        """The geometric margin 1/‖w‖ of a binary problem, in units of the data; None where w = 0."""
        return None if self.margin_squared is None else math.sqrt(rounded(self.margin_squared))

    @property
    def support(self) -> list[int]:
        """The samples with a non-zero multiplier."""
        return sorted({i for i, _ in self.alpha})

    def certificate(self) -> dict[str, Any]:
        """The certificate, as docs/svm-certificate.md describes it."""
        model = self._model
        out: dict[str, Any] = {
            "kind": self.kind,
            "status": self.status,
            "loss": self.loss,
            "bias": self.bias,
            "parameters": {k: None if v is None else _text(v) for k, v in sorted(model.parameters.items())},
            "n": model.n,
            "d": model.d,
            "data_sha256": model_digest(model),
            "label_map": dict(model.labels),
        }
        if self.farkas is not None:
            return {**out, "farkas": {str(i): _text(v) for i, v in sorted(self.farkas.items())}}
        assert self.w is not None
        several = self.loss in MULTICLASS
        out["w"] = [[_text(v) for v in line] for line in self.w] if several else [_text(v) for v in self.w]
        out["b"] = [_text(v) for v in self.b] if several else _text(self.b)
        out["objective"] = None if self.objective is None else _text(self.objective)
        out["lower"], out["upper"] = _text(self.lower), _text(self.upper)
        if self.loss in BINARY:
            out["alpha"] = {str(i): _text(v) for (i, _), v in self.alpha.items()}
            out["margin_squared"] = None if self.margin_squared is None else _text(self.margin_squared)
        else:
            out["multipliers"] = [[i, k, _text(v)] for (i, k), v in self.alpha.items()]
        return out


def multipliers(model: Model, point: Point) -> dict[int, fmpq]:
    """The dual of each row, those of 0 mostly left out."""
    found = dict(point.part)
    if model.C is not None:
        found.update(dict.fromkeys(point.full.tolist(), model.C))
    if model.kappa > 0 and "edge" in point.notes:
        edge = point.notes["edge"]
        for row, u in zip(edge.tolist(), model.values(edge, point.theta), strict=True):
            found[row] = u / model.kappa
    return found


def _text(value: fmpq | None) -> str:
    assert value is not None
    return write(Fraction(int(value.p), int(value.q)))


def model_digest(model: Model) -> str:
    """SHA-256 of the rows and mapped labels, as the checker computes it."""
    sha = hashlib.sha256()
    X = model.X
    for start in range(0, model.n, 4096):
        block = X[start : start + 4096]
        block = block.toarray() if sparse.issparse(block) else block
        sha.update(np.ascontiguousarray(block + 0.0, dtype="<f8").tobytes())
    if model.loss != "one_class":
        sha.update(np.ascontiguousarray(model.y + 0.0, dtype="<f8").tobytes())
    return sha.hexdigest()


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
            return _result(self.model, point, self.solver, self.seconds)
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
        return None if farkas is None else _infeasible(self.model, farkas, self.solver, self.seconds)


def _polished(model: Model, guess: Guess, deadline: float | None, need: float) -> Point | None:
    """Polish; where that may outlast the time limit, in a process that can be ended."""
    if deadline is None:
        return polish(model, guess.theta, guess.p, deadline=None)
    if need < min(1.0, deadline - time.monotonic()):
        return polish(model, guess.theta, guess.p, deadline=deadline)
    return within(deadline, lambda: polish(model, guess.theta, guess.p, deadline=deadline))  # type: ignore[no-any-return]


def bounded(model: Model, found: tuple[fmpq, fmpq, Point], solver: str, seconds: dict[str, float]) -> Result:
    """The result that has an interval only; where its ends meet, it is an optimum."""
    lower, upper, point = found
    result = _result(model, point, solver, seconds)
    if lower == upper:
        return replace(result, objective=upper, lower=lower, upper=upper, biases=None)
    return replace(result, kind="interval", status="interval", objective=None, lower=lower, upper=upper, biases=None)


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


def _infeasible(model: Model, farkas: dict[int, fmpq], solver: str, seconds: dict[str, float]) -> Result:
    return Result(
        "infeasible", "exact", model.loss, model.bias, None, None, None, None, None, None, None, farkas, solver,
        seconds, "", model, None,
    )  # fmt: skip


def _result(model: Model, point: Point, solver: str, seconds: dict[str, float]) -> Result:
    theta, d, K = point.theta, model.d, model.classes
    rest = theta[model.weights :]
    w: list[Any] = theta[: model.weights]
    b: Any = rest[0] if rest else fmpq(0)
    squared = None
    if model.loss in MULTICLASS:
        w = [theta[k * d : (k + 1) * d] for k in range(K)]
        b = [fmpq(0)] * (K - len(rest)) + list(rest)
    elif model.loss in BINARY:
        norm = sum((v * v for v in w), fmpq(0))
        squared = None if norm == 0 else 1 / norm
    biases = point.biases
    if biases is None and model.free == 1 and model.classes == 1:
        biases = (b, b)
    return Result(
        "optimum", "exact", model.loss, model.bias, w, b, point.objective, point.objective, point.objective, squared,
        biases, None, solver, seconds, "", model, point,
    )  # fmt: skip
