"""`hingeproof verify`: plan, run, report, exit code. What it needs is imported when it runs."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hingeproof.commands.options import takes
from hingeproof.commands.output import console, statements
from hingeproof.errors import GOOD, INTERNAL, INTERRUPTED, NOTHING, UsageError
from hingeproof.plan.options import VerifyOptions

if TYPE_CHECKING:
    from hingeproof.plan.checks import Checklist
    from hingeproof.run.controller import Outcome
    from hingeproof.runs.records import Plan, RunInfo


@takes(VerifyOptions)
def verify(given: VerifyOptions) -> int:
    """Verify implementations against every law that applies to them.

    Your own callable is imported and called: verify what you would run. Defaults of all options can stand in
    [tool.hingeproof] of ./pyproject.toml.
    """
    from hingeproof.ledger.deviations import overdue
    from hingeproof.plan.checks import build
    from hingeproof.plan.estimate import weights
    from hingeproof.plan.options import options
    from hingeproof.run import drawing
    from hingeproof.run.controller import execute
    from hingeproof.run.progress import Progress
    from hingeproof.runs.directory import new_directory, refuse_what_is_there
    from hingeproof.runs.kinds import VERIFY
    from hingeproof.runs.passes import Passes

    wanted = options(given, Path("pyproject.toml"))
    if wanted.resume and wanted.last_failed:
        raise UsageError("--resume and --last-failed exclude each other: the run to resume knows its checks")
    if wanted.resume:
        directory, info = _to_resume(wanted)
        todo = build(info.plan)
    else:
        if wanted.out is not None and not wanted.dry_run:
            refuse_what_is_there(Path(wanted.out))
        plan = _last_failed(wanted) if wanted.last_failed else _plan(wanted)
        todo = build(plan)
        info = _info(plan, todo)
    if not todo.checks:
        return _nothing(todo)
    if wanted.dry_run:
        return _dry_run(wanted, todo, info.plan)
    if not wanted.resume:
        directory = new_directory(wanted.out, VERIFY)
    for entry in overdue(info.plan.deviations, datetime.datetime.now(datetime.UTC).date()):
        _say(f"warning: the deviation {entry.id} was to be reviewed by {entry.review_by}: look at {entry.link} again")
    passes = Passes(directory)
    judged = passes.journal.rows() if wanted.resume else {}
    open_ones = {check: weight for check, weight in weights(todo.checks).items() if check not in judged}
    progress = Progress(console(wanted.color, sys.stderr), open_ones, quiet=bool(wanted.quiet))
    outcome = execute(
        passes,
        info,
        todo.checks,
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


def _plan(wanted: VerifyOptions) -> Plan:
    from hingeproof.ledger.deviations import ledger
    from hingeproof.plan.plan import plan
    from hingeproof.plan.user import users

    return plan(wanted, users(wanted), ledger(wanted.ledger))


def _to_resume(wanted: VerifyOptions) -> tuple[Path, RunInfo]:
    """Return the run to go on with. Raises: UsageError where it would not be the same run."""
    from hingeproof.frameworks.environment import environment, versions
    from hingeproof.runs.kinds import VERIFY
    from hingeproof.runs.resume import incomplete, refuse_another, refuse_changed

    directory, info = incomplete(wanted.out, VERIFY)
    now = versions()
    facts = environment().keys() - now.keys()  # of the machine: they decide no verdict
    refuse_changed(directory, "versions", {n: v for n, v in info.environment.items() if n not in facts}, now)
    if wanted.decided:
        refuse_another(directory, info.plan, _plan(wanted), wanted.decided)
    return directory, info


def _last_failed(wanted: VerifyOptions) -> Plan:
    """Return the plan of what failed in the newest complete run. Raises: UsageError where nothing did."""
    from hingeproof.runs.resume import failed

    before, checks = failed()
    return msgspec.structs.replace(_plan(wanted) if wanted.decided else before, checks=checks)


def _info(plan: Plan, todo: Checklist) -> RunInfo:
    from hingeproof.frameworks.environment import environment, without_home
    from hingeproof.runs.records import SCHEMA_VERSION, RunInfo

    return RunInfo(
        schema_version=SCHEMA_VERSION,
        kind="verify",
        plan=plan,
        environment=environment(),
        arguments=[without_home(argument) for argument in sys.argv[1:]],
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        complete=False,
        checks=len(todo.checks),
        not_applicable=todo.not_applicable,
        missing=todo.missing,
    )


# -- what came of it -------------------------------------------------------------------------------------------


def _nothing(todo: Checklist) -> int:
    reasons = [f"{count:,} checks need {name}, which is not installed" for name, count in sorted(todo.missing.items())]
    if todo.not_applicable:
        reasons.append(f"{todo.not_applicable:,} do not apply")
    _say(
        f"nothing to judge: no check is left of what was asked for ({'; '.join(reasons) or 'no combination offers it'})"
    )
    return NOTHING


def _dry_run(wanted: VerifyOptions, todo: Checklist, plan: Plan) -> int:
    from hingeproof.plan.estimate import in_words, seconds

    passes = len({check.pass_id for check in todo.checks})
    guess = seconds(todo.checks, plan, wanted.workers)
    if wanted.json:
        facts = {
            "checks": len(todo.checks), "passes": passes, "not_applicable": todo.not_applicable,
            "missing": todo.missing, "seconds": round(guess), "jobs": wanted.workers,
        }  # fmt: skip
        print(msgspec.json.encode(facts).decode())
        return GOOD
    workers = f"{wanted.workers} worker{'s' if wanted.workers > 1 else ''}"
    what = f"{len(todo.checks):,} checks in {passes:,} passes, about {in_words(guess)} with {workers}"
    print(f"{what}; {todo.not_applicable:,} not applicable")
    for name, count in sorted(todo.missing.items()):
        print(f"{name} is not installed: its {count:,} checks would not run")
    return GOOD


def _report(wanted: VerifyOptions, outcome: Outcome, directory: Path) -> int:
    """Write the report and return the exit code that the verdicts deserve."""
    from hingeproof.reports import pairs
    from hingeproof.reports.summary import summarise
    from hingeproof.reports.write import junit, terminal
    from hingeproof.runs import reader

    summary = summarise(outcome.info, outcome.records)
    if wanted.junit is not None:
        try:
            junit.write(outcome.info, outcome.records, Path(wanted.junit))
        except OSError as error:
            raise UsageError(
                f"--junit {wanted.junit} cannot be written: {error.strerror} (the run is in {directory})"
            ) from None
    if wanted.json:
        print(msgspec.json.encode(_as_json(outcome, directory, summary.exit_code)).decode())
    elif wanted.quiet:
        print(terminal.verdict_sentence(outcome.info, summary))
    else:
        terminal.render(outcome.info, outcome.records, statements(), console(wanted.color))
        pairs.render(reader.pairs(directory), console(wanted.color))
    if not wanted.quiet:
        _say(f"records and environment: {directory}", prefix="")
    return summary.exit_code


def _as_json(outcome: Outcome, directory: Path, code: int) -> dict[str, Any]:
    from hingeproof.runs.records import FINDINGS

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


def _say(text: str, *, prefix: str = "hingeproof: ") -> None:
    print(f"{prefix}{text}", file=sys.stderr, flush=True)
