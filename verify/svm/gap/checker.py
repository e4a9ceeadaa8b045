"""Check a gap certificate against its data. No code is shared with what wrote it, and none of its floats is believed.

NumPy computes margins one column at a time with a running error bound; a sign within it is settled in integers. Sums are of
digits: every number is cut into small integers, whose products add up below 2^53. docs/svm-certificate.md says what is proved.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hingeproof.svm import checker
from hingeproof.svm.checker import MULTICLASS, PARAMETERS, BadData, Rejected, read

Array = np.ndarray[Any, Any]
Vector = list[Fraction]
ROWS = 8_192  # of a block, 2^13
BITS = 17  # of a digit: 17 + 17 + 13 < 53
WEIGHTED_BITS = 12  # 12 + 12 + 12 + 13 < 53
EPS = 2.0**-52
SCALE = 4_800  # sums are integers times 2^-SCALE: three of the smallest numbers multiplied are
FIELDS = {
    "kind", "status", "loss", "bias", "parameters", "ridge", "n", "d", "data_sha256", "weights_sha256", "label_map", "w",
    "b", "upper", "lower",
}  # fmt: skip
SAME = ("loss", "bias", "parameters", "n", "d", "data_sha256", "label_map")  # in the certificate of the optimum


def check(certificate: Any, X: Any, labels: Any, weights: Any = None) -> str:
    """Return a sentence that says what is proved.

    Shapes: X (n, d), labels (n,) texts or numbers (None for one_class), weights (n,) where the certificate has some.
    Raises: Rejected, BadData.
    """
    c = certificate
    if not isinstance(c, dict) or c.get("kind") != "gap" or c.get("status") not in ("bound", "exact"):
        raise Rejected("no gap certificate")
    exact = c["status"] == "exact"
    wanted = FIELDS | {"optimum" if exact else "dual"}
    if set(c) != wanted:
        raise Rejected(f"missing or unknown fields: {', '.join(sorted(set(c) ^ wanted))}")
    table = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=np.float64)
    problem = _problem(c, table, labels, weights)
    theta = problem.point(c, "")
    if problem.bias == "none" and any(line[-1] for line in theta):
        raise Rejected("there is no bias, and b is not 0")
    upper, lower = read(c["upper"], "upper"), read(c["lower"], "lower")
    if problem.primal(theta) != upper:
        raise Rejected("upper is not the objective of w and b")
    if exact:
        _optimum(c, table, labels, lower)
    elif (Fraction(0) if c["dual"] is None else problem.dual(c["dual"])) != lower:
        raise Rejected("lower is not the dual objective of what the certificate holds")
    if c.get("dual", 0) is None and problem.loss == "one_class":
        raise Rejected("a lower bound of one_class needs multipliers")
    if lower > upper:
        raise Rejected("lower is above upper")
    return _sentence(c, upper, lower)


def _sentence(c: dict[str, Any], upper: Fraction, lower: Fraction) -> str:
    small = min(abs(lower), abs(upper))
    if upper == lower:
        share = "0"
    elif lower <= 0 <= upper or not small:
        share = "an unbounded part of the optimum, which may be 0, or absolute " + f"{_up(upper - lower):.3g}"
    else:
        share = f"{_up((upper - lower) / small):.3g} (relative)"
    word = "exactly" if c["status"] == "exact" else "at most"
    return f"{word} {share} above the optimum, proved; objective {float(upper):.12g}, lower bound {float(lower):.12g}"


def _up(value: Fraction) -> float:
    near = float(value)
    return near if Fraction(near) >= value else float(np.nextafter(near, np.inf))


def _optimum(c: dict[str, Any], X: Array, labels: Any, lower: Fraction) -> None:
    """The optimum has a certificate of its own, for the same problem."""
    proof = c["optimum"]
    if not isinstance(proof, dict) or any(proof.get(k) != c[k] for k in SAME) or proof.get("kind") != "optimum":
        raise Rejected("optimum is not the certificate of an optimum of this problem")
    if c["weights_sha256"] is not None or c["ridge"] != "1/1":
        raise Rejected("optimum has no weights, and a bias with ridge 1")
    rows = [[float(v) for v in row] for row in X.tolist()]
    checker.check(proof, rows, [] if labels is None else list(labels))
    if read(proof["objective"], "objective") != lower:
        raise Rejected("lower is not the optimum that is proved")


# each condition in the order of docs/svm-certificate.md
def _problem(c: dict[str, Any], X: Array, labels: Any, weights: Any) -> _Problem:  # noqa: C901
    loss = c["loss"]
    if not isinstance(loss, str) or loss not in PARAMETERS:
        raise Rejected(f"unknown loss {loss!r}")
    if c["bias"] not in ("free", "regularised", "none") or (loss == "one_class" and c["bias"] != "free"):
        raise Rejected(f"bias {c['bias']!r}")
    if X.ndim != 2 or X.dtype.kind not in "fiub" or X.dtype.itemsize > 8:
        raise BadData(f"X has shape {X.shape} and dtype {X.dtype}: it must be a table of numbers")
    n, d = X.shape
    if type(c["n"]) is not int or type(c["d"]) is not int or (c["n"], c["d"]) != (n, d):
        raise Rejected(f"n, d are {c['n']!r}, {c['d']!r}: the data have {n}, {d}")
    given = [] if labels is None else list(labels.tolist() if isinstance(labels, np.ndarray) else labels)
    given = [float(v) if isinstance(v, int | float) else v for v in given]
    if loss != "one_class" and len(given) != n:
        raise BadData(f"{len(given)} labels where the data have {n} rows")
    label_map, y = checker.mapped(loss, given, n)
    if c["label_map"] != label_map or any(type(v) is not int for v in c["label_map"].values()):
        raise Rejected(f"label_map is {c['label_map']!r}: the data give {label_map!r}")
    answers = np.array(y, dtype=np.float64)
    parameters = c["parameters"]
    if not isinstance(parameters, dict) or set(parameters) != PARAMETERS[loss]:
        raise Rejected("parameters are not those of the loss")
    values = {k: read(v, f"parameter {k}") for k, v in parameters.items()}
    if any(values.get(k, 1) <= 0 for k in ("C", "gamma", "nu")) or any(values.get(k, 0) < 0 for k in ("epsilon", "margin")):
        raise Rejected("a parameter is out of its range")
    if values.get("nu", 0) > 1:
        raise Rejected("a parameter is out of its range")
    ridge = read(c["ridge"], "ridge")
    if ridge <= 0 or (ridge != 1 and c["bias"] != "regularised"):
        raise Rejected("ridge is that of a regularised bias, and above 0")
    heavy = _weights(c["weights_sha256"], weights, n)
    problem = _Problem(loss, c["bias"], values, ridge, X, answers, max(len(label_map), 1), heavy)
    if problem.digest() != c["data_sha256"]:
        raise Rejected("data_sha256 is not that of the data")
    return problem


def _weights(named: Any, weights: Any, n: int) -> Array | None:
    if named is None:
        if weights is not None:
            raise Rejected("the certificate knows of no weights")
        return None
    if weights is None:
        raise BadData("the certificate is about weighted samples: give their weights")
    r = np.asarray(weights, dtype=np.float64)
    if r.shape != (n,) or not (np.isfinite(r) & (r >= 0)).all():
        raise BadData(f"the weights must be {n} finite numbers, none below 0")
    if hashlib.sha256((r + 0.0).astype("<f8").tobytes()).hexdigest() != named:
        raise Rejected("weights_sha256 is not that of the weights")
    return r


@dataclass
class _Piece:
    """Over the samples of one constraint and piece: Σ r v, and Σ r v vᵀ; integers times 2^-SCALE."""

    vector: list[int]
    matrix: list[list[int]]


@dataclass(frozen=True)
class _Problem:
    loss: str
    bias: str
    values: dict[str, Fraction]
    ridge: Fraction
    X: Array
    y: Array
    classes: int
    weights: Array | None

    @property
    def scores(self) -> int:
        return self.classes if self.loss in MULTICLASS else 1

    @property
    def C(self) -> Fraction:
        return self.values["C"] if "C" in self.values else 1 / (self.values["nu"] * len(self.X))

    @property
    def kappa(self) -> Fraction:
        """φ(u) = sup a·u − κa²/2."""
        return self.values["gamma"] if self.loss == "smooth_hinge" else Fraction(int(self.loss == "squared_hinge"), 2)

    def constraints(self) -> list[tuple[dict[int, int], Fraction, int]]:
        """(sign by score, constant, factor of the target) of every kind of constraint."""
        if self.loss == "epsilon_insensitive":
            return [({0: -1}, -self.values["epsilon"], 1), ({0: 1}, -self.values["epsilon"], -1)]
        margin = self.values.get("margin", Fraction(0))
        if self.scores == 1:
            return [({0: 1}, margin, 0), ({0: -1}, margin, 0)]
        return [({k: 1, own: -1} if k != own else {}, margin, 0) for own in range(self.scores) for k in range(self.scores)]

    def point(self, c: dict[str, Any], what: str) -> list[Vector]:
        """w and b, one line a score."""
        w, b = (c["w"], c["b"]) if self.loss in MULTICLASS else ([c["w"]], [c["b"]])
        if not isinstance(w, list) or not isinstance(b, list) or len(w) != self.scores or len(b) != self.scores:
            raise Rejected(f"{what}w or {what}b has the wrong length")
        if any(not isinstance(line, list) or len(line) != self.X.shape[1] for line in w):
            raise Rejected(f"{what}w has the wrong length")
        return [[read(v, f"{what}w or {what}b") for v in [*line, s]] for line, s in zip(w, b, strict=True)]

    def blocks(self) -> Iterator[tuple[Array, Array, Array | None]]:
        for start in range(0, len(self.X), ROWS):
            at = slice(start, start + ROWS)
            rows = np.array(self.X[at], dtype=np.float64)
            if not (np.abs(rows) <= 2.0**500).all():
                i, j = (int(v[0]) for v in np.nonzero(~(np.abs(rows) <= 2.0**500)))
                raise BadData(f"row {start + i}, column {j}: {rows[i, j]} is not a number up to 2^500")
            y = self.y[at] if len(self.y) else np.ones(len(rows))
            yield rows, y, None if self.weights is None else self.weights[at]

    def digest(self) -> str:
        sha = hashlib.sha256()
        for rows, _, _ in self.blocks():
            sha.update((rows + 0.0).astype("<f8").tobytes())
        sha.update((self.y + 0.0).astype("<f8").tobytes())
        return sha.hexdigest()

    # -- the two ends ------------------------------------------------------------------------------------------------

    def primal(self, theta: list[Vector]) -> Fraction:
        """The objective of a point."""
        found = _Walk(self, theta, self.kappa).run()
        loss, kappa = found.top, self.kappa
        for line, flat, curved in zip(found.lines, found.flat, found.curved, strict=True):
            loss += _dot(flat.vector, line) - kappa / 2 * Fraction(flat.vector[self.X.shape[1]], 1 << SCALE)
            if kappa:
                loss += _dot(_apply(curved.matrix, line), line) / (2 * kappa)
        value = self.C * loss + sum((v * v for line in theta for v in line[:-1]), Fraction(0)) / 2
        if self.bias == "regularised":
            value += self.ridge / 2 * sum((line[-1] ** 2 for line in theta), Fraction(0))
        return value + (theta[0][-1] if self.loss == "one_class" else 0)

    def dual(self, c: Any) -> Fraction:
        """The dual objective at multipliers that are u/width cut to [0, 1] (projected, in Crammer–Singer)."""
        if not isinstance(c, dict) or set(c) != {"w", "b", "width"}:
            raise Rejected("dual has not w, b and width")
        theta, width = self.point(c, "dual "), read(c["width"], "width")
        if width <= 0 or (self.kappa and width != self.kappa):
            raise Rejected("width must be above 0, and that of the loss where it is smooth")
        d, K, kappa = self.X.shape[1], self.scores, self.kappa
        found = _Walk(self, theta, width).run()
        pulled, gain = [[Fraction(0)] * (d + 1) for _ in range(K)], found.gain
        for own, (constraint, line) in enumerate(zip(self.constraints(), found.lines, strict=True)):
            flat, curved = found.flat[own], found.curved[own]
            moved = _apply(curved.matrix, line)
            total = [Fraction(a, 1 << SCALE) + b / width for a, b in zip(flat.vector, moved, strict=True)]
            total = [a + b for a, b in zip(total, found.single[own], strict=True)]
            signs, constant, target = constraint
            gain += constant * total[d] + (target * total[-1] if target else 0)
            if kappa:
                squares = Fraction(flat.vector[d], 1 << SCALE) + _dot_exact(moved, line) / width**2
                gain -= kappa / 2 * squares
            for k, sign in signs.items():
                pulled[k] = [a + sign * b for a, b in zip(pulled[k], total[: d + 1], strict=True)]
        wanted = Fraction(-1 if self.loss == "one_class" else 0)
        if self.bias == "free" and any(self.C * line[d] != wanted for line in pulled):
            raise Rejected("the multipliers do not balance: Σ of them over the free bias")
        value = self.C * gain - self.C**2 / 2 * sum((v * v for line in pulled for v in line[:d]), Fraction(0))
        if self.bias == "regularised":
            value -= self.C**2 / (2 * self.ridge) * sum((line[d] ** 2 for line in pulled), Fraction(0))
        return value


def _apply(matrix: list[list[int]], line: Vector) -> Vector:
    return [_dot(row, line) for row in matrix]


def _dot(integers: Sequence[int] | Vector, line: Vector) -> Fraction:
    if integers and isinstance(integers[0], Fraction):
        return _dot_exact(integers, line)
    return sum((a * v for a, v in zip(integers, line, strict=True) if a), Fraction(0)) / (1 << SCALE)


def _dot_exact(a: Sequence[Any], b: Vector) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


class _Walk:
    """One walk over the rows: which piece each constraint is on, and the sums over the pieces."""

    def __init__(self, problem: _Problem, theta: list[Vector], width: Fraction) -> None:
        self.problem, self.theta, self.width = problem, theta, width
        self.d = problem.X.shape[1]
        self.size = self.d + 1 + (problem.loss == "epsilon_insensitive")
        self.lines: list[Vector] = []
        for signs, constant, target in problem.constraints():
            line = [sum((s * theta[k][j] for k, s in signs.items()), Fraction(0)) for j in range(self.d + 1)]
            line[self.d] += constant
            self.lines.append([*line, Fraction(target)][: self.size])
        count = len(self.lines)
        self.flat = [self._empty() for _ in range(count)]
        self.curved = [self._empty() for _ in range(count)]
        self.single = [[Fraction(0)] * self.size for _ in range(count)]  # Crammer–Singer, sample by sample
        self.top, self.gain = Fraction(0), Fraction(0)

    def _empty(self) -> _Piece:
        return _Piece([0] * self.size, [[0] * self.size for _ in range(self.size)])

    def run(self) -> _Walk:
        for rows, y, r in self.problem.blocks():
            V = np.hstack([rows, np.ones((len(rows), 1))])
            if self.size > self.d + 1:
                V = np.hstack([V, y[:, None]])
            flat, curved = self._leading(V, y, r) if self.problem.loss == "crammer_singer" else self._apart(V, y)
            _add(V, r, {k: v for k, v in flat.items() if len(v)}, self.flat, square=False)
            _add(V, r, {k: v for k, v in curved.items() if len(v)}, self.curved, square=True)
        return self

    def _margin(self, V: Array, own: int) -> tuple[Array, Array]:
        """u of a constraint, and an error bound: column by column, each product and sum rounded once."""
        u, size = np.zeros(len(V)), np.zeros(len(V))
        for j, value in enumerate(self.lines[own]):
            try:
                term = V[:, j] * float(value)
            except OverflowError:
                return u, np.full(len(V), np.inf)
            u += term
            size += np.abs(term)
        error = (self.size + 4) * EPS * size + self.size * 2.0**-500
        return u, np.where(np.isfinite(u) & np.isfinite(error), error, np.inf)

    def _exact(self, v: Sequence[float], own: int) -> Fraction:
        return _dot_exact([Fraction(x) for x in v], self.lines[own])

    def _of(self, y: Array) -> dict[int, Array]:
        """The samples that have each constraint."""
        everyone = np.arange(len(y))
        if self.problem.loss == "epsilon_insensitive":
            return {0: everyone, 1: everyone}
        if self.problem.scores == 1:
            return {0: np.flatnonzero(y < 0), 1: np.flatnonzero(y > 0)}
        K = self.problem.scores
        return {int(c) * K + k: np.flatnonzero(y == c) for c in range(K) for k in range(K) if k != c}

    def _apart(self, V: Array, y: Array) -> tuple[dict[int, Array], dict[int, Array]]:
        """Every constraint by itself: flat where u ≥ width, curved between 0 and that."""
        capped, width = self.problem.loss != "squared_hinge", self.width
        near = float(width)
        flats, curves = {}, {}
        for own, at in self._of(y).items():
            u, error = self._margin(V[at], own)
            slack = error + near * EPS
            flat, curved = (u > near + slack) & capped, u > error
            doubt = (np.abs(u) <= error) | (capped & (np.abs(u - near) <= slack))
            for i in np.flatnonzero(doubt).tolist():
                value = self._exact(V[at[i]].tolist(), own)
                flat[i], curved[i] = capped and value >= width and value > 0, value > 0
            flats[own], curves[own] = at[flat], at[curved & ~flat] if width else at[:0]
        return flats, curves

    def _leading(self, V: Array, y: Array, r: Array | None) -> tuple[dict[int, Array], dict[int, Array]]:
        """Crammer–Singer: where one constraint leads by the width it has all; other samples are looked at one by one."""
        K, n = self.problem.scores, len(y)
        u, error = np.full((n, K), -np.inf), np.zeros((n, K))
        for own, at in self._of(y).items():
            u[at, own % K], error[at, own % K] = self._margin(V[at], own)
        worst = error.max(axis=1)
        first = u.argmax(axis=1)
        top = u[np.arange(n), first]
        rest = u.copy()
        rest[np.arange(n), first] = 0.0
        lead = top - np.maximum(rest, 0.0).max(axis=1)
        near = float(self.width)
        sure = lead > near + 3 * worst + near * EPS
        flats: dict[int, list[int]] = defaultdict(list)
        for i in np.flatnonzero(sure).tolist():
            flats[int(y[i]) * K + int(first[i])].append(i)
        for i in np.flatnonzero(~sure & ~(top < -worst)).tolist():
            self._one(V[i].tolist(), int(y[i]), Fraction(1) if r is None else Fraction(float(r[i])))
        return {own: np.array(at) for own, at in flats.items()}, {}

    def _one(self, v: list[float], y: int, r: Fraction) -> None:
        """The multipliers of one sample: u/width less the level that makes them add up to at most 1."""
        K = self.problem.scores
        u = {y * K + k: self._exact(v, y * K + k) for k in range(K) if k != y}
        if not self.width:
            self.top += r * max(0, *u.values())
            return
        z = {own: value / self.width for own, value in u.items()}
        level = Fraction(0)
        if sum((value for value in z.values() if value > 0), Fraction(0)) > 1:
            # the level is where Σ max(0, z − level) = 1; it is one of K − 1 candidates
            high = sorted(z.values(), reverse=True)
            levels = [(sum(high[:m], Fraction(0)) - 1) / m for m in range(1, K)]
            level = next(t for t in levels if sum((max(value - t, Fraction(0)) for value in high), Fraction(0)) == 1)
        for own, value in z.items():
            a = max(value - level, Fraction(0)) * r
            if a:
                self.single[own] = [s + a * Fraction(x) for s, x in zip(self.single[own], v, strict=True)]


def _digits(values: Array, bits: int) -> tuple[list[Array], Array]:
    """Integers below 2^bits with values = Σ_l digit_l · 2^(e − bits·(l + 1)), and e by column. Raises: BadData."""
    e = np.frexp(np.abs(values).max(axis=0))[1].astype(np.int64)
    rest = np.ldexp(values, -e)
    if not (np.ldexp(rest, e) == values).all():
        raise BadData("a column holds numbers more than 2^1000 apart: scale the data")
    out = []
    while rest.any() or not out:
        rest = rest * 2.0**bits
        digit = np.trunc(rest)
        rest = rest - digit
        out.append(digit)
    return out, e


def _add(V: Array, r: Array | None, rows: dict[int, Array], into: list[_Piece], *, square: bool) -> None:
    """Add the exact sums over some rows of a block to the pieces."""
    if not rows:
        return
    bits = BITS if r is None else WEIGHTED_BITS
    used = np.unique(np.concatenate(list(rows.values())))
    place = np.zeros(len(V), np.int64)
    place[used] = np.arange(len(used))
    digits, e = _digits(V[used], bits)
    heavy, f = ([np.ones((len(used), 1))], None) if r is None else _digits(r[used, None], bits)
    m, levels = V.shape[1], len(digits)
    wide = np.hstack(digits)
    exponent = [int(e[j]) - bits * (l + 1) for l in range(levels) for j in range(m)]
    for own, at in rows.items():
        part = wide[place[at]]
        for h, weight in enumerate(heavy):
            shift = SCALE + (0 if f is None else int(f[0]) - bits * (h + 1))
            scaled = part * weight[place[at]]
            _collect(scaled.sum(axis=0), exponent, shift, into[own].vector)
            if square:
                for i, line in enumerate((scaled.T @ part).tolist()):
                    _collect(line, exponent, shift + exponent[i], into[own].matrix[i % m])


def _collect(sums: Any, exponent: list[int], shift: int, into: list[int]) -> None:
    m = len(into)
    for i, value in enumerate(sums):
        if value:
            into[i % m] += int(value) << (exponent[i] + shift)
