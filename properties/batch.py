"""A batch of samples, and the exact truth about each of them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended, Format, exact, to_float
from hingeproof.reference_impls.oracle import Arithmetic, Evaluation, Interval, evaluate

ZERO, ONE = fmpq(0), fmpq(1)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs of one call. `inputs` are (N,) or (N, K) in the dtype under test; `targets` (N,), (N, K) or None.

    `cotangent` (N,) is the upstream gradient of the per-sample losses, `tangent` a direction for forward mode.
    """

    loss: Loss
    arithmetic: Arithmetic
    inputs: tuple[Array, ...]
    targets: Array | None
    params: Mapping[str, fmpq]
    cotangent: Array
    tangent: tuple[Array, ...] = ()
    weight: Array | None = None
    class_weight: Array | None = None
    focus: str = ""
    layout: str = "contiguous"
    shape: tuple[int, ...] | None = None  # what (N,) is reshaped to before the call, if anything
    scale: str = "1"  # the implementation's, a rational function of the number of classes
    as_given: bool = False  # targets are written as the implementation wants them, not as ±1, indices or padded lists

    @property
    def format(self) -> Format:
        return self.arithmetic.format

    @property
    def size(self) -> int:
        return len(self.inputs[0])

    @property
    def width(self) -> int:
        """Coordinates of one sample, all inputs together."""
        return sum(1 if x.ndim == 1 else x.shape[1] for x in self.inputs)

    @cached_property
    def rows(self) -> list[list[Extended]]:
        """Each sample's coordinates as exact rationals (or inf/nan)."""
        return [rows_of(self.inputs, i) for i in range(self.size)]

    @cached_property
    def labels(self) -> list[Any]:
        if self.targets is None:
            return [None] * self.size
        if self.loss.margins.targets == "real":
            return [exact(t) for t in self.targets.astype(np.float64).tolist()]
        return self.targets.astype(np.int64).tolist()  # type: ignore[no-any-return]

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        weights = None if self.class_weight is None else rationals(self.class_weight)
        return [
            evaluate(self.loss, self.params, row, label, self.arithmetic, weights, self.multiple)
            for row, label in zip(self.rows, self.labels, strict=True)
        ]

    @property
    def multiple(self) -> fmpq:
        """The implementation's scale at this batch's number of classes."""
        return rational_function(self.scale, self.inputs[0].shape[-1] if self.inputs[0].ndim > 1 else 1)

    @cached_property
    def weights(self) -> list[fmpq | None]:
        return [None] * self.size if self.weight is None else list(rationals(self.weight))

    @property
    def scales(self) -> list[fmpq]:
        """The weights, 1 where there are none."""
        return [ONE if w is None else w for w in self.weights]

    @cached_property
    def cotangents(self) -> list[fmpq]:
        return list(rationals(self.cotangent))

    @cached_property
    def intervals(self) -> list[Interval | None]:
        return [e.interval(w) for e, w in zip(self.evaluations, self.weights, strict=True)]

    def change(self, **fields: Any) -> Batch:
        return replace(self, **fields)

    def take(self, indices: Sequence[int]) -> Batch:
        """The samples at these places, in this order."""
        i = np.asarray(indices, dtype=np.intp)
        taken = replace(
            self,
            inputs=tuple(x[i] for x in self.inputs),
            targets=None if self.targets is None else self.targets[i],
            cotangent=self.cotangent[i],
            tangent=tuple(x[i] for x in self.tangent),
            weight=None if self.weight is None else self.weight[i],
        )
        if "evaluations" in self.__dict__:  # what is known of a sample is known of it anywhere
            taken.__dict__["evaluations"] = [self.evaluations[k] for k in indices]
        return taken


@lru_cache(maxsize=256)
def rational_function(text: str, classes: int) -> fmpq:
    """The exact value of a rational function of K, written with integers, K, + − * / and brackets.

    Raises: ValueError where the text is none, or has no finite positive value there.
    """

    def value(node: ast.expr) -> fmpq:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return fmpq(node.value)
        if isinstance(node, ast.Name) and node.id == "K":
            return fmpq(classes)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise ValueError(text)

    try:
        found = value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ZeroDivisionError, RecursionError):
        raise ValueError(text) from None
    if found <= 0:
        raise ValueError(text)
    return found


_OPERATORS: dict[type, Callable[[fmpq, fmpq], fmpq]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def rows_of(arrays: Iterable[Array], i: int) -> list[Extended]:
    out: list[Extended] = []
    for x in arrays:
        out += [exact(v) for v in np.atleast_1d(x[i]).astype(np.float64).tolist()]
    return out


def rationals(x: Array) -> list[fmpq]:
    """A finite array as exact rationals."""
    return [fmpq(*v.as_integer_ratio()) for v in np.asarray(x, dtype=np.float64).ravel().tolist()]


def extended(x: Array) -> list[Extended]:
    return [exact(v) for v in np.asarray(x, dtype=np.float64).ravel().tolist()]


def show(x: Extended) -> str:
    """A number for people and for pasting: decimal and hex."""
    f = to_float(x)
    if isinstance(x, fmpq) and exact(f) != x:
        return f"{f!r} ({x})" if len(str(x)) < 30 else repr(f)
    return f"{f!r} ({f.hex()})" if np.isfinite(f) else repr(f)
