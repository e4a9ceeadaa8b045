"""Where runs live: a new directory for one of any kind, written by one process at a time, and those that are known."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
from collections.abc import Iterator
from pathlib import Path

from hingeproof.errors import UsageError
from hingeproof.runs.kinds import InfoT, RowT, RunKind
from hingeproof.runs.reader import UnreadableRunError, read_info

RUNS = Path(".hingeproof") / "runs"


def new_directory(out: str | None, kind: RunKind[InfoT, RowT]) -> Path:
    """Return the directory to write: `--out`, or a new one in the default place. Raises: UsageError."""
    if out is not None:
        refuse_what_is_there(Path(out))
        return Path(out)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1000):
        directory = RUNS / f"{stamp}-{kind.name}{f'-{number}' if number else ''}"
        with contextlib.suppress(FileExistsError):
            _make(directory, exist_ok=False)
            return directory
    raise UsageError(f"{RUNS} has a thousand runs of this second: clear it")


def refuse_what_is_there(directory: Path) -> None:
    """Raise UsageError for a directory that holds something, or something that is none."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"--out {directory} is not empty: name another, or add --resume to go on with the run in it")


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the run directory, made where it is not there. Raises: UsageError where another process is at it."""
    _make(directory, exist_ok=True)
    path = directory / "lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{directory} is being written by another hingeproof: wait for it, or take another --out"
            ) from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _make(directory: Path, *, exist_ok: bool) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise UsageError(f"{directory} cannot be made: {error.strerror}; name another with --out") from error


def known_runs(kind: RunKind[InfoT, RowT]) -> list[tuple[Path, InfoT]]:
    """Return the runs of a kind in the default place, the newest first."""
    found = []
    for directory in RUNS.glob(f"*-{kind.name}*"):
        # one that was killed before it began, or is of another version, is not known
        with contextlib.suppress(UnreadableRunError):
            found.append((directory, read_info(directory, kind)))
    return sorted(found, key=lambda run: (run[1].started, run[0].name), reverse=True)
