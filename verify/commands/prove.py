"""`hingeproof prove`: every score of a dtype is asked and judged; certificates say what was found."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hingeproof.commands.options import takes
from hingeproof.commands.output import console, say
from hingeproof.errors import FINDING, GOOD, INTERRUPTED, NOTHING, UsageError
from hingeproof.plan.proof_options import ProveOptions

if TYPE_CHECKING:
    from hingeproof.plan.proofs import Claims
    from hingeproof.reports.proofs import Proved
    from hingeproof.runs.proofs import Certificate
    from hingeproof.runs.records import Plan, RunInfo


@takes(ProveOptions)
def prove(wanted: ProveOptions) -> int:
    """Prove implementations right at every score of float16, bfloat16 or float32, value and gradient.

    Your own callable is imported and called: prove what you would run.
    """
    from hingeproof.plan.option import check
    from hingeproof.plan.proofs import claims, proof_plan

    check(wanted)
    if wanted.on is not None and wanted.on != "ray" and not wanted.on.startswith("ray://"):
        raise UsageError(f"--on {wanted.on}: give ray, or ray://HOST:PORT of a cluster")
    if wanted.verify is not None:
        return _verified(wanted, Path(wanted.verify))
    if wanted.resume:
        directory, info = _to_resume(wanted)
        return _run(wanted, directory, info, claims(info.plan))
    plan = proof_plan(wanted)
    todo = claims(plan)
    if not todo.claims:
        return _nothing(todo)
    return _run(wanted, _new(wanted), _info(plan, todo), todo)


# -- what to do ------------------------------------------------------------------------------------------------


def _new(wanted: ProveOptions) -> Path:
    from hingeproof.runs.directory import new_directory
    from hingeproof.runs.kinds import PROOF

    return new_directory(wanted.out, PROOF)


def _to_resume(wanted: ProveOptions) -> tuple[Path, RunInfo]:
    """Return the run to go on with. Raises: UsageError where it would not be the same run."""
    from hingeproof.frameworks.environment import environment, versions
    from hingeproof.plan.option import decided
    from hingeproof.plan.proofs import proof_plan
    from hingeproof.runs.kinds import PROOF
    from hingeproof.runs.resume import incomplete, refuse_another, refuse_changed

    directory, info = incomplete(wanted.out, PROOF)
    now = versions()
    facts = environment().keys() - now.keys()
    refuse_changed(directory, "versions", {n: v for n, v in info.environment.items() if n not in facts}, now)
    if fields := decided(wanted):
        refuse_another(directory, info.plan, proof_plan(wanted), fields)
    return directory, info


def _info(plan: Plan, todo: Claims) -> RunInfo:
    from hingeproof.frameworks.environment import environment, without_home
    from hingeproof.runs.kinds import PROOF
    from hingeproof.runs.records import RunInfo

    return RunInfo(
        schema_version=PROOF.version, kind=PROOF.name, plan=plan, environment=environment(),
        arguments=[without_home(argument) for argument in sys.argv[1:]],
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), complete=False,
        checks=len(todo.claims), not_applicable=len(todo.unsupported), missing=todo.missing,
    )  # fmt: skip


def _nothing(todo: Claims) -> int:
    reasons = [f"{name}: {why}" for name, why in sorted(todo.unsupported.items())[:3]]
    reasons += [f"{count:,} need {name}, which is not installed" for name, count in sorted(todo.missing.items())]
    _say(f"nothing to prove: {'; '.join(reasons) or 'no implementation has such a mode'}")
    return NOTHING


# -- doing it --------------------------------------------------------------------------------------------------


def _run(wanted: ProveOptions, directory: Path, info: RunInfo, todo: Claims) -> int:
    found, code = _proved(wanted, directory, info, todo)
    _show(wanted, directory, found, todo)
    return code or found.exit_code


def _proved(wanted: ProveOptions, directory: Path, info: RunInfo, todo: Claims) -> tuple[Proved, int]:
    """Judge what is left, write the certificates, and return what they say; INTERRUPTED where the user stopped it."""
    from hingeproof.frameworks.environment import cpus
    from hingeproof.reports.proofs import FOLDER, Proved
    from hingeproof.run.certificates import all_tasks, certificates
    from hingeproof.run.proving import execute
    from hingeproof.run.rate import Rate
    from hingeproof.runs.journal import Journal, write
    from hingeproof.runs.kinds import PROOF

    tasks = all_tasks(info.plan, todo.claims)
    done = Journal(directory, PROOF).rows() if wanted.resume else {}
    rate = Rate(sum(t.count for t in tasks if t.id not in done), sys.stderr, quiet=wanted.quiet)
    info, rows, interrupted = execute(
        directory,
        info,
        tasks,
        jobs=wanted.jobs or cpus(),
        timeout=wanted.timeout,
        seconds=wanted.seconds,
        rate=rate,
        on=wanted.on,
    )
    rate.end()
    made, cannot = certificates(info.plan, rows)
    (directory / FOLDER).mkdir(exist_ok=True)
    for one in made:
        write(directory / FOLDER / one.claim.file, msgspec.json.encode(one) + b"\n")
    for claim, why in cannot.items():
        _say(f"{claim.replace('|', ' ')} cannot run: {why[:240]}")
    ours = [row for row in rows if row.status == "error"]
    for row in ours[:1]:
        _say(f"internal error at {row.id}: {row.reason.strip().splitlines()[-1]}: see records.jsonl in {directory}")
    if not info.complete and not ours:
        _say(f"stopped: nothing judged is lost; to go on: hingeproof prove --resume --out {directory}")
    found = Proved(certificates=tuple(made), complete=info.complete, broken=bool(ours))
    return found, INTERRUPTED if interrupted else GOOD


def _show(wanted: ProveOptions, directory: Path, found: Proved, todo: Claims) -> None:
    from hingeproof.reports import proofs
    from hingeproof.reports.write.page import Page
    from hingeproof.reports.write.terminal_diff import write_table

    if wanted.json:
        facts = {"run": str(directory), "sentence": proofs.sentence(found), "exit_code": found.exit_code,
                 "unsupported": todo.unsupported, "certificates": found.certificates}  # fmt: skip
        say(msgspec.json.encode(facts).decode())
        return
    if wanted.quiet:
        say(proofs.sentence(found))
        return
    page = Page(console(wanted.color))
    page.paragraph(proofs.sentence(found), style="bold red" if found.exit_code == FINDING else "bold")
    write_table(page, proofs.proved_table(found.certificates))
    for line in proofs.offender_lines(found.certificates):
        page.paragraph(f"- {line}", indent="", hang="  ")
    for why, names in _by_reason(todo.unsupported).items():
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        page.paragraph(f"- not asked: {', '.join(names[:3])}{more}: {why}", indent="", hang="  ")
    _say(f"certificates: {directory / proofs.FOLDER}", prefix="")


def _by_reason(unsupported: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in sorted(unsupported.items()):
        found.setdefault(why, []).append(name)
    return found


# -- a certificate again ---------------------------------------------------------------------------------------


def _verified(wanted: ProveOptions, path: Path) -> int:
    """Prove a certificate's claim again; exit 1 where it contradicts itself, or anything comes out otherwise."""
    from hingeproof.plan.proofs import claims
    from hingeproof.reports.proofs import changed, changed_lines
    from hingeproof.runs.proofs import forged, read_certificate

    if wanted.patterns or wanted.resume:
        raise UsageError("--verify takes its claim from the certificate: leave out implementations and --resume")
    given = read_certificate(path)
    if why := forged(given):
        say(f"{path} is rejected: {why}")
        return FINDING
    plan = _plan_of(given)
    todo = claims(plan)
    if not todo.claims:
        return _nothing(todo)
    found, code = _proved(wanted, _new(wanted), _info(plan, todo), todo)
    if code or not found.complete or not found.certificates:
        return code or found.exit_code or NOTHING
    now = found.certificates[0]
    if given.versions != now.versions:
        _say(f"versions differ: the certificate was made with {given.versions}, this is {now.versions}")
    differs = changed(given, now)
    same = given.sha256 == now.sha256 and not differs.ranges and not differs.counts
    same = same and msgspec.structs.replace(
        given, seconds=now.seconds, machine=now.machine, versions=now.versions
    ) == now  # fmt: skip
    say(f"{path} is confirmed: {now.statement}" if same else f"{path} is rejected:\n" + "\n".join(_why(given, now)))
    if not same:
        say("\n".join(changed_lines(differs)))
    return GOOD if same else FINDING


def _why(given: Certificate, now: Certificate) -> list[str]:
    """Return the fields that come out otherwise."""
    names = [f.name for f in msgspec.structs.fields(type(now)) if f.name not in ("seconds", "machine", "versions")]
    return [f"  {name} is not what was found now" for name in names if getattr(given, name) != getattr(now, name)]


def _plan_of(given: Certificate) -> Plan:
    """Return the plan that comes to a certificate's claim. Raises: UsageError where nothing has its name."""
    from hingeproof.contracts import IMPLEMENTATIONS
    from hingeproof.errors import among
    from hingeproof.runs.records import Plan

    if given.user is None:
        among(given.implementation, IMPLEMENTATIONS, "implementation", see="hingeproof list implementations")
    return Plan(
        patterns=() if given.user else (given.implementation,), dtypes=(given.dtype,), devices=(given.device,),
        modes=(given.mode,), users=(given.user,) if given.user else (),
    )  # fmt: skip


def _say(text: str, *, prefix: str = "hingeproof: ") -> None:
    print(f"{prefix}{text}", file=sys.stderr, flush=True)
