"""MLX's kernel: eager, or mx.compile. MLX is lazy: a call starts the evaluation of its answer, mx.eval waits for all.

`backward` is mx.grad alone, with as much of the value as the gradient needs: MLX cannot pull back a value that is
there. It counts no compilations; a function that is compiled is called when it is traced, so those of this kernel are
counted, and those inside the callable itself are not seen.

Loaded by its path in any environment: it imports the standard library, NumPy and MLX.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np


def array(x: Any) -> Any:
    """A copy of a NumPy array; bfloat16 and float64 keep their dtype."""
    if x.dtype.name == "bfloat16":
        return mx.array(x.astype(np.float32)).astype(mx.bfloat16)
    return mx.array(x, dtype=mx.float64) if x.dtype == np.float64 else mx.array(x)


class Kernel:
    """See bench/timing/clock.py."""

    modes = ("eager", "compile")
    devices = ("cpu",)
    mean = staticmethod(mx.mean)

    @staticmethod
    def back(x: Any) -> Any:
        return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x).astype(np.float64)

    def __init__(self, spec: Any, inputs: list[Any], targets: Any, bound: Any) -> None:
        with self.context():
            arrays = [array(x) for x in [*inputs, *([] if targets is None else [targets])]]
            mx.eval(arrays)
            size = len(inputs)

            def value(*arrays: Any) -> Any:
                return bound.call(arrays[:size], None if targets is None else arrays[size])

            where = tuple(range(size))
            programs: dict[str, Callable[[], Any]] = {
                "forward": lambda: value,
                "backward": lambda: mx.grad(value, argnums=where),
                "both": lambda: mx.value_and_grad(value, argnums=where),
            }
            program = programs[spec.phase]()
            if spec.mode == "compile":
                program = mx.compile(bound.counted(program))

        def started() -> Any:
            out = program(*arrays)
            mx.async_eval(out)  # type: ignore[no-untyped-call,unused-ignore]
            return out

        self.call: Callable[[], Any] = started

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return mx.stream(mx.cpu)  # type: ignore[no-any-return,unused-ignore]

    def wait(self, outputs: Any) -> None:
        mx.eval(outputs)

    def peak(self, run: Callable[[], Any]) -> int:
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        run()
        return int(mx.get_peak_memory() - before)

    # -- the roof, and planted mistakes ------------------------------------------------------------------------

    @staticmethod
    def copy(source: Any, device: str, threads: int) -> Callable[[], Any]:
        """There is no copy into a given buffer: one is negated in place, so that fresh pages are not part of it."""
        kept = [mx.array(source)]

        def copy() -> None:
            kept[0] = -kept[0]  # nobody else holds it, so that its buffer is used again
            mx.eval(kept)

        return copy

    @staticmethod
    def late(device: str) -> tuple[Callable[[], Any], Callable[[Any], None]] | None:
        x = mx.ones((700, 700))
        mx.eval(x)

        def heavy() -> Any:
            a = x
            for _ in range(8):
                a = (a @ x) / 700
            return a

        return heavy, mx.eval

    @staticmethod
    def recompiling(device: str, counted: Any) -> Callable[[], Any]:
        x = mx.ones(8)
        return lambda: mx.compile(counted(lambda a: a + 1))(x)
