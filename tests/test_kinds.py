"""A failure carries its kind as data, whatever its text says: from lying implementations, through the engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import fmpq

from hingeproof.judge.engine import run_pass
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.run.conformance import checks_of, made
from hingeproof.runs.records import Plan, Witness


def right(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    targets = targets.astype(np.int64)
    if scores.shape != targets.shape or not np.isin(targets, (-1, 1)).all():
        raise ValueError("labels are -1 and 1, of the shape of the scores")
    d = np.maximum(1 - scores * targets.astype(scores.dtype), 0).astype(scores.dtype)
    total = d.sum(dtype=np.float32)
    reduced = {"none": d, "sum": total, "mean": total / d.dtype.type(d.size) if d.size else np.nan}[reduction]
    return np.asarray(reduced).astype(scores.dtype)


def raises_of_infinity(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    raise TypeError("Could not infer dtype of nan")


def widens(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    return right(scores, targets, reduction).astype(np.float64)


def keeps_a_column(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    out = right(scores, targets, reduction)
    return out[:, None] if reduction == "none" and out.ndim == 1 else out


def answers_nan(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    return right(scores, targets, reduction) * np.float32(np.nan)


def answers_infinity(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    return right(scores, targets, reduction) + np.float32(np.inf)


def answers_too_much(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    return right(scores, targets, reduction) * np.float32(2)


def overwrites(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    out = right(scores, targets, reduction)
    scores *= 2
    return out


def takes_every_label(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    return right(scores, np.where(targets > 0, 1, -1), reduction)


def refuses_labels_by_another_name(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    try:
        return right(scores, targets, reduction)
    except ValueError:
        raise KeyError("nan or inf") from None


def refuses_unsigned(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    if targets.dtype.kind == "u":
        raise TypeError("no inf in unsigned labels")
    return right(scores, targets, reduction)


def refuses_one_sample_alone(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    if scores.ndim == 0:
        raise IndexError("a result of shape (), nan")
    return right(scores, targets, reduction)


def fails_when_empty(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    if scores.size == 0:
        return np.zeros(3, scores.dtype)
    return right(scores, targets, reduction)


def witness(f: Callable[..., Any], law: str) -> Witness:
    """The witness of the failure of one law, alone and held to the strict contract."""
    implementation = made("hinge", f, framework="numpy", contract="strict")
    plan = Plan(dtypes=("float32",), modes=("eager",), laws=(law,), profile="quick")
    ((checks),) = checks_of(implementation, plan).values()
    (record,) = [r for r in run_pass(checks, plan, lambda tried: None, implementation) if r.law == law]
    assert record.verdict == "fail", (record.verdict, record.reason)
    assert record.witness is not None
    return record.witness


@pytest.mark.parametrize(
    ("f", "law", "kind", "error"),
    [
        (raises_of_infinity, "answers", "raised", "TypeError"),
        (raises_of_infinity, "monotone", "raised", "TypeError"),
        (keeps_a_column, "answers", "shape", ""),
        (widens, "dtype_kept", "dtype", ""),
        (widens, "label_dtypes", "dtype", ""),
        (answers_nan, "value", "nan", ""),
        (answers_nan, "optimal_objective", "nan", ""),  # "not finite", it says
        (answers_infinity, "reduction_mean", "infinity", ""),
        (answers_infinity, "optimal_objective", "infinity", ""),
        (answers_too_much, "value", "number", ""),
        (answers_too_much, "optimal_objective", "number", ""),
        (overwrites, "inputs_untouched", "overwritten", ""),
        (takes_every_label, "bad_label", "accepted", ""),
        (refuses_labels_by_another_name, "bad_label", "raised", "KeyError"),
        (refuses_labels_by_another_name, "bad_shape", "raised", "KeyError"),
        (refuses_unsigned, "label_dtypes", "raised", "TypeError"),
        (refuses_one_sample_alone, "any_shape", "raised", "IndexError"),
        (fails_when_empty, "empty_batch", "shape", ""),
    ],
)
def test_a_failure_says_its_kind(f: Callable[..., Any], law: str, kind: str, error: str) -> None:
    seen = witness(f, law)
    assert (seen.kind, seen.error) == (kind, error), seen.observed


def test_the_honest_one_fails_nothing() -> None:
    implementation = made("hinge", right, framework="numpy", contract="strict")
    laws = ("answers", "value", "interface", "optimal_objective", "reduction_mean")
    plan = Plan(dtypes=("float32",), modes=("eager",), laws=laws, profile="quick")
    ((checks),) = checks_of(implementation, plan).values()
    records = list(run_pass(checks, plan, lambda tried: None, implementation))
    assert {r.verdict for r in records} == {"pass"}, [(r.law, r.verdict, r.reason, r.witness) for r in records]


def test_nan_tells_more_than_infinity_and_that_more_than_a_number() -> None:
    assert kind_of() == "number"
    assert kind_of(fmpq(10) ** 400) == "number"
    assert kind_of(fmpq(1), -math.inf) == "infinity"
    assert kind_of(math.inf, math.nan, fmpq(1)) == "nan"
