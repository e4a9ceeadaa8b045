"""One call of an implementation: what it is given, what it answered, and what stands in the way of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from hingeproof.properties.batch import Array, Batch, rows_of
from hingeproof.properties.blame import ours
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.reference_impls.formats import Extended

LABEL_DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float32")


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one call answered. `dtype` is the framework's own name of the value's dtype ("" for a Python float)."""

    value: Array
    dtype: str
    gradients: tuple[Array, ...] | None = None
    slope: Array | None = None
    curvature: tuple[Array, ...] | None = None


class Described(Protocol):
    """What laws may know of an implementation: the fields of `frameworks.implementation.Implementation` of these names."""

    @property
    def reductions(self) -> tuple[str, ...]: ...
    @property
    def keywords(self) -> Mapping[str, str]: ...
    @property
    def labels(self) -> Literal["ours", "01", "one_hot"]: ...
    @property
    def mean_over(self) -> Literal["N", "weights"]: ...
    @property
    def needs_both_classes(self) -> bool: ...
    @property
    def domain(self) -> tuple[str, str] | None: ...
    @property
    def widths(self) -> tuple[int, ...]: ...


class Subject(Protocol):
    """An implementation, ready to be called in one framework, dtype, device and mode."""

    @property
    def implementation(self) -> Described: ...
    @property
    def mode(self) -> str: ...
    @property
    def compiled(self) -> bool: ...
    @property
    def gradients(self) -> bool: ...
    @property
    def layouts(self) -> tuple[str, ...]: ...
    @property
    def label_dtypes(self) -> tuple[str, ...]:
        """Those that this version of the framework has."""

    @property
    def given(self) -> list[Array]:
        """The arrays that the last call was handed."""

    def array(self, x: Array) -> object: ...

    def prepared(self, batch: Batch) -> list[Array]: ...

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output: ...


class OutOfContract(Exception):
    """A law moved a batch to where the implementation's documentation promises nothing: too few classes, say."""


class Unanswered(Exception):
    """The implementation raised on a valid batch, or answered with a wrong shape."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.observed)
        self.failure = failure

    @property
    def judgement(self) -> Judgement:
        """A finite batch must be answered; to refuse NaN or infinity loudly is a convention."""
        finite = all(np.isfinite(x.astype(np.float64)).all() for x in self.failure.batch.inputs)
        if finite or self.failure.kind != "raised":
            return Judgement(judged=1, failure=self.failure)
        return Judgement(judged=1, convention=f"a score that is not finite is refused: {self.failure.observed}")


def call(subject: Subject, batch: Batch, reduction: str = "none", gradients: bool = True) -> Output:
    """Call an implementation on a batch; one that always reduces is given each row alone.

    Raises:
        Unanswered: it raised, or the shape of the answer is wrong.
        OutOfContract: its documentation does not speak of such inputs.
    """
    # a call without gradients would be a compilation of its own
    gradients = gradients or subject.compiled
    only = subject.implementation.reductions
    if reduction == "none" and "none" not in only:
        return _joined([_alone(subject, batch, i, only[0], gradients) for i in range(batch.size)])
    upstream = batch.cotangent if reduction == "none" else np.ones((), batch.cotangent.dtype)
    return _whole(subject, batch, reduction, upstream if gradients else None)


def _alone(subject: Subject, batch: Batch, i: int, reduction: str, gradients: bool) -> Output:
    """One sample's loss from an implementation that always reduces."""
    row = batch.take([i])
    if not subject.implementation.needs_both_classes:
        return _whole(subject, row, reduction, row.cotangent[0] if gradients else None)
    # beside a sample of the other class whose loss is 0, the mean is half of this one's, exactly
    assert batch.targets is not None
    other = np.full((1,), -4 * int(batch.targets[i]), batch.inputs[0].dtype)
    label = int(batch.targets[i])
    pair = row.change(inputs=(np.concatenate([row.inputs[0], other]),), targets=np.array([label, -label]))
    half = _whole(subject, pair, reduction, None)
    return Output(value=2 * half.value, dtype=half.dtype)


def _whole(subject: Subject, batch: Batch, reduction: str, cotangent: Array | None) -> Output:
    _within(subject.implementation, batch)
    out = ask(subject, batch, reduction, cotangent if subject.gradients else None)
    whole = (batch.size,) if batch.shape is None else batch.shape
    shape = whole if reduction == "none" else ()
    if out.value.shape != shape:
        expected = f"a result of shape {shape} for reduction {reduction!r}"
        raise Unanswered(Failure(batch, expected, f"a result of shape {out.value.shape}", "shape", reduction))
    shapes, got = ([x.shape for x in arrays] for arrays in (batch.inputs, out.gradients or batch.inputs))
    if got != shapes and batch.shape is None:
        raise Unanswered(
            Failure(batch, f"gradients of shapes {shapes}", f"gradients of shapes {got}", "shape", reduction)
        )
    return out


def ask(subject: Subject, batch: Batch, reduction: str, cotangent: Array | None = None) -> Output:
    """Call an implementation on a whole batch, valid or not, and take what it answers. Raises: Unanswered."""
    try:
        return subject.run(batch, reduction, cotangent=cotangent)
    except Exception as error:  # an implementation may raise anything; what it raised is the finding
        if ours(error):
            raise
        raise Unanswered(raised(batch, error, reduction)) from error


def raised(batch: Batch, error: BaseException, reduction: str = "none") -> Failure:
    """An exception where an answer is due."""
    name = type(error).__name__
    return Failure(batch, "an answer", f"raised {name}: {first_line(error)}", "raised", reduction, error=name)


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _within(implementation: Described, batch: Batch) -> None:
    """Raise OutOfContract where the documentation does not speak of such inputs."""
    if batch.loss.margins.row == "vector" and batch.inputs[0].shape[-1] < min(implementation.widths):
        raise OutOfContract(f"fewer than {min(implementation.widths)} classes")
    if implementation.domain is not None:
        low, high = map(float, implementation.domain)
        if not all(((x >= low) & (x <= high)).all() for x in batch.inputs):
            raise OutOfContract(f"a score outside [{low:g}, {high:g}]")


def gradient_rows(out: Output) -> list[list[Extended]] | None:
    if out.gradients is None:
        return None
    return [rows_of(out.gradients, i) for i in range(len(out.gradients[0]))]


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
