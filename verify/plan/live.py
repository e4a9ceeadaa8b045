"""A live callable, without a name to import it by, taken in: as an implementation, and which checks it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hingeproof.errors import UsageError, among
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.plan.checks import combinations, says_nothing, user_implementation
from hingeproof.plan.contract_keys import check_loss, parse
from hingeproof.plan.plan import needed
from hingeproof.plan.preflight import Question, described, reduction
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Check, Plan


def made(
    loss: str, f: Any, *, framework: str, contract: str = "", grad: Callable[..., Any] | None = None
) -> Implementation:
    """Return a live callable as an implementation. Raises: UsageError."""
    family = LOSSES[among(loss, LOSSES, "loss", see="hingeproof list losses")]
    needed(among(framework, FRAMEWORKS, "framework"), "conformance")
    strict, keys = parse(contract)
    check_loss(keys, family)
    name = f"{getattr(f, '__module__', None) or '?'}:{getattr(f, '__qualname__', type(f).__name__)}"
    question = Question(target=name, loss=loss, framework=framework, strict=strict, contract=keys)
    try:
        found = described(question, f)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    implementation = replace(user_implementation(found), subject=f, gradient=grad)
    if "reduction" not in found.parameters:
        implementation = replace(implementation, reductions=(reduction(f, question),))
    return implementation


def checks_of(implementation: Implementation, plan: Plan) -> dict[str, list[Check]]:
    """Return the checks of one implementation, pass by pass."""
    passes: dict[str, list[Check]] = {}
    for law, dtype, device, mode in combinations(plan, implementation):
        if not says_nothing(law, implementation, dtype, mode):
            check = Check(law.name, implementation.name, implementation.loss, dtype, device, mode)
            passes.setdefault(check.pass_id, []).append(check)
    if not passes:
        raise UsageError(
            f"{implementation.name}: no law applies in {', '.join(plan.modes)} and {', '.join(plan.dtypes)}"
        )
    return passes
