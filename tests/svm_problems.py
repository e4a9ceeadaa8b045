"""Degenerate problems: duplicates, collinear points, lattices with contradictory labels, constant columns, scales."""

from __future__ import annotations

from typing import Any

import numpy as np

LOSSES = (
    "hinge", "hinge", "hinge", "hinge", "squared_hinge", "smooth_hinge", "epsilon_insensitive", "one_class",
    "weston_watkins", "crammer_singer",
)  # fmt: skip


def degenerate(seed: int) -> dict[str, Any]:
    """The problem of a seed, as arguments of `svm.solve`."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 41)), int(rng.integers(1, 5))
    kind = seed % 5
    X = rng.standard_normal((n, d))
    if kind == 0:  # duplicates
        X = X[rng.integers(0, max(2, n // 3), n)]
    elif kind == 1:  # collinear
        X = np.outer(rng.integers(-3, 4, n), rng.integers(-2, 3, d)).astype(float)
    elif kind == 2:  # lattice
        X = rng.integers(-2, 3, (n, d)).astype(float)
    elif kind == 3:  # constant columns
        X[:, int(rng.integers(0, d))] = float(rng.integers(-1, 3))
        X = np.round(X, 1)
    else:  # scales
        X = X * 2.0 ** rng.integers(-12, 13, d)
    loss = LOSSES[int(rng.integers(0, len(LOSSES)))]
    classes = 3 if loss in ("weston_watkins", "crammer_singer") else 2
    y = rng.integers(0, classes, n)
    y[:classes] = np.arange(classes)
    C = ("1", "0.1", "10", "1/3")[int(rng.integers(0, 4))]
    bias = ("free", "regularised", "none")[int(rng.integers(0, 3))]
    nu, epsilon = ("0.5", "0.2", "1")[int(rng.integers(0, 3))], ("0.1", "0", "0.5")[int(rng.integers(0, 3))]
    own = {"one_class": {"nu": nu}, "epsilon_insensitive": {"C": C, "epsilon": epsilon}}.get(loss, {"C": C})
    return {"X": X, "y": y.astype(float), "loss": loss, "bias": "free" if loss == "one_class" else bias, **own}
