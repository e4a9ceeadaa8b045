"""What other packages register with us, by entry points: losses, frameworks, implementations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Protocol, TypeVar

from hingeproof.errors import UsageError, with_article


class Named(Protocol):
    """Whatever stands in one of our tables under its name."""

    @property
    def name(self) -> str: ...


Row = TypeVar("Row", bound=Named)


def registered(group: str, kind: type[Row], taken: Collection[str]) -> Iterator[Row]:
    """Yield the rows of the entry points of a group; each is one row, or a sequence of them.

    Raises: UsageError for one that cannot be loaded, is something else, or takes a name that is taken.
    """
    names = set(taken)
    for point in entry_points(group=group):
        where = f"entry point {point.name} = {point.value} of {point.dist.name if point.dist else 'a library'}"
        try:
            found = point.load()
        except Exception as error:  # a library's module may raise anything
            raise UsageError(f"{where} raises {type(error).__name__}: {error}: upgrade or remove it") from None
        rows = tuple(found) if isinstance(found, Sequence) else (found,)
        for row in rows:
            if not isinstance(row, kind):
                raise UsageError(
                    f"{where} gives {type(row).__name__}: it should be {with_article(kind.__name__)}, or several"
                )
            if row.name in names:
                raise UsageError(f"{where} gives {row.name}, which is there already: rename it")
            names.add(row.name)
            yield row
