"""Our own fast siblings, held to mathematics and to what they promise, as anyone's: nothing here is a reference."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.contract import Contract

_PROMISES = Contract(kink="0", ties="first", bad_shape="raise")


def _fast(framework: str, loss: str, modes: tuple[str, ...], dtypes: tuple[str, ...], **more: object) -> Implementation:
    margin = {} if "perceptron" in loss else {"margin": "margin"}
    return Implementation(
        name=f"{framework}.fast.{loss}",
        framework=framework,
        loss=loss,
        target=f"hingeproof.reference_impls.in_{framework}.fast:{loss}",
        keywords={**margin, "reduction": "reduction"},
        contract=_PROMISES,
        modes=modes,
        dtypes=dtypes,
        source="hingeproof: a fused sibling of the reference",
        **more,  # type: ignore[arg-type]
    )


_WIDE = ("float32", "float64")
IMPLEMENTATIONS = (
    *(
        _fast("torch", loss, ("eager",), _WIDE)
        for loss in ("hinge", "margin_ranking", "hinge_embedding", "triplet_margin", "cosine_embedding")
    ),
    *(_fast("torch", loss, ("eager",), _WIDE, label_dtype="int64") for loss in ("multi_margin", "multilabel_margin")),
    *(
        _fast("jax", loss, ("eager", "jit"), _WIDE)
        for loss in ("hinge", "perceptron", "crammer_singer", "multiclass_perceptron", "triplet_margin")
    ),
)
