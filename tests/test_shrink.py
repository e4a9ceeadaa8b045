"""The shrinker alone: a judge made up here, and the batches of one loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hingeproof.judge.shrink import CALLS, smallest
from hingeproof.properties.batch import Batch
from hingeproof.properties.failure_kinds import Kind
from hingeproof.properties.judgement import Failure
from hingeproof.properties.strategies import Spec
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic

SPEC = Spec(loss=LOSSES["hinge"], arithmetic=Arithmetic(FORMATS["float32"]), settable=frozenset(), sizes=(1, 2, 8))
FIRST = SPEC.decode("inside", 8, 1, bytes(range(256)))
Judge = Callable[[Batch], Failure | None]


def shrunk(judge: Judge, **fields: object) -> Failure:
    first = Failure(FIRST, "0", "1", "number", **fields)  # type: ignore[arg-type]
    return smallest(first, judge, SPEC.batches("inside"), examples=48, seed=1)


def kinds(judge: Callable[[Batch], Kind | None]) -> Judge:
    def judged(batch: Batch) -> Failure | None:
        kind = judge(batch)
        return None if kind is None else Failure(batch, "0", "1", kind)

    return judged


def test_one_sample_is_enough_where_it_fails_alone() -> None:
    found = shrunk(kinds(lambda batch: "number"))
    assert found.batch.size == 1
    assert found.asked is found.batch


def test_a_failure_of_another_kind_is_no_smaller_one() -> None:
    found = shrunk(kinds(lambda batch: "nan" if batch.size == 1 else "number"), sample=3)
    assert (found.batch.size, found.kind) == (2, "number")


def test_another_exception_is_another_kind() -> None:
    def judge(batch: Batch) -> Failure:
        return Failure(batch, "an answer", "raised", "raised", error="KeyError" if batch.size < 8 else "TypeError")

    first = Failure(FIRST, "an answer", "raised", "raised", error="TypeError")
    found = smallest(first, judge, SPEC.batches("inside"), examples=48, seed=1)
    assert (found.batch.size, found.error) == (8, "TypeError")


def test_the_sample_that_is_named_is_tried_alone_first() -> None:
    tried: list[Batch] = []

    def judge(batch: Batch) -> None:
        tried.append(batch)

    assert shrunk(judge, sample=3).batch is FIRST
    assert np.array_equal(tried[0].inputs[0], FIRST.inputs[0][3:4])


@pytest.mark.parametrize("kind", ["number", None])
def test_it_ends(kind: Kind | None) -> None:
    calls = 0

    def judge(batch: Batch) -> Kind | None:
        nonlocal calls
        calls += 1
        return kind if batch.size == 8 else None

    shrunk(kinds(judge))
    assert 0 < calls <= CALLS
