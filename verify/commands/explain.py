"""`hingeproof explain`: everything about one law, or about the textbook's training run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import Annotated, Any

import msgspec
import typer

from hingeproof.commands.flags import Json
from hingeproof.errors import GOOD, UsageError, among


def explain(law: Annotated[str, typer.Argument(metavar="LAW")], json: Json = False) -> int:
    """A law: statement, formula, why it holds, what breaks it, which losses. `textbook`: its training run, judged."""
    if law == "textbook":
        return _textbook(as_json=json)
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


def _textbook(*, as_json: bool) -> int:
    """Train as the textbook does, and hold what comes out against the certified optimum. Raises: UsageError."""
    from hingeproof.frameworks.environment import present

    for needed, extra in (("torch", "torch"), ("cvxpy", "svm")):
        if not present(needed):
            raise UsageError(f"{needed} is not installed: pip install 'hingeproof[{extra}]'")
    from hingeproof.evidence.picture import picture

    facts = picture().facts
    if as_json:
        print(msgspec.json.encode({"name": "textbook", **facts}).decode())
        return GOOD
    print("textbook (the training example: two Gaussian clusters, n = 100, SGD, weight decay 0.01)\n")
    _field("", "Its objective is an SVM's with C = 1/(λn) = 1 and a regularised bias, so its optimum can be certified.")
    for name, text in facts.items():
        print(f"\n{name}")
        _field("", text)
    print()
    _field("", "An accuracy of 100% says nothing about the margin: compare with a certified optimum, not with 0.")
    _field("more", "docs/svm.md, bench/results/svm-study.md; its laws: hingeproof list laws (group textbook)")
    return GOOD


def _field(name: str, text: str) -> None:
    width = max(min(get_terminal_size((100, 24)).columns, 100), 40)
    lines: Sequence[str] = textwrap.wrap(text, width - 10, break_on_hyphens=False) or [""]
    for i, line in enumerate(lines):
        print(f"{name if i == 0 else '':<10}{line}".rstrip())
