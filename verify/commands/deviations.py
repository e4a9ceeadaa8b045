"""`hingeproof deviations`: the ledger of known deviations."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hingeproof.commands.flags import Check, Run
from hingeproof.errors import FINDING, GOOD

if TYPE_CHECKING:
    from hingeproof.runs.records import UserImplementation

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


@app.command("migrate")
def migrate(
    ledger: Annotated[
        str | None, typer.Option(metavar="FILE", help="The ledger to rewrite [./hingeproof-deviations.toml].")
    ] = None,
) -> int:
    """Rewrite a ledger of an older hingeproof: each entry's kind as its witness shows it. Nothing else is touched."""
    from hingeproof.ledger.deviations import OWN, decoded
    from hingeproof.ledger.migration import apart, decided, rewrite
    from hingeproof.run.witnesses import witnesses

    path = Path(ledger) if ledger is not None else OWN
    entries = decoded(path)
    shown = witnesses(entries, _declared({e.implementation for e in entries}))
    after = [decided(entry, seen) for entry, seen in zip(entries, shown, strict=True)]
    rewrite(path, apart(entries, [new or old for old, (new, _) in zip(entries, after, strict=True)]))
    changed = sum(new is not None and new != old for old, (new, _) in zip(entries, after, strict=True))
    replayed = sum(not why for _, why in after)
    how_many = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    print(f"{path}: {how_many}, {changed} changed; {replayed} by what their witness shows")
    for why, count in Counter(why for new, why in after if new is not None and why).items():
        print(f"{count} by their text: {why}")
    left = [(old.id, why) for old, (new, why) in zip(entries, after, strict=True) if new is None]
    for name, why in left:
        print(f"{name}: left as it is, for its text does not tell its kind: {why}")
    return FINDING if left else GOOD


def _declared(names: set[str]) -> tuple[UserImplementation, ...]:
    """The project's own callables of these names."""
    from hingeproof.plan.options import VerifyOptions, configured
    from hingeproof.plan.user import users

    declared = configured(Path("pyproject.toml")).implementations
    mine = [name for name in declared if name in names]
    return users(VerifyOptions(patterns=mine, implementations=declared)) if mine else ()
