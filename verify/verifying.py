"""`hingeproof verify`: plan, run, report, exit code."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hingeproof.environment import FLAGS, environment, versions, without_home
from hingeproof.errors import GOOD, INTERNAL, INTERRUPTED, NOTHING, UsageError
from hingeproof.options import Options, plan, user_targets
from hingeproof.records import SCHEMA_VERSION, Plan, Record, RunInfo, UserImplementation

if TYPE_CHECKING:
    from rich.console import Console

    from hingeproof.run import Outcome
    from hingeproof.table import Table

RUNS = Path(".hingeproof") / "runs"
FINDINGS = ("fail", "crash", "timeout", "stale")


def verify(wanted: Options, *, last_failed: bool, resume: bool, dry_run: bool) -> int:
    """Do what was asked and return the exit code. Raises: UsageError."""
    from hingeproof.estimate import weights
    from hingeproof.journal import Journal
    from hingeproof.progress import Progress
    from hingeproof.run import execute
    from hingeproof.table import build

    if resume and last_failed:
        raise UsageError("--resume and --last-failed exclude each other: the run to resume knows its checks")
    if resume:
        directory, info = _to_resume(wanted)
        table = build(info.plan)
    else:
        todo = _last_failed(wanted) if last_failed else plan(wanted, _users(wanted))
        table = build(todo)
        directory = None if dry_run else _new_directory(wanted)
        info = _info(todo, table)
    if not table.checks:
        return _nothing(table)
    if dry_run:
        return _dry_run(wanted, table, info.plan)
    assert directory is not None
    errors = _console(wanted, sys.stderr)
    journal = Journal(directory)
    judged = journal.records() if resume else {}
    progress = Progress(
        errors,
        {i: w for i, w in weights(table.checks).items() if i not in judged},
        quiet=bool(wanted.quiet),
    )
    outcome = execute(
        journal,
        info,
        table.checks,
        jobs=wanted.workers,
        timeout=wanted.timeout,
        fail_fast=bool(wanted.fail_fast),
        progress=progress,
    )
    code = _report(wanted, outcome, directory)
    if outcome.interrupted:
        _say(f"stopped: nothing judged is lost; to go on: hingeproof verify --resume --out {directory}")
        return INTERRUPTED
    if outcome.broken:
        _say(f"{outcome.broken} (to judge the rest: hingeproof verify --resume --out {directory})")
        return INTERNAL
    return code


# -- what to do ------------------------------------------------------------------------------------------------


def _users(wanted: Options) -> tuple[UserImplementation, ...]:
    """Look at the user's callables, each in a process of its own. Raises: UsageError."""
    targets = user_targets(wanted)
    if not targets:
        return ()
    from hingeproof.errors import among
    from hingeproof.implementation import FRAMEWORKS
    from hingeproof.options import needed
    from hingeproof.preflight import Question, preflight
    from hingeproof.reference_impls.losses import LOSSES

    (name,), (framework,) = wanted.loss, wanted.framework
    loss = LOSSES[among(name, LOSSES, "loss", see="hingeproof list losses")]
    needed(among(framework, FRAMEWORKS, "framework"), f"--framework {framework}")
    settings = (*loss.parameters, "reduction", "weight", *(["class_weight"] if loss.class_weight else []))
    return tuple(
        preflight(
            Question(
                target=target,
                loss=name,
                framework=framework,
                inputs=loss.margins.inputs,
                row=loss.margins.row,
                targets=loss.margins.targets,
                names=settings,
                grad=wanted.grad,
                strict=wanted.contract == "strict",
            ),
            {**os.environ, **FLAGS},
        )
        for target in targets
    )


def _info(todo: Plan, table: Table) -> RunInfo:
    return RunInfo(
        schema_version=SCHEMA_VERSION,
        kind="verify",
        plan=todo,
        environment=environment(),
        arguments=[without_home(argument) for argument in sys.argv[1:]],
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        complete=False,
        checks=len(table.checks),
        not_applicable=table.not_applicable,
        missing=table.missing,
    )


def _new_directory(wanted: Options) -> Path:
    if wanted.out is not None:
        directory = Path(wanted.out)
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(f"--out {directory} is not empty: name another, or add --resume to go on with the run in it")
        return directory
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1000):
        directory = RUNS / f"{stamp}-verify{f'-{number}' if number else ''}"
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        return directory
    raise UsageError(f"{RUNS} has a thousand runs of this second: clear it")


def _runs() -> list[tuple[Path, RunInfo]]:
    """Return the runs in the default place, the newest first."""
    from hingeproof.reports.read import UnreadableRunError, read_info

    found = []
    for directory in RUNS.glob("*-verify*"):
        try:
            found.append((directory, read_info(directory)))
        except UnreadableRunError:
            continue  # a run that was killed before it began, or of another version
    return sorted(found, key=lambda run: (run[1].started, run[0].name), reverse=True)


