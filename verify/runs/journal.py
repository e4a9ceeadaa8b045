"""What every run writes, of whatever kind, while it goes on and when it ends.

run.json                    what was asked for, where; `complete` when everything was done
parts/<worker>-<pid>.jsonl  rows as they are found, until they are merged
records.jsonl               all rows, sorted by id, when the run ends or is interrupted

What a kind of run writes beyond that is its own: `passes` for verify, `bench.timing.session` for bench.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Generic

import msgspec

from hingeproof.errors import UsageError
from hingeproof.runs import parts
from hingeproof.runs.kinds import InfoT, RowT, RunKind


class Journal(Generic[InfoT, RowT]):
    """One run directory, as those see it that write it."""

    def __init__(self, directory: Path, kind: RunKind[InfoT, RowT]) -> None:
        self.directory = directory
        self.kind = kind

    def begin(self, info: InfoT) -> None:
        """Make the directory ready, new or to go on with: the rows so far in one part, without half lines."""
        folder = parts.folder(self.directory)
        folder.mkdir(parents=True, exist_ok=True)
        before = folder / "before.jsonl"
        write_lines(before, self.rows().values())
        for part in parts.parts(self.directory):
            if part != before:
                part.unlink()
        (self.directory / "records.jsonl").unlink(missing_ok=True)  # of an interruption: from now on parts have more
        self.write_info(info)

    def write_info(self, info: InfoT) -> None:
        write(self.directory / "run.json", msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")

    def rows(self) -> dict[str, RowT]:
        """Return the rows so far, by id."""
        return parts.rows(self.directory, self.kind.row)

    def finish(self, info: InfoT, rows: Iterable[RowT]) -> None:
        """Merge, sorted by id. The parts go only when the run is complete: until then they are what counts."""
        ordered = sorted(rows, key=lambda row: row.id)
        write_lines(self.directory / "records.jsonl", ordered)
        self.write_info(info)
        if info.complete:
            shutil.rmtree(parts.folder(self.directory), ignore_errors=True)


def write_lines(path: Path, rows: Iterable[object]) -> None:
    """Write a file of one JSON object a line, whole or not at all."""
    write(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def write(path: Path, data: bytes) -> None:
    """Write a file that is either the old one or the new one, whenever the machine stops. Raises: UsageError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; make room or take another --out (what was there is kept)"
        ) from error
