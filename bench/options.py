"""The options of `bench run` and `bench gate`, in the order of their help."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hingeproof.plan.option import Option
from hingeproof.plan.options import Contract, Devices, Frameworks, Losses, Names

Patterns = Annotated[
    Names,
    Option(
        positional=True,
        metavar="PATTERN|module:attribute",
        help="Implementations [all whose framework is installed].",
        decides=("patterns", "users"),
    ),
]
Dtypes = Annotated[Names, Option(metavar="NAME,…", help="[by profile]", sets="dtypes")]
Modes = Annotated[Names, Option(metavar="NAME,…", help="eager, compiled (or inductor, jit, compile).", sets="modes")]
Sizes = Annotated[Names, Option(metavar="N|NxK,…", help="As in 1e6,1e5x64 [by profile].", sets="sizes")]
Inside = Annotated[Names, Option(metavar="P,…", help="Fraction of samples inside the margin.", decides=("inside",))]
ProfileName = Annotated[str, Option(metavar="NAME", help="quick, ci, device or full.", sets="profile")]
Threads = Annotated[int, Option(metavar="N", help="Threads of the frameworks.", positive="at least 1", sets="threads")]
Out = Annotated[str | None, Option(metavar="DIR", help="Run directory.")]
Quiet = Annotated[bool, Option(short="-q", help="Only the last sentence.")]
Rows = Annotated[bool, Option(help="Print the rows as JSON Lines.")]


class RunOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The options of `bench run`."""

    patterns: Patterns = []
    loss: Losses = []
    framework: Frameworks = []
    dtype: Dtypes = []
    device: Devices = []
    mode: Modes = []
    phase: Annotated[Names, Option(metavar="NAME,…", help="forward, backward, both, compile.", sets="phases")] = []
    size: Sizes = []
    inside: Inside = []
    layout: Annotated[Names, Option(metavar="NAME,…", help="contiguous, strided, transposed.", sets="layouts")] = []
    cache: Annotated[Names, Option(metavar="NAME,…", help="warm, cold.", sets="caches")] = []
    profile: ProfileName = "quick"
    threads: Threads = 1
    blocks: Annotated[int, Option(metavar="N", help="Blocks a case.", positive="at least 1", sets="blocks")] = 30
    seed: Annotated[int, Option(metavar="N", help="Seed of the inputs.", sets="seed")] = 0
    grad: Annotated[
        str | None, Option(metavar="module:function", help="Gradient of a NumPy callable.", decides=("users",))
    ] = None
    contract: Contract = None
    out: Out = None
    resume: Annotated[bool, Option(help="Go on with the run in --out, or with the newest incomplete one.")] = False
    dry_run: Annotated[bool, Option(help="Only count the cases.")] = False
    quiet: Quiet = False
    json: Rows = False


class GateOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The options of `bench gate`. What is timed has the names that it has in RunOptions."""

    patterns: Patterns = []
    base: Annotated[str, Option(metavar="SIDE", help="rev:REVISION, venv:PATH or impl:NAME.")]
    head: Annotated[str, Option(metavar="SIDE", help="The same kinds.")]
    loss: Losses = []
    framework: Frameworks = []
    dtype: Dtypes = []
    device: Devices = []
    mode: Modes = []
    phase: Annotated[Names, Option(metavar="NAME,…", help="forward, backward, both.")] = []
    size: Sizes = []
    inside: Inside = []
    profile: ProfileName = "quick"
    threads: Threads = 1
    threshold: Annotated[
        float, Option(metavar="F", help="Slow-downs below this do not count.", positive="a number above 0")
    ] = 0.02
    equivalence: Annotated[
        float, Option(metavar="F", help="Equal within this, where shown.", positive="a number above 0")
    ] = 0.03
    pairs: Annotated[int, Option(metavar="N", help="Process pairs before the first look, at least 5.")] = 6
    seconds: Annotated[float, Option(metavar="S", help="Time for a case, at most.", positive="a number above 0")] = 60.0
    instructions: Annotated[bool, Option(help="Count instructions (valgrind) of eager CPU cases instead of time.")] = (
        False
    )
    strict: Annotated[bool, Option(help="Inconclusive is an exit code of its own (3).")] = False
    contract: Contract = None
    out: Out = None
    quiet: Quiet = False
    json: Rows = False
