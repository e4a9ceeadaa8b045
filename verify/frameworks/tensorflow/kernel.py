"""TensorFlow's kernel: eager, or tf.function. A function is called when it is traced: that is counted as a compilation.

Loaded by its path in any environment: it imports the standard library, NumPy and TensorFlow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def place(device: str) -> str:
    return "GPU:0" if device == "cuda" else "CPU:0"


def slopes(tape: Any, value: Any, xs: Any) -> list[Any]:
    found = tape.gradient(value, xs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(g) for g in found]


class Kernel:
    """See bench/timing/clock.py."""

    modes = ("eager", "compile")
    devices = ("cpu", "cuda")
    mean = staticmethod(tf.reduce_mean)

    @staticmethod
    def here(device: str) -> bool:
        return device == "cpu" or bool(tf.config.list_physical_devices("GPU"))

    @staticmethod
    def back(x: Any) -> Any:
        return np.asarray(x.numpy()).astype(np.float64)

    def __init__(self, spec: Any, inputs: list[Any], targets: Any, bound: Any) -> None:
        self.place = place(spec.device)
        with self.context():
            xs = [tf.constant(np.ascontiguousarray(x)) for x in inputs]
            y = None if targets is None else tf.constant(targets)

        def compiled(program: Any) -> Any:
            return program if spec.mode == "eager" else tf.function(bound.counted(program), autograph=False)

        def forward(xs: Any, y: Any) -> Any:
            return bound.call(xs, y)

        def both(xs: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(xs)
                value = bound.call(xs, y)
            return value, slopes(tape, value, xs)

        if spec.phase == "backward":
            with self.context(), tf.GradientTape(persistent=True) as tape:
                tape.watch(xs)
                value = compiled(forward)(xs, y)
            self.call: Callable[[], Any] = lambda: slopes(tape, value, xs)
        else:
            program = compiled(forward if spec.phase == "forward" else both)
            self.call = lambda: program(xs, y)

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return tf.device(self.place)  # type: ignore[no-any-return]

    def wait(self, outputs: Any) -> None:
        tf.test.experimental.sync_devices()

    # -- the roof, and a planted mistake -----------------------------------------------------------------------

    transfers = 3

    @staticmethod
    def copy(source: Any, device: str, threads: int) -> Callable[[], Any]:
        """There is no copy into a given buffer: another array is added to one in place."""
        with tf.device(place(device)):
            a, one = tf.Variable(source), tf.constant(source)

        def copy() -> None:
            a.assign_add(one)
            tf.test.experimental.sync_devices()

        return copy

    @staticmethod
    def recompiling(device: str, counted: Any) -> Callable[[], Any]:
        x = tf.ones(8)
        return lambda: tf.function(counted(lambda a: a + 1), autograph=False)(x)
