"""`hingeproof bench`: run, gate. What a command needs is imported when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hingeproof.commands.flags import Contract, Device, Framework, Loss, Names

app = typer.Typer(
    help="How fast: timing cases, and a gate for regressions.", no_args_is_help=True, rich_markup_mode=None
)

Patterns = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATTERN|module:attribute", help="Implementations [all whose framework is installed]."),
]
Dtype = Annotated[Names, typer.Option(metavar="NAME,…", help="[by profile]")]
Mode = Annotated[Names, typer.Option(metavar="NAME,…", help="eager, compiled (or inductor, jit, compile).")]
Size = Annotated[Names, typer.Option(metavar="N|NxK,…", help="As in 1e6,1e5x64 [by profile].")]
Inside = Annotated[Names, typer.Option(metavar="P,…", help="Fraction of samples inside the margin.")]
Profile = Annotated[str, typer.Option(metavar="NAME", help="quick, ci, device or full.")]
Threads = Annotated[int, typer.Option(metavar="N", help="Threads of the frameworks.")]
Out = Annotated[str | None, typer.Option(metavar="DIR", help="Run directory.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the last sentence.")]
Rows = Annotated[bool, typer.Option("--json", help="Print the rows as JSON Lines.")]


@app.command("run")
def run(
    patterns: Patterns = None,
    loss: Loss = None,
    framework: Framework = None,
    dtype: Dtype = None,
    device: Device = None,
    mode: Mode = None,
    phase: Annotated[Names, typer.Option(metavar="NAME,…", help="forward, backward, both, compile.")] = None,
    size: Size = None,
    inside: Inside = None,
    layout: Annotated[Names, typer.Option(metavar="NAME,…", help="contiguous, strided, transposed.")] = None,
    cache: Annotated[Names, typer.Option(metavar="NAME,…", help="warm, cold.")] = None,
    profile: Profile = "quick",
    threads: Threads = 1,
    blocks: Annotated[int, typer.Option(metavar="N", help="Blocks a case.")] = 30,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the inputs.")] = 0,
    grad: Annotated[str | None, typer.Option(metavar="module:function", help="Gradient of a NumPy callable.")] = None,
    contract: Contract = None,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or with the newest incomplete one.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the cases.")] = False,
    quiet: Quiet = False,
    json: Rows = False,
) -> None:
    """Time implementations, and check every timed answer with the oracle."""
    from hingeproof.bench.timing import asked, show
    from hingeproof.bench.timing import controller as running
    from hingeproof.bench.timing.session import Session, new_info
    from hingeproof.runs.directory import new_directory
    from hingeproof.runs.kinds import BENCH
    from hingeproof.runs.reader import read

    given = {
        "patterns": patterns, "loss": loss, "framework": framework, "dtype": dtype, "device": device, "mode": mode,
        "phase": phase, "size": size, "inside": inside, "layout": layout, "cache": cache, "profile": profile,
        "threads": threads, "blocks": blocks, "seed": seed, "grad": grad, "contract": contract,
    }  # fmt: skip
    plan = asked.plan(given)
    if resume:
        directory, info = asked.to_resume(out, plan)
    elif dry_run:
        print(f"{running.dry_run(plan)} cases")
        raise typer.Exit
    else:
        directory, info = new_directory(out, BENCH), new_info("bench", plan, sys.argv[1:])
    info, code = running.execute(Session(directory), info)
    rows = read(directory, BENCH).records
    if json:
        sys.stdout.write((directory / "records.jsonl").read_text(encoding="utf-8"))
    else:
        if not quiet:
            print(show.table(rows))
        print(show.sentence(info, rows, str(directory)))
    raise typer.Exit(code)


@app.command("gate")
def gate(
    patterns: Patterns = None,
    *,
    base: Annotated[str, typer.Option(metavar="SIDE", help="rev:REVISION, venv:PATH or impl:NAME.")],
    head: Annotated[str, typer.Option(metavar="SIDE", help="The same kinds.")],
    loss: Loss = None,
    framework: Framework = None,
    dtype: Dtype = None,
    device: Device = None,
    mode: Mode = None,
    phase: Annotated[Names, typer.Option(metavar="NAME,…", help="forward, backward, both.")] = None,
    size: Size = None,
    inside: Inside = None,
    profile: Profile = "quick",
    threads: Threads = 1,
    threshold: Annotated[float, typer.Option(metavar="F", help="Slow-downs below this do not count.")] = 0.02,
    equivalence: Annotated[float, typer.Option(metavar="F", help="Equal within this, where shown.")] = 0.03,
    pairs: Annotated[int, typer.Option(metavar="N", help="Process pairs before the first look, at least 5.")] = 6,
    seconds: Annotated[float, typer.Option(metavar="S", help="Time for a case, at most.")] = 60.0,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="Count instructions (valgrind) of eager CPU cases instead of time.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Inconclusive is an exit code of its own (3).")] = False,
    contract: Contract = None,
    out: Out = None,
    quiet: Quiet = False,
    json: Rows = False,
) -> None:
    """Is head slower than base? Both run interleaved in fresh processes; a regression is shown twice or not said."""
    from hingeproof.bench.gate import controller as gating
    from hingeproof.bench.gate.paired import Limits
    from hingeproof.bench.gate.side import prepare
    from hingeproof.errors import UsageError
    from hingeproof.runs.directory import new_directory, refuse_what_is_there
    from hingeproof.runs.kinds import GATE
    from hingeproof.runs.timings import gate_code

    if pairs < 5:
        raise UsageError(f"--pairs {pairs}: fewer than 5 process pairs cannot show what differs between processes")
    for name, value in (("threshold", threshold), ("equivalence", equivalence), ("seconds", seconds)):
        if not value > 0:
            raise UsageError(f"--{name} {value:g}: give a number above 0")
    given = {
        "patterns": patterns, "loss": loss, "framework": framework, "dtype": dtype, "device": device, "mode": mode,
        "phase": phase, "size": size, "inside": inside, "profile": profile, "threads": threads,
        "contract": contract,
    }  # fmt: skip
    if out is not None:
        refuse_what_is_there(Path(out))
    if instructions:
        from hingeproof.bench.gate.instructions import needed

        needed()
    sides = prepare(base, head, threads)
    plan, todo = gating.subjects(given, *sides)
    directory = new_directory(out, GATE)
    limits = Limits(
        pairs=pairs, most_pairs=max(24, pairs), seconds=seconds, threshold=threshold, equivalence=equivalence
    )
    info, rows = gating.execute(directory, plan, todo, *sides, limits, counted=instructions)
    if json:
        sys.stdout.write((directory / "records.jsonl").read_text(encoding="utf-8"))
    else:
        if not quiet:
            print(gating.table(rows))
        print(gating.sentence(rows, *sides, info, directory))
    raise typer.Exit(gate_code(rows, strict=strict))
