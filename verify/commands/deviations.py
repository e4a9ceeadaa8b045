"""`hingeproof deviations migrate`: a ledger of an older hingeproof, its kinds of failures written as data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hingeproof.errors import FINDING, GOOD
from hingeproof.ledger.deviations import OWN, decoded
from hingeproof.ledger.migration import apart, decided, rewrite
from hingeproof.plan.options import Options, options
from hingeproof.plan.user import users
from hingeproof.run.witnesses import witnesses
from hingeproof.runs.records import UserImplementation


def migrate(own: str | None) -> int:
    """Rewrite a ledger; say what could not be replayed, and what is left to do. Raises: UsageError."""
    path = Path(own) if own is not None else OWN
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
    declared = options({}, Path("pyproject.toml")).implementations
    mine = [name for name in declared if name in names]
    return users(Options(patterns=mine, implementations=declared)) if mine else ()
