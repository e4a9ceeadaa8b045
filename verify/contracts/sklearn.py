"""scikit-learn's metric. It takes NumPy arrays and answers with the mean alone, so it has no gradient."""

from __future__ import annotations

from hingeproof.implementation import Implementation

IMPLEMENTATIONS = (
    Implementation(
        name="sklearn.metrics.hinge_loss",
        framework="numpy",
        loss="hinge",
        target="sklearn.metrics:hinge_loss",
        targets_first=True,
        needs_both_classes=True,
        reductions=("mean",),
        dtypes=("float32", "float64"),
        requires=("sklearn",),
        source="https://scikit-learn.org/stable/modules/generated/sklearn.metrics.hinge_loss.html",
    ),
)
