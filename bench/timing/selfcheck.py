"""Does the clock catch what would make it lie? Mistakes are planted, and must be detected before a time is believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from hingeproof.bench.timing.clock import Block, block
from hingeproof.frameworks.registry import kernel
from hingeproof.runs.timings import SelfCheck

SLACK = 5e-5  # seconds: what a drain of nothing may take on a busy machine


def distrust(blocks: Sequence[Block]) -> str:
    """Why these blocks are no measurement, or nothing."""
    if any(b.compiled for b in blocks):
        return f"compiled {sum(b.compiled for b in blocks)} times inside a round"
    late = float(np.median([b.left for b in blocks]))
    if late > SLACK + 0.05 * float(np.median([b.seconds for b in blocks])):
        return f"the clock was read {late * 1e3:.3g} ms before the device was done"
    return ""


class _Planted:
    """A kernel with a mistake. `wait` is what the clock calls, `drain` what really waits."""

    def __init__(self, call: Any, drain: Any, compilations: Any) -> None:
        self.call, self.drain, self.compilations = call, drain, compilations

    def wait(self, outputs: Any) -> None:
        """Forget to."""


def _sleeper() -> _Planted:
    """A device of its own, played by a thread: for frameworks that return only when they are done."""
    started: list[threading.Thread] = []

    def call() -> None:
        thread = threading.Thread(target=time.sleep, args=(0.02,))
        thread.start()
        started.append(thread)

    def drain(kept: Any) -> None:
        for thread in started:
            thread.join()

    return _Planted(call, drain, _never)


def _never() -> int:
    return 0


def _late(make: Any, device: str) -> _Planted | None:
    """A call of a framework that returns too early, where its calls do so."""
    call, drain = (make.late(device) if hasattr(make, "late") else None) or (None, None)
    return _Planted(call, drain, _never) if call else None


def _compiling(make: Any, device: str) -> _Planted:
    """A call that compiles each time; a mere counter where nothing is compiled."""
    calls = [0]

    def counted(program: Any = lambda: None) -> Any:
        def once(*arrays: Any) -> Any:
            calls[0] += 1
            return program(*arrays)

        return once

    call = make.recompiling(device, counted) if hasattr(make, "recompiling") else counted()
    return _Planted(call, lambda kept: None, getattr(make, "compilations", lambda: calls[0]))


def examine(framework: str, device: str = "cpu") -> SelfCheck:
    """Plant an un-synchronised timing and a compilation inside a round in the clock of one framework."""
    make = kernel(framework)
    late = _late(make, device)
    blocks = [block(late or _sleeper(), 1) for _ in range(3)]
    compiling = _compiling(make, device)
    rounds = [block(compiling, 2) for _ in range(2)]
    honest = _Planted(lambda: np.ones(4), lambda kept: None, _never)
    fine = not distrust([block(honest, 100) for _ in range(5)])
    asynchronous = late is not None or device != "cpu"
    return SelfCheck(
        framework=framework,
        unsynchronised=fine and "before the device was done" in distrust(blocks),
        compile_in_round=fine and "inside a round" in distrust(rounds),
        asynchronous=asynchronous,
        note="" if asynchronous else "calls return when done: the late device is a thread",
    )
