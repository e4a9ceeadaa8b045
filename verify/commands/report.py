"""`hingeproof report`: runs are read and rendered as was asked for; exit by the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from hingeproof.commands.options import takes
from hingeproof.commands.output import console, say, statements
from hingeproof.commands.reading import Json, Quiet, Stored, read, series
from hingeproof.commands.renderings import Runs, Targets, distinct, write_runs
from hingeproof.errors import FINDING, GOOD, INTERNAL, INTERRUPTED, INVALID, NOTHING, UNDECIDED, USAGE, UsageError
from hingeproof.plan.option import Option
from hingeproof.plan.options import Color

if TYPE_CHECKING:
    from hingeproof.reports.model import Told

# The worst exit code wins, in this order.
WORST = (INTERRUPTED, INTERNAL, USAGE, INVALID, FINDING, NOTHING, UNDECIDED, GOOD)


class ReportOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The options of `report`."""

    runs: Annotated[
        list[str], Option(positional=True, metavar="RUN…", help="Run directories; several make one report.")
    ]
    targets: Targets = {}
    history: Stored = None
    json: Json = False
    quiet: Quiet = False
    color: Color = None


@takes(ReportOptions)
def report(wanted: ReportOptions) -> int:
    """Render runs: in the terminal, as HTML, Markdown, JUnit, JSON, SARIF, annotations and a badge."""
    from hingeproof.reports import model

    told = read(wanted.runs)
    distinct(wanted.targets)
    if wanted.history is not None and "html" not in wanted.targets:
        raise UsageError("--history is drawn on a page: add --html FILE")
    write_runs(Runs(told=told, stored=series(wanted.history)), wanted.targets)
    if wanted.json:
        say(msgspec.json.encode(model.as_data(told)).decode())
    elif wanted.quiet:
        say("\n".join(model.sentence(run) for run in told))
    elif not wanted.targets:
        _terminal(told, wanted.color)
    return min((run.exit_code for run in told), key=WORST.index)


def _terminal(told: Sequence[Told], color: bool | None) -> None:
    from hingeproof.reports import model

    out = console(color)
    for place, run in enumerate(told):
        if len(told) > 1:
            say(("\n" if place else "") + f"== {run.name}")
        model.to_terminal(run, statements(), out)
