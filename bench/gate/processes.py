"""The processes of the gate: one a side, told block by block when to run, on inputs in shared memory."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hingeproof.bench.timing.clock import Answer, CallSpec
from hingeproof.bench.timing.data import Data
from hingeproof.frameworks.registry import kernel_path

PATIENCE = 300.0  # seconds for one answer: a compilation


class SideError(Exception):
    """A side could not do what it was told. The message is its own, or how it died."""


@dataclass(frozen=True)
class Place:
    """Where a side runs: its interpreter and its environment variables."""

    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)

    def having(self, more: Mapping[str, str]) -> Place:
        """The same place with these variables set from the start."""
        return replace(self, environment={**self.environment, **more}) if more else self


class SharedArrays:
    """A folder of shared memory for arrays; gone when it is closed."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._folder = tempfile.TemporaryDirectory(prefix="hingeproof-", dir=memory if memory.is_dir() else None)
        self._count = 0

    def path(self, ending: str) -> str:
        self._count += 1
        return str(Path(self._folder.name) / f"{self._count}{ending}")

    def put(self, data: Data, inputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """What a side needs to map these arrays; `inputs`: they are there already, in another side's labels."""
        targets = None if data.targets is None else self._array(data.targets)
        return {"inputs": inputs or [self._array(x) for x in data.inputs], "targets": targets}

    def _array(self, x: np.ndarray[Any, Any]) -> dict[str, Any]:
        path, name = self.path(".raw"), x.dtype.name
        np.ascontiguousarray(x.view(np.int16) if name == "bfloat16" else x).tofile(path)
        return {"path": path, "dtype": name, "shape": list(x.shape)}

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> SharedArrays:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Process:
    """A fresh process of one side."""

    def __init__(self, place: Place) -> None:
        script = str(files("hingeproof.bench.gate") / "agent.py")
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            # -P: the folder of the script, which is ours, is not on its path
            [place.python, "-P", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=place.environment,
        )  # fmt: skip

    def tell(self, do: str, **more: Any) -> None:
        """Send a request without waiting for its answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SideError(self._last_words()) from None

    def heard(self) -> dict[str, Any]:
        """The answer to the last request. Raises: SideError."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise SideError(self._last_words() if ready else f"no answer for {PATIENCE:.0f} s")
        reply: dict[str, Any] = json.loads(line)
        if not reply["ok"]:
            raise SideError(reply["error"])
        return reply

    def do(self, what: str, **more: Any) -> dict[str, Any]:
        self.tell(what, **more)
        return self.heard()

    def _last_words(self) -> str:
        self._process.kill()
        self._process.communicate()
        self._said.seek(0)
        last = (self._said.read().strip().splitlines() or [""])[-1]
        return f"the process ended with {self._process.returncode}{f': {last}' if last else ''}"

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def loading(spec: CallSpec, arrays: dict[str, Any]) -> dict[str, Any]:
    """The `load` (or `ask`) request of a spec on arrays that are mapped."""
    return {"spec": spec._asdict(), "kernel": kernel_path(spec.framework), **arrays}


def answer(path: str) -> Answer:
    """What a side saved."""
    with np.load(path) as saved:
        names = sorted((n for n in saved.files if n.startswith("g")), key=lambda n: int(n[1:]))
        gradients = tuple(saved[n] for n in names)
        value = saved["value"] if "value" in saved.files else None
    Path(path).unlink()
    return Answer(value, gradients or None)
