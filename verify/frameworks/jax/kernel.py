"""JAX's kernel: eager or jit. Calls return before they are done: block_until_ready waits for all that they gave.

Loaded by its path in any environment: it imports the standard library, NumPy and JAX.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import count
from typing import Any

import jax
import numpy as np

PLATFORMS = {"cpu": "cpu", "cuda": "gpu"}
enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64  # before JAX 0.8
_compiled = [0]  # every program that XLA compiles in this process, those of eager operations among them


def _heard(event: str, seconds: float, **more: Any) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled[0] += 1


jax.monitoring.register_event_duration_secs_listener(_heard)


def labels(targets: Any, dtype: str) -> Any:
    """Outside x64 JAX holds no 64-bit labels: what it would make of them, said here."""
    return targets.astype(np.int32) if targets.dtype == np.int64 and dtype != "float64" else targets


class Kernel:
    """See bench/timing/clock.py."""

    modes = ("eager", "jit")
    devices = ("cpu", "cuda")
    mean = staticmethod(jax.numpy.mean)

    @staticmethod
    def here(device: str) -> bool:
        try:
            return bool(jax.devices(PLATFORMS[device]))
        except RuntimeError:
            return False

    @staticmethod
    def back(x: Any) -> Any:
        return np.asarray(x).astype(np.float64)

    def __init__(self, spec: Any, inputs: list[Any], targets: Any, bound: Any) -> None:
        self.wide, device = spec.dtype == "float64", jax.devices(PLATFORMS[spec.device])[0]
        if spec.device == "cuda":
            self.peak = self._allocated
        jit = jax.jit if spec.mode == "jit" else lambda f: f
        with self.context():
            xs = tuple(jax.device_put(x, device) for x in inputs)
            y = None if targets is None else jax.device_put(labels(targets, spec.dtype), device)
            if spec.phase == "forward":
                forward = jit(lambda xs, y: bound.call(xs, y))
                self.call: Callable[[], Any] = lambda: forward(xs, y)
            elif spec.phase == "backward":
                value, pull = jit(lambda xs, y: jax.vjp(lambda *x: bound.call(x, y), *xs))(xs, y)
                one, back = jax.numpy.ones_like(value), jit(lambda pull, one: pull(one))
                self.call = lambda: back(pull, one)
            else:
                both = jit(
                    lambda xs, y: jax.value_and_grad(lambda *x: bound.call(x, y), argnums=tuple(range(len(xs))))(*xs)
                )
                self.call = lambda: both(xs, y)

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return enable_x64(self.wide)  # type: ignore[no-any-return]

    def wait(self, outputs: Any) -> None:
        jax.block_until_ready(outputs)

    @staticmethod
    def compilations() -> int:
        return _compiled[0]

    @staticmethod
    def forget() -> None:
        jax.clear_caches()

    def _allocated(self, run: Callable[[], Any]) -> int | None:
        """Of the whole process so far: its allocator forgets no peak."""
        stats = jax.devices("gpu")[0].memory_stats() or {}
        return stats.get("peak_bytes_in_use")

    # -- the roof, and planted mistakes ------------------------------------------------------------------------

    @staticmethod
    def copy(source: Any, device: str, threads: int) -> Callable[[], Any]:
        """There is no copy into a given buffer: one is negated in place, so that fresh pages are not part of it."""
        negate = jax.jit(lambda x: -x, donate_argnums=0)
        kept = [jax.device_put(source, jax.devices(PLATFORMS[device])[0])]

        def copy() -> None:
            kept[0] = jax.block_until_ready(negate(kept[0]))

        return copy

    @staticmethod
    def late(device: str) -> tuple[Callable[[], Any], Callable[[Any], Any]] | None:
        x = jax.device_put(np.ones((700, 700), np.float32), jax.devices(PLATFORMS[device])[0])
        heavy = jax.jit(lambda x: jax.lax.fori_loop(0, 8, lambda i, a: (a @ x) / 700, x))
        jax.block_until_ready(heavy(x))
        return (lambda: heavy(x)), jax.block_until_ready

    @staticmethod
    def recompiling(device: str, counted: Any) -> Callable[[], Any]:
        x = jax.device_put(np.ones((700, 700), np.float32), jax.devices(PLATFORMS[device])[0])
        seeds = count()

        def recompile() -> Any:
            seed = next(seeds)
            return jax.jit(lambda a: a + jax.numpy.float32(seed))(x)

        return recompile
