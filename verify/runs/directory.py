"""Which run directory: a new one, the one to resume, the one that failed last."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import msgspec

from hingeproof.errors import UsageError
from hingeproof.frameworks.environment import PACKAGES, versions
from hingeproof.plan.options import Options
from hingeproof.runs.records import Plan, RunInfo

RUNS = Path(".hingeproof") / "runs"
FINDINGS = ("fail", "crash", "timeout", "stale")
# Which fields of a plan an option decides.
DECIDES = {
    "patterns": ("patterns", "users"),
    "reference": ("patterns",),
    "loss": ("losses",),
    "framework": ("frameworks",),
    "dtype": ("dtypes",),
    "device": ("devices",),
    "mode": ("modes",),
    "law": ("laws",),
    "contract": ("users",),
    "grad": ("users",),
    "ledger": ("deviations",),
}
MakePlan = Callable[[Options], Plan]


def new_directory(wanted: Options) -> Path:
    """Return the directory to write. Raises: UsageError where it holds something."""
    if wanted.out is not None:
        refuse_what_is_there(Path(wanted.out))
        return Path(wanted.out)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1000):
        directory = RUNS / f"{stamp}-verify{f'-{number}' if number else ''}"
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        return directory
    raise UsageError(f"{RUNS} has a thousand runs of this second: clear it")


def refuse_what_is_there(directory: Path) -> None:
    """Raise UsageError for a directory that holds something, or something that is none."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"--out {directory} is not empty: name another, or add --resume to go on with the run in it")


def known_runs() -> list[tuple[Path, RunInfo]]:
    """Return the runs in the default place, the newest first."""
    from hingeproof.runs.reader import UnreadableRunError, read_info

    found = []
    for directory in RUNS.glob("*-verify*"):
        try:
            found.append((directory, read_info(directory)))
        except UnreadableRunError:
            continue  # a run that was killed before it began, or of another version
    return sorted(found, key=lambda run: (run[1].started, run[0].name), reverse=True)


def to_resume(wanted: Options, make_plan: MakePlan) -> tuple[Path, RunInfo]:
    """Return the run to go on with. Raises: UsageError where it would not be the same run."""
    directory, info = _incomplete(wanted)
    now = versions()
    then = {n: v for n, v in info.environment.items() if n == "python" or n in PACKAGES}
    changed = [
        f"{name} {then.get(name, 'absent')} → {now.get(name, 'absent')}"
        for name in sorted({*now, *then})
        if then.get(name) != now.get(name)
    ]
    if changed:
        raise UsageError(
            f"the run in {directory} cannot go on: versions changed ({', '.join(changed)}); start a new one"
        )
    if wanted.said:
        asked = make_plan(wanted)
        fields = dict.fromkeys(field for option in wanted.said for field in DECIDES.get(option, (option,)))
        differs = [
            f"{field} was {getattr(info.plan, field)!r}, is {getattr(asked, field)!r}"
            for field in fields
            if getattr(info.plan, field) != getattr(asked, field)
        ]
        if differs:
            raise UsageError(
                f"the run in {directory} cannot go on, it was asked for otherwise: {'; '.join(differs)} "
                "(leave these options out, or start a new run)"
            )
    return directory, info


def _incomplete(wanted: Options) -> tuple[Path, RunInfo]:
    from hingeproof.runs.reader import UnreadableRunError, read_info

    if wanted.out is None:
        runs = [(path, info) for path, info in known_runs() if not info.complete]
        if not runs:
            raise UsageError(f"there is no incomplete run in {RUNS}: name one with --out")
        return runs[0]
    directory = Path(wanted.out)
    try:
        info = read_info(directory)
    except UnreadableRunError as error:
        raise UsageError(str(error)) from None
    if info.complete:
        raise UsageError(f"the run in {directory} is complete: there is nothing to resume")
    return directory, info


def last_failed(wanted: Options, make_plan: MakePlan) -> Plan:
    """Return the plan of what failed in the newest complete run. Raises: UsageError where nothing did."""
    from hingeproof.runs.reader import UnreadableRunError, read

    newest = next(((path, info) for path, info in known_runs() if info.complete), None)
    if newest is None:
        raise UsageError(f"--last-failed: there is no complete run in {RUNS}")
    try:
        failed = tuple(r.check for r in read(newest[0]).records if r.verdict in FINDINGS)
    except UnreadableRunError as error:
        raise UsageError(str(error)) from None
    if not failed:
        raise UsageError(f"--last-failed: nothing failed in {newest[0]}")
    base = make_plan(wanted) if wanted.said else newest[1].plan
    return msgspec.structs.replace(base, checks=failed)
