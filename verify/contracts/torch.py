"""PyTorch: the hinge-like modules and functions, and max(0, ·) as people spell it. The textbook's code, as printed.

No sub-gradient at a kink is documented for any of them; what is seen stands in the report's kink table.
"""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.contract import Contract

_DOCS = "https://docs.pytorch.org/docs/2.13/generated/torch."
_REDUCTION = {"reduction": "reduction"}
_MARGIN = {"margin": "margin", **_REDUCTION}
_VERSIONS = "torch>=2.13,<2.14"
# eps is documented: "eps (float, optional): Small constant for numerical stability. Default: 1e-6"
_EPS = {"eps": "0.000001"}


def _module(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"torch.nn.{name}",
        framework="torch",
        loss=loss,
        target=f"torch.nn:{name}",
        style="module_class",
        versions=_VERSIONS,
        source=f"{_DOCS}nn.{name}.html",
        **more,  # type: ignore[arg-type]
    )


def _functional(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"torch.nn.functional.{name}",
        framework="torch",
        loss=loss,
        target=f"torch.nn.functional:{name}",
        versions=_VERSIONS,
        source=f"{_DOCS}nn.functional.{name}.html",
        **more,  # type: ignore[arg-type]
    )


def _written(name: str, loss: str, expression: str) -> Implementation:
    return Implementation(
        name=f"torch.spelled.{name}",
        framework="torch",
        loss=loss,
        target=expression,
        expression=expression,
        imports=("import torch",),
        reductions=("none",),
        versions=_VERSIONS,
        source=f"{_DOCS}{name.partition('.')[2]}.html",
    )


# The spellings of max(0, d).
SPELLINGS = {
    "clamp": "torch.clamp({d}, min=0)",
    "clamp_min": "torch.clamp_min({d}, 0)",
    "clip": "torch.clip({d}, min=0)",
    "relu": "torch.relu({d})",
    "threshold": "torch.nn.functional.threshold({d}, 0, 0)",
    "hardtanh": "torch.nn.functional.hardtanh({d}, 0, float('inf'))",
    "leaky_relu": "torch.nn.functional.leaky_relu({d}, 0.0)",
    "where": "torch.where({d} > 0, {d}, torch.zeros_like({d}))",
    "maximum": "torch.maximum({d}, torch.zeros_like({d}))",
    "max": "torch.max({d}, torch.zeros_like({d}))",
    "amax": "torch.amax(torch.stack([{d}, torch.zeros_like({d})]), dim=0)",
    "fmax": "torch.fmax({d}, torch.zeros_like({d}))",
}
_FOUR = ("clamp", "relu", "maximum", "where")
_BINARY = "(margin - targets * scores)"
_RESIDUAL = "(torch.abs(scores - targets) - epsilon)"
_GAPS = "(margin - (scores.gather(1, targets[:, None]) - scores))"
_RIVALS = "torch.nn.functional.one_hot(targets, scores.shape[1]) == 0"
_WORST = "torch.where({rivals}, scores, float('-inf')).amax(1)"

SPELLED = (
    *(_written(f"hinge.{how}", "hinge", text.format(d=_BINARY)) for how, text in SPELLINGS.items()),
    *(_written(f"squared_hinge.{how}", "squared_hinge", f"{SPELLINGS[how].format(d=_BINARY)} ** 2") for how in _FOUR),
    *(_written(f"perceptron.{how}", "perceptron", SPELLINGS[how].format(d="(-(targets * scores))")) for how in _FOUR),
    *(
        _written(f"epsilon_insensitive.{how}", "epsilon_insensitive", SPELLINGS[how].format(d=_RESIDUAL))
        for how in _FOUR
    ),
    *(
        _written(
            f"weston_watkins.{how}",
            "weston_watkins",
            f"torch.where({_RIVALS}, {SPELLINGS[how].format(d=_GAPS)}, 0.0).sum(1)",
        )
        for how in _FOUR
    ),
    *(
        _written(
            f"crammer_singer.{how}",
            "crammer_singer",
            SPELLINGS[how].format(
                d=f"(margin - (scores.gather(1, targets[:, None])[:, 0] - {_WORST.format(rivals=_RIVALS)}))"
            ),
        )
        for how in _FOUR
    ),
)

_MULTI = {**_MARGIN, "p": "p", "class_weight": "weight"}

IMPLEMENTATIONS = (
    _module("HingeEmbeddingLoss", "hinge_embedding", keywords=_MARGIN),
    _module("MarginRankingLoss", "margin_ranking", keywords=_MARGIN),
    _module("MultiMarginLoss", "multi_margin", keywords=_MULTI, label_dtype="int64"),
    _module("MultiLabelMarginLoss", "multilabel_margin", keywords=_REDUCTION, label_dtype="int64"),
    _module("TripletMarginLoss", "triplet_margin", keywords={**_MARGIN, "p": "p"}, fixed=_EPS),
    _module("TripletMarginWithDistanceLoss", "triplet_margin", keywords=_MARGIN, fixed=_EPS),
    _module("CosineEmbeddingLoss", "cosine_embedding", keywords=_MARGIN),
    _functional("hinge_embedding_loss", "hinge_embedding", keywords=_MARGIN),
    _functional("margin_ranking_loss", "margin_ranking", keywords=_MARGIN),
    _functional("multi_margin_loss", "multi_margin", keywords=_MULTI, label_dtype="int64"),
    _functional("multilabel_margin_loss", "multilabel_margin", keywords=_REDUCTION, label_dtype="int64"),
    _functional("triplet_margin_loss", "triplet_margin", keywords={**_MARGIN, "p": "p"}, fixed=_EPS),
    _functional("triplet_margin_with_distance_loss", "triplet_margin", keywords=_MARGIN, fixed=_EPS),
    _functional("cosine_embedding_loss", "cosine_embedding", keywords=_MARGIN),
    *SPELLED,
    Implementation(
        name="textbook.hinge_loss",
        framework="torch",
        loss="hinge",
        target="hingeproof.contracts.textbook_code:hinge_loss",
        reductions=("mean",),
        contract=Contract(kink="1"),
        versions=_VERSIONS,
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
        versions=_VERSIONS,
        source="the textbook chapter, as printed",
    ),
)
