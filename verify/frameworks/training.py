"""Training on a certified problem where a framework brings no optimiser: its values and gradients, our steps.

PyTorch and JAX train with their own (`train` in their adaptors); what is common to all stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.svm.optima import RidgeArrays

LBFGS_STEPS = 60
Path = list[tuple[int, Array]]


def reduction_of(implementation: Implementation) -> str:
    """The reduction to train with: per-sample losses where they are offered."""
    return next(r for r in ("none", "sum", "mean") if r in implementation.reductions)


def milestones(steps: int) -> set[int]:
    """The steps of a training run that a figure shows: evenly spread on a logarithmic axis, the last one among them."""
    return {round(steps ** (i / 40)) for i in range(41)}


def descend(
    make: Callable[..., Any], implementation: Implementation, batch: Batch, data: RidgeArrays, steps: int, smooth: bool
) -> Path:
    """θ along a training run: averaged sub-gradients with steps 2/(t + 2), or SciPy's L-BFGS where φ is smooth."""
    subject = make(implementation, "float64", "cpu", "eager")
    reduction = reduction_of(implementation)
    scale = data.C * (batch.size if reduction == "mean" else 1)
    ones = np.ones(batch.size if reduction == "none" else ())

    def objective(theta: Array) -> tuple[float, Array]:
        scores = np.split(data.base + data.features @ theta, data.inputs, axis=1)
        inputs = tuple(s if data.vector else s[:, 0] for s in scores)
        out = subject.run(batch.change(inputs=inputs), reduction, cotangent=ones)
        assert out.gradients is not None
        rows = np.concatenate([g.reshape(batch.size, -1) for g in out.gradients], axis=1)
        gradient = scale * np.einsum("ik,ikj->j", rows, data.features) + data.ridge * theta
        return scale * float(np.sum(out.value)) + float(data.ridge @ theta**2) / 2, gradient

    theta = mean = np.zeros(len(data.ridge))
    path: Path = []
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
