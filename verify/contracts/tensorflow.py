"""TensorFlow: the 1-style loss, and max(0, ·) as people spell it. Keras on TensorFlow stands with Keras.

It does not share an environment with the others: `tox -e tensorflow`.
"""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_DOCS = "https://www.tensorflow.org/versions/r2.16/api_docs/python/tf/"
_VERSIONS = "tensorflow-cpu>=2.21,<2.22"
_REDUCTIONS = {"none": "none", "sum": "weighted_sum", "mean": "weighted_sum_by_nonzero_weights"}
SPELLINGS = {
    "relu": ("tf.nn.relu({d})", "nn/relu"),
    "maximum": ("tf.maximum({d}, 0)", "math/maximum"),
    "maximum_zero_first": ("tf.maximum(tf.zeros_like({d}), {d})", "math/maximum"),
    "clip_by_value": ("tf.clip_by_value({d}, 0, float('inf'))", "clip_by_value"),
    "where": ("tf.where({d} > 0, {d}, tf.zeros_like({d}))", "where"),
}


def _row(name: str, loss: str, expression: str, page: str, **more: object) -> Implementation:
    return Implementation(
        name=f"tensorflow.{name}",
        framework="tensorflow",
        loss=loss,
        target=expression.partition("(")[0],
        expression=expression,
        imports=("import tensorflow as tf",),
        versions=_VERSIONS,
        source=f"{_DOCS}{page}",
        **more,  # type: ignore[arg-type]
    )


IMPLEMENTATIONS = (
    _row(
        "compat.v1.losses.hinge_loss", "hinge",
        "tf.compat.v1.losses.hinge_loss(targets, scores, reduction=reduction)", "compat/v1/losses/hinge_loss",
        labels="01", dtypes=("float32",), reduction_names=_REDUCTIONS,
        documented=("a weighted mean divides by the number of non-zero weights",),
    ),
    *(
        _row(f"spelled.hinge.{how}", "hinge", text.format(d="(margin - targets * scores)"), page, reductions=("none",))
        for how, (text, page) in SPELLINGS.items()
    ),
)  # fmt: skip
