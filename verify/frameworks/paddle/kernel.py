"""Paddle's kernel: eager, on the CPU, where a call returns when it is done.

Loaded by its path in any environment: it imports the standard library, NumPy and Paddle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle


def array(x: Any, *, leaf: bool = False) -> Any:
    return paddle.to_tensor(np.ascontiguousarray(x), place=paddle.CPUPlace(), stop_gradient=not leaf)


class Kernel:
    """See bench/timing/clock.py."""

    modes = ("eager",)
    devices = ("cpu",)
    mean = staticmethod(paddle.mean)

    @staticmethod
    def back(x: Any) -> Any:
        return x.astype("float64").numpy()

    def __init__(self, spec: Any, inputs: list[Any], targets: Any, bound: Any) -> None:
        xs = [array(x, leaf=spec.phase != "forward") for x in inputs]
        y = None if targets is None else array(targets)
        if spec.phase == "backward":
            value = bound.call(xs, y)
            self.call: Callable[[], Any] = lambda: paddle.grad([value], xs, retain_graph=True)
        elif spec.phase == "both":

            def both() -> Any:
                value = bound.call(xs, y)
                return value, paddle.grad([value], xs)

            self.call = both
        else:
            self.call = lambda: bound.call(xs, y)

    @staticmethod
    def copy(source: Any, device: str, threads: int) -> Callable[[], Any]:
        a = paddle.to_tensor(source, place=paddle.CPUPlace())
        b = paddle.empty_like(a)
        return lambda: paddle.assign(a, output=b)
