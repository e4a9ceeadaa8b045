"""How long passes take, roughly: which to start first, and what `--dry-run` and the progress bar say.

Seconds a pass on one core of a 2-core cloud machine, measured with the references at the `ci` profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.runs.records import Check, Plan

PASS = {
    "eager": 0.9,
    "vmap": 0.9,
    "forward": 0.4,
    "double_backward": 0.3,
    "jit": 1.5,
    "compile": 2.2,
    "inductor": 60.0,
}
COMPILING = 2.0  # where eager calls compile each shape too
PROFILE = {"quick": 0.7, "ci": 1.0, "nightly": 8.0}
START = 6.0  # collecting, and importing the frameworks


def cost(check: Check) -> float:
    """Return the seconds of this check's pass."""
    seconds = PASS.get(check.mode, 2.0)
    known = IMPLEMENTATIONS.get(check.implementation)
    return max(seconds, COMPILING) if known and FRAMEWORKS[known.framework].eager_compiles else seconds


def dear_first(checks: Iterable[Check]) -> list[Check]:
    """Sort so that the long passes do not come last, when there is nobody left to share with."""
    return sorted(checks, key=lambda check: (-cost(check), check.pass_id, check.law))


def weights(checks: Sequence[Check]) -> dict[str, float]:
    """Return what each check contributes to the whole: its share of its pass."""
    size: dict[str, int] = {}
    for check in checks:
        size[check.pass_id] = size.get(check.pass_id, 0) + 1
    return {check.id: cost(check) / size[check.pass_id] for check in checks}


def seconds(checks: Sequence[Check], plan: Plan, jobs: int) -> float:
    """Return a guess at how long all this takes."""
    return START + PROFILE[plan.profile] * sum(weights(checks).values()) / max(jobs, 1)


def in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
