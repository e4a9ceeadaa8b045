"""What the command line asked for, as a plan. Raises: UsageError for a name that nothing has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from hingeproof.bench.options import RunOptions
from hingeproof.bench.timing import surroundings
from hingeproof.bench.timing.case import CACHES, LAYOUTS, MODES, PHASES, PROFILES, parse_size
from hingeproof.errors import UsageError, among
from hingeproof.plan import plan as plans
from hingeproof.plan.contract_keys import parse
from hingeproof.plan.option import as_plan, check
from hingeproof.plan.options import VerifyOptions
from hingeproof.plan.user import users
from hingeproof.runs.kinds import BENCH
from hingeproof.runs.records import Plan
from hingeproof.runs.resume import incomplete, refuse_another, refuse_changed
from hingeproof.runs.timings import BenchInfo, BenchPlan


def plan(wanted: RunOptions) -> BenchPlan:
    """A plan from the options of `bench run`."""
    check(wanted)
    known = {
        "phase": (wanted.phase, PHASES),
        "layout": (wanted.layout, LAYOUTS),
        "cache": (wanted.cache, CACHES),
        "mode": (wanted.mode, [*dict.fromkeys(m for of in MODES.values() for m in of), "compiled"]),
        "profile": ([wanted.profile], PROFILES),
    }
    for what, (given, names) in known.items():
        for name in given:
            among(name, names, what)
    for text in wanted.size:
        parse_size(text)
    verified = _verified(wanted)
    inside = tuple(dict.fromkeys(map(_fraction, wanted.inside)))
    return msgspec.structs.replace(
        as_plan(wanted, BenchPlan), patterns=verified.patterns, users=verified.users, inside=inside
    )


def _verified(wanted: RunOptions) -> Plan:
    """Names of implementations, losses, frameworks and dtypes mean what they mean to `verify`."""
    parse(wanted.contract or "")
    verify = VerifyOptions(
        patterns=wanted.patterns, loss=wanted.loss, framework=wanted.framework, dtype=wanted.dtype,
        device=wanted.device, grad=wanted.grad, contract=wanted.contract,
    )  # fmt: skip
    return plans.plan(verify, users(verify))


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--inside {text!r}: give a fraction between 0 and 1")
    return value


def to_resume(out: str | None, asked: BenchPlan, decided: Iterable[str]) -> tuple[Path, BenchInfo]:
    """Return the run to go on with. decided: the fields of the plan that were asked for.

    Raises: UsageError where it would not be the same run.
    """
    directory, info = incomplete(out, BENCH)
    refuse_changed(directory, "environment", info.comparable, surroundings.comparable(info.plan.threads))
    refuse_another(directory, info.plan, asked, decided)
    return directory, info
