"""Write figures.jsonl when a run is over: curves from the definition, error envelopes from a process of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import msgspec

from hingeproof.run.controller import environment_of
from hingeproof.runs.figures import Curve, Figure, SvmPicture, UlpError
from hingeproof.runs.journal import Journal
from hingeproof.runs.journal import write as write_whole
from hingeproof.runs.records import RunInfo

LIMIT = 300.0  # seconds for all envelopes
ENVELOPES = ("ci", "nightly")  # profiles that wait for them


def write(journal: Journal, info: RunInfo) -> None:
    """Write the figures of a complete run; an implementation that dies or hangs here only lacks its figure."""
    from hingeproof.evidence.curves import curves
    from hingeproof.plan.checks import implementations

    figures: list[Figure] = list(curves(i.loss for i in implementations(info.plan).values()))
    if info.plan.profile in ENVELOPES:
        figures += _envelopes(journal)
    path = journal.directory / "figures.jsonl"
    kept = [line for line in path.read_bytes().splitlines() if line and not _ours(line)] if path.exists() else []
    lines = [*kept, *(msgspec.json.encode(figure) for figure in figures)]
    write_whole(path, b"".join(line + b"\n" for line in lines))


def _ours(line: bytes) -> bool:
    """Whether a figure is of a kind that is drawn here; laws write others."""
    return isinstance(msgspec.json.decode(line, type=Figure), Curve | SvmPicture | UlpError)


def _envelopes(journal: Journal) -> list[Figure]:
    part = journal.directory / "figures.part"
    with (journal.directory / "figures.log").open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-m", "hingeproof.evidence.envelope", str(journal.directory.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment_of(journal),
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
