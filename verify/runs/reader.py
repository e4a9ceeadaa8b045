"""Read a RUN directory. Merges nothing: what is not in `records.jsonl` was not judged, to a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hingeproof.runs.records import SCHEMA_VERSION, Record, RunInfo

AGAIN = "verify again into a new --out"


class UnreadableRunError(Exception):
    """A run cannot be read. The message is one line: what, where, and what to do."""


class Run(msgspec.Struct, frozen=True):
    """A run as read. `truncated`: the last line was cut off when the run was killed, and is left out."""

    info: RunInfo
    records: tuple[Record, ...]
    truncated: bool = False


class _Version(msgspec.Struct):
    schema_version: int


class _Check(msgspec.Struct):
    check: str


def read(directory: Path) -> Run:
    """Return the run in a directory.

    Raises: UnreadableRunError where it is no run, was written by a newer hingeproof, or is damaged.
    """
    info = read_info(directory)
    found = tuple(records(directory, info))
    return Run(info, found, truncated=not info.complete and _cut_off(directory / "records.jsonl"))


def read_info(directory: Path) -> RunInfo:
    """Return run.json alone. Raises: UnreadableRunError."""
    path = directory / "run.json"
    data = _bytes(path, f"{directory} is not a run (it has no run.json): give the directory that --out named")
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise UnreadableRunError(
                f"{path} has schema version {version}, this hingeproof reads up to {SCHEMA_VERSION}: "
                "pip install --upgrade hingeproof"
            )
        if version < SCHEMA_VERSION - 1:
            raise UnreadableRunError(
                f"{path} has schema version {version}, this hingeproof reads from {SCHEMA_VERSION - 1}: "
                "verify again, or read it with an older hingeproof"
            )
        return msgspec.json.decode(data, type=RunInfo)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableRunError(f"{path} is damaged ({_one_line(error)}): {AGAIN}") from error


def records(directory: Path, info: RunInfo) -> Iterator[Record]:
    """Yield the records of a run one by one, none kept. Raises: UnreadableRunError, as `read` does."""
    path = directory / "records.jsonl"
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        if not info.complete:
            return
        raise UnreadableRunError(f"{path} is missing though the run is complete: {AGAIN}") from error
    except OSError as error:
        raise UnreadableRunError(f"{path} cannot be read: {error.strerror}") from error
    decoder = msgspec.json.Decoder(Record)
    seen: set[int] = set()  # hashes, for a million names would be 200 MB
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                # Only a write that was cut off leaves a last line without its line break.
                if not line.endswith(b"\n") and not info.complete:
                    return
                raise UnreadableRunError(f"{path}, line {number} is damaged: {_one_line(error)}") from error
            known = hash(record.check)
            if known in seen:
                _refuse_a_second(path, number, record.check)
            seen.add(known)
            yield record


def _refuse_a_second(path: Path, number: int, check: str) -> None:
    """Raise UnreadableRunError if a line before this one is on the same check (and has not just the same hash)."""
    decoder = msgspec.json.Decoder(_Check)
    with path.open("rb") as file:
        for before, line in enumerate(file, 1):
            if before == number:
                return
            if line.strip() and decoder.decode(line).check == check:
                raise UnreadableRunError(f"{path}, line {number}: {_one_line(check)} is there already (line {before})")


def _cut_off(path: Path) -> bool:
    """Tell whether the last line lacks its end."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:  # no file, or an empty one
        return False


Row = TypeVar("Row")


def rows(path: Path, kind: type[Row] | Any) -> tuple[Row, ...]:
    """Return the lines of a file beside the records; a missing file has none, and one cut off lacks its last.

    Raises: UnreadableRunError where it is damaged.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UnreadableRunError(f"{path} cannot be read: {error.strerror}") from error
    decoder = msgspec.json.Decoder(kind)
    found: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                found.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if number == len(lines):
                break
            raise UnreadableRunError(f"{path}, line {number} is damaged: {_one_line(error)}") from error
    return tuple(found)


def _bytes(path: Path, missing: str) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableRunError(missing) from error
    except OSError as error:
        raise UnreadableRunError(f"{path} cannot be read: {error.strerror}") from error


def _one_line(what: object) -> str:
    return " ".join(str(what).split())
