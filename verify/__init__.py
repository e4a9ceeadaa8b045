"""hingeproof: is this margin loss right, on every framework it runs on? Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hingeproof.run.conformance import conformance as conformance

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `conformance` when it is asked for: the package itself imports nothing."""
    if name == "conformance":
        from hingeproof.run.conformance import conformance

        return conformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
