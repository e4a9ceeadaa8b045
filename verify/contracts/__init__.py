"""All registered implementations: one file a library, and what other libraries ship. No framework is imported."""

from __future__ import annotations

from hingeproof.contracts import (
    fast,
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
from hingeproof.frameworks.implementation import Implementation
from hingeproof.reference_impls.registry import registered

LIBRARIES = (
    references, fast, torch, jax, numpy, optax, jaxopt, keras, torchmetrics, sklearn, river, mlx, rax, paddle,
    tensorflow,
)  # fmt: skip

IMPLEMENTATIONS: dict[str, Implementation] = {
    implementation.name: implementation for library in LIBRARIES for implementation in library.IMPLEMENTATIONS
}
IMPLEMENTATIONS |= {row.name: row for row in registered("hingeproof.implementations", Implementation, IMPLEMENTATIONS)}
