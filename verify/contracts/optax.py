"""optax.losses: the hinge-like ones. They answer per sample and are not documented at kinks."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_DOCS = "https://optax.readthedocs.io/en/latest/api/losses.html"


def _loss(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"optax.losses.{name}",
        framework="jax",
        loss=loss,
        target=f"optax.losses:{name}",
        reductions=("none",),
        requires=("optax",),
        versions="optax>=0.2.8,<0.3",
        source=_DOCS,
        **more,  # type: ignore[arg-type]
    )


IMPLEMENTATIONS = (
    _loss("hinge_loss", "hinge"),
    _loss("perceptron_loss", "perceptron"),
    _loss("multiclass_hinge_loss", "crammer_singer"),
    _loss("multiclass_perceptron_loss", "multiclass_perceptron"),
    _loss(
        "triplet_margin_loss",
        "triplet_margin",
        keywords={"margin": "margin", "p": "norm_degree"},
        fixed={"root_eps": "0.000001"},
        documented=("eps is added under the root: coincident points are at distance √eps = 0.001, not 0",),
    ),
)
