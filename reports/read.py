"""Read a RUN directory. Merges nothing: what is not in `records.jsonl` was not judged, to a reader."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hingeproof.records import SCHEMA_VERSION, Record, RunInfo


class UnreadableRunError(Exception):
    """A run cannot be read. The message is one line: what, where, and what to do."""


class Run(msgspec.Struct, frozen=True):
    """A run as read. `truncated`: the last line was cut off when the run was killed, and is left out."""

    info: RunInfo
    records: tuple[Record, ...]
    truncated: bool = False


class _Version(msgspec.Struct):
    schema_version: int


def read(directory: Path) -> Run:
    """Return the run in a directory.

    Raises: UnreadableRunError where it is no run, was written by a newer hingeproof, or is damaged.
    """
    info = read_info(directory)
    records, truncated = _read_records(directory / "records.jsonl", complete=info.complete)
    return Run(info, records, truncated)


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
        raise UnreadableRunError(f"{path} is damaged ({_one_line(error)}): verify again into a new --out") from error


def _read_records(path: Path, *, complete: bool) -> tuple[tuple[Record, ...], bool]:
    if not complete and not path.exists():
        return (), False
    data = _bytes(path, f"{path} is missing though the run is complete: verify again into a new --out")
    lines = data.split(b"\n")
    decoder = msgspec.json.Decoder(Record)
    records: list[Record] = []
    at: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            # Only a write that was cut off leaves a last line without its line break.
            if number == len(lines) and not complete:
                return tuple(records), True
            raise UnreadableRunError(f"{path}, line {number} is damaged: {_one_line(error)}") from error
        if record.check in at:
            raise UnreadableRunError(
                f"{path}, line {number}: {_one_line(record.check)} is there already (line {at[record.check]})"
            )
        at[record.check] = number
        records.append(record)
    return tuple(records), False


def _bytes(path: Path, missing: str) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableRunError(missing) from error
    except OSError as error:
        raise UnreadableRunError(f"{path} cannot be read: {error.strerror}") from error


def _one_line(what: object) -> str:
    return " ".join(str(what).split())
