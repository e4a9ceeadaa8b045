"""The table of registered implementations, one file a library. No framework is imported."""

from __future__ import annotations

from hingeproof.contracts import (
    jax,
    jaxopt,
    keras,
    mlx,
    numpy,
    optax,
    paddle,
    rax,
    references,
    river,
    sklearn,
    tensorflow,
    torch,
    torchmetrics,
)
from hingeproof.implementation import Implementation

LIBRARIES = (
    references, torch, jax, numpy, optax, jaxopt, keras, torchmetrics, sklearn, river, mlx, rax, paddle, tensorflow,
)  # fmt: skip

IMPLEMENTATIONS: dict[str, Implementation] = {
    implementation.name: implementation for library in LIBRARIES for implementation in library.IMPLEMENTATIONS
}
