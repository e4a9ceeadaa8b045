"""The table of registered implementations, one file a library. No framework is imported."""

from __future__ import annotations

from hingeproof.implementation import Implementation
from hingeproof.contracts import optax, references, sklearn, torch

IMPLEMENTATIONS: dict[str, Implementation] = {
    implementation.name: implementation
    for library in (references, torch, optax, sklearn)
    for implementation in library.IMPLEMENTATIONS
}
