"""All registered implementations: one file a library, and what other libraries ship. No framework is imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

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
from hingeproof.errors import UsageError
from hingeproof.frameworks.implementation import Implementation

LIBRARIES = (
    references, fast, torch, jax, numpy, optax, jaxopt, keras, torchmetrics, sklearn, river, mlx, rax, paddle,
    tensorflow,
)  # fmt: skip

IMPLEMENTATIONS: dict[str, Implementation] = {
    implementation.name: implementation for library in LIBRARIES for implementation in library.IMPLEMENTATIONS
}
GROUP = "hingeproof.implementations"


def _elsewhere() -> Iterator[Implementation]:
    """What other libraries ship: an entry point is an Implementation, or a sequence of them.

    Raises: UsageError for one that cannot be loaded, is something else, or takes a name that is taken.
    """
    for point in entry_points(group=GROUP):
        where = f"entry point {point.name} = {point.value} of {point.dist.name if point.dist else 'a library'}"
        try:
            found = point.load()
        except Exception as error:  # a library's module may raise anything
            raise UsageError(f"{where} raises {type(error).__name__}: {error}: upgrade or remove it") from None
        rows = (
            (found,) if isinstance(found, Implementation) else tuple(found) if isinstance(found, Sequence) else (found,)
        )
        for row in rows:
            if not isinstance(row, Implementation):
                raise UsageError(f"{where} gives {type(row).__name__}: it should be an Implementation, or several")
            if row.name in IMPLEMENTATIONS:
                raise UsageError(f"{where} gives {row.name}, which is there already: rename it")
            yield row


for _row in _elsewhere():
    IMPLEMENTATIONS[_row.name] = _row
