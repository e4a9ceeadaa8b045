"""jaxopt.loss: one sample a call, the label first. They are mapped over the batch, as jaxopt's own objectives do."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation


def _loss(name: str, loss: str, **more: object) -> Implementation:
    return Implementation(
        name=f"jaxopt.loss.{name}",
        framework="jax",
        loss=loss,
        target=f"jaxopt.loss:{name}",
        expression=f"jax.vmap(jaxopt.loss.{name})(targets, scores)",
        imports=("import jax", "import jaxopt"),
        reductions=("none",),
        requires=("jaxopt",),
        versions="jaxopt>=0.8.5,<0.9",
        source=f"https://jaxopt.github.io/stable/_autosummary/jaxopt.loss.{name}.html",
        **more,  # type: ignore[arg-type]
    )


IMPLEMENTATIONS = (
    _loss("binary_hinge_loss", "hinge", labels="01"),
    _loss("binary_perceptron_loss", "perceptron", labels="01"),
    _loss("multiclass_hinge_loss", "crammer_singer"),
    _loss("multiclass_perceptron_loss", "multiclass_perceptron"),
)
