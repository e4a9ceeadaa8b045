"""The table of registered implementations, one file a library. No framework is imported."""

from __future__ import annotations

from hingeproof.contracts import fast, optax, references, sklearn, torch
from hingeproof.implementation import Implementation

IMPLEMENTATIONS: dict[str, Implementation] = {
    implementation.name: implementation
    for library in (references, torch, optax, sklearn, fast)
    for implementation in library.IMPLEMENTATIONS
}
