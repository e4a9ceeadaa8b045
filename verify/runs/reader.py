"""Read a run directory of any kind and age, finished or not.

Of a run that is not complete, what its processes had written so far is read; a last line that was cut off is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from hingeproof.errors import UsageError
from hingeproof.runs import parts
from hingeproof.runs.figures import Figure
from hingeproof.runs.kinds import VERSIONS, InfoT, RowT, RunKind
from hingeproof.runs.records import Pair

T = TypeVar("T")


class UnreadableRunError(UsageError):
    """A run cannot be read."""


class Run(msgspec.Struct, Generic[InfoT, RowT], frozen=True):
    """A run as read."""

    info: InfoT
    records: tuple[RowT, ...]


class _Head(msgspec.Struct):
    """What run.json says in every version of every kind."""

    schema_version: int
    kind: str = "verify"


def read(directory: Path, kind: RunKind[InfoT, RowT]) -> Run[InfoT, RowT]:
    """Return the run in a directory.

    Raises: UnreadableRunError where it is none, or one of another kind, of a newer hingeproof, or damaged.
    """
    info = read_info(directory, kind)
    return Run(info, tuple(records(directory, info, kind)))


def kind_of(directory: Path) -> str:
    """Return the name of a run's kind. Raises: UnreadableRunError, as `read` does."""
    return _head(directory)[0]


def read_info(directory: Path, kind: RunKind[InfoT, RowT]) -> InfoT:
    """Return run.json alone. Raises: UnreadableRunError, as `read` does."""
    name, data = _head(directory)
    if name != kind.name:
        raise UnreadableRunError(f"{directory} is a run of kind {name}: give one of `{kind.command}`")
    return _decoded(directory / "run.json", data, kind.info)


def records(directory: Path, info: InfoT, kind: RunKind[InfoT, RowT]) -> Iterator[RowT]:
    """Yield the rows of a run one by one, none kept. Raises: UnreadableRunError, as `read` does."""
    path = directory / "records.jsonl"
    if not info.complete and not path.exists():
        rows = parts.rows(directory, kind.row)
        yield from (rows[name] for name in sorted(rows))
        return
    seen: set[int] = set()  # hashes, for a million names would be 200 MB
    for number, row in _rows(path, kind.row, may_be_cut_off=not info.complete):
        known = hash(row.id)
        if known in seen:
            _refuse_a_second(path, number, row.id, kind.row)
        seen.add(known)
        yield row


def figures(directory: Path) -> tuple[Figure, ...]:
    """Return the figures of a run; none where it drew none. Raises: UnreadableRunError."""
    return _beside(directory / "figures.jsonl", Figure)  # type: ignore[arg-type]  # a union is no type to mypy


def pairs(directory: Path) -> tuple[Pair, ...]:
    """Return the pairs of a run; none where it compared none. Raises: UnreadableRunError."""
    return _beside(directory / "pairs.jsonl", Pair)


def _head(directory: Path) -> tuple[str, bytes]:
    """Return the kind of a run, one that this version reads, and its run.json."""
    path = directory / "run.json"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableRunError(
            f"{directory} is not a run (it has no run.json): give the directory that --out named"
        ) from error
    except OSError as error:
        raise UnreadableRunError(f"{path} cannot be read: {error.strerror}") from error
    head = _decoded(path, data, _Head)
    newest = VERSIONS.get(head.kind)
    if newest is None:
        raise UnreadableRunError(
            f"{path} is of kind {head.kind!r}, which this hingeproof does not know: pip install --upgrade hingeproof"
        )
    if head.schema_version > newest:
        raise UnreadableRunError(
            f"{path} has schema version {head.schema_version}, this hingeproof reads up to {newest}: "
            "pip install --upgrade hingeproof"
        )
    if head.schema_version < newest - 1:
        raise UnreadableRunError(
            f"{path} has schema version {head.schema_version}, this hingeproof reads from {newest - 1}: "
            "run again, or read it with an older hingeproof"
        )
    return head.kind, data


def _decoded(path: Path, data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableRunError(f"{path} is damaged ({_one_line(error)}): run again into a new --out") from error


def _beside(path: Path, row: type[T]) -> tuple[T, ...]:
    """Return the rows of a file that a run need not have."""
    return tuple(row for _, row in _rows(path, row, may_be_cut_off=True)) if path.exists() else ()


def _rows(path: Path, row: type[T], *, may_be_cut_off: bool) -> Iterator[tuple[int, T]]:
    """Yield the rows of a file with their lines' numbers."""
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableRunError(f"{path} is missing though the run is complete: run again into a new --out") from error
    except OSError as error:
        raise UnreadableRunError(f"{path} cannot be read: {error.strerror}") from error
    decoder = msgspec.json.Decoder(row)
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                # Only a write that was cut off leaves a last line without its line break.
                if may_be_cut_off and not line.endswith(b"\n"):
                    return
                raise UnreadableRunError(f"{path}, line {number} is damaged: {_one_line(error)}") from error


def _refuse_a_second(path: Path, number: int, name: str, row: type[RowT]) -> None:
    """Raise UnreadableRunError if a line before this one is on the same thing (and has not just the same hash)."""
    for before, earlier in _rows(path, row, may_be_cut_off=True):
        if before == number:
            return
        if earlier.id == name:
            raise UnreadableRunError(f"{path}, line {number}: {_one_line(name)} is there already (line {before})")


def _one_line(what: object) -> str:
    return " ".join(str(what).split())
