"""Progress of a proof, on stderr: scores judged, how many a second, the time left; in a pipe now and then a line."""

from __future__ import annotations

import time
from typing import TextIO

from hingeproof.plan.estimate import in_words
from hingeproof.run.progress import EVERY
from hingeproof.runs.proofs import Shard


class Rate:
    """Counts what has been judged. `total`: scores still to be judged when the run (goes on or) begins."""

    def __init__(self, total: int, stream: TextIO, *, quiet: bool) -> None:
        self.total, self.stream, self.quiet = total, stream, quiet
        self.done = self.wrong = 0
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._next = self._began + (0.5 if self._terminal else 2.0)
        self._now = ""

    def add(self, row: Shard) -> None:
        """Take note of a shard."""
        self.done += row.task.count
        self.wrong += row.counts.wrong
        claim = row.task.claim
        self._now = f"{claim.implementation} {claim.dtype} {claim.mode}"

    def say(self) -> None:
        """Say how it goes, if it is time."""
        now = time.monotonic()
        if self.quiet or now < self._next:
            return
        self._next = now + (0.5 if self._terminal else EVERY)
        begin, end = ("\r\033[K", "") if self._terminal else ("", "\n")
        self.stream.write(f"{begin}{self.line(now - self._began)}{end}")
        self.stream.flush()

    def line(self, seconds: float) -> str:
        """Return how it goes after so many seconds."""
        rate = self.done / seconds
        parts = [f"{self.done / max(self.total, 1):.0%} of {self.total:,} scores", f"{rate / 1e6:.1f} million/s"]
        if 0 < self.done < self.total:
            parts.append(f"{in_words((self.total - self.done) / rate)} left")
        if self.wrong:
            parts.append(f"{self.wrong:,} wrong")
        return " · ".join([*parts, *filter(None, [self._now])])

    def end(self) -> None:
        """Leave the terminal's line empty."""
        if self._terminal and not self.quiet:
            self.stream.write("\r\033[K")
