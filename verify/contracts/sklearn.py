"""scikit-learn: the metric, which answers with a mean alone, and the losses that its SGD estimators descend."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_METRIC = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.hinge_loss.html"
_SGD = "https://scikit-learn.org/stable/modules/sgd.html#mathematical-formulation"
_WEIGHTS = "the weighted mean divides by the sum of the weights, not by N"


def _metric(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=name,
        framework="numpy",
        loss=loss,
        target="sklearn.metrics:hinge_loss",
        reductions=("mean",),
        dtypes=("float32", "float64"),
        requires=("sklearn",),
        mean_over="weights",
        documented=(_WEIGHTS,),
        versions="scikit-learn>=1.9,<1.10",
        source=_METRIC,
        **more,  # type: ignore[arg-type]
    )


def _sgd(cls: str, loss: str, argument: str = "") -> Implementation:
    """One of the Cython losses of SGDClassifier and SGDRegressor: double precision, a sample a call."""
    made = f"_sgd_fast.{cls}({argument})"
    return Implementation(
        name=f"sklearn.sgd.{cls}" if argument != "0.0" else f"sklearn.sgd.{cls}.perceptron",
        framework="numpy",
        loss=loss,
        target=f"sklearn.linear_model._sgd_fast:{cls}",
        expression=f"np.vectorize({made}.py_loss, otypes=[float])(scores, targets)",
        gradient=f"cotangent * np.vectorize({made}.py_dloss, otypes=[float])(scores, targets)",
        imports=("import numpy as np", "from sklearn.linear_model import _sgd_fast"),
        reductions=("none",),
        dtypes=("float64",),
        requires=("sklearn",),
        versions="scikit-learn>=1.9,<1.10",
        source=_SGD,
    )


IMPLEMENTATIONS = (
    _metric(
        "sklearn.metrics.hinge_loss", "hinge", targets_first=True, needs_both_classes=True,
        keywords={"weight": "sample_weight"},
    ),
    # with labels= given, the classes need not all be in the batch; two classes are the binary metric's
    _metric(
        "sklearn.metrics.hinge_loss.multiclass", "crammer_singer", widths=(3, 4),
        expression="sklearn.metrics.hinge_loss(targets, scores, labels=range(scores.shape[-1]), sample_weight=weight)",
        imports=("import sklearn.metrics",),
    ),
    _sgd("Hinge", "hinge", "margin"),
    _sgd("Hinge", "perceptron", "0.0"),
    _sgd("SquaredHinge", "squared_hinge", "margin"),
    _sgd("ModifiedHuber", "modified_huber"),
    _sgd("EpsilonInsensitive", "epsilon_insensitive", "epsilon"),
    _sgd("SquaredEpsilonInsensitive", "squared_epsilon_insensitive", "epsilon"),
)  # fmt: skip
