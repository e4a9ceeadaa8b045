"""Exact SVM optima: CVXPY finds them, exact arithmetic proves them. `solve`, `path` (several C) and `check`.

The checker needs no NumPy. Gaps of trained models: `check_model` and `assert_optimal`; `check_gap` checks their
certificates.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hingeproof.svm.checker import check as check
    from hingeproof.svm.gap.checker import check_gap as check_gap
    from hingeproof.svm.gap.models import assert_optimal as assert_optimal
    from hingeproof.svm.gap.models import check_model as check_model
    from hingeproof.svm.result import Result as Result
    from hingeproof.svm.solver.search import path as path
    from hingeproof.svm.solver.search import solve as solve

# Imported when it is asked for: the checker must work where NumPy is not.
PUBLIC = {
    "Result": "hingeproof.svm.result",
    "assert_optimal": "hingeproof.svm.gap.models",
    "check": "hingeproof.svm.checker",
    "check_gap": "hingeproof.svm.gap.checker",
    "check_model": "hingeproof.svm.gap.models",
    "path": "hingeproof.svm.solver.search",
    "solve": "hingeproof.svm.solver.search",
}
__all__ = ["Result", "assert_optimal", "check", "check_gap", "check_model", "path", "solve"]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(importlib.import_module(PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
