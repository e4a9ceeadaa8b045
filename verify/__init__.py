"""hingeproof: is this margin loss right, on every framework it runs on? Nothing heavy is imported here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hingeproof.frameworks.implementation import Implementation as Implementation
    from hingeproof.properties.contract import Contract as Contract
    from hingeproof.reference_impls.definition import Loss as Loss
    from hingeproof.run.conformance import conformance as conformance

__version__ = "0.1.0"
# What a project of its own uses of us, and where it stands: the package itself imports nothing.
PUBLIC = {
    "conformance": "hingeproof.run.conformance",
    "Contract": "hingeproof.properties.contract",
    "Implementation": "hingeproof.frameworks.implementation",
    "Loss": "hingeproof.reference_impls.definition",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for."""
    if name in PUBLIC:
        return getattr(importlib.import_module(PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
