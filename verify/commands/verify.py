"""`hingeproof verify`: plan, run, report, exit code."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hingeproof.errors import GOOD, INTERNAL, INTERRUPTED, NOTHING, UsageError
from hingeproof.frameworks.environment import environment, versions, without_home
from hingeproof.ledger.deviations import overdue
from hingeproof.plan.options import Options, decided, plan
from hingeproof.plan.user import users
from hingeproof.runs import reader
from hingeproof.runs.directory import new_directory, refuse_what_is_there
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.records import FINDINGS, SCHEMA_VERSION, Plan, RunInfo
from hingeproof.runs.resume import failed, incomplete, refuse_another, refuse_changed

if TYPE_CHECKING:
    from rich.console import Console

    from hingeproof.plan.checks import Table
    from hingeproof.run.controller import Outcome


def verify(wanted: Options, *, last_failed: bool, resume: bool, dry_run: bool) -> int:
    """Do what was asked and return the exit code. Raises: UsageError."""
    from hingeproof.plan.checks import build
    from hingeproof.plan.estimate import weights
    from hingeproof.run import drawing
    from hingeproof.run.controller import execute
    from hingeproof.run.progress import Progress
    from hingeproof.runs.passes import Passes

    if resume and last_failed:
        raise UsageError("--resume and --last-failed exclude each other: the run to resume knows its checks")
    if resume:
        directory, info = _to_resume(wanted)
        table = build(info.plan)
    else:
        if wanted.out is not None and not dry_run:
            refuse_what_is_there(Path(wanted.out))
        todo = _last_failed(wanted) if last_failed else _plan(wanted)
        table = build(todo)
        info = _info(todo, table)
    if not table.checks:
        return _nothing(table)
    if dry_run:
        return _dry_run(wanted, table, info.plan)
    if not resume:
        directory = new_directory(wanted.out, VERIFY)
    for entry in overdue(info.plan.deviations, datetime.datetime.now(datetime.UTC).date()):
        _say(f"warning: the deviation {entry.id} was to be reviewed by {entry.review_by}: look at {entry.link} again")
    passes = Passes(directory)
    judged = passes.journal.rows() if resume else {}
    open_ones = {check: weight for check, weight in weights(table.checks).items() if check not in judged}
    progress = Progress(_console(wanted, sys.stderr), open_ones, quiet=bool(wanted.quiet))
    outcome = execute(
        passes,
        info,
        table.checks,
        jobs=wanted.workers,
        timeout=wanted.timeout,
        fail_fast=bool(wanted.fail_fast),
        progress=progress,
    )
    if outcome.info.complete and not outcome.interrupted:
        drawing.write(directory, outcome.info)
    code = _report(wanted, outcome, directory)
    if outcome.interrupted:
        _say(f"stopped: nothing judged is lost; to go on: hingeproof verify --resume --out {directory}")
        return INTERRUPTED
    if outcome.broken:
        _say(f"{outcome.broken} (to judge the rest: hingeproof verify --resume --out {directory})")
        return INTERNAL
    return code


# -- what to do ------------------------------------------------------------------------------------------------


def _plan(wanted: Options) -> Plan:
    return plan(wanted, users(wanted))


def _to_resume(wanted: Options) -> tuple[Path, RunInfo]:
    """Return the run to go on with. Raises: UsageError where it would not be the same run."""
    directory, info = incomplete(wanted.out, VERIFY)
    now = versions()
    facts = environment().keys() - now.keys()  # of the machine: they decide no verdict
    refuse_changed(directory, "versions", {n: v for n, v in info.environment.items() if n not in facts}, now)
    if wanted.said:
        refuse_another(directory, info.plan, _plan(wanted), decided(wanted.said))
    return directory, info


def _last_failed(wanted: Options) -> Plan:
    """Return the plan of what failed in the newest complete run. Raises: UsageError where nothing did."""
    before, checks = failed()
    return msgspec.structs.replace(_plan(wanted) if wanted.said else before, checks=checks)


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


# -- what came of it -------------------------------------------------------------------------------------------


def _nothing(table: Table) -> int:
    reasons = [f"{count:,} checks need {name}, which is not installed" for name, count in sorted(table.missing.items())]
    if table.not_applicable:
        reasons.append(f"{table.not_applicable:,} do not apply")
    _say(
        f"nothing to judge: no check is left of what was asked for ({'; '.join(reasons) or 'no combination offers it'})"
    )
    return NOTHING


def _dry_run(wanted: Options, table: Table, todo: Plan) -> int:
    from hingeproof.plan.estimate import in_words, seconds

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
    what = f"{len(table.checks):,} checks in {passes:,} passes, about {in_words(guess)} with {workers}"
    print(f"{what}; {table.not_applicable:,} not applicable")
    for name, count in sorted(table.missing.items()):
        print(f"{name} is not installed: its {count:,} checks would not run")
    return GOOD


def _report(wanted: Options, outcome: Outcome, directory: Path) -> int:
    """Write the report and return the exit code that the verdicts deserve."""
    from hingeproof.reports import pairs
    from hingeproof.reports.summary import summarise
    from hingeproof.reports.write import junit, terminal

    summary = summarise(outcome.info, outcome.records)
    if wanted.junit is not None:
        try:
            junit.write(outcome.info, outcome.records, Path(wanted.junit))
        except OSError as error:
            raise UsageError(
                f"--junit {wanted.junit} cannot be written: {error.strerror} (the run is in {directory})"
            ) from None
    if wanted.as_json:
        print(msgspec.json.encode(_as_json(outcome, directory, summary.exit_code)).decode())
    elif wanted.quiet:
        print(terminal.verdict_sentence(outcome.info, summary))
    else:
        from hingeproof.properties.catalogue import LAWS

        terminal.render(
            outcome.info,
            outcome.records,
            {name: law.statement for name, law in LAWS.items()},
            _console(wanted, sys.stdout),
        )
        pairs.render(reader.pairs(directory), _console(wanted, sys.stdout))
    if not wanted.quiet:
        _say(f"records and environment: {directory}", prefix="")
    return summary.exit_code


def _as_json(outcome: Outcome, directory: Path, code: int) -> dict[str, Any]:
    info = outcome.info
    findings = [r for r in outcome.records if r.verdict in FINDINGS]
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
