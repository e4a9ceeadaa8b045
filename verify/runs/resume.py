"""Which earlier run a command goes on from, and when that would be another run than the one that was begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from hingeproof.errors import UsageError
from hingeproof.runs.directory import RUNS, known_runs
from hingeproof.runs.kinds import VERIFY, InfoT, RowT, RunKind
from hingeproof.runs.reader import read_info, records
from hingeproof.runs.records import FINDINGS, Plan


def incomplete(out: str | None, kind: RunKind[InfoT, RowT]) -> tuple[Path, InfoT]:
    """Return the run in `--out`, or the newest incomplete one of its kind. Raises: UsageError where there is none."""
    if out is None:
        found = next(((path, info) for path, info in known_runs(kind) if not info.complete), None)
        if found is None:
            raise UsageError(f"there is no incomplete run of `{kind.command}` in {RUNS}: name one with --out")
        return found
    info = read_info(Path(out), kind)
    if info.complete:
        raise UsageError(f"the run in {out} is complete: there is nothing to resume")
    return Path(out), info


def refuse_changed(directory: Path, what: str, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise UsageError where something that decides what a run finds (`versions`, say) is not as it was."""
    changed = [
        f"{name} {then.get(name, 'absent')} → {now.get(name, 'absent')}"
        for name in sorted({*now, *then})
        if then.get(name) != now.get(name)
    ]
    if changed:
        raise UsageError(f"the run in {directory} cannot go on: {what} changed ({', '.join(changed)}); start a new one")


def refuse_another(directory: Path, then: msgspec.Struct, asked: msgspec.Struct, fields: Iterable[str]) -> None:
    """Raise UsageError where a plan is asked for otherwise, in these of its fields, than the run has it."""
    differs = [
        f"{field} was {getattr(then, field)!r}, is {getattr(asked, field)!r}"
        for field in fields
        if getattr(then, field) != getattr(asked, field)
    ]
    if differs:
        raise UsageError(
            f"the run in {directory} cannot go on, it was asked for otherwise: {'; '.join(differs)} "
            "(leave these options out, or start a new run)"
        )


def failed() -> tuple[Plan, tuple[str, ...]]:
    """Return the plan of the newest complete run, and the checks that failed in it. Raises: UsageError for none."""
    newest = next(((path, info) for path, info in known_runs(VERIFY) if info.complete), None)
    if newest is None:
        raise UsageError(f"--last-failed: there is no complete run in {RUNS}")
    directory, info = newest
    checks = tuple(r.check for r in records(directory, info, VERIFY) if r.verdict in FINDINGS)
    if not checks:
        raise UsageError(f"--last-failed: nothing failed in {directory}")
    return info.plan, checks
