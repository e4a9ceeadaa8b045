"""Paddle on its CPU, eager."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle

from hingeproof.backends.binding import arrays, bind
from hingeproof.backends.numpy import cross_entropy as cross_entropy
from hingeproof.implementation import Implementation
from hingeproof.properties.case import LABEL_DTYPES, Array, Batch, Output


def flushes(mode: str, dtype: str) -> bool:
    return True


def devices() -> tuple[str, ...]:
    return ("cpu",)


@dataclass
class PaddleSubject:
    implementation: Implementation
    dtype: str
    device: str
    mode: str
    given: list[Array] = field(default_factory=list)

    compiled = False
    gradients = True
    layouts = ("strided", "negative", "transposed")
    label_dtypes = tuple(n for n in LABEL_DTYPES if n not in ("uint16", "uint32"))  # it takes uint16 for bfloat16

    def array(self, x: Array) -> Any:
        return paddle.to_tensor(np.ascontiguousarray(x), place=paddle.CPUPlace())

    def prepared(self, batch: Batch) -> list[Array]:
        return arrays(self.implementation, batch).present

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        raw = arrays(self.implementation, batch)
        self.given = raw.present
        inputs = [self.array(x) for x in raw.inputs]
        for x in inputs:
            x.stop_gradient = cotangent is None
        targets, weight, class_weight = (
            None if x is None else self.array(x) for x in (raw.targets, raw.weight, raw.class_weight)
        )
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
