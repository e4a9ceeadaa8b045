"""What `prove` is asked for as a plan, and the claims that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import UsageError, among
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import MODES
from hingeproof.plan.checks import implementations, missing_packages
from hingeproof.plan.options import Names, VerifyOptions, configured
from hingeproof.plan.plan import plan
from hingeproof.plan.proof_options import ProveOptions
from hingeproof.plan.user import users
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.proofs import LABELS, WIDTH, Claim
from hingeproof.runs.records import Plan

USUAL = ("eager", "compile", "jit", "vmap")  # each sweep in each of these that a framework has
OTHERS = ("forward", "double_backward")  # they answer no gradient, or one that another mode answers


def proof_plan(wanted: ProveOptions) -> Plan:
    """Return what is to be proved. Raises: UsageError for a name that nothing has, or a dtype with too many scores."""
    for dtype in wanted.dtype:
        if dtype == "float64":
            raise UsageError("--dtype float64: 2^64 scores are too many to ask; prove float32, and verify float64")
        among(dtype, WIDTH, "dtype")
    for mode in wanted.mode:
        if mode in OTHERS:
            raise UsageError(f"--mode {mode} answers no gradient under an upstream one: leave it out")
    if not wanted.patterns and not wanted.reference:
        raise UsageError("what is to be proved? Name a loss (hinge), implementations ('torch.*') or module:attribute")
    asked = VerifyOptions(
        patterns=_expanded(wanted.patterns or []), loss=wanted.loss, framework=wanted.framework, dtype=wanted.dtype,
        device=wanted.device, mode=wanted.mode, reference=wanted.reference, contract=wanted.contract, grad=wanted.grad,
        implementations=configured(Path("pyproject.toml")).implementations,
    )  # fmt: skip
    made = plan(asked, users(asked))
    return msgspec.structs.replace(made, dtypes=made.dtypes or ("float16", "bfloat16"))


def _expanded(patterns: Names) -> Names:
    """Return the patterns with each loss as the names of its installed implementations."""
    out: Names = []
    for pattern in patterns:
        names = [
            name for name, i in IMPLEMENTATIONS.items() if i.loss == pattern and not missing_packages(i)
        ]  # fmt: skip
        if pattern in LOSSES and not names:
            raise UsageError(f"no implementation of {pattern} is installed: pip install 'hingeproof[torch]'")
        out += names if pattern in LOSSES else [pattern]
    return list(dict.fromkeys(out))


def lacking(implementation: Implementation, dtype: str) -> str | None:
    """Return why nothing can be proved of it, in words for the report; None if nothing stands in the way."""
    margins = implementation.family.margins
    if margins.row != "scalar" or len(margins.inputs) != 1 or margins.targets not in LABELS:
        return f"{implementation.loss} is no loss of one score: its inputs are too many to be asked all"
    if dtype not in implementation.dtypes:
        return f"it is not made for {dtype}"
    if implementation.domain is not None:
        return f"its documentation speaks of scores in [{', '.join(implementation.domain)}] alone"
    if "none" not in implementation.reductions:
        return "it gives no loss for each sample"
    return None


class Claims(msgspec.Struct, frozen=True):
    """What is to be proved, what cannot be, with the reason, and what is not installed."""

    claims: tuple[Claim, ...]
    unsupported: Mapping[str, str]
    missing: dict[str, int]


def claims(plan: Plan) -> Claims:
    """Return the claims of a plan."""
    out: list[Claim] = []
    unsupported: dict[str, str] = {}
    missing: dict[str, int] = {}
    for name, implementation in implementations(plan).items():
        if absent := missing_packages(implementation):
            missing[absent[0]] = missing.get(absent[0], 0) + 1
            continue
        for dtype in plan.dtypes:
            if (why := lacking(implementation, dtype)) is not None:
                unsupported[f"{name} {dtype}"] = why
                continue
            out += [
                Claim(name, implementation.loss, dtype, device, mode)
                for device in plan.devices or ("cpu",)
                for mode in _modes(plan, implementation)
            ]
    return Claims(tuple(sorted(out)), unsupported, missing)


def _modes(plan: Plan, implementation: Implementation) -> list[str]:
    offered = implementation.modes or MODES[implementation.framework]
    return [mode for mode in offered if mode in (plan.modes or USUAL)]
