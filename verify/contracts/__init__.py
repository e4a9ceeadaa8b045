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
from hingeproof.errors import UsageError, nearest
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.reference_impls.registry import registered

LIBRARIES = (
    references, fast, torch, jax, numpy, optax, jaxopt, keras, torchmetrics, sklearn, river, mlx, rax, paddle,
    tensorflow,
)  # fmt: skip

IMPLEMENTATIONS: dict[str, Implementation] = {
    implementation.name: implementation for library in LIBRARIES for implementation in library.IMPLEMENTATIONS
}
for _row in registered("hingeproof.implementations", Implementation, IMPLEMENTATIONS):
    if _row.framework not in FRAMEWORKS:
        raise UsageError(
            f"{_row.name} is made for {_row.framework}, a framework that nobody registered"
            f"{nearest(_row.framework, FRAMEWORKS)}"
        )
    IMPLEMENTATIONS[_row.name] = _row
