"""NumPy's kernel: `backward` is the sibling gradient function alone, `both` is it after the value.

Loaded by its path in any environment: it imports the standard library, NumPy and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Kernel:
    """See bench/timing/clock.py."""

    modes = ("eager",)
    devices = ("cpu",)
    mean = staticmethod(np.mean)

    @staticmethod
    def back(x: Any) -> Any:
        return np.asarray(x, dtype=np.float64)

    def __init__(self, spec: Any, inputs: list[Any], targets: Any, bound: Any) -> None:
        gradient: Any = None if spec.phase == "forward" else bound.gradient()
        # the cotangent of a mean, or of each sample's loss where the caller takes the mean
        one = np.full(len(inputs[0]), 1 / len(inputs[0]), inputs[0].dtype) if spec.caller_reduces else np.ones(())
        one = one.astype(inputs[0].dtype)
        rest = () if targets is None else (targets,)

        def back() -> Any:
            return gradient(*inputs, *rest, cotangent=one, **spec.settings)

        if spec.phase == "forward":
            self.call: Callable[[], Any] = lambda: bound.call(inputs, targets)
        elif spec.phase == "backward":
            self.call = back
        else:
            self.call = lambda: (bound.call(inputs, targets), back())

    @staticmethod
    def copy(source: Any, device: str, threads: int) -> Callable[[], Any]:
        target = np.empty_like(source)
        return lambda: np.copyto(target, source)
