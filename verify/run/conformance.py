"""`hingeproof.conformance`: the laws as tests inside a user's own suite, without our plugin or any option."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from hingeproof.errors import UsageError, among
from hingeproof.frameworks.implementation import FRAMEWORKS, Implementation
from hingeproof.plan.contract_keys import check_loss, parse
from hingeproof.plan.options import needed
from hingeproof.plan.preflight import Question, described, reduction
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Check, Plan, Record

NOT_JUDGED = ("unsupported", "undecided")


def conformance(
    loss: str,
    f: Callable[..., Any],
    *,
    framework: str,
    contract: str = "",
    grad: Callable[..., Any] | None = None,
    dtypes: Sequence[str] = ("float32",),
    modes: Sequence[str] = ("eager",),
    profile: str = "quick",
    seed: int = 0,
) -> Callable[..., None]:
    """Return a test with one case for each law, to be bound to a name that pytest collects.

        test_mine = hingeproof.conformance("hinge", mine, framework="torch")

    Args:
        f: the loss: a function, a class of modules or an instance, with the arguments that its loss has.
        contract: as for `hingeproof verify --contract`: `labels=01,kink=any,scale=1/K`, or `strict`.
        grad: the gradient of a NumPy callable, `grad(same arguments, cotangent=…)`.
        dtypes, modes: each law is one test over all of them.

    Raises:
        UsageError: an unknown loss or framework, a framework that is not installed, a callable of the wrong arity.
    """
    implementation = made(loss, f, framework=framework, contract=contract, grad=grad)
    plan = Plan(dtypes=tuple(dtypes), modes=tuple(modes), profile=profile, seed=seed)  # type: ignore[arg-type]
    passes = checks_of(implementation, plan)
    laws = list(dict.fromkeys(check.law for checks in passes.values() for check in checks))

    @lru_cache(maxsize=1)
    def judged() -> list[Record]:
        from hingeproof.judge.engine import run_pass

        return [r for checks in passes.values() for r in run_pass(checks, plan, _quiet, implementation)]

    @pytest.mark.parametrize("law", laws)
    def test(law: str) -> None:
        from hingeproof.run.worker import message

        records = [r for r in judged() if r.law == law]
        failed = [message(r) for r in records if r.verdict not in ("pass", *NOT_JUDGED)]
        if failed:
            pytest.fail("\n\n".join(failed), pytrace=False)
        if all(r.verdict in NOT_JUDGED for r in records):
            pytest.skip("; ".join(dict.fromkeys(f"{r.verdict}: {r.reason}" for r in records)))

    test.__doc__ = f"{implementation.name} keeps the laws of {loss}."
    return test


def _quiet(tried: Any) -> None:
    """Nothing is journaled: a crash here is pytest's."""


def made(
    loss: str, f: Any, *, framework: str, contract: str = "", grad: Callable[..., Any] | None = None
) -> Implementation:
    """Return a live callable as an implementation. Raises: UsageError."""
    from hingeproof.plan.checks import user_implementation

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
    from hingeproof.plan.checks import combinations, says_nothing

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
