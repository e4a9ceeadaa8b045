"""Each focus reaches the stratum it is named for, in every dtype, on both sides of every kink; what is drawn varies."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import HealthCheck, find, settings

from hingeproof.bench.timing.data import SAMPLERS as TIMED
from hingeproof.properties.batch import Batch
from hingeproof.properties.strategies import FOCI, NUMPY_DTYPES, SAMPLERS, Bytes, Spec, foci_of, strata
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.margins import FORMS, SCORE
from hingeproof.reference_impls.oracle import Arithmetic

each = pytest.mark.parametrize("name", LOSSES)
dtypes = pytest.mark.parametrize("dtype", FORMATS)
PAIRS = [(n, f) for n, loss in LOSSES.items() for f in foci_of(loss) if f != "random"]


@cache
def spec_of(name: str, dtype: str, **fields: Any) -> Spec:
    loss = LOSSES[name]
    weights = {"weight", "class_weight"} if loss.class_weight else {"weight"}
    return Spec(loss, Arithmetic(FORMATS[dtype]), frozenset(loss.parameters) | weights, **fields)


def width_of(spec: Spec) -> int:
    return 4 if spec.loss.margins.row == "vector" else 1


@cache
def drawn(name: str, dtype: str, focus: str) -> tuple[Batch, ...]:
    """32 samples for each parameter set (the first byte picks it), of four sets at least, the same at every run."""
    spec, source = spec_of(name, dtype), random.Random(f"{name} {dtype} {focus}")
    count = max(4, len(spec.parameter_sets))
    return tuple(spec.decode(focus, 32, width_of(spec), bytes([i]) + source.randbytes(6000)) for i in range(count))


def test_samples_of_every_form_are_drawn_for_laws_and_for_timings() -> None:
    assert set(SAMPLERS) == set(TIMED) == set(FORMS)
    assert {loss.margins.form for loss in LOSSES.values()} == set(FORMS)


def test_a_form_that_nobody_draws_is_refused() -> None:
    with pytest.raises(ValueError, match=r"score: no samples of the form \(1, 'scalar', 'index'\) are drawn"):
        replace(SCORE, targets="index")


def test_what_a_map_is_comes_from_its_gradients() -> None:
    signed = {loss.name for loss in LOSSES.values() if loss.margins.signed}
    assert signed == {
        "hinge", "squared_hinge", "perceptron", "smooth_hinge", "modified_huber", "ramp", "margin_ranking"
    }  # fmt: skip
    differences = {loss.name for loss in LOSSES.values() if loss.margins.differences}
    assert differences == {
        "weston_watkins", "multi_margin", "crammer_singer", "multiclass_perceptron", "multilabel_margin"
    }  # fmt: skip


@pytest.mark.parametrize(("name", "focus"), PAIRS)
def test_a_focus_reaches_its_stratum(name: str, focus: str) -> None:
    for dtype in FORMATS:
        hits = [focus in strata(e) for batch in drawn(name, dtype, focus) for e in batch.evaluations]
        assert sum(hits) >= 3, f"{sum(hits)} of {len(hits)} in {dtype}"


@pytest.mark.parametrize(("name", "focus"), PAIRS)
def test_a_focus_draws_more_than_one_value(name: str, focus: str) -> None:
    for dtype in FORMATS:
        assert len({str(row) for batch in drawn(name, dtype, focus) for row in batch.rows}) >= 4, dtype


def sides(batches: tuple[Batch, ...]) -> dict[tuple[Any, fmpq], set[int]]:
    """By parameters and kink, where margins lie: −1 before it, 0 on it, 1 behind it."""
    out: dict[tuple[Any, fmpq], set[int]] = {}
    for batch in batches:
        for term in (t for e in batch.evaluations for t in e.terms):
            for kink in term.phi.kinks or term.phi.breaks:
                seen = out.setdefault((tuple(sorted((n, str(v)) for n, v in batch.params.items())), kink), set())
                seen.add((term.z > kink) - (term.z < kink))
    return out


@each
@dtypes
def test_margins_lie_on_both_sides_of_every_kink_and_on_it(name: str, dtype: str) -> None:
    focal = [f for f in ("kink", "inside", "past") if f in foci_of(LOSSES[name])]
    seen = sides(tuple(b for f in focal for b in drawn(name, dtype, f)))
    assert seen
    for (params, kink), where in seen.items():
        # a cosine of ±½ takes roots that no format holds; 0 it can be
        assert where >= ({-1, 1} if name == "cosine_embedding" and kink != 0 else {-1, 0, 1}), (params, kink)


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if not loss.margins.norms])
@dtypes
def test_beside_a_kink_means_both_sides(name: str, dtype: str) -> None:
    for (params, kink), where in sides(drawn(name, dtype, "ulp")).items():
        assert where >= {-1, 1}, (params, kink)


def test_every_focus_is_used_and_none_is_invented() -> None:
    assert {f for loss in LOSSES.values() for f in foci_of(loss)} == set(FOCI)


@each
def test_not_finite_means_nan_and_both_infinities(name: str) -> None:
    if "not_finite" not in foci_of(LOSSES[name]):
        return
    values = np.concatenate([x.ravel() for b in drawn(name, "float32", "not_finite") for x in b.inputs])
    assert np.isnan(values).any()
    assert np.isposinf(values).any()
    assert np.isneginf(values).any()


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if "masked" in foci_of(loss)])
@dtypes
def test_masked_classes_are_minus_infinity_and_never_the_label(name: str, dtype: str) -> None:
    masked = 0
    for batch in drawn(name, dtype, "masked"):
        for row, label in zip(batch.inputs[0], batch.labels, strict=True):
            own = [label] if isinstance(label, int) else label[: [*label, -1].index(-1)]
            assert np.isfinite(row[own].astype(np.float64)).all()
            masked += int(np.isneginf(row.astype(np.float64)).any())
    assert masked >= 3


@each
@dtypes
def test_parameters_are_numbers_of_the_dtype_and_all_of_them_vary(name: str, dtype: str) -> None:
    spec, fmt, loss = spec_of(name, dtype), FORMATS[dtype], LOSSES[name]
    assert spec.parameter_sets[0] == {n: fmt.round(v) for n, v in loss.defaults.items()}
    assert all(fmt.holds(v) for params in spec.parameter_sets for v in params.values())
    for parameter in loss.parameters:
        assert len({str(params[parameter]) for params in spec.parameter_sets}) >= 2, parameter
    seen = {str(b.params) for b in drawn(name, dtype, "inside")}
    assert seen == {str(params) for params in spec.parameter_sets}


@each
def test_what_cannot_be_set_is_left_at_its_default(name: str) -> None:
    spec = Spec(LOSSES[name], Arithmetic(FORMATS["float64"]), frozenset())
    assert spec.parameter_sets == [{n: FORMATS["float64"].round(v) for n, v in LOSSES[name].defaults.items()}]
    for i in range(20):
        batch = spec.decode("inside", 2, width_of(spec), random.Random(i).randbytes(400))
        assert batch.weight is None
        assert batch.class_weight is None


def test_what_is_fixed_stays_so() -> None:
    spec = spec_of("multi_margin", "float32", fixed=(("margin", fmpq(2)),))
    assert {str(p["margin"]) for p in spec.parameter_sets} == {"2"}
    assert {str(p["p"]) for p in spec.parameter_sets} == {"1", "2"}


@each
def test_weights_cotangents_and_tangents_vary(name: str) -> None:
    spec = spec_of(name, "float32")
    batches = [spec.decode("inside", 8, width_of(spec), random.Random(i).randbytes(1200)) for i in range(24)]
    weighted = [b for b in batches if b.weight is not None]
    assert 4 <= len(weighted) <= 20
    weights = {float(w) for b in weighted for w in b.weight}  # type: ignore[union-attr]
    assert len(weights) >= 3
    assert 0.0 in weights
    classes = [b for b in batches if b.class_weight is not None]
    assert bool(classes) is LOSSES[name].class_weight
    assert all(len({float(w) for b in classes for w in b.class_weight}) >= 3 for _ in classes[:1])  # type: ignore[union-attr]
    assert {c > 0 for b in batches for c in b.cotangents} == {True, False}
    assert len({float(t) for b in batches for x in b.tangent for t in x.ravel()}) >= 3


@each
@dtypes
def test_a_batch_has_the_shapes_and_dtypes_it_says(name: str, dtype: str) -> None:
    spec, loss = spec_of(name, dtype), LOSSES[name]
    shape = (3, 4) if loss.margins.row == "vector" else (3,)
    batch = spec.decode("inside", 3, width_of(spec), random.Random(name).randbytes(400))
    assert [x.shape for x in batch.inputs] == [shape] * len(loss.margins.inputs) == [x.shape for x in batch.tangent]
    assert {x.dtype for x in (*batch.inputs, *batch.tangent, batch.cotangent)} == {np.dtype(NUMPY_DTYPES[dtype])}
    assert all(x.flags.c_contiguous for x in batch.inputs)
    if loss.margins.targets is None:
        assert batch.targets is None
    else:
        assert batch.targets is not None
        assert batch.targets.shape == ((3, 4) if loss.margins.targets == "multilabel" else (3,))


@each
def test_decoding_is_deterministic_and_no_bytes_are_zeros(name: str) -> None:
    spec = spec_of(name, "float32")
    for focus in foci_of(LOSSES[name]):
        for data in (random.Random(focus).randbytes(300), b""):
            first, second = (spec.decode(focus, 2, width_of(spec), d) for d in (data, data))
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first.inputs, second.inputs, strict=True))
            assert first.params == second.params
            assert str(first.targets) == str(second.targets)
    none, zeros = (spec.decode("inside", 2, width_of(spec), d) for d in (b"", bytes(500)))
    assert all(np.array_equal(a, b) for a, b in zip(none.inputs, zeros.inputs, strict=True))
    assert none.params == spec.parameter_sets[0]


def test_bytes_read_on_as_zeros() -> None:
    source = Bytes(bytes([7]))
    assert [source.byte(), source.byte(), source.pick("ab")] == [7, 0, "a"]


def smallest(name: str, sizes: tuple[int, ...]) -> Batch:
    """What a failure on the kink is shrunk to, by a predicate that one sample alone can meet."""
    quiet = settings(database=None, deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))

    def costly(batch: Batch) -> bool:
        return any(isinstance(e.value, fmpq) and e.value > 0 for e in batch.evaluations)

    return find(spec_of(name, "float32", sizes=sizes).batches("kink"), costly, settings=quiet, random=random.Random(0))


@each
def test_a_failure_of_one_sample_shrinks_to_simple_numbers(name: str) -> None:
    batch = smallest(name, (1,))
    assert batch.size == 1
    assert batch.weight is None
    assert all(abs(x) <= 16 for x in batch.rows[0])
