"""`hingeproof deviations`: the ledger of known deviations."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

from hingeproof.commands.flags import Check, Run
from hingeproof.errors import GOOD

app = typer.Typer(help="The ledger of known deviations.", no_args_is_help=True, rich_markup_mode=None)


@app.command("add")
def add(
    run: Run,
    check: Check,
    link: Annotated[str, typer.Option(metavar="URL", help="Where the deviation is reported.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why it is known and left as it is, in a sentence.")],
    ledger: Annotated[
        str | None, typer.Option(metavar="FILE", help="The ledger to append to [./hingeproof-deviations.toml].")
    ] = None,
) -> int:
    """Record a failing verdict as known: later runs replay its witness and say `known`, or `stale` once it is gone."""
    from hingeproof.ledger import deviations

    today = datetime.datetime.now(datetime.UTC).date()
    path, entry = deviations.add(run, check, link=link, why=why, own=ledger, today=today)
    print(f"{path}: {entry.id} ({', '.join(entry.dtypes)}; {', '.join(entry.modes)}), review by {entry.review_by}")
    return GOOD
