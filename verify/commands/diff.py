"""`hingeproof diff`: two runs of one kind are compared; exit 1 where something got worse."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hingeproof.commands.options import takes
from hingeproof.commands.output import console, say, statements
from hingeproof.commands.reading import Json, Quiet, read
from hingeproof.commands.renderings import Compared, Targets, distinct, write_difference
from hingeproof.errors import UsageError
from hingeproof.plan.option import Option
from hingeproof.plan.options import Color


class DiffOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The options of `diff`."""

    base: Annotated[str, Option(positional=True, metavar="BASE", help="The run that counts as right so far.")]
    head: Annotated[str, Option(positional=True, metavar="HEAD", help="The run to judge.")]
    targets: Targets = {}
    strict: Annotated[bool, Option(help="Checks no longer judged are an exit code of their own (3).")] = False
    json: Json = False
    quiet: Quiet = False
    color: Color = None


@takes(DiffOptions)
def diff(wanted: DiffOptions) -> int:
    """Compare two runs; exit 1 when something got worse."""
    from hingeproof.reports import model, tables
    from hingeproof.reports.write.terminal_diff import render

    base, head = read([wanted.base, wanted.head], summarised=False)
    distinct(wanted.targets)
    if base.kind != head.kind:
        raise UsageError(
            f"{wanted.base} is a {base.kind} run and {wanted.head} is a {head.kind} run: a diff needs two of one kind"
        )
    if base.kind == "gate":
        raise UsageError("a gate run is a comparison already: see hingeproof report, or diff two bench runs")
    found = model.difference(base, head, (base.name, head.name), strict=wanted.strict)
    shown = Compared(difference=found, sides=(base, head))
    write_difference(shown, wanted.targets)
    if wanted.json:
        say(msgspec.json.encode({"sentence": tables.diff_sentence(found), "difference": found}).decode())
    elif wanted.quiet:
        say(tables.diff_sentence(found))
    elif not wanted.targets:
        render(found, shown.head, statements(), console(wanted.color))
    return found.exit_code
