"""`hingeproof list` and `hingeproof explain`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import msgspec

from hingeproof.errors import UsageError, among
from hingeproof.frameworks.environment import present

if TYPE_CHECKING:
    from hingeproof.reference_impls.losses import Loss


def show(what: str, *, as_json: bool) -> None:
    """Print a table: losses, implementations, laws, deviations or conventions; a row a line where a pipe reads it."""
    head, rows = {
        "losses": _losses,
        "implementations": _implementations,
        "laws": _laws,
        "deviations": _deviations,
        "conventions": _conventions,
    }[what]()
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


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def _losses() -> Table:
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


def _implementations() -> Table:
    from hingeproof.contracts import IMPLEMENTATIONS

    return ("name", "framework", "loss", "installed", "target"), [
        (i.name, i.framework, i.loss, "yes" if all(map(present, (i.framework, *i.requires))) else "no", i.target)
        for i in sorted(IMPLEMENTATIONS.values(), key=lambda i: i.name)
    ]


def _deviations() -> Table:
    """The ledger, one line a cause: whose it is, how many entries, when to look again. The entries have the links."""
    from hingeproof.ledger.deviations import ledger
    from hingeproof.reports.text import names

    rows: dict[str, list[Any]] = {}
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


def _conventions() -> Table:
    """What differs from the formula or our policy because a library's documentation says so."""
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


def _laws() -> Table:
    from hingeproof.properties.catalogue import LAWS

    return ("name", "group", "kind", "statement"), [(x.name, x.group, x.kind, x.statement) for x in LAWS.values()]


def explain(name: str, *, as_json: bool) -> None:
    """Print everything about one law, or of the textbook's training run. Raises: UsageError with the nearest names."""
    if name == "textbook":
        _textbook(as_json=as_json)
        return
    from hingeproof.properties.catalogue import LAWS
    from hingeproof.reference_impls.losses import LOSSES

    law = LAWS[among(name, LAWS, "law", see="hingeproof list laws")]
    applies = [loss.name for loss in LOSSES.values() if law.applies(loss)]
    rest = [loss.name for loss in LOSSES.values() if not law.applies(loss)]
    facts: dict[str, Any] = {
        "name": law.name,
        "kind": law.kind,
        "group": law.group,
        "statement": law.statement,
        "formula": law.formula,
        "why": law.why,
        "breaks": law.breaks,
        "source": law.source,
        "losses": applies,
        "not_for": rest,
        "modes": list(law.modes),
        "needs": list(law.needs),
    }
    if as_json:
        print(msgspec.json.encode(facts).decode())
        return
    kind = "a law: mathematics demands it" if law.kind == "law" else "a promise: only a contract demands it"
    print(f"{law.name} ({law.group}; {kind})\n")
    _field("", law.statement)
    _field("formula", law.formula)
    _field("why", law.why)
    _field("breaks", law.breaks)
    _field("losses", "all" if not rest else ", ".join(applies) or "none")
    if rest:
        _field("not for", ", ".join(rest))
    _field("modes", ", ".join(law.modes))
    _field("needs", ", ".join(law.needs) or "nothing but the loss itself")
    _field("source", law.source)


def _textbook(*, as_json: bool) -> None:
    """Train as the textbook does, and hold what comes out against the certified optimum. Raises: UsageError."""
    for needed, extra in (("torch", "torch"), ("cvxpy", "svm")):
        if not present(needed):
            raise UsageError(f"{needed} is not installed: pip install 'hingeproof[{extra}]'")
    from hingeproof.evidence.picture import picture

    facts = picture().facts
    if as_json:
        print(msgspec.json.encode({"name": "textbook", **facts}).decode())
        return
    print("textbook (the training example: two Gaussian clusters, n = 100, SGD, weight decay 0.01)\n")
    _field("", "Its objective is an SVM's with C = 1/(λn) = 1 and a regularised bias, so its optimum can be certified.")
    for name, text in facts.items():
        print(f"\n{name}")
        _field("", text)
    print()
    _field(
        "",
        "Accuracy of 100% says nothing about the margin: compare the objective with a certified optimum, not with 0.",
    )
    _field("more", "docs/svm.md, bench/results/svm-study.md; its laws: hingeproof list laws (group textbook)")


def _field(name: str, text: str) -> None:
    width = max(min(get_terminal_size((100, 24)).columns, 100), 40)
    lines: Sequence[str] = textwrap.wrap(text, width - 10, break_on_hyphens=False) or [""]
    for i, line in enumerate(lines):
        print(f"{name if i == 0 else '':<10}{line}".rstrip())
