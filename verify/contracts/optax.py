"""optax.losses: the hinge-like ones."""

from __future__ import annotations

from hingeproof.implementation import Implementation

_DOCS = "https://optax.readthedocs.io/en/latest/api/losses.html"


def _loss(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"optax.losses.{name}",
        framework="jax",
        loss=loss,
        target=f"optax.losses:{name}",
        reductions=("none",),
        requires=("optax",),
        source=_DOCS,
        **more,  # type: ignore[arg-type]
    )


IMPLEMENTATIONS = (
    _loss("hinge_loss", "hinge"),
    _loss("perceptron_loss", "perceptron"),
    _loss("multiclass_hinge_loss", "crammer_singer"),
)
