"""The run directory: what is written while a run goes on, and read when it is over, killed or resumed.

run.json                    what was asked for, where; `complete` when every worker came to its end
todo                        the checks still to be judged when this (part of the) run began, one id a line
parts/<worker>-<pid>.jsonl  verdicts, one fsynced line each, until they are merged into records.jsonl
inflight/<pass>.json        the input that a pass is about to try; `.done` when the pass has ended
inflight/<pass>.timeout     holds a stack when the pass ran out of time
inflight/exit-<pid>         how the process of a dead worker ended
internal/<pass>.txt         a traceback of ours
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from hingeproof.runs.records import Record, RunInfo


class Inflight(msgspec.Struct):
    """What a pass was about to try, and which process."""

    pass_id: str
    pid: int
    input: Any = None


class Seen(msgspec.Struct):
    """The little of a record that the progress bar wants."""

    check: str
    verdict: str


def key(pass_id: str) -> str:
    return hashlib.sha256(pass_id.encode()).hexdigest()[:16]


class Journal:
    """One run directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.parts = directory / "parts"
        self.inflight = directory / "inflight"
        self.internal = directory / "internal"
        self.points = directory / "points"

    def begin(self, info: RunInfo, todo: list[str]) -> None:
        """Make the directory ready: nothing in flight, nothing lost, no half lines that a new one could run into."""
        judged = self.records()
        for folder in (self.inflight, self.internal):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.parts, self.inflight):
            folder.mkdir(parents=True, exist_ok=True)
        before = self.parts / "before.jsonl"
        write(before, b"".join(msgspec.json.encode(record) + b"\n" for record in judged.values()))
        for part in self.parts.glob("*.jsonl"):
            if part != before:
                part.unlink()
        self.write_todo(todo)
        self.write_info(info)

    def write_todo(self, todo: list[str]) -> None:
        write(self.directory / "todo", "\n".join(todo).encode())

    # -- run.json --------------------------------------------------------------------------------------------

    def write_info(self, info: RunInfo) -> None:
        write(self.directory / "run.json", msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")

    def info(self) -> RunInfo:
        return msgspec.json.decode((self.directory / "run.json").read_bytes(), type=RunInfo)

    def todo(self) -> set[str]:
        return set((self.directory / "todo").read_text(encoding="utf-8").split("\n"))

    # -- verdicts --------------------------------------------------------------------------------------------

    def records(self) -> dict[str, Record]:
        """Return all verdicts in the parts, by check; of two on one check the first stands."""
        found: dict[str, Record] = {}
        decoder = msgspec.json.Decoder(Record)
        for part in sorted(self.parts.glob("*.jsonl")):
            for line in part.read_bytes().split(b"\n"):
                # a worker that was killed while writing leaves half a line: that check has no verdict
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                    record = decoder.decode(line)
                    found.setdefault(record.check, record)
        return found

    def finish(self, info: RunInfo, records: list[Record]) -> None:
        """Merge, sorted by CHECK. The parts go only when the run is complete: until then they are what counts."""
        ordered = sorted(records, key=lambda record: record.check)
        figures = [msgspec.json.encode(figure) + b"\n" for record in ordered for figure in record.figures]
        bare = [msgspec.structs.replace(record, figures=[]) if record.figures else record for record in ordered]
        write(self.directory / "records.jsonl", b"".join(msgspec.json.encode(record) + b"\n" for record in bare))
        if figures:
            write(self.directory / "figures.jsonl", b"".join(figures))
        self.write_info(info)
        if info.complete:
            for folder in (self.parts, self.inflight, self.points):
                shutil.rmtree(folder, ignore_errors=True)
            (self.directory / "todo").unlink(missing_ok=True)

    # -- the points that all implementations are asked ---------------------------------------------------------

    def keep(self, pass_id: str) -> Callable[[Any], None]:
        """Return a function that writes down what a pass answered."""

        def keeping(answered: Any) -> None:
            self.points.mkdir(exist_ok=True)
            write(self.points / f"{key(pass_id)}.json", msgspec.json.encode(answered))

        return keeping

    def compare(self) -> None:
        """Write pairs.jsonl from what the passes answered."""
        from hingeproof.evidence.pairs import pairs
        from hingeproof.evidence.points import Answers

        found = [msgspec.json.decode(p.read_bytes(), type=Answers) for p in sorted(self.points.glob("*.json"))]
        write(self.directory / "pairs.jsonl", b"".join(msgspec.json.encode(pair) + b"\n" for pair in pairs(found)))

    # -- passes ----------------------------------------------------------------------------------------------

    def path(self, pass_id: str, ending: str) -> Path:
        return self.inflight / f"{key(pass_id)}.{ending}"

    def left_behind(self, pass_id: str) -> Inflight | None:
        """Return what a dead worker was about to try in this pass."""
        try:
            line = self.path(pass_id, "json").read_bytes().partition(b"\n")[0]
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(line, type=Inflight)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Inflight(pass_id, 0)

    def timed_out(self, pass_id: str) -> bool:
        path = self.path(pass_id, "timeout")
        return path.exists() and path.stat().st_size > 0

    def how_it_ended(self, pid: int) -> int | None:
        """Return the return code of a dead worker's process (negative: a signal), if the controller saw it."""
        try:
            return int((self.inflight / f"exit-{pid}").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def in_progress(self) -> list[str]:
        """Return the passes that are being run now."""
        found = []
        for path in sorted(self.inflight.glob("*.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                found.append(msgspec.json.decode(path.read_bytes().partition(b"\n")[0], type=Inflight).pass_id)
        return found

    def internal_errors(self) -> list[Path]:
        return sorted(self.internal.glob("*.txt"))


class Part:
    """The file that one worker appends its verdicts to."""

    def __init__(self, journal: Journal, worker: str) -> None:
        journal.parts.mkdir(parents=True, exist_ok=True)
        path = journal.parts / f"{re.sub(r'[^A-Za-z0-9_]', '_', worker)}-{os.getpid()}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(path, flags, 0o644)

    def append(self, record: Record) -> None:
        os.write(self._file, msgspec.json.encode(record) + b"\n")
        os.fsync(self._file)


class Tries:
    """The input that a pass is about to try: one write, no fsync, and the kernel keeps it when the process dies."""

    def __init__(self, journal: Journal, pass_id: str) -> None:
        self._journal, self._pass_id = journal, pass_id
        self._head = b'{"pass_id":%b,"pid":%d,"input":' % (msgspec.json.encode(pass_id), os.getpid())
        self._file = os.open(journal.path(pass_id, "json"), os.O_WRONLY | os.O_CREAT, 0o644)
        self(None)

    def __call__(self, tried: Any) -> None:
        # what an earlier, longer input leaves behind the line break is not read
        os.pwrite(self._file, self._head + msgspec.json.encode(tried) + b"}\n", 0)

    def done(self) -> None:
        os.close(self._file)
        self._journal.path(self._pass_id, "json").rename(self._journal.path(self._pass_id, "done"))


class Tail:
    """Reads what workers have appended since the last look."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._read: dict[Path, int] = {}
        self._decoder = msgspec.json.Decoder(Seen)

    def skip(self) -> None:
        """Take what is there as read: it belongs to the run that is being resumed."""
        for part in self._journal.parts.glob("*.jsonl"):
            self._read[part] = part.stat().st_size

    def __iter__(self) -> Iterator[Seen]:
        for part in sorted(self._journal.parts.glob("*.jsonl")):
            with part.open("rb") as file:
                file.seek(self._read.get(part, 0))
                new = file.read()
            whole = new.rfind(b"\n") + 1
            self._read[part] = self._read.get(part, 0) + whole
            for line in new[:whole].splitlines():
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                    yield self._decoder.decode(line)


def write(path: Path, data: bytes) -> None:
    """Write a file that is either the old one or the new one, whenever the machine stops."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
