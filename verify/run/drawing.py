"""Write figures.jsonl when a run is over: curves from the definition, error envelopes from a process of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from hingeproof.run.controller import environment_of
from hingeproof.runs import parts, reader
from hingeproof.runs.figures import Figure, LossCurve, SvmPicture, UlpError
from hingeproof.runs.journal import write_lines
from hingeproof.runs.records import RunInfo

LIMIT = 300.0  # seconds for all envelopes
ENVELOPES = ("ci", "nightly")  # profiles that wait for them


def write(directory: Path, info: RunInfo) -> None:
    """Write the figures of a complete run; an implementation that dies or hangs here only lacks its figure."""
    from hingeproof.evidence.curves import curves
    from hingeproof.plan.checks import implementations

    figures: list[Figure] = list(curves(i.loss for i in implementations(info.plan).values()))
    if info.plan.profile in ENVELOPES:
        figures += _envelopes(directory)
    of_laws = [
        figure for figure in reader.figures(directory) if not isinstance(figure, LossCurve | SvmPicture | UlpError)
    ]
    write_lines(directory / "figures.jsonl", [*of_laws, *figures])


def _envelopes(directory: Path) -> list[Figure]:
    part = directory / "figures.part"
    with (directory / "figures.log").open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-m", "hingeproof.evidence.envelope", str(directory.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment_of(directory),
            timeout=LIMIT,
            check=False,
        )
    found: list[Figure] = list(parts.lines(part, Figure))  # type: ignore[arg-type]  # a union is no type to mypy
    part.unlink(missing_ok=True)
    log_file = directory / "figures.log"
    if not log_file.stat().st_size:
        log_file.unlink()
    return sorted(found, key=lambda f: (getattr(f, "loss", ""), getattr(f, "implementation", "")))
