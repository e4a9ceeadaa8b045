"""The rows of a run that goes on: each process appends to a part of its own, a fsynced line a row.

What cannot be read in a part was cut off when a process was killed: it is no row, and the thing is still to be done.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from hingeproof.runs.kinds import RowT

T = TypeVar("T")


def folder(directory: Path) -> Path:
    return directory / "parts"


def part(directory: Path, worker: str) -> Path:
    """Return the file that this process appends to."""
    folder(directory).mkdir(parents=True, exist_ok=True)
    return folder(directory) / f"{re.sub(r'[^A-Za-z0-9_]', '_', worker)}-{os.getpid()}.jsonl"


def parts(directory: Path) -> list[Path]:
    """Return what processes have appended to so far."""
    # timing runs of hingeproof 0.1 appended to rows.jsonl
    return [*sorted(folder(directory).glob("*.jsonl")), *directory.glob("rows.jsonl")]


def append(path: Path, row: msgspec.Struct) -> None:
    """Add a line, which is on the disk on return. Raises: OSError."""
    # a line break first: half a line, left by a kill or a full disk, must not swallow this one
    left = memoryview(b"\n" + msgspec.json.encode(row) + b"\n")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)


def lines(path: Path, row: type[T]) -> Iterator[T]:
    """Yield the rows of a file that is being appended to; there are none where it is not there yet."""
    with contextlib.suppress(FileNotFoundError):
        yield from _whole(path.read_bytes(), msgspec.json.Decoder(row))


def rows(directory: Path, row: type[RowT]) -> dict[str, RowT]:
    """Return the rows in all parts, by id; of two on one thing the first stands."""
    found: dict[str, RowT] = {}
    for path in parts(directory):
        for one in lines(path, row):
            found.setdefault(one.id, one)
    return found


def _whole(data: bytes, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
    for line in data.split(b"\n"):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            yield decoder.decode(line)


class Tail(Generic[T]):
    """Reads what has been appended since the last look. `row` may be the few fields of a row that are wanted."""

    def __init__(self, directory: Path, row: type[T]) -> None:
        self._directory = directory
        self._decoder = msgspec.json.Decoder(row)
        self._read: dict[Path, int] = {}

    def skip(self) -> None:
        """Take what is there as read: it belongs to the run that is being resumed."""
        for path in parts(self._directory):
            self._read[path] = path.stat().st_size

    def __iter__(self) -> Iterator[T]:
        for path in parts(self._directory):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                new = file.read()
            whole = new.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            yield from _whole(new[:whole], self._decoder)
