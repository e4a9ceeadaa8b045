"""What the passes of a verify run leave beside its journal, so that one that dies or hangs has its verdict, too.

todo                        the checks still to be judged when this (part of the) run began, one id a line
inflight/<pass>.json        the input that a pass is about to try; `.done` when the pass has ended
inflight/<pass>.timeout     holds a stack when the pass ran out of time
inflight/exit-<pid>         how the process of a dead worker ended
internal/<pass>.txt         a traceback of ours
points/<pass>.json          what a pass answered at the points that all implementations are asked
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hingeproof.runs.journal import Journal, write
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.records import RunInfo

T = TypeVar("T")


class Tried(msgspec.Struct):
    """What a pass was about to try, and which process."""

    pass_id: str
    pid: int
    input: Any = None


class Passes:
    """One directory of kind `verify`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal(directory, VERIFY)
        self.inflight = directory / "inflight"
        self.internal = directory / "internal"
        self.points = directory / "points"

    def begin(self, info: RunInfo, todo: Iterable[str]) -> None:
        """Make the directory ready: nothing in flight, nothing lost."""
        for folder in (self.inflight, self.internal):
            shutil.rmtree(folder, ignore_errors=True)
        self.inflight.mkdir(parents=True)
        self.journal.begin(info)
        self.write_todo(todo)

    def write_todo(self, todo: Iterable[str]) -> None:
        write(self.directory / "todo", "\n".join(todo).encode())

    def todo(self) -> set[str]:
        return set((self.directory / "todo").read_text(encoding="utf-8").split("\n"))

    def clear(self) -> None:
        """Take away what only a run that goes on needs."""
        for folder in (self.inflight, self.points):
            shutil.rmtree(folder, ignore_errors=True)
        (self.directory / "todo").unlink(missing_ok=True)

    # -- what each pass is at --------------------------------------------------------------------------------

    def path(self, pass_id: str, ending: str) -> Path:
        return self.inflight / f"{_key(pass_id)}.{ending}"

    def ended(self, pass_id: str) -> bool:
        return self.path(pass_id, "done").exists()

    def end(self, pass_id: str) -> None:
        self.path(pass_id, "json").rename(self.path(pass_id, "done"))

    def left_behind(self, pass_id: str) -> Tried | None:
        """Return what a dead worker was about to try in this pass."""
        try:
            return _tried(self.path(pass_id, "json"))
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Tried(pass_id, 0)

    def in_progress(self) -> list[str]:
        """Return the passes that are being run now."""
        found = []
        for path in sorted(self.inflight.glob("*.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                found.append(_tried(path).pass_id)
        return found

    def timed_out(self, pass_id: str) -> bool:
        path = self.path(pass_id, "timeout")
        return path.exists() and path.stat().st_size > 0

    # -- how processes end -----------------------------------------------------------------------------------

    def write_exit(self, pid: int, code: int) -> None:
        (self.inflight / f"exit-{pid}").write_text(str(code), encoding="utf-8")

    def how_it_ended(self, pid: int) -> int | None:
        """Return the return code of a dead worker's process (negative: a signal), if the controller saw it."""
        try:
            return int((self.inflight / f"exit-{pid}").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def write_internal_error(self, pass_id: str, text: str) -> None:
        self.internal.mkdir(exist_ok=True)
        (self.internal / f"{_key(pass_id)}.txt").write_text(text, encoding="utf-8")

    def internal_errors(self) -> list[Path]:
        return sorted(self.internal.glob("*.txt"))

    # -- what passes answered at the points that all are asked -----------------------------------------------

    def keep(self, pass_id: str, answered: msgspec.Struct) -> None:
        """Write down what a pass answered."""
        self.points.mkdir(exist_ok=True)
        write(self.points / f"{_key(pass_id)}.json", msgspec.json.encode(answered))

    def answers(self, kind: type[T]) -> list[T]:
        """Return what all passes answered."""
        return [msgspec.json.decode(path.read_bytes(), type=kind) for path in sorted(self.points.glob("*.json"))]


class Tries:
    """The input that a pass is about to try: one write, no fsync, and the kernel keeps it when the process dies."""

    def __init__(self, passes: Passes, pass_id: str) -> None:
        self._passes, self._pass_id = passes, pass_id
        self._head = b'{"pass_id":%b,"pid":%d,"input":' % (msgspec.json.encode(pass_id), os.getpid())
        self._file = os.open(passes.path(pass_id, "json"), os.O_WRONLY | os.O_CREAT, 0o644)
        self(None)

    def __call__(self, tried: Any) -> None:
        # what an earlier, longer input leaves behind the line break is not read
        os.pwrite(self._file, self._head + msgspec.json.encode(tried) + b"}\n", 0)

    def done(self) -> None:
        os.close(self._file)
        self._passes.end(self._pass_id)


def _tried(path: Path) -> Tried:
    return msgspec.json.decode(path.read_bytes().partition(b"\n")[0], type=Tried)


def _key(pass_id: str) -> str:
    return hashlib.sha256(pass_id.encode()).hexdigest()[:16]
