"""Write figures.jsonl when a run is over: curves from the definition, error envelopes from a process of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import msgspec

from hingeproof.figures import Figure, Training
from hingeproof.journal import Journal
from hingeproof.journal import write as write_whole
from hingeproof.records import RunInfo
from hingeproof.run import worker_environment

LIMIT = 300.0  # seconds for all envelopes
ENVELOPES = ("ci", "nightly")  # profiles that wait for them


def write(journal: Journal, info: RunInfo) -> None:
    """Write the figures of a complete run; an implementation that dies or hangs here only lacks its figure."""
    from hingeproof.curves import curves
    from hingeproof.table import implementations

    figures = _trainings(journal)  # written with the verdicts
    figures += curves(i.loss for i in implementations(info.plan).values())
    if info.plan.profile in ENVELOPES:
        figures += _envelopes(journal)
    data = b"".join(msgspec.json.encode(figure) + b"\n" for figure in figures)
    write_whole(journal.directory / "figures.jsonl", data)


def _trainings(journal: Journal) -> list[Figure]:
    path = journal.directory / "figures.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    found = [msgspec.json.decode(line, type=Figure) for line in lines]
    return [figure for figure in found if isinstance(figure, Training)]


def _envelopes(journal: Journal) -> list[Figure]:
    part = journal.directory / "figures.part"
    with (journal.directory / "figures.log").open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-m", "hingeproof.envelope", str(journal.directory.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=worker_environment(journal),
            timeout=LIMIT,
            check=False,
        )
    decoder = msgspec.json.Decoder(Figure)
    found: list[Figure] = []
    if part.exists():
        for line in part.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):  # half a line of a process that died
                found.append(decoder.decode(line))
        part.unlink()
    log_file = journal.directory / "figures.log"
    if not log_file.stat().st_size:
        log_file.unlink()
    return sorted(found, key=lambda f: (getattr(f, "loss", ""), getattr(f, "implementation", "")))
