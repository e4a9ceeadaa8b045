"""The command line. What a command needs is imported when it runs: `--help` imports no framework."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from hingeproof import __version__
from hingeproof.commands import report as reporting
from hingeproof.commands.bench import app as bench
from hingeproof.commands.flags import Contract, Device, Framework, Json, Loss
from hingeproof.commands.history import app as history
from hingeproof.commands.svm import app as svm
from hingeproof.errors import GOOD, INTERNAL, INTERRUPTED, USAGE, UsageError

app = typer.Typer(
    name="hingeproof",
    help="Is this margin loss right, on every framework it runs on?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
listing = typer.Typer(
    help="Tables of what there is: losses, implementations, laws, deviations, conventions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(listing, name="list")
app.add_typer(svm, name="svm")
app.add_typer(bench, name="bench")
app.add_typer(history, name="history")
app.command()(reporting.report)
app.command()(reporting.diff)
app.command()(reporting.publish)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run directory that --out named.")]
Check = Annotated[str, typer.Argument(metavar="CHECK", help="The check, or a unique beginning of it.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"hingeproof {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def verify(
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATTERN|module:attribute",
            help="Implementations ('torch.*') or your own callable. Without any: all whose framework is installed.",
            show_default=False,
        ),
    ] = None,
    loss: Loss = None,
    framework: Framework = None,
    dtype: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="float16, bfloat16, float32, float64 [by profile].")
    ] = None,
    device: Device = None,
    mode: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="eager, jit, compile, vmap, … [by profile].")
    ] = None,
    law: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Laws, by name or group [all].")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="quick, ci or nightly [ci].")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Same seed, same verdicts [0].")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", metavar="N", help="Workers [one a processor].")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Limit for a pass (implementation × dtype × mode) [by profile]."),
    ] = None,
    reference: Annotated[
        bool | None, typer.Option("--reference/--no-reference", help="Only the reference implementations.")
    ] = None,
    contract: Contract = None,
    ledger: Annotated[
        str | None, typer.Option(metavar="FILE", help="Known deviations of your own [./hingeproof-deviations.toml].")
    ] = None,
    grad: Annotated[
        str | None, typer.Option(metavar="module:function", help="Gradient of your own NumPy callable.")
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="Undecided is an exit code of its own (3).")
    ] = None,
    fail_fast: Annotated[
        bool | None, typer.Option("--fail-fast/--no-fail-fast", help="Stop after the first finding.")
    ] = None,
    last_failed: Annotated[
        bool, typer.Option("--last-failed", help="Only what failed in the newest complete run.")
    ] = False,
    out: Annotated[
        str | None, typer.Option(metavar="DIR", help="Run directory [.hingeproof/runs/<UTC>-verify].")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or with the newest incomplete one.")
    ] = False,
    junit: Annotated[str | None, typer.Option(metavar="FILE", help="Write JUnit XML, too.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the checks and guess the time.")] = False,
    quiet: Annotated[bool | None, typer.Option("--quiet/--no-quiet", "-q", help="Only the verdict sentence.")] = None,
    json: Annotated[bool | None, typer.Option("--json/--no-json", help="Print JSON instead of the report.")] = None,
    color: Annotated[
        bool | None, typer.Option("--color/--no-color", help="[on a terminal, unless NO_COLOR is set]")
    ] = None,
) -> None:
    """Verify implementations against every law that applies to them.

    Your own callable is imported and called: verify what you would run. Defaults of all options can stand in
    [tool.hingeproof] of ./pyproject.toml.
    """
    from hingeproof.commands import verify as verifying
    from hingeproof.plan.options import options

    given = {k: v for k, v in locals().items() if k not in ("verifying", "options", "last_failed", "resume", "dry_run")}
    wanted = options(given, Path("pyproject.toml"))
    raise typer.Exit(verifying.verify(wanted, last_failed=last_failed, resume=resume, dry_run=dry_run))


@listing.command("losses")
def list_losses(json: Json = False) -> None:
    """The losses: names, formulas, parameters."""
    _table("losses", json)


@listing.command("implementations")
def list_implementations(json: Json = False) -> None:
    """The implementations that `verify` knows."""
    _table("implementations", json)


@listing.command("laws")
def list_laws(json: Json = False) -> None:
    """The laws and promises."""
    _table("laws", json)


@listing.command("deviations")
def list_deviations(json: Json = False) -> None:
    """The ledger: known deviations of released libraries, and of your own project."""
    _table("deviations", json)


@listing.command("conventions")
def list_conventions(json: Json = False) -> None:
    """What libraries document that differs from the formula or from the references' policy: never a failure."""
    _table("conventions", json)


