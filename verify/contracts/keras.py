"""Keras 3 on each of its backends. The backend is chosen once a process, by KERAS_BACKEND.

The functions average over the last axis, so each sample is given as a row of one; the classes take a dtype of their own
(float32 unless told), so they are told the dtype under test.
"""

from __future__ import annotations

from typing import Any

from hingeproof.frameworks.implementation import Implementation

BACKENDS = {"torch": "torch", "jax": "jax", "numpy": "numpy", "tensorflow": "tensorflow"}
_REDUCTIONS = {"none": None, "sum": "sum", "mean": "sum_over_batch_size"}
# every promotion with a Python number ends in floatx, so that dtype="float64" is only what the answer is labelled
_FLOATX = "computed in keras.config.floatx(), float32 unless it is set: float64 scores lose half of their digits"
_SLOT = "neg = max((1 − y) s) counts the target's slot as a rival of score 0: below 0 it is not Crammer–Singer's loss"


def _row(
    backend: str, name: str, loss: str, expression: str, documented: tuple[str, ...] = (), **more: object
) -> Implementation:
    return Implementation(
        name=f"keras.{backend}.{name}",
        framework=BACKENDS[backend],
        loss=loss,
        target=f"keras.losses:{name}",
        expression=expression,
        imports=("import keras",),
        requires=("keras",),
        dtypes=("float16", "bfloat16", "float32"),
        documented=(_FLOATX, *documented),
        environment={"KERAS_BACKEND": backend},
        versions="keras>=3.15,<3.16",
        source="https://keras.io/api/losses/hinge_losses/",
        **more,  # type: ignore[arg-type]
    )


def rows(backend: str) -> tuple[Implementation, ...]:
    """The six hinge losses of Keras on one backend."""
    binary = (("hinge", "Hinge", "hinge"), ("squared_hinge", "SquaredHinge", "squared_hinge"))
    given = "targets[..., None], scores[..., None]"
    categorical: Any = {"labels": "one_hot", "domain": ("0.0078125", "inf"), "documented": (_SLOT,)}
    made = "(reduction=reduction, dtype=dtype)"
    return (
        *(
            _row(backend, function, loss, f"keras.losses.{function}({given})", reductions=("none",))
            for function, _, loss in binary
        ),
        *(
            _row(
                backend, name, loss, f"keras.losses.{name}{made}({given}, sample_weight=weight)",
                reduction_names=_REDUCTIONS,
            )
            for _, name, loss in binary
        ),
        _row(
            backend, "categorical_hinge", "crammer_singer", "keras.losses.categorical_hinge(targets, scores)",
            reductions=("none",), **categorical,
        ),
        _row(
            backend, "CategoricalHinge", "crammer_singer",
            f"keras.losses.CategoricalHinge{made}(targets, scores, sample_weight=weight)",
            reduction_names=_REDUCTIONS, **categorical,
        ),
    )  # fmt: skip


IMPLEMENTATIONS = tuple(row for backend in BACKENDS for row in rows(backend))
