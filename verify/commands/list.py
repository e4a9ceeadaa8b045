"""`hingeproof list`: a function a table, whose docstring is what the help says of it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import msgspec
import typer

from hingeproof.commands.flags import Json

if TYPE_CHECKING:
    from hingeproof.reference_impls.definition import Loss
    from hingeproof.runs.records import Deviation


Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]  # the head, and the rows

app = typer.Typer(
    help="Tables of what there is: losses, implementations, laws, deviations, conventions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _table(name: str) -> Callable[[Callable[[], Rows]], Callable[[], Rows]]:
    """Make `list NAME` of a function that gives its rows."""

    def command(rows: Callable[[], Rows]) -> Callable[[], Rows]:
        @app.command(name, help=rows.__doc__)
        def listed(json: Json = False) -> None:
            show(*rows(), as_json=json)

        return rows

    return command


def show(head: tuple[str, ...], rows: list[tuple[str, ...]], *, as_json: bool) -> None:
    """Print a table; a row a line where a pipe reads it."""
    if as_json:
        print(msgspec.json.encode([dict(zip(head, row, strict=True)) for row in rows]).decode())
        return
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head) - 1)]
    room = max(get_terminal_size((100, 24)).columns - sum(widths) - 2 * len(widths), 30)
    for row in [head, *rows]:
        *cells, last = row
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
        lines = textwrap.wrap(last, room) if sys.stdout.isatty() else [last]
        for i, line in enumerate(lines or [""]):
            print((start if i == 0 else " " * len(start)) + line)


@_table("losses")
def _losses() -> Rows:
    """The losses: names, formulas, parameters."""
    from hingeproof.reference_impls.losses import LOSSES

    return ("name", "title", "parameters", "formula"), [
        (
            loss.name,
            loss.title,
            ", ".join(f"{name}={value}" for name, value in loss.parameters.items()) or "-",
            _formula(loss),
        )
        for loss in LOSSES.values()
    ]


def _formula(loss: Loss) -> str:
    """Return φ and the margin, in a line."""
    shapes = [f"{make.__doc__}{'' if label is None else f' if y = {label:+d}'}" for label, make in loss.phi.items()]
    combined = "" if loss.margins.row == "scalar" or loss.margins.norms else f"{loss.aggregate} over k of "
    return f"{combined}{', '.join(shapes)}; {loss.margins.formula}{', divided by K' if loss.per_class else ''}"


@_table("implementations")
def _implementations() -> Rows:
    """The implementations that `verify` knows."""
    from hingeproof.contracts import IMPLEMENTATIONS
    from hingeproof.frameworks.environment import present

    return ("name", "framework", "loss", "installed", "target"), [
        (i.name, i.framework, i.loss, "yes" if all(map(present, (i.framework, *i.requires))) else "no", i.target)
        for i in sorted(IMPLEMENTATIONS.values(), key=lambda i: i.name)
    ]


@_table("laws")
def _laws() -> Rows:
    """The laws and promises."""
    from hingeproof.properties.catalogue import LAWS

    return ("name", "group", "kind", "statement"), [(x.name, x.group, x.kind, x.statement) for x in LAWS.values()]


@_table("deviations")
def _deviations() -> Rows:
    """The ledger: known deviations of released libraries, and of your own project."""
    from hingeproof.ledger.deviations import ledger
    from hingeproof.reports.text import names

    rows: dict[str, list[Deviation]] = {}  # one line a cause; the entries have the links
    for entry in ledger(None):
        rows.setdefault(entry.why, []).append(entry)
    return ("implementations", "entries", "review by", "why"), [
        (
            ", ".join(names(sorted({e.implementation for e in found}), (), at_most=2)),
            str(len(found)),
            str(min(e.review_by for e in found)),
            why,
        )
        for why, found in sorted(rows.items(), key=lambda row: row[1][0].implementation)
    ]


@_table("conventions")
def _conventions() -> Rows:
    """What libraries document that differs from the formula or from the references' policy: never a failure."""
    from hingeproof.contracts import IMPLEMENTATIONS
    from hingeproof.reports.text import names

    rows: dict[str, list[str]] = {}
    for i in IMPLEMENTATIONS.values():
        labels = {"01": "labels are {0, 1}", "one_hot": "labels are one-hot rows"}.get(i.labels)
        scale = f"it is {i.scale} times the loss" if i.scale != "1" else None
        order = "the labels come first" if i.targets_first else None
        for text in filter(None, (*i.documented, labels, scale, order)):
            rows.setdefault(text, []).append(i.name)
    return ("implementations", "documented"), [
        (", ".join(names(members, IMPLEMENTATIONS, at_most=3)), text) for text, members in sorted(rows.items())
    ]
