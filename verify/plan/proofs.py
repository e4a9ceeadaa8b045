"""The options of `prove`, and the claims that they come to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import UsageError, among
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import MODES
from hingeproof.plan.checks import implementations, missing_packages
from hingeproof.plan.option import Option
from hingeproof.plan.options import Color, Contract, Devices, Frameworks, Losses, Names, VerifyOptions, configured
from hingeproof.plan.plan import plan
from hingeproof.plan.user import users
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.proofs import LABELS, WIDTH, Claim
from hingeproof.runs.records import Plan

USUAL = ("eager", "compile", "jit", "vmap")  # each sweep in each of these that a framework has
OTHERS = ("forward", "double_backward")  # they answer no gradient, or one that another mode answers


class ProveOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The options of `prove`, in the order of its help."""

    patterns: Annotated[
        Names | None,
        Option(
            positional=True,
            metavar="LOSS|PATTERN|module:attribute",
            help="A loss (every installed implementation of it), implementations ('torch.*'), or your own callable.",
            decides=("patterns", "users"),
        ),
    ] = None
    loss: Losses = []
    framework: Frameworks = []
    dtype: Annotated[
        Names, Option(metavar="NAME,…", help="float16, bfloat16, float32 [float16, bfloat16].", sets="dtypes")
    ] = []
    device: Devices = []
    mode: Annotated[
        Names, Option(metavar="NAME,…", help="[eager, compile, jit, vmap: those that a framework has]", sets="modes")
    ] = []
    reference: Annotated[bool, Option(help="Only the reference implementations.", decides=("patterns",))] = False
    contract: Contract = None
    grad: Annotated[
        str | None, Option(metavar="module:function", help="Gradient of your own NumPy callable.", decides=("users",))
    ] = None
    verify: Annotated[
        str | None, Option(metavar="CERT", help="Prove what a certificate says again, and compare every hash.")
    ] = None
    jobs: Annotated[
        int | None, Option(short="-j", metavar="N", help="Workers [one a processor].", positive="at least 1")
    ] = None
    on: Annotated[
        str | None, Option(metavar="ray[://HOST:PORT]", help="Workers are Ray's, on this machine or a cluster.")
    ] = None
    seconds: Annotated[
        float | None,
        Option(metavar="N", help="Stop then; --resume goes on.", positive="a number of seconds above 0"),
    ] = None
    timeout: Annotated[
        float,
        Option(metavar="SECONDS", help="Limit for a shard of the scores.", positive="a number of seconds above 0"),
    ] = 600.0
    out: Annotated[str | None, Option(metavar="DIR", help="Run directory [.hingeproof/runs/<UTC>-proof].")] = None
    resume: Annotated[bool, Option(help="Go on with the run in --out, or with the newest incomplete one.")] = False
    quiet: Annotated[bool, Option(short="-q", help="Only the verdict sentence.")] = False
    json: Annotated[bool, Option(help="Print JSON instead of the table.")] = False
    color: Color = None


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
