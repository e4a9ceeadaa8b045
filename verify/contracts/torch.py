"""torch.nn's hinge-like modules, and the hinge as the textbook prints it."""

from __future__ import annotations

from hingeproof.implementation import Implementation
from hingeproof.properties.contract import Contract

_DOCS = "https://docs.pytorch.org/docs/2.13/generated/torch.nn."
_REDUCTION = {"reduction": "reduction"}
_MARGIN = {"margin": "margin", **_REDUCTION}


def _module(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"torch.nn.{name}",
        framework="torch",
        loss=loss,
        target=f"torch.nn:{name}",
        style="module_class",
        source=f"{_DOCS}{name}.html",
        **more,  # type: ignore[arg-type]
    )


IMPLEMENTATIONS = (
    _module("HingeEmbeddingLoss", "hinge_embedding", keywords=_MARGIN),
    _module("MarginRankingLoss", "margin_ranking", keywords=_MARGIN),
    _module(
        "MultiMarginLoss", "multi_margin", keywords={**_MARGIN, "p": "p", "class_weight": "weight"}, labels="int64"
    ),
    _module("MultiLabelMarginLoss", "multilabel_margin", keywords=_REDUCTION, labels="int64"),
    # eps is documented: "eps (float, optional): Small constant for numerical stability. Default: 1e-6"
    _module("TripletMarginLoss", "triplet_margin", keywords={**_MARGIN, "p": "p"}, fixed={"eps": "0.000001"}),
    _module("CosineEmbeddingLoss", "cosine_embedding", keywords=_MARGIN),
    Implementation(
        name="textbook.hinge_loss",
        framework="torch",
        loss="hinge",
        target="hingeproof.contracts.textbook_code:hinge_loss",
        reductions=("mean",),
        contract=Contract(kink="1"),
        source="the textbook chapter, as printed",
    ),
    Implementation(
        name="textbook.HingeLoss",
        framework="torch",
        loss="hinge",
        target="hingeproof.contracts.textbook_code:HingeLoss",
        style="module_class",
        keywords={"margin": "margin"},
        reductions=("mean",),
        contract=Contract(kink="1"),
        source="the textbook chapter, as printed",
    ),
)
