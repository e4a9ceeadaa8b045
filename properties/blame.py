"""Whose exception is it: the implementation's, whose finding it is then, or a bug of hingeproof?"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[..., object])
_BOUNDARIES: set[CodeType] = set()
_JUDGED = ("hingeproof.reference_impls.in_", "hingeproof.contracts.")


def boundary(f: _F) -> _F:
    """Mark a function that only calls into an implementation, or takes its answer: what goes wrong there is its doing."""
    _BOUNDARIES.add(f.__code__)
    return f


def ours(error: BaseException) -> bool:
    """Was this raised by hingeproof's own code (not by a reference, nor by a call that an implementation refused)?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    module = trace.tb_frame.f_globals.get("__name__", "")
    own = module.startswith("hingeproof.") and not module.startswith(_JUDGED)
    return own and trace.tb_frame.f_code not in _BOUNDARIES
