"""`hingeproof.conformance`: the laws as tests inside a user's own suite, without our plugin or any option."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import pytest

from hingeproof.plan.live import checks_of, made
from hingeproof.runs.records import Plan, Record

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
