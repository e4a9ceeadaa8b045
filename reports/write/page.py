"""Plain lines on a rich console: none that we lay out is wider than it, and none ends in blanks."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from hingeproof.reports.text import visible
from hingeproof.runs.records import Verdict

# Where the terminal cannot show our signs, plain ones say the same; anything else becomes an escape.
PLAIN = str.maketrans({"✓": "+", "✗": "x", "–": "-", "…": "~", "·": "|", "×": "x", "−": "-", "φ": "phi"})


class Sign(NamedTuple):
    """How a verdict looks: never by colour alone."""

    sign: str
    style: str
    word: str


SIGNS: dict[Verdict, Sign] = {
    "pass": Sign("✓", "green", "passed"),
    "fail": Sign("✗", "bold red", "failed"),
    "crash": Sign("!", "bold red", "crashed"),
    "timeout": Sign("T", "bold red", "timed out"),
    "stale": Sign("S", "bold magenta", "stale"),
    "undecided": Sign("?", "yellow", "undecided"),
    "known": Sign("K", "cyan", "known"),
    "unsupported": Sign("–", "dim", "unsupported"),
}


class Page:
    """Writes to a console. Whatever it is given is made fit to print here, and is text, never markup."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = max(console.width, 40)

    def blank(self) -> None:
        """Write an empty line."""
        self.console.print()

    def heading(self, text: str) -> None:
        """Write a heading, an empty line before it."""
        self.blank()
        self.paragraph(text, style="bold")

    def paragraph(self, text: str, *, style: str = "", indent: str = "", hang: str | None = None) -> None:
        """Write text wrapped to the width; later lines start with `hang` (default: as the first)."""
        following = indent if hang is None else hang
        for line in textwrap.wrap(
            self._fit(text),
            self.width,
            initial_indent=indent,
            subsequent_indent=following,
            break_on_hyphens=False,
        ):
            self.console.print(Text(line, style=style))

    def field(self, name: str, text: str, *, at: int, indent: int, lines: int = 8) -> None:
        """Write `name      text`, the text in a column of its own and cut after some lines."""
        column = " " * (indent + at)
        wrapped = [
            piece
            for line in self._fit(text).split("\n")
            for piece in textwrap.wrap(line, self.width - len(column), break_on_hyphens=False) or [""]
        ]
        if len(wrapped) > lines:
            wrapped = [*wrapped[: lines - 1], self._fit("… (the rest is in records.jsonl)")]
        for place, line in enumerate(wrapped):
            head = (" " * indent + name).ljust(len(column)) if place == 0 else column
            self.console.print(Text.assemble((head, "dim"), line))

    def verbatim(self, text: str, *, indent: str = "", style: str = "") -> None:
        """Write lines that must survive copy and paste: the terminal may wrap them, we do not."""
        for line in self._fit(text).split("\n"):
            self.console.print(Text(f"{indent}{line}".rstrip(), style=style), soft_wrap=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], widths: Sequence[int]) -> None:
        """Write a table of (text, style) cells; what is longer than its column is cut."""
        self._row([(cell, "dim") for cell in head], widths)
        for row in rows:
            self._row(row, widths)

    def _row(self, cells: Sequence[tuple[str, str]], widths: Sequence[int]) -> None:
        line = Text()
        for (text, style), width in zip(cells, widths, strict=True):
            fitted = self._fit(text).replace("\n", " ")
            if cell_len(fitted) > width:
                fitted = set_cell_size(fitted, width - 1) + self._fit("…")
            line.append(fitted, style)
            line.append(" " * (width + 1 - cell_len(fitted)))
        line.rstrip()
        self.console.print(line)

    def _fit(self, text: str) -> str:
        text = visible(text)
        encoding = self.console.encoding
        if encoding.replace("-", "").startswith("utf"):
            return text
        return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
