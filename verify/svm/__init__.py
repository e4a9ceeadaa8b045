"""Exact SVM optima: CVXPY finds them, exact arithmetic proves them. `solve` and `check`; the checker needs no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hingeproof.svm.checker import check as check
    from hingeproof.svm.solving import Result as Result
    from hingeproof.svm.solving import solve as solve

__all__ = ["Result", "check", "solve"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: the checker must work where NumPy is not."""
    if name == "check":
        from hingeproof.svm.checker import check

        return check
    if name in ("Result", "solve"):
        from hingeproof.svm import solving

        return getattr(solving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
