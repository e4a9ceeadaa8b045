"""A plan of what was asked for: every name is looked up, and a framework asked for by name must be there."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import UsageError, among, nearest
from hingeproof.frameworks.environment import present, to_install
from hingeproof.frameworks.implementation import DTYPES
from hingeproof.frameworks.registry import FRAMEWORKS, MODES
from hingeproof.plan.option import as_plan
from hingeproof.plan.options import VerifyOptions
from hingeproof.properties.catalogue import LAWS
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Deviation, Plan, UserImplementation

DEVICES = ("cpu", "cuda")


def plan(
    wanted: VerifyOptions, users: tuple[UserImplementation, ...] = (), deviations: tuple[Deviation, ...] = ()
) -> Plan:
    """Return the plan. Raises: UsageError for a name that nothing has."""
    modes = dict.fromkeys(mode for modes in MODES.values() for mode in modes)
    _known(wanted.loss, LOSSES, "loss", see="hingeproof list losses")
    _known(wanted.framework, FRAMEWORKS, "framework")
    for name in wanted.framework:
        needed(name, f"--framework {name}")
    _known(wanted.dtype, DTYPES, "dtype")
    _known(wanted.device, DEVICES, "device")
    _known(wanted.mode, modes, "mode")
    for pattern in wanted.law:
        groups = {law.group for law in LAWS.values()}
        if pattern not in groups and not any(fnmatchcase(name, pattern) for name in LAWS):
            raise UsageError(
                f"no law matches {pattern!r}{nearest(pattern, [*LAWS, *groups]) or ': see hingeproof list laws'}"
            )
    patterns = _patterns(wanted, users)
    return msgspec.structs.replace(as_plan(wanted, Plan), patterns=patterns, users=users, deviations=deviations)


def _known(given: Iterable[str], names: Iterable[str], what: str, *, see: str = "") -> None:
    for name in given:
        among(name, names, what, see=see)


def _patterns(wanted: VerifyOptions, users: tuple[UserImplementation, ...]) -> tuple[str, ...]:
    """Return the patterns for registered implementations; with --reference, the names they come to."""
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