def _to_resume(wanted: Options) -> tuple[Path, RunInfo]:
    """Return the run to go on with. Raises: UsageError where it would not be the same run."""
    from hingeproof.reports.read import UnreadableRunError, read_info

    if wanted.out is not None:
        directory = Path(wanted.out)
        try:
            info = read_info(directory)
        except UnreadableRunError as error:
            raise UsageError(str(error)) from None
        if info.complete:
            raise UsageError(f"the run in {directory} is complete: there is nothing to resume")
    else:
        runs = [(path, info) for path, info in _runs() if not info.complete]
        if not runs:
            raise UsageError(f"there is no incomplete run in {RUNS}: name one with --out")
        directory, info = runs[0]
    now = versions()
    then = {name: info.environment.get(name) for name in {*now, *(n for n in info.environment if n in _VERSIONED)}}
    changed = [f"{name} {then.get(name)} → {now.get(name)}" for name in sorted({*now, *then}) if then.get(name) != now.get(name)]
    if changed:
        raise UsageError(f"the run in {directory} cannot go on, since versions changed: {', '.join(changed)}; start a new one")
    if wanted.planned() and not _only_configured(wanted):
        asked = plan(wanted, _users(wanted))
        differs = [
            f"{name} was {getattr(info.plan, name)!r}, is {getattr(asked, name)!r}"
            for name in Plan.__struct_fields__
            if name != "checks" and getattr(info.plan, name) != getattr(asked, name)
        ]
        if differs:
            raise UsageError(
                f"the run in {directory} cannot go on, since it was asked for otherwise: {'; '.join(differs)}; "
                "leave the options out, or start a new run"
            )
    return directory, info


def _only_configured(wanted: Options) -> bool:
    """Tell whether the plan's options come from pyproject.toml alone: the command line named none."""
    from hingeproof.options import options

    return options({}, Path("pyproject.toml")).planned() == wanted.planned() and all(
        getattr(options({}, Path("pyproject.toml")), name) == getattr(wanted, name) for name in wanted.planned()
    )


_VERSIONED = ("python", "hingeproof", "numpy", "torch", "jax", "jaxlib", "optax", "scikit-learn", "ml_dtypes", "hypothesis")


def _last_failed(wanted: Options) -> Plan:
    """Return the plan of what failed last. Raises: UsageError where nothing did."""
    from hingeproof.reports.read import read

    newest = next(((path, info) for path, info in _runs() if info.complete), None)
    if newest is None:
        raise UsageError(f"--last-failed: there is no complete run in {RUNS}")
    failed = tuple(r.check for r in read(newest[0]).records if r.verdict in FINDINGS)
    if not failed:
        raise UsageError(f"--last-failed: nothing failed in {newest[0]}")
    base = newest[1].plan
    if wanted.planned() and not _only_configured(wanted):
        base = plan(wanted, _users(wanted))
    return msgspec.structs.replace(base, checks=failed)


# -- what came of it -------------------------------------------------------------------------------------------


def _nothing(table: Table) -> int:
    reasons = [f"{count:,} checks need {name}, which is not installed" for name, count in sorted(table.missing.items())]
    if table.not_applicable:
        reasons.append(f"{table.not_applicable:,} do not apply")
    _say(f"nothing to judge: no check is left of what was asked for ({'; '.join(reasons) or 'no combination offers it'})")
    return NOTHING


def _dry_run(wanted: Options, table: Table, todo: Plan) -> int:
    from hingeproof.estimate import in_words, seconds

    passes = len({check.pass_id for check in table.checks})
    guess = seconds(table.checks, todo, wanted.workers)
    if wanted.as_json:
        facts = {
            "checks": len(table.checks), "passes": passes, "not_applicable": table.not_applicable,
            "missing": table.missing, "seconds": round(guess), "jobs": wanted.workers,
        }  # fmt: skip
        print(msgspec.json.encode(facts).decode())
        return GOOD
    workers = f"{wanted.workers} worker{'s' if wanted.workers > 1 else ''}"
    print(f"{len(table.checks):,} checks in {passes:,} passes, about {in_words(guess)} with {workers}; {table.not_applicable:,} not applicable")
    for name, count in sorted(table.missing.items()):
        print(f"{name} is not installed: its {count:,} checks would not run")
    return GOOD


def _report(wanted: Options, outcome: Outcome, directory: Path) -> int:
    """Write the report and return the exit code that the verdicts deserve."""
    from hingeproof.reports import junit, terminal
    from hingeproof.reports.summary import summarise

    summary = summarise(outcome.info, outcome.records)
    if wanted.junit is not None:
        try:
            junit.write(outcome.info, outcome.records, Path(wanted.junit))
        except OSError as error:
            raise UsageError(f"--junit {wanted.junit} cannot be written: {error.strerror} (the run is in {directory})") from None
    if wanted.as_json:
        print(msgspec.json.encode(_as_json(outcome, directory, summary.exit_code)).decode())
    elif wanted.quiet:
        print(terminal.verdict_sentence(outcome.info, summary))
    else:
        from hingeproof.properties.catalogue import LAWS

        terminal.render(
            outcome.info, outcome.records, {name: law.statement for name, law in LAWS.items()}, _console(wanted, sys.stdout)
        )
    if not wanted.quiet:
        _say(f"records and environment: {directory}", prefix="")
    return summary.exit_code


def _as_json(outcome: Outcome, directory: Path, code: int) -> dict[str, Any]:
    info = outcome.info
    findings: Sequence[Record] = [r for r in outcome.records if r.verdict in FINDINGS]
    verdicts: dict[str, int] = {}
    for record in outcome.records:
        verdicts[record.verdict] = verdicts.get(record.verdict, 0) + 1
    return {
        "run": str(directory), "complete": info.complete, "exit_code": code, "seconds": info.seconds,
        "profile": info.plan.profile, "seed": info.plan.seed, "checks": info.checks,
        "not_applicable": info.not_applicable, "missing": info.missing, "verdicts": verdicts, "findings": findings,
    }  # fmt: skip


def _console(wanted: Options, stream: Any) -> Console:
    from rich.console import Console

    if wanted.color is None:
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, no_color=not wanted.color, force_terminal=wanted.color or None)


def _say(text: str, *, prefix: str = "hingeproof: ") -> None:
    print(f"{prefix}{text}", file=sys.stderr, flush=True)


