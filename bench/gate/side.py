"""What is compared: `rev:X`, `venv:PATH`, `impl:NAME`, as something that a process can be started for. No guessing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import Parser
from pathlib import Path

from hingeproof.bench.gate.processes import Place, Process, SideError
from hingeproof.bench.timing.surroundings import DECIDING
from hingeproof.errors import UsageError
from hingeproof.frameworks.environment import version
from hingeproof.frameworks.process import worker_environment

BUILDS = Path(".hingeproof") / "builds"


@dataclass(frozen=True)
class Side:
    """One side. `implementation` is set for `impl:` alone; the others run the implementations of the plan."""

    text: str
    kind: str
    place: Place
    implementation: str | None = None
    inside: str = ""  # where the code under test must come from, if that is to be seen to
    facts: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> tuple[str, str]:
    """Kind and value. Raises: UsageError."""
    kind, colon, value = text.partition(":")
    if colon and kind in ("rev", "venv", "impl") and value:
        return kind, value
    if colon and kind not in ("rev", "venv", "impl"):
        return "impl", text  # module:callable
    raise UsageError(f"{text!r} is no side of the gate: give rev:REVISION, venv:PATH, impl:NAME or module:callable")


def prepare(base: str, head: str, threads: int) -> tuple[Side, Side]:
    """Both sides, built where they must be. Raises: UsageError for what cannot be compared."""
    kinds = {parse(base)[0], parse(head)[0]}
    if "impl" in kinds and len(kinds) > 1:
        raise UsageError("impl: is compared with impl: only: give both sides an implementation, or neither")
    sides = tuple(_prepare(text, threads) for text in (base, head))
    requires = [s.facts.get("requires") for s in sides]
    if None not in requires and requires[0] != requires[1]:
        raise UsageError(
            f"{base} and {head} have different dependencies, and share one environment: install each into a virtual "
            "environment of its own and compare venv:PATH with venv:PATH"
        )
    return sides[0], sides[1]


def _prepare(text: str, threads: int) -> Side:
    kind, value = parse(text)
    environment = worker_environment(threads)
    if kind == "impl":
        return Side(text, kind, Place(environment=environment), implementation=value)
    if kind == "venv":
        python = Path(value) / "bin" / "python"
        if not python.exists():
            raise UsageError(f"{text}: {python} does not exist: give the folder of a virtual environment")
        # its packages, not those that this hingeproof was found through
        own = {**environment, "PYTHONPATH": str(Path.cwd())}
        return Side(text, kind, Place(str(python.absolute()), environment=own))
    sha, folder, requires = build(value)
    path = os.pathsep.join([str(folder.resolve()), environment["PYTHONPATH"]])
    place = Place(environment={**environment, "PYTHONPATH": path})
    return Side(text, kind, place, inside=str(folder.resolve()), facts={"commit": sha, "requires": requires})


def told(side: Side) -> dict[str, str]:
    """What a side has: versions, and the commit of a revision. Raises: UsageError where no process starts there."""
    try:
        with Process(side.place) as process:
            versions: dict[str, str] = process.do("versions", names=DECIDING)["versions"]
    except SideError as error:
        raise UsageError(f"{side.text} cannot be used: {error}") from None
    return {**versions, **{n: v for n, v in side.facts.items() if n == "commit"}}


def build(revision: str) -> tuple[str, Path, str]:
    """A revision of the repository here as an unpacked wheel: its commit, the folder, and what it depends on."""
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is None:
        raise UsageError(f"rev:{revision}: git knows no such revision here")
    sha = found.decode().strip()
    folder = BUILDS / sha
    if not (folder / ".complete").exists():
        _build(sha, folder)
    metadata = next(folder.glob("*.dist-info/METADATA"), None)
    requires = Parser().parsestr(metadata.read_text(encoding="utf-8")).get_all("Requires-Dist") if metadata else None
    # extras are what somebody chose to install: here the environment is what it is, for both
    return sha, folder, "\n".join(sorted(r for r in requires or [] if "extra ==" not in r))


def _build(sha: str, folder: Path) -> None:
    archive = _git("archive", sha)
    assert archive is not None
    source = folder / ".source"
    source.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(source, filter="data")
    # what is built with is taken from here where it is here, so that no network is needed
    isolation = ["--no-build-isolation"] if version("setuptools") else []
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", *isolation, "-w", str(folder / ".wheel")]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    wheel = next((folder / ".wheel").glob("*.whl"), None) if done.returncode == 0 else None
    if wheel is None:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise UsageError(f"rev:{sha[:12]} cannot be built as a wheel: {last}")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    (folder / ".complete").touch()


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("rev: needs git, which is not installed") from None
    if done.returncode != 0 and b"not a git repository" in done.stderr:
        raise UsageError("rev: needs a git repository: run it inside one, or compare venv: or impl:")
    return done.stdout if done.returncode == 0 else None
