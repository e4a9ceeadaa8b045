"""What the user asked for: the command line over `[tool.hingeproof]`, checked name by name, as a plan."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from hingeproof.errors import UsageError, among, nearest
from hingeproof.frameworks.environment import cpus, present, to_install
from hingeproof.runs.records import Plan, UserImplementation

DEVICES = ("cpu", "cuda")
PROFILES = ("quick", "ci", "nightly")
PLANNED = (
    "patterns", "loss", "framework", "dtype", "device", "mode", "law", "profile", "seed", "strict", "contract", "grad",
    "reference", "ledger",
)  # fmt: skip


class Declared(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of a project's own callables in pyproject.toml."""

    loss: str
    framework: str
    contract: str = ""
    grad: str | None = None


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename={"as_json": "json"}):
    """The options of `verify`; what was not said is None, or an empty list."""

    patterns: list[str] = []
    loss: list[str] = []
    framework: list[str] = []
    dtype: list[str] = []
    device: list[str] = []
    mode: list[str] = []
    law: list[str] = []
    profile: str | None = None
    seed: int | None = None
    strict: bool | None = None
    contract: str | None = None
    grad: str | None = None
    reference: bool | None = None
    jobs: int | None = None
    timeout: float | None = None
    out: str | None = None
    junit: str | None = None
    quiet: bool | None = None
    as_json: bool | None = None
    color: bool | None = None
    fail_fast: bool | None = None
    ledger: str | None = None
    # [tool.hingeproof.implementations]: the callables of a project, by module:attribute
    implementations: dict[str, Declared] = {}
    # which of PLANNED the command line gave, not pyproject.toml
    said: list[str] = []

    @property
    def workers(self) -> int:
        return self.jobs if self.jobs is not None else cpus()


def split(values: Sequence[str] | None) -> list[str]:
    """Make repeated and comma-separated values equal, and each stand once."""
    return list(dict.fromkeys(part.strip() for value in values or () for part in value.split(",") if part.strip()))


_LISTS = ("loss", "framework", "dtype", "device", "mode", "law")


def options(given: Mapping[str, Any], configuration: Path) -> Options:
    """Return the options, those of the command line first. Raises: UsageError for what makes no sense."""
    merged = configured(configuration)
    given = {name: value for name, value in given.items() if value not in (None, [], ())}
    merged.update(given)
    for name in _LISTS:
        if name in merged:
            merged[name] = split([merged[name]] if isinstance(merged[name], str) else merged[name])
    if isinstance(merged.get("patterns"), str):
        merged["patterns"] = [merged["patterns"]]
    try:
        found = msgspec.convert(merged, Options)
    except msgspec.ValidationError as error:
        raise UsageError(f"[tool.hingeproof] in {configuration.name}: {error}") from None
    found.said = [name for name in PLANNED if name in given]
    if found.jobs is not None and found.jobs < 1:
        raise UsageError(f"--jobs {found.jobs}: give at least 1")
    if found.timeout is not None and not found.timeout > 0:
        raise UsageError(f"--timeout {found.timeout:g}: give a number of seconds above 0")
    if found.contract is not None:
        from hingeproof.plan.contract_keys import parse

        parse(found.contract)
    if found.profile is not None:
        among(found.profile, PROFILES, "profile")
    return found


def configured(path: Path) -> dict[str, Any]:
    """Return the defaults in `[tool.hingeproof]`. Raises: UsageError for a key that is none of ours."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("hingeproof", {})
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from None
    out = {}
    hidden = ("said", "as_json")
    known = ["json", *(name for name in Options.__struct_fields__ if name not in hidden)]
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"[tool.hingeproof] in {path.name}: no option is named {key!r}{nearest(name, known)}")
        out[name] = value
    return out


def plan(wanted: Options, users: tuple[UserImplementation, ...]) -> Plan:
    """Return the plan. Raises: UsageError for a name that nothing has."""
    from hingeproof.frameworks.implementation import DTYPES
    from hingeproof.frameworks.registry import FRAMEWORKS, MODES
    from hingeproof.ledger.deviations import ledger
    from hingeproof.properties.catalogue import LAWS
    from hingeproof.reference_impls.losses import LOSSES

    for name in wanted.loss:
        among(name, LOSSES, "loss", see="hingeproof list losses")
    for name in wanted.framework:
        among(name, FRAMEWORKS, "framework")
        needed(name, f"--framework {name}")
    for name in wanted.dtype:
        among(name, DTYPES, "dtype")
    for name in wanted.device:
        among(name, DEVICES, "device")
    for name in wanted.mode:
        among(name, dict.fromkeys(mode for modes in MODES.values() for mode in modes), "mode")
    for pattern in wanted.law:
        groups = {law.group for law in LAWS.values()}
        if pattern not in groups and not any(fnmatchcase(name, pattern) for name in LAWS):
            raise UsageError(
                f"no law matches {pattern!r}{nearest(pattern, [*LAWS, *groups]) or ': see hingeproof list laws'}"
            )
    return Plan(
        patterns=_patterns(wanted, users),
        losses=tuple(wanted.loss),
        frameworks=tuple(wanted.framework),
        dtypes=tuple(wanted.dtype),
        devices=tuple(wanted.device),
        modes=tuple(wanted.mode),
        laws=tuple(wanted.law),
        profile=wanted.profile or "ci",  # type: ignore[arg-type]  # among PROFILES
        seed=wanted.seed or 0,
        strict=bool(wanted.strict),
        users=users,
        deviations=ledger(wanted.ledger),
    )


def _patterns(wanted: Options, users: tuple[UserImplementation, ...]) -> tuple[str, ...]:
    """Return the patterns for registered implementations; with --reference, the names they come to."""
    from hingeproof.contracts import IMPLEMENTATIONS

    patterns = [p for p in wanted.patterns if ":" not in p]
    for pattern in patterns:
        found = [n for n in IMPLEMENTATIONS if fnmatchcase(n, pattern)]
        if not found and any(fnmatchcase(user.target, pattern) for user in users):
            continue
        if not found:
            hint = nearest(pattern, IMPLEMENTATIONS) or ": see hingeproof list implementations"
            raise UsageError(f"no implementation matches {pattern!r}{hint}")
        if found == [pattern]:  # asked for by its very name
            for module in (IMPLEMENTATIONS[pattern].framework, *IMPLEMENTATIONS[pattern].requires):
                needed(module, pattern)
    if not wanted.reference:
        return tuple(patterns)
    chosen = [
        name
        for name, implementation in IMPLEMENTATIONS.items()
        if implementation.reference and (not patterns or any(fnmatchcase(name, p) for p in patterns))
    ]
    if not chosen:
        raise UsageError(f"--reference: none of {', '.join(patterns)} is a reference implementation")
    return tuple(chosen)


def needed(module: str, wanted_by: str) -> None:
    """Raise UsageError where a framework that was asked for by name is not there."""
    if not present(module):
        raise UsageError(f"{wanted_by}: {module} is not installed (pip install {to_install(module)})")
