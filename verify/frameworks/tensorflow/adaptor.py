"""TensorFlow: eager with a GradientTape, and tf.function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hingeproof.frameworks.binding import SubjectBase, bind, setting
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.numpy.adaptor import cross_entropy as cross_entropy
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.call import LABEL_DTYPES, Output


def flushes(mode: str, dtype: str) -> bool:
    """TensorFlow's CPU kernels run with denormals flushed."""
    return True


def devices() -> tuple[str, ...]:
    return ("cpu",)


class TensorflowSubject(SubjectBase):
    gradients = True
    layouts = ("strided", "negative", "transposed")
    label_dtypes = LABEL_DTYPES

    def array(self, x: Array) -> Any:
        return tf.constant(np.ascontiguousarray(x))

    def back(self, x: Any) -> Array:
        return np.asarray(x.numpy())

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        inputs, targets, weight, class_weight = self.taken(batch).each(self.array)
        call = self._call(batch, reduction)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = call(inputs, targets, weight, class_weight)
        gradients = None
        if cotangent is not None and tuple(value.shape) == cotangent.shape:
            grads = tape.gradient(value, inputs, output_gradients=tf.cast(self.array(cotangent), value.dtype))
            gradients = tuple(
                self.back(tf.zeros_like(x) if g is None else tf.convert_to_tensor(g))
                for x, g in zip(inputs, grads, strict=True)
            )
        return Output(value=self.back(value), dtype=value.dtype.name, gradients=gradients)

    def _call(self, batch: Batch, reduction: str) -> Callable[..., Any]:
        call = bind(self.implementation, batch, reduction)
        if self.mode != "compile":
            return call
        key = setting(batch, reduction)
        if key not in self._compiled:
            self._compiled[key] = tf.function(call, autograph=False)
        return self._compiled[key]


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> TensorflowSubject:
    return TensorflowSubject(implementation, dtype, device, mode)
