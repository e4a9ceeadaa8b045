"""One example as a law sees it: a batch drawn, what the implementation answered, and the exact truth beside both."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from flint import fmpq

from hingeproof.properties.contract import Contract
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


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one call answered. `dtype` is the framework's own name of the value's dtype ("" for a Python float)."""

    value: Array
    dtype: str
    gradients: tuple[Array, ...] | None = None
    slope: Array | None = None
    curvature: tuple[Array, ...] | None = None


LABEL_DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float32")


class Subject(Protocol):
    """An implementation, ready to be called in one framework, dtype, device and mode."""

    implementation: Any
    mode: str
    compiled: bool
    gradients: bool
    layouts: tuple[str, ...]
    label_dtypes: tuple[str, ...]  # those that this version of the framework has
    given: list[Array]  # the arrays that the last call was handed

    def prepared(self, batch: Batch) -> list[Array]: ...

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output: ...


@dataclass(frozen=True)
class Failure:
    """A law broken: what it allows, what was seen, on which batch; `sample` is the index concerned."""

    batch: Batch
    expected: str
    observed: str
    reduction: str = "none"
    sample: int | None = None
    note: str = ""
    asked: Batch | None = None  # the batch that the law was given, where `batch` is one that it made


@dataclass(frozen=True)
class Curve:
    """A training run: relative sub-optimality, exact, and margin 1/‖w‖ over that of the optimum, after `steps`."""

    title: str
    optimiser: str
    steps: list[int]
    suboptimality: list[float]
    margin: list[float | None]


@dataclass
class Judgement:
    """What one law says of one example: samples judged, worst errors, samples left out and why."""

    judged: int = 0
    failure: Failure | None = None
    worst_bound: float | None = None
    worst_ulp: float | None = None
    selection: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    convention: str = ""
    note: str = ""  # what was measured, where a row is to say it whatever the verdict
    curves: list[Curve] = field(default_factory=list)

    def fail(self, failure: Failure) -> Judgement:
        if self.failure is None:
            self.failure = failure
        return self

    def leave_out(self, why: str) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + 1

    def measure(self, error: fmpq | None, bound: fmpq, ulp: fmpq) -> None:
        """Note an error in units of its bound and of the ulp."""
        if error is None:
            return
        if bound != 0:
            self.worst_bound = max(self.worst_bound or 0.0, to_float(error / bound))
        self.worst_ulp = max(self.worst_ulp or 0.0, to_float(error / ulp))


class OutOfContract(Exception):
    """A law moved a batch to where the implementation's documentation promises nothing: too few classes, say."""


class Unanswered(Exception):
    """The implementation raised on a valid batch, or answered with a wrong shape."""

    def __init__(self, batch: Batch, reduction: str, observed: str, expected: str) -> None:
        super().__init__(observed)
        self.failure = Failure(batch, expected, observed, reduction)

    @property
    def judgement(self) -> Judgement:
        """A finite batch must be answered; to refuse NaN or infinity loudly is a convention."""
        finite = all(np.isfinite(x.astype(np.float64)).all() for x in self.failure.batch.inputs)
        if finite or not self.failure.observed.startswith("raised"):
            return Judgement(judged=1, failure=self.failure)
        return Judgement(judged=1, convention=f"a score that is not finite is refused: {self.failure.observed}")


