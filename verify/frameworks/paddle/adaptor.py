"""Paddle on its CPU, eager."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from hingeproof.frameworks.binding import SubjectBase, bind
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.numpy.adaptor import cross_entropy as cross_entropy
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.call import LABEL_DTYPES, Output


def flushes(mode: str, dtype: str) -> bool:
    return True


def devices() -> tuple[str, ...]:
    return ("cpu",)


class PaddleSubject(SubjectBase):
    gradients = True
    layouts = ("strided", "negative", "transposed")
    label_dtypes = tuple(n for n in LABEL_DTYPES if n not in ("uint16", "uint32"))  # it takes uint16 for bfloat16

    def array(self, x: Array) -> Any:
        return paddle.to_tensor(np.ascontiguousarray(x), place=paddle.CPUPlace())

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        raw = self.taken(batch)
        inputs, targets, weight, class_weight = raw.each(self.array)
        for x in inputs:
            x.stop_gradient = cotangent is None
        value = bind(self.implementation, batch, reduction)(inputs, targets, weight, class_weight)
        gradients = None
        if cotangent is not None and tuple(value.shape) == cotangent.shape:
            upstream = self.array(cotangent).astype(value.dtype)
            if value.stop_gradient:
                gradients = tuple(np.zeros_like(x) for x in raw.inputs)
            else:
                grads = paddle.grad([value], inputs, grad_outputs=[upstream], allow_unused=True)
                gradients = tuple(
                    np.zeros_like(x) if g is None else g.numpy() for x, g in zip(raw.inputs, grads, strict=True)
                )
        return Output(value=value.numpy(), dtype=str(value.dtype).rpartition(".")[2], gradients=gradients)


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> PaddleSubject:
    return PaddleSubject(implementation, dtype, device, mode)
