"""What kind of wrong answer a failure is. It is chosen where the failure is made, and never read out of its text.

The kind decides whether a failure is the one that the ledger knows, and whether a smaller batch still shows it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    from hingeproof.reference_impls.formats import Extended

Kind = Literal[
    "number",  # finite, and not one that is allowed
    "nan",
    "infinity",
    "shape",  # a result of another shape
    "dtype",  # a result of another dtype
    "raised",  # an exception where an answer was due, or another exception than the one that was due; `error` names it
    "accepted",  # an answer where an exception was due
    "overwritten",  # an input is not what it was
    "silent",  # the call did not return
]
KINDS: tuple[str, ...] = get_args(Kind)


class Kinded(Protocol):
    """A failure, a witness, or an entry of the ledger. `error` is the exception's class where the kind is `raised`."""

    @property
    def kind(self) -> str | None: ...

    @property
    def error(self) -> str: ...


def kind_of(*seen: Extended) -> Kind:
    """The kind of an answer that is numbers: one NaN tells more than an infinity, and that more than a wrong number."""
    if any(isinstance(x, float) and math.isnan(x) for x in seen):
        return "nan"
    return "infinity" if any(isinstance(x, float) and math.isinf(x) for x in seen) else "number"


def same_kind(one: Kinded, other: Kinded) -> bool:
    return (one.kind, one.error) == (other.kind, other.error)


def in_words(one: Kinded) -> str:
    """`nan`, `raised TypeError`."""
    return f"{one.kind} {one.error}".rstrip()
