"""JAX: max(0, ·) as people spell it. `jax.nn.relu` alone documents its derivative at 0, which is 0."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.contract import Contract

_DOCS = "https://docs.jax.dev/en/latest/_autosummary/"
_VERSIONS = "jax>=0.10,<0.11"

SPELLINGS = {
    "relu": ("jax.nn.relu({d})", "jax.nn.relu"),
    "where": ("jnp.where({d} > 0, {d}, 0)", "jax.numpy.where"),
    "fmax": ("jnp.fmax({d}, 0)", "jax.numpy.fmax"),
    "lax_clamp": ("jax.lax.clamp(jnp.zeros_like({d}), {d}, jnp.full_like({d}, jnp.inf))", "jax.lax.clamp"),
    "maximum": ("jnp.maximum({d}, 0)", "jax.numpy.maximum"),
    "clip": ("jnp.clip({d}, 0)", "jax.numpy.clip"),
    "lax_max": ("jax.lax.max({d}, jnp.zeros_like({d}))", "jax.lax.max"),
    "leaky_relu": ("jax.nn.leaky_relu({d}, 0.0)", "jax.nn.leaky_relu"),
}
_FOUR = ("clip", "relu", "maximum", "where")
_BINARY = "(margin - targets * scores)"


def _written(name: str, loss: str, expression: str, page: str, contract: Contract | None = None) -> Implementation:
    return Implementation(
        name=f"jax.spelled.{name}",
        framework="jax",
        loss=loss,
        target=expression,
        expression=expression,
        imports=("import jax", "import jax.numpy as jnp"),
        reductions=("none",),
        contract=contract or Contract(),
        versions=_VERSIONS,
        source=f"{_DOCS}{page}.html",
    )


def _spelled(loss: str, how: str, d: str, around: str = "{}") -> Implementation:
    expression, page = SPELLINGS[how]
    # "For more information see Numerical influence of ReLU'(0) on backpropagation": the value taken is 0
    promise = Contract(kink="0") if how == "relu" and loss != "squared_hinge" else None
    return _written(f"{loss}.{how}", loss, around.format(expression.format(d=d)), page, promise)


_RIVALS = "jax.nn.one_hot(targets, scores.shape[1]) == 0"
_GAPS = "(margin - (jnp.take_along_axis(scores, targets[:, None], 1) - scores))"

IMPLEMENTATIONS = (
    *(_spelled("hinge", how, _BINARY) for how in SPELLINGS),
    *(_spelled("squared_hinge", how, _BINARY, "{} ** 2") for how in _FOUR),
    *(_spelled("perceptron", how, "(-(targets * scores))") for how in _FOUR),
    *(_spelled("weston_watkins", how, _GAPS, f"jnp.where({_RIVALS}, {{}}, 0).sum(1)") for how in _FOUR),
)
