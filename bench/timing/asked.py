"""What the command line asked for, as a plan. Raises: UsageError for a name that nothing has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hingeproof.bench.timing import surroundings
from hingeproof.bench.timing.case import CACHES, LAYOUTS, MODES, PHASES, PROFILES, parse_size
from hingeproof.errors import UsageError, among
from hingeproof.plan.options import Options, split
from hingeproof.runs.kinds import BENCH
from hingeproof.runs.resume import incomplete, refuse_another, refuse_changed
from hingeproof.runs.timings import BenchInfo, BenchPlan


def plan(given: Mapping[str, Any]) -> BenchPlan:
    """A plan from the options of `bench run` (or of the gate, which has fewer)."""
    lists = {n: split(given.get(n)) for n in ("device", "mode", "phase", "size", "inside", "layout", "cache")}
    modes = [*dict.fromkeys(m for of in MODES.values() for m in of), "compiled"]
    known = {"phase": PHASES, "layout": LAYOUTS, "cache": CACHES, "mode": modes}
    for name, values in known.items():
        for value in lists[name]:
            among(value, values, name)
    profile = among(given.get("profile") or "quick", PROFILES, "profile")
    for name in ("threads", "blocks"):
        if given.get(name) is not None and given[name] < 1:
            raise UsageError(f"--{name} {given[name]}: give at least 1")
    for text in lists["size"]:
        parse_size(text)
    verified = _verified(given, lists["device"])
    return BenchPlan(
        patterns=verified.patterns, users=verified.users, losses=verified.losses, frameworks=verified.frameworks,
        dtypes=verified.dtypes, devices=verified.devices or ("cpu",), modes=tuple(lists["mode"]),
        phases=tuple(lists["phase"]), sizes=tuple(lists["size"]),
        inside=tuple(dict.fromkeys(map(_fraction, lists["inside"]))),
        layouts=tuple(lists["layout"]), caches=tuple(lists["cache"]), profile=profile,
        threads=given.get("threads") or 1, blocks=given.get("blocks") or 30, seed=given.get("seed") or 0,
    )  # fmt: skip


def _verified(given: Mapping[str, Any], devices: list[str]) -> Any:
    """Names of implementations, losses, frameworks and dtypes mean what they mean to `verify`."""
    from hingeproof.commands import verify as verifying
    from hingeproof.plan.contract_keys import parse

    parse(given.get("contract") or "")
    wanted = Options(
        patterns=list(given.get("patterns") or []), loss=split(given.get("loss")),
        framework=split(given.get("framework")), dtype=split(given.get("dtype")), device=devices,
        grad=given.get("grad"), contract=given.get("contract"),
    )  # fmt: skip
    return verifying._plan(wanted)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--inside {text!r}: give a fraction between 0 and 1")
    return value


def to_resume(out: str | None, asked: BenchPlan) -> tuple[Path, BenchInfo]:
    """Return the run to go on with. Raises: UsageError where it would not be the same run."""
    directory, info = incomplete(out, BENCH)
    refuse_changed(directory, "environment", info.comparable, surroundings.comparable(info.plan.threads))
    silent = BenchPlan()
    said = [field for field in asked.__struct_fields__ if getattr(asked, field) != getattr(silent, field)]
    refuse_another(directory, info.plan, asked, said)
    return directory, info
