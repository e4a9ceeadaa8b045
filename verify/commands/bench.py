"""`hingeproof bench`: run, gate. What a command needs is imported when it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from hingeproof.bench.options import GateOptions, RunOptions
from hingeproof.commands.options import takes
from hingeproof.errors import GOOD, UsageError

app = typer.Typer(
    help="How fast: timing cases, and a gate for regressions.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("run")
@takes(RunOptions)
def run(wanted: RunOptions) -> int:
    """Time implementations, and check every timed answer with the oracle."""
    from hingeproof.bench.timing import asked, show
    from hingeproof.bench.timing import controller as running
    from hingeproof.bench.timing.session import Session, new_info
    from hingeproof.plan.option import decided
    from hingeproof.runs.directory import new_directory
    from hingeproof.runs.kinds import BENCH
    from hingeproof.runs.reader import read

    plan = asked.plan(wanted)
    if wanted.resume:
        directory, info = asked.to_resume(wanted.out, plan, decided(wanted))
    elif wanted.dry_run:
        print(f"{running.dry_run(plan)} cases")
        return GOOD
    else:
        directory, info = new_directory(wanted.out, BENCH), new_info("bench", plan, sys.argv[1:])
    info, code = running.execute(Session(directory), info)
    rows = read(directory, BENCH).records
    _show(
        directory,
        None if wanted.quiet else show.table(rows),
        show.sentence(info, rows, str(directory)),
        as_json=wanted.json,
    )
    return code


@app.command("gate")
@takes(GateOptions)
def gate(wanted: GateOptions) -> int:
    """Is head slower than base? Both run interleaved in fresh processes; a regression is shown twice or not said."""
    from hingeproof.bench.gate import controller as gating
    from hingeproof.bench.gate.paired import Limits
    from hingeproof.bench.gate.side import prepare
    from hingeproof.plan.option import check
    from hingeproof.runs.directory import new_directory, refuse_what_is_there
    from hingeproof.runs.kinds import GATE
    from hingeproof.runs.timings import gate_code

    pairs = wanted.pairs
    if pairs < 5:
        raise UsageError(f"--pairs {pairs}: fewer than 5 process pairs cannot show what differs between processes")
    check(wanted)
    if wanted.out is not None:
        refuse_what_is_there(Path(wanted.out))
    if wanted.instructions:
        from hingeproof.bench.gate.instructions import needed

        needed()
    sides = prepare(wanted.base, wanted.head, wanted.threads)
    plan, todo = gating.subjects(wanted, *sides)
    directory = new_directory(wanted.out, GATE)
    limits = Limits(
        pairs=pairs, most_pairs=max(24, pairs), seconds=wanted.seconds, threshold=wanted.threshold,
        equivalence=wanted.equivalence,
    )  # fmt: skip
    info, rows = gating.execute(directory, plan, todo, *sides, limits, counted=wanted.instructions)
    _show(
        directory,
        None if wanted.quiet else gating.table(rows),
        gating.sentence(rows, *sides, info, directory),
        as_json=wanted.json,
    )
    return gate_code(rows, strict=wanted.strict)


def _show(directory: Path, table: str | None, sentence: str, *, as_json: bool) -> None:
    """Print the rows as they were written, or the table, unless it is not wanted, and what came of it."""
    if as_json:
        sys.stdout.write((directory / "records.jsonl").read_text(encoding="utf-8"))
        return
    if table is not None:
        print(table)
    print(sentence)
