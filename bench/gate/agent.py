"""One side of the paired gate: a process that times blocks when it is told to. Run by path, in any environment.

It reads JSON lines from standard input and answers each with one: `versions` (of packages, as this environment has
them), `load` (arrays in shared memory, how to call, where the framework's kernel is written), `block`, `answer` (what
the timed call gave, as .npz), `ask` (another call on other arrays). Nothing of hingeproof is imported but what the
callable itself imports.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def code(path: str) -> Any:
    """A file by its path, whatever packages the environment has."""
    spec = importlib.util.spec_from_file_location(f"_hingeproof_{Path(path).stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def mapped(array: dict[str, Any]) -> Any:
    """An array in a file of shared memory, without a copy."""
    if array["dtype"] == "bfloat16":
        import ml_dtypes

        return np.memmap(array["path"], np.int16, "r+", shape=tuple(array["shape"])).view(ml_dtypes.bfloat16)
    found = np.memmap(array["path"], array["dtype"], "r+", shape=tuple(array["shape"]))
    return np.asarray(found)


class Agent:
    """The kernel that is loaded, if any, and what the requests do with it."""

    def __init__(self) -> None:
        self.clock = code(str(Path(__file__).parents[1] / "timing" / "clock.py"))
        self.kernel: Any = None

    def versions(self, request: dict[str, Any]) -> dict[str, Any]:
        found = {"python": platform.python_version()}
        for name in request["names"]:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return {"versions": found}

    def made(self, request: dict[str, Any]) -> Any:
        spec, make = self.clock.CallSpec(**request["spec"]), code(request["kernel"]).Kernel
        targets = None if request["targets"] is None else mapped(request["targets"])
        return self.clock.Timed(make, spec, [mapped(x) for x in request["inputs"]], targets)

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        self.kernel = self.made(request)
        with self.kernel.context():
            first, self.out = self.clock.first_call(self.kernel)
        module = sys.modules.get(request["spec"]["target"].partition(":")[0])
        return {"first_call": first, "origin": str(getattr(module, "__file__", ""))}

    def calibrate(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.kernel.context(), self.clock.quiet():
            return {"loops": self.clock.calibrate(self.kernel, request["seconds"])}

    def block(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.kernel.context(), self.clock.quiet():
            return self.clock.block(self.kernel, request["loops"])._asdict()  # type: ignore[no-any-return]

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.saved(self.kernel, self.out, request["path"])

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        kernel = self.made(request)
        with kernel.context():
            return self.saved(kernel, self.clock.first_call(kernel)[1], request["path"])

    def saved(self, kernel: Any, out: Any, path: str) -> dict[str, Any]:
        got = kernel.answer(out)
        arrays = {} if got.value is None else {"value": got.value}
        np.savez(path, **arrays, **{f"g{i}": g for i, g in enumerate(got.gradients or ())})
        return {}


def count(calls: int, path: str) -> None:
    """Make so many calls of a request in a file and end: for a tool that counts what the whole process did."""
    side = Agent()
    side.load(json.loads(Path(path).read_text(encoding="utf-8")))
    kept = [None]
    with side.kernel.context(), side.clock.quiet():
        for _ in range(calls):
            kept[0] = side.kernel.call()
        side.kernel.wait(kept)
    os._exit(0)  # what an interpreter does at its end is not of interest


def main() -> None:
    """Answer until standard input ends."""
    if sys.argv[1:2] == ["--calls"]:
        count(int(sys.argv[2]), sys.argv[3])
    # what the timed code prints goes to standard error: standard output is ours
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    side = Agent()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"ok": True, **getattr(side, request["do"])(request)}
        except Exception as error:  # the code under test may raise anything: the other side is told
            text = (str(error).strip().splitlines() or [""])[0][:300]
            reply = {"ok": False, "error": f"{type(error).__name__}: {text}"}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
