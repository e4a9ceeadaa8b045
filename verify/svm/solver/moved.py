"""A problem as float solvers like it: centred, scaled by powers of two, C within reach; and the way back.

A free bias takes up any shift of the columns (θ_f = θ_f' − Mθ), a factor of the data goes into C, and a factor of a
row into its own C. What comes back is a candidate for the problem as it was given, so nothing here needs proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.svm.exact import Array, rational, rounded
from hingeproof.svm.problem import MULTICLASS, Model, Point

FAR = 8.0  # a column whose median is this many of its spreads away from 0 is centred
LARGE = 2.0**10  # a row this many times larger than the median one is scaled by itself
LEAST_C, MOST_C = 2.0**-14, 2.0**34  # beyond these the partition no longer depends on C
Bounds = tuple[fmpq, fmpq, Point]  # both ends, and the point that proves them


@dataclass(frozen=True)
class Guess:
    """A float candidate: θ, moved back exactly; the duals p; u = Aθ + offset, not spoilt by rounding; who gave it.

    status: `bound` is worth no exact solve, a `candidate` one where it is near the optimum, any other one at once.
    bounds: the interval, where whoever gave it has a faster way to it.
    """

    theta: list[fmpq]
    p: Array
    u: Array
    solver: str
    status: str
    bounds: Callable[[], Bounds] | None = None


@dataclass(frozen=True)
class FloatProblem:
    """The float problem: `upper` (C) and `kappa` are by row; A θ + offset is in units of `rows`."""

    model: Model
    A: Any
    offset: Array
    upper: Array | None
    kappa: Array
    linear: Array  # of the free coordinates
    shift: Array  # M, (free, ridged), in units of the given data
    scale: float
    rows: Array | None  # the factor of each row; None: 1
    tempered: float  # what C was divided by to come within reach

    @property
    def plain(self) -> bool:
        """Whether C and κ are one number for all rows."""
        return self.rows is None and self.model.weight is None

    def back(self, theta: Array, p: Array, solver: str, status: str) -> Guess | None:
        """The candidate for the problem as it was given; None where it is not finite."""
        model, ridge = self.model, self.model.ridged
        u = self.A @ theta + self.offset
        p = p / self.scale**2
        if self.rows is not None:
            u, p = u * self.rows, p / self.rows
        if self.tempered != 1.0 and model.C is not None and self.upper is not None:
            top = rounded(model.C) * model.shares
            share = p * self.tempered / top
            if self.tempered < 1 or float(np.max(share, initial=0.0)) > 1e-3:  # some row is at its C
                p = np.clip(share, 0, 1) * top
        w = theta[:ridge] / self.scale
        if not all(np.isfinite(v).all() for v in (w, theta, p, u)):
            return None
        exact = [rational(v) for v in w.tolist()]
        biases = [rational(v) for v in theta[ridge:].tolist()]
        for f, line in enumerate(self.shift.tolist()):
            biases[f] -= sum((rational(m) * t for m, t in zip(line, exact, strict=True) if m), fmpq(0))
        return Guess([*exact, *biases], p, u, solver, status)


def moved(model: Model, *, scaled: bool) -> FloatProblem:
    """Centre what lies far off; with `scaled`, bring data, rows and C to sizes near 1 as well."""
    A, shift = _centred(model)
    scale, rows, tempered = 1.0, None, 1.0
    offset = model.offset
    if scaled:
        size = _row_sizes(A, model.ridged)
        some = size[size > 0]
        scale = 2.0 ** round(float(np.log2(np.median(some)))) if len(some) else 1.0
        A = _times(A, columns=np.concatenate([np.full(model.ridged, 1 / scale), np.ones(model.free)]))
        if model.group == 1 and (size > LARGE * scale).any():
            rows = np.where(size > LARGE * scale, 2.0 ** np.round(np.log2(np.maximum(size, scale) / scale)), 1.0)
            A, offset = _times(A, rows=1 / rows), offset / rows
    factor = np.ones(model.rows) if rows is None else rows
    shares = model.shares * scale**2
    upper = None if model.C is None else rounded(model.C) * shares
    kappa = rounded(model.kappa) / shares if model.kappa > 0 else np.zeros(model.rows)
    if scaled:
        tempered = _tempered(upper, kappa)
        upper, kappa = None if upper is None else upper / tempered, kappa * tempered
    linear = scale**2 / tempered * np.array([rounded(v) for v in model.c])
    return FloatProblem(
        model, A, offset, None if upper is None else upper * factor, kappa / factor**2, linear, shift, scale, rows,
        tempered,
    )  # fmt: skip


def _tempered(upper: Array | None, kappa: Array) -> float:
    """The factor that brings C (of a squared hinge 1/2κ) between LEAST_C and MOST_C."""
    if upper is None and not kappa.any():
        return 1.0
    typical = float(np.median(upper)) if upper is not None else 0.5 / float(np.median(kappa))
    return typical / float(np.clip(typical, LEAST_C, MOST_C))


def _row_sizes(A: Any, ridged: int) -> Array:
    part = abs(A[:, :ridged])
    return np.asarray(part.max(axis=1).todense()).ravel() if sparse.issparse(part) else part.max(axis=1, initial=0.0)


def _times(A: Any, *, rows: Array | None = None, columns: Array | None = None) -> Any:
    if sparse.issparse(A):
        return A @ sparse.diags_array(columns) if rows is None else sparse.csr_array(sparse.diags_array(rows) @ A)
    return A * columns if rows is None else A * rows[:, None]


def _centred(model: Model) -> tuple[Any, Array]:
    """A less its free columns times M. Only a free bias without a term of its own takes up a shift."""
    none = np.zeros((model.free, model.ridged))
    X = model.X
    if not model.free or any(v != 0 for v in model.c) or sparse.issparse(model.A) or sparse.issparse(X):
        return model.A, none
    if X.shape != (model.n, model.d) or model.weights != model.d * model.classes:
        return model.A, none
    centre = np.median(X, axis=0)
    spread = np.median(np.abs(X - centre), axis=0)
    centre = np.where(np.abs(centre) > FAR * spread, centre, 0.0)
    if not centre.any():
        return model.A, none
    d = model.d
    for f in range(model.free):
        block = f + 1 if model.loss in MULTICLASS else 0
        none[f, block * d : (block + 1) * d] = centre
        if model.loss in MULTICLASS:  # the bias of class 0 is fixed: the others take up its shift
            none[f, :d] = -centre
    A = model.A.copy()
    A[:, : model.ridged] -= A[:, model.ridged :] @ none
    if model.rest is not None:
        A = A + model.rest
    return A, none
