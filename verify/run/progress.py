"""What the user sees meanwhile, on stderr: a bar on a terminal, now and then a line elsewhere, or nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from hingeproof.plan.estimate import in_words
from hingeproof.runs.parts import Tail
from hingeproof.runs.passes import Passes
from hingeproof.runs.records import FINDINGS

if TYPE_CHECKING:
    from rich.console import Console

EVERY = 5.0  # seconds between lines


class Seen(msgspec.Struct):
    """The little of a record that is wanted here."""

    check: str
    verdict: str


class Progress:
    """Counts verdicts as they are written. `weights`: what each check still to be judged contributes to the whole."""

    def __init__(self, console: Console, weights: Mapping[str, float], *, quiet: bool) -> None:
        self.console, self.weights, self.quiet = console, weights, quiet
        self.total, self.whole = len(weights), sum(weights.values())
        self.done, self.worth, self.failures = 0, 0.0, 0
        self._bar: Any = None

    @contextmanager
    def watching(self, passes: Passes) -> Iterator[None]:
        """Show progress until the block is left."""
        self._run, self._tail = passes, Tail(passes.directory, Seen)
        self._tail.skip()
        self._began = time.monotonic()
        self._next_line = self._began + 2
        self._next_pass = 0.0
        if self.quiet or not self.console.is_terminal:
            yield
            return
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = ("{task.completed:,.0f}/{task.total:,.0f} checks", "{task.fields[state]}", "{task.fields[left]}")
        self._bar = Bar(BarColumn(20), *(TextColumn(text) for text in columns), console=self.console, transient=True)
        with self._bar:
            self._task = self._bar.add_task("", total=self.total, state="starting workers", left="")
            yield

    def look(self) -> None:
        """Read what is new, and say so if it is time."""
        for seen in self._tail:
            self.done += 1
            self.worth += self.weights.get(seen.check, 0.0)
            self.failures += seen.verdict in FINDINGS
        now = time.monotonic()
        if self._bar is not None:
            if now >= self._next_pass:
                self._next_pass = now + 0.5
                self._now = self._passes()
            self._bar.update(self._task, completed=self.done, state=self._state(), left=self._left(now))
        elif not self.quiet and now >= self._next_line:
            self._next_line = now + EVERY
            parts = [f"{self.done:,}/{self.total:,} checks", self._words(), self._left(now), self._passes()]
            self.console.print(" · ".join(filter(None, parts)), markup=False, highlight=False, soft_wrap=True)

    def _passes(self) -> str:
        running = self._run.in_progress()
        more = f" +{len(running) - 1}" if len(running) > 1 else ""
        return f"{running[0].replace('|', ' ')}{more}" if running else ""

    def _words(self) -> str:
        return f"{self.failures:,} failed" if self.failures else ""

    def _state(self) -> str:
        from rich.markup import escape

        words = [f"[bold red]{self._words()}[/]" if self.failures else "", escape(self._now)]
        return " · ".join(filter(None, words)) or ("" if self.done else "starting workers")

    def _left(self, now: float) -> str:
        if self.worth <= 0 or self.worth >= self.whole:
            return ""
        return f"{in_words((now - self._began) * (self.whole - self.worth) / self.worth)} left"