def _table(what: str, as_json: bool) -> None:
    from hingeproof.commands import list as tables

    tables.show(what, as_json=as_json)


@app.command()
def explain(law: Annotated[str, typer.Argument(metavar="LAW")], json: Json = False) -> None:
    """A law: statement, formula, why it holds, what breaks it, which losses. `textbook`: its training run, judged."""
    from hingeproof.commands import list as tables

    tables.explain(law, as_json=json)


deviations = typer.Typer(help="The ledger of known deviations.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(deviations, name="deviations")


@deviations.command("add")
def deviations_add(
    run: Run,
    check: Check,
    link: Annotated[str, typer.Option(metavar="URL", help="Where the deviation is reported.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why it is known and left as it is, in a sentence.")],
    ledger: Annotated[
        str | None, typer.Option(metavar="FILE", help="The ledger to append to [./hingeproof-deviations.toml].")
    ] = None,
) -> None:
    """Record a failing verdict as known: later runs replay its witness and say `known`, or `stale` once it is gone."""
    import datetime

    from hingeproof.ledger.deviations import add

    today = datetime.datetime.now(datetime.UTC).date()
    path, entry = add(run, check, link=link, why=why, own=ledger, today=today)
    print(f"{path}: {entry.id} ({', '.join(entry.dtypes)}; {', '.join(entry.modes)}), review by {entry.review_by}")


@app.command()
def identify(
    target: Annotated[str, typer.Argument(metavar="module:attribute", help="The black box.")],
    framework: Annotated[str, typer.Option(metavar="NAME", help="numpy, torch, jax, …")],
    loss: Annotated[str, typer.Option(metavar="NAME", help="What you take it for.")] = "",
    json: Json = False,
) -> None:
    """Which loss a callable behaves like: scale, labels, mean, kink; with the inputs that tell it from its siblings."""
    from hingeproof.judge.identify import identify as answer

    raise typer.Exit(answer(target, framework, loss, as_json=json))


@app.command()
def repro(
    run: Run,
    check: Check,
) -> None:
    """A script that shows one failure with the framework alone: exits 1 while it is there, 0 once it is gone."""
    from hingeproof.commands.repro import reproduce

    raise typer.Exit(reproduce(run, check))


@app.command()
def doctor(json: Json = False) -> None:
    """The frameworks found, their versions and devices, and why one is missing."""
    from hingeproof.commands.doctor import examine

    raise typer.Exit(examine(as_json=json))


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        code: Any = app(args=arguments, prog_name="hingeproof", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        return _complain(str(error), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `hingeproof list laws | head` is no error
        return GOOD
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own: an unknown option, a missing value
            text = error.format_message() or "what shall I do? see hingeproof --help"
            return GOOD if type(error).__name__ == "NoArgsIsHelpError" else _complain(_one_line(text), USAGE)
        return _complain(f"internal error: {_one_line(repr(error))}: see {_log()}", INTERNAL)
    return code if isinstance(code, int) else GOOD


def main() -> None:
    """Run the command line."""
    sys.exit(run())


def _complain(text: str, code: int) -> int:
    print(f"hingeproof: {_one_line(text)}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _log() -> Path:
    """Write the traceback that is being handled to a file."""
    path = Path(".hingeproof") / "error.log"
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        import tempfile

        path = Path(tempfile.mkstemp(prefix="hingeproof-", suffix=".log")[1])
        path.write_text(traceback.format_exc(), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
