"""rax: a ranking loss over lists of items. On lists of two it is the margin ranking loss with margin 1."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

IMPLEMENTATIONS = (
    Implementation(
        name="rax.pairwise_hinge_loss",
        framework="jax",
        loss="margin_ranking",
        target="rax:pairwise_hinge_loss",
        expression=(
            "jax.vmap(rax.pairwise_hinge_loss)"
            "(jnp.stack([x1, x2], -1), jnp.stack([targets, jnp.zeros_like(targets)], -1))"
        ),
        imports=("import jax", "import jax.numpy as jnp", "import rax"),
        fixed={"margin": "1"},
        reductions=("none",),
        requires=("rax",),
        versions="rax>=0.4,<0.5",
        source="https://rax.readthedocs.io/en/latest/api/rax.html#rax.pairwise_hinge_loss",
    ),
)
