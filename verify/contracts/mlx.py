"""MLX: the losses of mlx.nn, and max(0, ·) as people spell it."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_DOCS = "https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses."
_OPERATIONS = "https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core."
_VERSIONS = "mlx>=0.32,<0.33"


def _loss(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"mlx.nn.losses.{name}",
        framework="mlx",
        loss=loss,
        target=f"mlx.nn:losses.{name}",
        requires=("mlx",),
        versions=_VERSIONS,
        source=f"{_DOCS}{name}.html",
        **more,  # type: ignore[arg-type]
    )


SPELLINGS = {
    "maximum": "mx.maximum({d}, 0)",
    "maximum_zero_first": "mx.maximum(0, {d})",
    "relu": "nn.relu({d})",
    "where": "mx.where({d} > 0, {d}, 0)",
    "clip": "mx.clip({d}, 0, None)",
}


def _spelled(how: str) -> Implementation:
    expression = SPELLINGS[how].format(d="(margin - targets * scores)")
    return Implementation(
        name=f"mlx.spelled.hinge.{how}",
        framework="mlx",
        loss="hinge",
        target=expression,
        expression=expression,
        imports=("import mlx.core as mx", "from mlx import nn"),
        reductions=("none",),
        requires=("mlx",),
        versions=_VERSIONS,
        source=f"{_OPERATIONS}{how.partition('_')[0]}.html",
    )


IMPLEMENTATIONS = (
    _loss("hinge_loss", "hinge", keywords={"reduction": "reduction"}),
    _loss("margin_ranking_loss", "margin_ranking", keywords={"margin": "margin", "reduction": "reduction"}),
    _loss(
        "triplet_loss",
        "triplet_margin",
        keywords={"margin": "margin", "p": "p", "reduction": "reduction"},
        fixed={"root_eps": "0.000001"},
        documented=("eps is added under the root: coincident points are at distance √eps = 0.001, not 0",),
    ),
    *map(_spelled, SPELLINGS),
)
