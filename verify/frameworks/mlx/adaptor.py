"""MLX on its CPU: eager, mx.compile, vmap, forward mode and double differentiation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import mlx.core as mx
import numpy as np

from hingeproof.frameworks.binding import SubjectBase, bind, setting
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.numpy.adaptor import cross_entropy as cross_entropy
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.call import LABEL_DTYPES, Output


def flushes(mode: str, dtype: str) -> bool:
    """MLX's CPU kernels flush subnormals in half precision and in vectorised comparisons."""
    return True


def devices() -> tuple[str, ...]:
    return ("cpu",)


class MlxSubject(SubjectBase):
    gradients = True
    layouts = ("strided", "transposed")
    label_dtypes = LABEL_DTYPES

    def array(self, x: Array) -> Any:
        """A NumPy array in MLX; float64 and bfloat16 keep their dtype."""
        x = np.asarray(x)
        if x.dtype == ml_dtypes.bfloat16:
            return mx.array(x.astype(np.float32)).astype(mx.bfloat16)
        return mx.array(x, dtype=mx.float64) if x.dtype == np.float64 else mx.array(x)

    def back(self, x: Any) -> Array:
        if x.dtype == mx.bfloat16:
            return np.asarray(np.array(x.astype(mx.float32)).astype(ml_dtypes.bfloat16))
        return np.array(x)

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        with mx.stream(mx.cpu):  # float64 is the CPU's alone
            return self._run(batch, reduction, cotangent)

    def _run(self, batch: Batch, reduction: str, cotangent: Array | None) -> Output:
        inputs, targets, weight, class_weight = self.taken(batch).each(self.array)
        call = self._call(batch, reduction)

        def of(*xs: Any) -> Any:
            return call(xs, targets, weight, class_weight)

        if self.mode == "forward":
            (value,), (slope,) = mx.jvp(of, inputs, [self.array(t) for t in batch.tangent])
            return self._output(value, slope=self.back(slope))
        if cotangent is None:
            return self._output(of(*inputs))
        value = of(*inputs)
        if tuple(value.shape) != cotangent.shape:
            return self._output(value)
        upstream = self.array(cotangent).astype(value.dtype)
        (value,), grads = mx.vjp(of, inputs, [upstream])
        curvature = None
        if self.mode == "double_backward" and batch.tangent:

            def gradient(*xs: Any) -> Any:
                return mx.vjp(of, list(xs), [upstream])[1]

            _, second = mx.vjp(gradient, inputs, [self.array(t) for t in batch.tangent])
            curvature = tuple(map(self.back, second))
        return self._output(value, gradients=tuple(map(self.back, grads)), curvature=curvature)

    def _output(self, value: Any, **more: Any) -> Output:
        return Output(value=self.back(value), dtype=str(value.dtype).removeprefix("mlx.core."), **more)

    def _call(self, batch: Batch, reduction: str) -> Callable[..., Any]:
        call = bind(self.implementation, batch, reduction)
        if self.mode == "vmap" and reduction == "none":
            return _per_sample(call)
        if self.mode != "compile":
            return call
        key = setting(batch, reduction)
        if key not in self._compiled:
            self._compiled[key] = mx.compile(call)
        return self._compiled[key]


def _per_sample(call: Callable[..., Any]) -> Callable[..., Any]:
    def mapped(inputs: Any, targets: Any, weight: Any, class_weight: Any) -> Any:
        given = [x for x in (*inputs, targets, weight) if x is not None]

        def one(*row: Any) -> Any:
            rest = [x[None] for x in row]
            tensors = [rest.pop(0) for _ in inputs]
            target = None if targets is None else rest.pop(0)
            w = None if weight is None else rest.pop(0)
            return call(tensors, target, w, class_weight).reshape(())

        return mx.vmap(one)(*given)

    return mapped


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> MlxSubject:
    return MlxSubject(implementation, dtype, device, mode)
