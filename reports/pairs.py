"""Implementations of one loss beside one another, and modes beside eager: two tables of a screen at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from hingeproof.reports.text import one_line, shorten
from hingeproof.reports.write.page import Page
from hingeproof.runs.records import Pair

MODES_SHOWN = 8
NOTE = (
    "identical: pairs alike bit for bit; NaN/inf, gradient: pairs of which only one is finite somewhere, or which "
    "choose different sub-gradients at a kink or tie"
)


def render(pairs: Iterable[Pair], console: Console) -> None:
    """Write both tables; nothing where there is nothing to compare."""
    found = [p for p in pairs if p.samples]
    page = Page(console)
    _implementations(page, [p for p in found if p.kind == "implementations"])
    _modes(page, [p for p in found if p.kind == "modes"])


def _implementations(page: Page, pairs: Sequence[Pair]) -> None:
    """One line a loss, over all dtypes."""
    if not pairs:
        return
    page.heading("Same loss, same inputs, different implementations (pairs; all of them in pairs.jsonl)")
    head, lines = by_loss(pairs)
    widths = [max(len(row[i]) for row in [head, *lines]) for i in range(len(head) - 1)]
    room = page.width - sum(widths) - len(widths)
    if room >= len(head[-1]):  # otherwise which two they are is left to pairs.jsonl
        widths.append(room)
    shown = [[(shorten(cell, width), "") for cell, width in zip(row, widths, strict=False)] for row in lines]
    page.table(head[: len(widths)], shown, widths)
    page.paragraph(NOTE, style="dim")


def by_loss(pairs: Sequence[Pair]) -> tuple[list[str], list[list[str]]]:
    """Return a table's head and its rows, one a loss."""
    made = []
    for loss in sorted({p.loss for p in pairs}):
        members = [p for p in pairs if p.loss == loss]
        names = {n for p in members for n in (p.first, p.second)}
        worst = max(members, key=lambda p: p.ulp or 0.0)
        where = f"{worst.first} {worst.second} {worst.dtype}" if worst.ulp else ""
        made.append(
            [
                loss, str(len(names)), f"{sum(p.identical for p in members)}/{len(members)}",
                f"{worst.ulp or 0:.3g}", str(sum(p.not_finite > 0 for p in members) or "-"),
                str(sum(p.selected_differently > 0 for p in members) or "-"), where,
            ]
        )  # fmt: skip
    return ["loss", "impls", "identical", "max ulp", "NaN/inf", "gradient", "largest difference between"], made


def different_modes(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs of modes that choose other sub-gradients, or of which one has no number."""
    return sorted(
        (p for p in pairs if p.selected_differently or p.not_finite), key=lambda p: (p.second_mode, p.first, p.dtype)
    )


def _modes(page: Page, pairs: Sequence[Pair]) -> None:
    """What a mode answers differently from eager: another sub-gradient, or a number where the other has none."""
    found = different_modes(pairs)
    if not found:
        return
    page.heading(f"Modes that differ from eager at the same inputs ({len(found)} of {len(pairs)})")
    for p in found[:MODES_SHOWN]:
        what = []
        if p.selected_differently:
            inputs = ", ".join(f"{n} [{v}]" for n, v in p.selection.items() if n not in ("first", "second"))
            what.append(
                f"another sub-gradient at {p.selected_differently} of {p.samples} samples, as at {inputs}: eager "
                f"[{p.selection['first']}], {p.second_mode} [{p.selection['second']}]"
            )
        if p.not_finite and p.where is not None:
            what.append(f"{p.not_finite} samples where one is not finite")
        page.paragraph(one_line(f"- {p.first} {p.dtype} {p.second_mode}: {'; '.join(what)}"), hang="  ")
    if len(found) > MODES_SHOWN:
        page.paragraph(f"- … and {len(found) - MODES_SHOWN} more in pairs.jsonl")
