"""Does the clock catch what would make it lie? Mistakes are planted, and must be detected before a time is believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from hingeproof.bench.timing.kernel import Block, block, count_compilations, counted
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

    def __init__(self, call: Any, drain: Any, compilations: Any, device: str = "cpu") -> None:
        self.call, self.drain, self.compilations, self.device = call, drain, compilations, device

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


def _ticking() -> _Planted:
    compiled = [0]

    def call() -> None:
        compiled[0] += 1

    return _Planted(call, lambda kept: None, lambda: compiled[0])


def _jax(device: str) -> tuple[_Planted, _Planted]:
    import jax
    import jax.numpy as jnp

    from hingeproof.bench.timing import kernel

    count_compilations()
    x = jax.device_put(np.ones((700, 700), np.float32), jax.devices({"cuda": "gpu"}.get(device, device))[0])

    heavy = jax.jit(lambda x: jax.lax.fori_loop(0, 8, lambda i, a: (a @ x) / 700, x))

    jax.block_until_ready(heavy(x))
    late = _Planted(lambda: heavy(x), jax.block_until_ready, lambda: kernel._COMPILED[0])
    seeds = iter(range(10**6))

    def recompile() -> Any:
        seed = next(seeds)
        return jax.jit(lambda a: a + jnp.float32(seed))(x)

    return late, _Planted(recompile, jax.block_until_ready, lambda: kernel._COMPILED[0])


def _torch(device: str) -> tuple[_Planted, _Planted]:
    import torch

    def counted() -> int:
        counters = torch._dynamo.utils.counters
        return int(sum(counters["stats"].values()) + sum(counters["frames"].values()))

    def recompile() -> Any:
        return torch.compile(lambda a: a + 1, backend="eager")(x)

    x = torch.ones(8, device=device)
    torch.compile(lambda a: a - 1, backend="eager")(x)
    if device != "cuda":
        return _sleeper(), _Planted(recompile, lambda kept: None, counted)
    big = torch.ones((4096, 4096), device=device)
    late = _Planted(lambda: [big @ big for _ in range(20)], lambda kept: torch.cuda.synchronize(), _never)
    return late, _Planted(recompile, lambda kept: torch.cuda.synchronize(), counted)


def _mlx(device: str) -> tuple[_Planted, _Planted]:
    import mlx.core as mx

    x, traced = mx.ones((700, 700)), [0]
    mx.eval(x)

    def heavy() -> Any:
        a = x
        for _ in range(8):
            a = (a @ x) / 700
        return a

    return (
        _Planted(heavy, mx.eval, _never),
        _Planted(lambda: mx.compile(counted(lambda a: a + 1, traced))(x), mx.eval, lambda: traced[0]),
    )


def _tensorflow(device: str) -> tuple[_Planted, _Planted]:
    import tensorflow as tf

    x, traced = tf.ones(8), [0]

    def recompile() -> Any:
        return tf.function(counted(lambda a: a + 1, traced), autograph=False)(x)

    return _sleeper(), _Planted(recompile, lambda kept: None, lambda: traced[0])


def examine(framework: str, device: str = "cpu") -> SelfCheck:
    """Plant an un-synchronised timing and a compilation inside a round in the clock of one framework."""
    plants = {"torch": _torch, "jax": _jax, "mlx": _mlx, "tensorflow": _tensorflow}.get(framework)
    late, compiling = plants(device) if plants else (_sleeper(), _ticking())
    blocks = [block(late, 1) for _ in range(3)]
    rounds = [block(compiling, 2) for _ in range(2)]
    honest = _Planted(lambda: np.ones(4), lambda kept: None, _never)
    fine = not distrust([block(honest, 100) for _ in range(5)])
    asynchronous = framework in ("jax", "mlx") or device == "cuda"
    return SelfCheck(
        framework=framework,
        unsynchronised=fine and "before the device was done" in distrust(blocks),
        compile_in_round=fine and "inside a round" in distrust(rounds),
        asynchronous=asynchronous,
        note="" if asynchronous else "calls return when done: the late device is a thread",
    )
