"""Paddle: the hinge-like functions, and max(0, ·) as people spell it. An environment of its own: `tox -e paddle`."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_DOCS = "https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle/"
_VERSIONS = "paddlepaddle>=3.3,<3.4"
_REDUCTION = {"reduction": "reduction"}
_MARGIN = {"margin": "margin", **_REDUCTION}
_DTYPES = ("float32", "float64")
SPELLINGS = {
    "relu": ("paddle.nn.functional.relu({d})", "nn/functional/relu"),
    "maximum": ("paddle.maximum({d}, paddle.zeros_like({d}))", "maximum"),
    "clip": ("paddle.clip({d}, min=0)", "clip"),
    "where": ("paddle.where({d} > 0, {d}, paddle.zeros_like({d}))", "where"),
}


def _functional(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"paddle.nn.functional.{name}",
        framework="paddle",
        loss=loss,
        target=f"paddle.nn.functional:{name}",
        dtypes=_DTYPES,
        versions=_VERSIONS,
        source=f"{_DOCS}nn/functional/{name}_en.html",
        **more,  # type: ignore[arg-type]
    )


def _spelled(how: str) -> Implementation:
    text, page = SPELLINGS[how]
    return Implementation(
        name=f"paddle.spelled.hinge.{how}",
        framework="paddle",
        loss="hinge",
        target=text.partition("(")[0],
        expression=text.format(d="(margin - targets * scores)"),
        imports=("import paddle",),
        reductions=("none",),
        dtypes=_DTYPES,
        versions=_VERSIONS,
        source=f"{_DOCS}{page}_en.html",
    )


IMPLEMENTATIONS = (
    _functional(
        "multi_margin_loss", "multi_margin", keywords={**_MARGIN, "p": "p", "class_weight": "weight"},
        label_dtype="int64",
    ),
    _functional("margin_ranking_loss", "margin_ranking", keywords=_MARGIN),
    _functional("hinge_embedding_loss", "hinge_embedding", keywords=_MARGIN),
    _functional("triplet_margin_loss", "triplet_margin", keywords={**_MARGIN, "p": "p"}, fixed={"eps": "0.000001"}),
    _functional("cosine_embedding_loss", "cosine_embedding", keywords=_MARGIN),
    *map(_spelled, SPELLINGS),
)  # fmt: skip
