"""NumPy: plain calls, and gradients from a sibling gradient function where there is one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from hingeproof.frameworks.binding import SubjectBase, argument_names, asked, bind, labelled, load, parameters, written
from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.blame import boundary
from hingeproof.properties.call import LABEL_DTYPES, Output


def flushes(mode: str, dtype: str) -> bool:
    return False


def devices() -> tuple[str, ...]:
    return ("cpu",)


class NumpySubject(SubjectBase):
    layouts = ("strided", "negative", "transposed")
    label_dtypes = LABEL_DTYPES

    @property
    def gradients(self) -> bool:
        return self.implementation.gradient is not None

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        call = bind(self.implementation, batch, reduction)
        given = self.taken(batch)
        with warnings.catch_warnings():
            # a user's code may warn of overflow; what it answers is what is judged
            warnings.simplefilter("ignore", RuntimeWarning)
            got = call(given.inputs, given.targets, given.weight, given.class_weight)
            grads = None if cotangent is None else self._gradients(batch, reduction, cotangent)
        value = _array(got)
        dtype = "" if isinstance(got, float | int) and not isinstance(got, np.generic) else str(value.dtype)
        return Output(value=value, dtype=dtype, gradients=grads)

    def _gradients(self, batch: Batch, reduction: str, cotangent: Array) -> tuple[Array, ...]:
        assert self.implementation.gradient is not None
        settings: dict[str, Any] = parameters(self.implementation, batch, reduction)
        for name, value in (("weight", batch.weight), ("class_weight", batch.class_weight)):
            if value is not None:
                settings[self.implementation.keywords[name]] = value
        given = labelled(self.implementation, batch)
        targets = () if given is None else (given,)
        gradient = self.implementation.gradient
        if callable(gradient):
            f = gradient
        elif self.implementation.expression:
            f = written(gradient, self.implementation.imports, argument_names(self.implementation))
        else:
            f = load(gradient)
        got = asked(f, *batch.inputs, *targets, cotangent=cotangent, **settings)
        return tuple(_array(g) for g in (got if isinstance(got, tuple) else (got,)))

    def array(self, x: Array) -> Array:
        return x


@boundary
def _array(answer: Any) -> Array:
    return np.asarray(answer)


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> NumpySubject:
    return NumpySubject(implementation, dtype, device, mode)


def cross_entropy(scores: Array) -> list[tuple[float, float]]:
    """Value and size of the slope of the cross-entropy of class 0, row by row."""
    others = np.exp((scores[:, 1:] - scores[:, :1]).astype(np.float64)).sum(1)
    return [(float(np.log1p(o)), float(o / (1 + o))) for o in others]
