"""The checks as pytest items, one for each law of each pass. `hingeproof.plugin` supplies the table and the verdicts."""

from __future__ import annotations

from typing import Any


def test_law(check: Any, hingeproof_verdicts: Any) -> None:
    """The implementation keeps the law, for this dtype, device and mode."""
    hingeproof_verdicts.report(check)
