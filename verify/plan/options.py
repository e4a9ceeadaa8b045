"""The options of `verify`, those that it shares with the timing commands, and their defaults in `[tool.hingeproof]`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from hingeproof.errors import UsageError, among, nearest
from hingeproof.plan.option import Option, check, decided, declared, said, split

Names = list[str]
Losses = Annotated[Names, Option(metavar="NAME,…", help="Losses [all].", sets="losses")]
Frameworks = Annotated[
    Names, Option(metavar="NAME,…", help="Frameworks, as doctor lists them [all installed].", sets="frameworks")
]
Devices = Annotated[Names, Option(metavar="NAME,…", help="cpu, cuda [cpu].", sets="devices")]
Contract = Annotated[
    str | None,
    Option(
        metavar="KEY=VALUE,…",
        help="What your own callable promises: labels=01,kink=any,scale=1/K; strict: the references' whole policy.",
        decides=("users",),
    ),
]
Grad = Annotated[
    str | None, Option(metavar="module:function", help="Gradient of your own NumPy callable.", decides=("users",))
]
Jobs = Annotated[int | None, Option(short="-j", metavar="N", help="Workers [one a processor].", positive="at least 1")]
Color = Annotated[bool | None, Option(help="[on a terminal, unless NO_COLOR is set]")]


class OwnCallable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of one of a project's own callables, in pyproject.toml or on the command line."""

    loss: str
    framework: str
    contract: str = ""
    grad: str | None = None


class VerifyOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of `verify`, in the order of its help; what was not said is None, or an empty list."""

    patterns: Annotated[
        Names,
        Option(
            positional=True,
            metavar="PATTERN|module:attribute",
            help="Implementations ('torch.*') or your own callable. Without any: all whose framework is installed.",
            decides=("patterns", "users"),
        ),
    ] = []
    loss: Losses = []
    framework: Frameworks = []
    dtype: Annotated[
        Names, Option(metavar="NAME,…", help="float16, bfloat16, float32, float64 [by profile].", sets="dtypes")
    ] = []
    device: Devices = []
    mode: Annotated[
        Names, Option(metavar="NAME,…", help="eager, jit, compile, vmap, … [by profile].", sets="modes")
    ] = []
    law: Annotated[Names, Option(metavar="PATTERN", help="Laws, by name or group [all].", sets="laws")] = []
    profile: Annotated[str | None, Option(metavar="NAME", help="quick, ci or nightly [ci].", sets="profile")] = None
    seed: Annotated[int | None, Option(metavar="N", help="Same seed, same verdicts [0].", sets="seed")] = None
    jobs: Jobs = None
    timeout: Annotated[
        float | None,
        Option(
            metavar="SECONDS",
            help="Limit for a pass (implementation × dtype × mode) [by profile].",
            positive="a number of seconds above 0",
        ),
    ] = None
    reference: Annotated[bool | None, Option(help="Only the reference implementations.", decides=("patterns",))] = None
    contract: Contract = None
    ledger: Annotated[
        str | None,
        Option(
            metavar="FILE", help="Known deviations of your own [./hingeproof-deviations.toml].", decides=("deviations",)
        ),
    ] = None
    grad: Grad = None
    strict: Annotated[bool | None, Option(help="Undecided is an exit code of its own (3).", sets="strict")] = None
    fail_fast: Annotated[bool | None, Option(help="Stop after the first finding.")] = None
    last_failed: Annotated[bool, Option(help="Only what failed in the newest complete run.", stored=False)] = False
    out: Annotated[str | None, Option(metavar="DIR", help="Run directory [.hingeproof/runs/<UTC>-verify].")] = None
    resume: Annotated[
        bool, Option(help="Go on with the run in --out, or with the newest incomplete one.", stored=False)
    ] = False
    junit: Annotated[str | None, Option(metavar="FILE", help="Write JUnit XML, too.")] = None
    dry_run: Annotated[bool, Option(help="Only count the checks and guess the time.", stored=False)] = False
    quiet: Annotated[bool | None, Option(short="-q", help="Only the verdict sentence.")] = None
    json: Annotated[bool | None, Option(help="Print JSON instead of the report.")] = None
    color: Color = None
    # [tool.hingeproof.implementations]: the callables of a project, by module:attribute
    implementations: dict[str, OwnCallable] = {}
    # the fields of a plan that the command line decides: what pyproject.toml says does not count
    decided: tuple[str, ...] = ()

    @property
    def workers(self) -> int:
        from hingeproof.frameworks.environment import cpus

        return self.jobs if self.jobs is not None else cpus()


def options(given: VerifyOptions, configuration: Path) -> VerifyOptions:
    """Return what was given over what is configured. Raises: UsageError for what makes no sense."""
    from hingeproof.plan.profiles import PROFILES

    found = msgspec.structs.replace(configured(configuration), **said(given), decided=decided(given))
    check(found)
    if found.contract is not None:
        from hingeproof.plan.contract_keys import parse

        parse(found.contract)
    if found.profile is not None:
        among(found.profile, PROFILES, "profile")
    return found


def configured(path: Path) -> VerifyOptions:
    """Return the defaults in `[tool.hingeproof]`. Raises: UsageError for a key that is none of ours."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("hingeproof", {})
    except FileNotFoundError:
        return VerifyOptions()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from None
    stored = {d.name: d for d in declared(VerifyOptions) if d.option.stored}
    known = [*stored, "implementations"]
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"[tool.hingeproof] in {path.name}: no option is named {key!r}{nearest(name, known)}")
        one_text = name in stored and stored[name].many and isinstance(value, str)
        values[name] = [value] if one_text else value
    try:
        found = msgspec.convert(values, VerifyOptions)
    except msgspec.ValidationError as error:
        raise UsageError(f"[tool.hingeproof] in {path.name}: {error}") from None
    lists = [name for name, d in stored.items() if d.many and not d.option.positional]
    return msgspec.structs.replace(found, **{name: split(getattr(found, name)) for name in lists})
