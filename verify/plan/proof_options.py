"""The options of `prove`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hingeproof.plan.option import Option
from hingeproof.plan.options import Color, Contract, Devices, Frameworks, Grad, Jobs, Losses, Names


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
    grad: Grad = None
    verify: Annotated[
        str | None, Option(metavar="CERT", help="Prove what a certificate says again, and compare every hash.")
    ] = None
    jobs: Jobs = None
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
