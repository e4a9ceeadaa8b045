"""torchmetrics' hinge losses. Scores outside [0, 1] are taken for logits of the whole batch, which is documented."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_DOCS = "https://lightning.ai/docs/torchmetrics/stable/classification/hinge_loss.html"
_SIGMOID = (
    "if any score lies outside [0, 1] all of them go through {}: what is measured then is the hinge of probabilities"
)


def _row(name: str, loss: str, expression: str, **more: object) -> Implementation:
    return Implementation(
        name=f"torchmetrics.{name}",
        framework="torch",
        loss=loss,
        target=expression.partition("(")[0],
        expression=expression,
        imports=("import torchmetrics",),
        requires=("torchmetrics",),
        reductions=("mean",),
        label_dtype="int64",
        domain=("0", "1"),
        versions="torchmetrics>=1.9,<2",
        source=_DOCS,
        **more,  # type: ignore[arg-type]
    )


_BINARY = {"labels": "01", "documented": (_SIGMOID.format("a sigmoid"),)}
_MULTI = {"documented": (_SIGMOID.format("a softmax"),)}
_F = "torchmetrics.functional.classification"
_C = "torchmetrics.classification"
_STATE = ".set_dtype(scores.dtype)"  # a metric adds up in float32 unless told, whatever it is given
_CLASSES = "num_classes=scores.shape[-1]"
_OVA = f"{_CLASSES}, multiclass_mode='one-vs-all'"

IMPLEMENTATIONS = (
    _row("binary_hinge_loss", "hinge", f"{_F}.binary_hinge_loss(scores, targets)", **_BINARY),
    _row(
        "binary_hinge_loss.squared", "squared_hinge", f"{_F}.binary_hinge_loss(scores, targets, squared=True)",
        **_BINARY,
    ),
    _row("BinaryHingeLoss", "hinge", f"{_C}.BinaryHingeLoss(){_STATE}(scores, targets)", **_BINARY),
    _row("HingeLoss.binary", "hinge", f"torchmetrics.HingeLoss(task='binary'){_STATE}(scores, targets)", **_BINARY),
    _row(
        "multiclass_hinge_loss", "crammer_singer", f"{_F}.multiclass_hinge_loss(scores, targets, {_CLASSES})", **_MULTI
    ),
    _row(
        "MulticlassHingeLoss", "crammer_singer",
        f"{_C}.MulticlassHingeLoss({_CLASSES}){_STATE}(scores, targets)", **_MULTI,
    ),
    # it answers with a mean for each class
    _row(
        "multiclass_hinge_loss.one_vs_all", "one_vs_rest_hinge",
        f"{_F}.multiclass_hinge_loss(scores, targets, {_OVA}).sum()", **_MULTI,
    ),
    _row(
        "MulticlassHingeLoss.one_vs_all", "one_vs_rest_hinge",
        f"{_C}.MulticlassHingeLoss({_OVA}){_STATE}(scores, targets).sum()", **_MULTI,
    ),
)  # fmt: skip
