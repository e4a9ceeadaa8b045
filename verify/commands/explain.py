"""`hingeproof explain`: everything about one law."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import Annotated, Any

import msgspec
import typer

from hingeproof.commands.flags import Json
from hingeproof.errors import GOOD, among


def explain(law: Annotated[str, typer.Argument(metavar="LAW")], json: Json = False) -> int:
    """A law: statement, formula, why it holds, what breaks it, which losses it applies to."""
    from hingeproof.properties.catalogue import LAWS
    from hingeproof.reference_impls.losses import LOSSES

    found = LAWS[among(law, LAWS, "law", see="hingeproof list laws")]
    applies = [loss.name for loss in LOSSES.values() if found.applies(loss)]
    rest = [loss.name for loss in LOSSES.values() if not found.applies(loss)]
    facts: dict[str, Any] = {
        "name": found.name,
        "kind": found.kind,
        "group": found.group,
        "statement": found.statement,
        "formula": found.formula,
        "why": found.why,
        "breaks": found.breaks,
        "source": found.source,
        "losses": applies,
        "not_for": rest,
        "modes": list(found.modes),
        "needs": list(found.needs),
    }
    if json:
        print(msgspec.json.encode(facts).decode())
        return GOOD
    kind = "a law: mathematics demands it" if found.kind == "law" else "a promise: only a contract demands it"
    print(f"{found.name} ({found.group}; {kind})\n")
    _field("", found.statement)
    _field("formula", found.formula)
    _field("why", found.why)
    _field("breaks", found.breaks)
    _field("losses", "all" if not rest else ", ".join(applies) or "none")
    if rest:
        _field("not for", ", ".join(rest))
    _field("modes", ", ".join(found.modes))
    _field("needs", ", ".join(found.needs) or "nothing but the loss itself")
    _field("source", found.source)
    return GOOD


def _field(name: str, text: str) -> None:
    width = max(min(get_terminal_size((100, 24)).columns, 100), 40)
    lines: Sequence[str] = textwrap.wrap(text, width - 10, break_on_hyphens=False) or [""]
    for i, line in enumerate(lines):
        print(f"{name if i == 0 else '':<10}{line}".rstrip())
