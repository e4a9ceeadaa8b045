"""The command line: the commands put together, run, and their errors turned into exit codes.

What a command needs is imported when it runs: `--help` imports no framework.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from hingeproof import __version__
from hingeproof.commands.bench import app as bench
from hingeproof.commands.deviations import app as deviations
from hingeproof.commands.diff import diff
from hingeproof.commands.doctor import doctor
from hingeproof.commands.explain import explain
from hingeproof.commands.history import app as history
from hingeproof.commands.identify import identify
from hingeproof.commands.list import app as listing
from hingeproof.commands.prove import prove
from hingeproof.commands.publish import publish
from hingeproof.commands.report import report
from hingeproof.commands.repro import repro
from hingeproof.commands.svm import app as svm
from hingeproof.commands.verify import verify
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
for command in (report, diff, publish, verify, prove, explain, identify, repro, doctor):
    app.command()(command)
for name, group in (
    ("list", listing),
    ("svm", svm),
    ("bench", bench),
    ("history", history),
    ("deviations", deviations),
):
    app.add_typer(group, name=name)


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
