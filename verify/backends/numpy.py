"""NumPy: plain calls, and gradients from a sibling gradient function where there is one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hingeproof.backends.binding import (
    LBFGS_STEPS, argument_names, arrays, bind, labelled, load, milestones, parameters, reduction_of, written,
)  # fmt: skip
from hingeproof.implementation import Implementation
from hingeproof.properties.case import LABEL_DTYPES, Array, Batch, Output
from hingeproof.properties.optimality import Data


def flushes(mode: str, dtype: str) -> bool:
    return False


def devices() -> tuple[str, ...]:
    return ("cpu",)


@dataclass
class NumpySubject:
    implementation: Implementation
    dtype: str
    device: str
    mode: str
    given: list[Array] = field(default_factory=list)

    compiled = False
    layouts = ("strided", "negative", "transposed")
    label_dtypes = LABEL_DTYPES

    @property
    def gradients(self) -> bool:
        return self.implementation.gradient is not None

    def prepared(self, batch: Batch) -> list[Array]:
        return arrays(self.implementation, batch).present

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        call = bind(self.implementation, batch, reduction)
        given = arrays(self.implementation, batch)
        self.given = given.present
        with warnings.catch_warnings():
            # a user's code may warn of overflow; what it answers is what is judged
            warnings.simplefilter("ignore", RuntimeWarning)
            got = call(given.inputs, given.targets, given.weight, given.class_weight)
            grads = None if cotangent is None else self._gradients(batch, reduction, cotangent)
        value = np.asarray(got)
        dtype = "" if isinstance(got, float | int) and not isinstance(got, np.generic) else str(value.dtype)
        return Output(value=value, dtype=dtype, gradients=grads)

    def _gradients(self, batch: Batch, reduction: str, cotangent: Array) -> tuple[Array, ...]:
        assert self.implementation.gradient is not None
        settings: dict[str, Any] = parameters(self.implementation, batch, reduction)
        for name, value in (("weight", batch.weight), ("class_weight", batch.class_weight)):
            if value is not None:
                settings[self.implementation.keywords[name]] = value
        given = labelled(self.implementation, batch)
        targets = () if given is None else (given,)
        gradient = self.implementation.gradient
        if callable(gradient):
            f = gradient
        elif self.implementation.expression:
            f = written(gradient, self.implementation.imports, argument_names(self.implementation))
        else:
            f = load(gradient)
        got = f(*batch.inputs, *targets, cotangent=cotangent, **settings)
        return tuple(np.asarray(g) for g in (got if isinstance(got, tuple) else (got,)))

    def array(self, x: Array) -> Array:
        return x


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> NumpySubject:
    return NumpySubject(implementation, dtype, device, mode)


def cross_entropy(scores: Array) -> list[tuple[float, float]]:
    """Value and size of the slope of the cross-entropy of class 0, row by row."""
    others = np.exp((scores[:, 1:] - scores[:, :1]).astype(np.float64)).sum(1)
    return [(float(np.log1p(o)), float(o / (1 + o))) for o in others]


def train(
    implementation: Implementation, batch: Batch, data: Data, steps: int, smooth: bool
) -> list[tuple[int, Array]]:
    """θ along a training run: averaged sub-gradients with steps 2/(t + 2), or SciPy's L-BFGS where φ is smooth."""
    subject_ = NumpySubject(implementation, "float64", "cpu", "eager")
    reduction = reduction_of(implementation)
    scale = data.C * (batch.size if reduction == "mean" else 1)
    ones = np.ones(batch.size if reduction == "none" else ())

    def objective(theta: Array) -> tuple[float, Array]:
        scores = np.split(data.base + data.features @ theta, data.inputs, axis=1)
        inputs = tuple(s if data.vector else s[:, 0] for s in scores)
        out = subject_.run(batch.change(inputs=inputs), reduction, cotangent=ones)
        assert out.gradients is not None
        rows = np.concatenate([g.reshape(batch.size, -1) for g in out.gradients], axis=1)
        gradient = scale * np.einsum("ik,ikj->j", rows, data.features) + data.ridge * theta
        return scale * float(np.sum(out.value)) + float(data.ridge @ theta**2) / 2, gradient

    theta = mean = np.zeros(len(data.ridge))
    path: list[tuple[int, Array]] = []
    if smooth:
        from scipy.optimize import minimize

        options = {"maxiter": LBFGS_STEPS, "ftol": 0, "gtol": 1e-14}
        minimize(
            objective, theta, jac=True, method="L-BFGS-B", options=options,
            callback=lambda x: path.append((len(path) + 1, x.copy())),
        )  # fmt: skip
        return path
    marks = milestones(steps)
    for step in range(steps):
        theta = theta - 2 / (step + 2) * objective(theta)[1]
        mean = mean + (theta - mean) * 2 / (step + 2)
        if step + 1 in marks:
            path.append((step + 1, mean.copy()))
    return path