@dataclass
class Case:
    """A batch under one implementation. Calls are made when first asked for, and kept."""

    subject: Subject
    batch: Batch
    contract: Contract
    pool: Mapping[str, Any] = field(default_factory=dict)
    _kept: dict[str, Output] = field(default_factory=dict)

    @property
    def loss(self) -> Loss:
        return self.batch.loss

    @cached_property
    def seen(self) -> Output:
        """Per-sample values, and gradients under the batch's cotangent where they can be had."""
        return self.call(self.batch)

    @property
    def values(self) -> list[Extended]:
        return extended(self.seen.value)

    @cached_property
    def gradient_rows(self) -> list[list[Extended]] | None:
        return gradient_rows(self.seen)

    def reduced(self, reduction: str) -> Output:
        """The batch's sum or mean, with the gradient of 1 × that number."""
        if reduction not in self._kept:
            self._kept[reduction] = self.call(self.batch, reduction)
        return self._kept[reduction]

    def offers(self, reduction: str) -> bool:
        return reduction in self.subject.implementation.reductions

    def call(self, batch: Batch, reduction: str = "none", gradients: bool = True) -> Output:
        """Call the implementation on a batch; one that always reduces is given each row alone.

        Raises:
            Unanswered: it raised, or the shape of the answer is wrong.
        """
        # a call without gradients would be a compilation of its own
        gradients = gradients or self.subject.compiled
        only = self.subject.implementation.reductions
        if reduction == "none" and "none" not in only:
            return _joined([self._alone(batch, i, only[0], gradients) for i in range(batch.size)])
        upstream = batch.cotangent if reduction == "none" else np.ones((), batch.cotangent.dtype)
        return self._call(batch, reduction, upstream if gradients else None)

    def _alone(self, batch: Batch, i: int, reduction: str, gradients: bool) -> Output:
        """One sample's loss from an implementation that always reduces."""
        row = batch.take([i])
        if not self.subject.implementation.needs_both_classes:
            return self._call(row, reduction, row.cotangent[0] if gradients else None)
        # beside a sample of the other class whose loss is 0, the mean is half of this one's, exactly
        assert batch.targets is not None
        other = np.full((1,), -4 * int(batch.targets[i]), batch.inputs[0].dtype)
        label = int(batch.targets[i])
        pair = row.change(inputs=(np.concatenate([row.inputs[0], other]),), targets=np.array([label, -label]))
        half = self._call(pair, reduction, None)
        return Output(value=2 * half.value, dtype=half.dtype)

    def _call(self, batch: Batch, reduction: str, cotangent: Array | None) -> Output:
        self._within(batch)
        try:
            out = self.subject.run(batch, reduction, cotangent=cotangent if self.subject.gradients else None)
        except Exception as error:  # an implementation may raise anything; what it raised is the finding
            if ours(error):
                raise
            text = str(error).strip().splitlines() or [""]
            raise Unanswered(batch, reduction, f"raised {type(error).__name__}: {text[0]}", "an answer") from error
        whole = (batch.size,) if batch.shape is None else batch.shape
        shape = whole if reduction == "none" else ()
        if out.value.shape != shape:
            raise Unanswered(
                batch,
                reduction,
                f"a result of shape {out.value.shape}",
                f"a result of shape {shape} for reduction {reduction!r}",
            )
        return out

    def _within(self, batch: Batch) -> None:
        """Raise OutOfContract where the documentation does not speak of such inputs."""
        implementation = self.subject.implementation
        if batch.loss.margins.row == "vector" and batch.inputs[0].shape[-1] < min(implementation.widths):
            raise OutOfContract(f"fewer than {min(implementation.widths)} classes")
        if implementation.domain is not None:
            low, high = map(float, implementation.domain)
            if not all(((x >= low) & (x <= high)).all() for x in batch.inputs):
                raise OutOfContract(f"a score outside [{low:g}, {high:g}]")


def ours(error: BaseException) -> bool:
    """Was this raised by hingeproof's own code (not by a reference, nor by a call that an implementation refused)?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    module, function = trace.tb_frame.f_globals.get("__name__", ""), trace.tb_frame.f_code.co_name
    judged = ("hingeproof.reference_impls.in_", "hingeproof.contracts.")
    return module.startswith("hingeproof.") and not module.startswith(judged) and function != "call"


def gradient_rows(out: Output) -> list[list[Extended]] | None:
    if out.gradients is None:
        return None
    return [rows_of(out.gradients, i) for i in range(len(out.gradients[0]))]


def extended(x: Array) -> list[Extended]:
    return [exact(v) for v in np.asarray(x, dtype=np.float64).ravel().tolist()]


def _joined(rows: list[Output]) -> Output:
    def stack(parts: list[tuple[Array, ...] | None]) -> tuple[Array, ...] | None:
        if any(p is None for p in parts):
            return None
        return tuple(np.concatenate(xs) for xs in zip(*(p for p in parts if p is not None), strict=True))

    return Output(
        value=np.array([r.value[()] for r in rows], dtype=rows[0].value.dtype),
        dtype=rows[0].dtype,
        gradients=stack([r.gradients for r in rows]),
        slope=None if rows[0].slope is None else np.array([r.slope[()] for r in rows]),  # type: ignore[index]
        curvature=stack([r.curvature for r in rows]),
    )


def show(x: Extended) -> str:
    """A number for people and for pasting: decimal and hex."""
    f = to_float(x)
    if isinstance(x, fmpq) and exact(f) != x:
        return f"{f!r} ({x})" if len(str(x)) < 30 else repr(f)
    return f"{f!r} ({f.hex()})" if np.isfinite(f) else repr(f)
