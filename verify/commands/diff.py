"""`hingeproof diff`: two runs of one kind are compared; exit 1 where something got worse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from hingeproof.commands.options import takes
from hingeproof.commands.output import console, say, statements
from hingeproof.commands.reading import Json, Quiet, read
from hingeproof.commands.renderings import Compared, Targets, distinct, write_difference
from hingeproof.errors import UsageError
from hingeproof.plan.option import Option
from hingeproof.plan.options import Color

if TYPE_CHECKING:
    from hingeproof.runs.proofs import Certificate


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
    """Compare two runs, or two certificates of proofs; exit 1 when something got worse."""
    if both := [path for path in (wanted.base, wanted.head) if Path(path).is_file()]:
        if len(both) == 1:
            raise UsageError(f"{both[0]} is a file: a diff needs two certificates, or two run directories")
        from hingeproof.runs.proofs import read_certificate

        return _certificates(wanted, [(read_certificate(Path(both[0])), read_certificate(Path(both[1])))])
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
    if base.proved is not None and head.proved is not None:
        from hingeproof.reports.proofs import paired

        return _certificates(wanted, paired(base.proved, head.proved))
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


def _certificates(wanted: DiffOptions, pairs: Sequence[tuple[Certificate, Certificate]]) -> int:
    """Say which ranges of scores are answered with other bits, claim by claim."""
    from hingeproof.reports.proofs import changed, changed_lines, exit_code

    if wanted.targets:
        raise UsageError(f"--{next(iter(wanted.targets))}: certificates are compared in the terminal, or with --json")
    found = [changed(base, head) for base, head in pairs]
    if wanted.json:
        say(msgspec.json.encode({"changed": found}).decode())
    else:
        said = [changed_lines(d) for d in found]
        say("\n".join(lines[0] if wanted.quiet else "\n".join(lines) for lines in said))
    return exit_code(found)
