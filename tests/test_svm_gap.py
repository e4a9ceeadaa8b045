"""Both ends of a gap: P is the definition's, D is below the certified optimum, and both are the same of any source."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from hingeproof import svm
from hingeproof.errors import UsageError
from hingeproof.svm.exact import rational
from hingeproof.svm.gap import checker, ends
from hingeproof.svm.gap.engine import gap, lower_bound
from hingeproof.svm.gap.objective import PARAMETERS, Objective, Theta, objective
from hingeproof.svm.gap.reading import data

LOSSES = tuple(PARAMETERS)
CLASSES = {"weston_watkins": 3, "crammer_singer": 3}


def fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def defined(o: Objective, theta: Theta) -> Fraction:
    """The objective from its definition, sample by sample, in Fractions."""
    lines = [[fraction(v) for v in line] for line in theta]
    value = sum((v * v for line in lines for v in line[:-1]), Fraction(0)) / 2
    if o.bias == "regularised":
        value += fraction(o.ridge) * sum((line[-1] ** 2 for line in lines), Fraction(0)) / 2
    p = {name: fraction(v) for name, v in o.parameters.items()}
    for i, x in enumerate(np.asarray(o.X, np.float64).tolist()):
        s = [sum((a * Fraction(v) for a, v in zip(line, x, strict=False)), line[-1]) for line in lines]
        y, weight = o.y[i], Fraction(1) if o.weights is None else Fraction(float(o.weights[i]))
        if o.factors is not None:
            number = {name: k for k, (_, name) in enumerate(o.labels)}
            weight *= fraction(o.factors[number[int(y)]])
        if o.loss in CLASSES:
            rest = [max(Fraction(0), p["margin"] + s[k] - s[int(y)]) for k in range(len(s)) if k != int(y)]
            loss = sum(rest, Fraction(0)) if o.loss == "weston_watkins" else max(rest)
        elif o.loss == "epsilon_insensitive":
            loss = max(Fraction(0), abs(Fraction(float(y)) - s[0]) - p["epsilon"])
        else:
            u = p.get("margin", Fraction(0)) - int(y) * s[0]
            loss = max(Fraction(0), u)
            if o.loss == "squared_hinge":
                loss = loss**2
            elif o.loss == "smooth_hinge":
                loss = loss**2 / (2 * p["gamma"]) if u < p["gamma"] else u - p["gamma"] / 2
        value += fraction(o.C) * weight * loss
    return value + (lines[0][-1] if o.loss == "one_class" else 0)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Objective, Theta]:
    """Small ones, many on a lattice where samples meet the kinks, n < d and duplicates among them; and a point."""
    loss = draw(st.sampled_from(LOSSES))
    n, d = draw(st.integers(2, 14)), draw(st.integers(1, 5))
    K = CLASSES.get(loss, 2)
    n = max(n, K)
    number = st.one_of(
        st.integers(-3, 3).map(float),
        st.floats(-4, 4, width=16),
        st.floats(-1e3, 1e3).map(lambda v: round(v, 9)),
        st.floats(1e8, 1e8 + 4),
    )
    X = np.array(draw(st.lists(st.lists(number, min_size=d, max_size=d), min_size=n, max_size=n)))
    y = np.array([*range(K), *draw(st.lists(st.integers(0, K - 1), min_size=n - K, max_size=n - K))])
    bias = "free" if loss == "one_class" else draw(st.sampled_from(("free", "regularised", "none")))
    weights = draw(st.none() | st.lists(st.sampled_from((0.5, 1.0, 3.0, 0.1)), min_size=n, max_size=n).map(np.array))
    ridge = draw(st.sampled_from(("1", "1/4"))) if bias == "regularised" else "1"
    parameters = {
        "C": ("1", "0.1", "10", "1/3"),
        "gamma": ("1", "0.3"),
        "epsilon": ("0", "0.5"),
        "margin": ("1", "0.5"),
    }
    parameters["nu"] = ("0.5", "1")
    chosen = {name: draw(st.sampled_from(parameters[name])) for name in PARAMETERS[loss]}
    if loss == "one_class":
        weights = None
    classes = None
    if loss not in ("one_class", "epsilon_insensitive"):
        classes = draw(st.none() | st.just("balanced") | st.just({0: "1/3", 1: "0.1"}))
    o = objective(X, y, loss=loss, bias=bias, class_weight=classes, sample_weight=weights, ridge=ridge, **chosen)
    coordinate = st.integers(-2, 2).map(float) | st.floats(-2, 2)
    line = st.lists(coordinate, min_size=d + 1, max_size=d + 1)
    point = draw(st.lists(line, min_size=o.scores, max_size=o.scores))
    theta = [[rational(v) for v in row] for row in point]
    if bias == "none":
        theta = [[*row[:-1], rational(0.0)] for row in theta]
    return o, theta


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_the_upper_end_is_the_definition(problem: tuple[Objective, Theta]) -> None:
    o, theta = problem
    assert fraction(ends.primal(o, theta)) == defined(o, theta)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_sign_that_floats_get_wrong(order: tuple[int, ...]) -> None:
    """2·(2^53 + 1 − 2^53) is 2, and 0 where it is rounded from the left: a margin of −1 that floats may take for 1."""
    X = np.array([[2.0**53, 1.0, -(2.0**53)], [0.0, 0.0, 0.0]])[:, order]
    o = objective(X, np.array([1, -1]))
    theta = [[rational(2.0)] * 3 + [rational(0.0)]]
    found = gap(o, theta)
    assert fraction(found.upper) == defined(o, theta) == 7  # ½·12 + 1
    assert checker.check_gap(found.certificate, X, np.array([1, -1]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_the_ends_enclose_the_certified_optimum(problem: tuple[Objective, Theta]) -> None:
    o, theta = problem
    dual = lower_bound(o)
    below = 0 if dual is None else dual.value
    assert below <= ends.primal(o, theta)
    if o.ridge == 1:
        y = None if o.loss == "one_class" else o.y
        weights: dict[str, object] = {"sample_weight": o.weights}
        if o.factors is not None:
            weights["class_weight"] = {number: f for (_, number), f in zip(o.labels, o.factors, strict=True)}
        found = svm.solve(o.X, y, loss=o.loss, bias=o.bias, time_limit=10, **weights, **o.parameters)
        if found.status == "exact":
            assert below <= found.objective <= ends.primal(o, theta)


@pytest.mark.parametrize("bias", ["free", "regularised", "none"])
@pytest.mark.parametrize("loss", LOSSES)
def test_bounds_are_tight(loss: str, bias: str) -> None:
    if loss == "one_class" and bias != "free":
        return
    o = overlapping(loss, bias, 400, 3)
    dual = lower_bound(o)
    found = svm.solve(o.X, None if loss == "one_class" else o.y, loss=loss, bias=bias, **o.parameters)
    assert dual is not None
    assert found.status == "exact"
    assert 0 <= fraction(found.objective) - fraction(dual.value) <= abs(fraction(found.objective)) / 10**6


def overlapping(loss: str, bias: str, n: int, d: int, **more: Any) -> Objective:
    rng = np.random.default_rng(n + d)
    X = rng.standard_normal((n, d)) + (2 if loss == "one_class" else 0)
    s = X @ rng.standard_normal((d, CLASSES.get(loss, 2))) + rng.standard_normal((n, CLASSES.get(loss, 2)))
    y = s[:, 0] if loss == "epsilon_insensitive" else s.argmax(axis=1)
    return objective(X, y, loss=loss, bias=bias, **more)


def test_what_is_off_by_an_ulp_is_enclosed() -> None:
    """The optimum of ±1 with labels ±1 is w = 1, b = 0 with P* = ½: its neighbours are proved to be above it."""
    o = objective(np.array([[1.0], [-1.0]]), np.array([1, -1]), C=10)
    at = gap(o, [[rational(1.0), rational(0.0)]])
    assert (at.exact, at.upper, at.lower, at.relative) == (True, rational(0.5), rational(0.5), 0.0)
    for w in (float(np.nextafter(1, 2)), float(np.nextafter(1, 0))):
        near = gap(o, [[rational(w), rational(0.0)]])
        assert near.lower == rational(0.5) < near.upper
        assert 0 < near.relative < 1e-13


@pytest.mark.parametrize("n", [20, 3_000])
def test_few_samples_are_answered_exactly_and_many_by_a_bound(n: int) -> None:
    o = overlapping("hinge", "free", n, 3)
    found = gap(o, [[rational(0.0)] * 4])
    assert found.exact is (n <= 2_000)
    assert found.upper == n  # C Σ 1
    assert ("the optimum, proved exactly, is" in str(found)) is found.exact
    assert ("at most" in str(found)) is not found.exact
    assert "\n" not in str(found)


def test_a_weight_is_a_sample_that_often() -> None:
    """Weights 1, 2 and 3 are the same problem as samples once, twice and three times; weight 0 is none."""
    rng = np.random.default_rng(2)
    X, y, r = rng.standard_normal((30, 2)), rng.integers(0, 2, 30), rng.integers(0, 4, 30).astype(float)
    theta = [[rational(v) for v in (0.3, -0.2, 0.1)]]
    for loss in ("hinge", "squared_hinge", "smooth_hinge", "epsilon_insensitive"):
        weighted = objective(X, y, loss=loss, sample_weight=r)
        repeated = objective(np.repeat(X, r.astype(int), axis=0), np.repeat(y, r.astype(int)), loss=loss)
        assert ends.primal(weighted, theta) == ends.primal(repeated, theta)
        one, other = lower_bound(weighted), lower_bound(repeated)
        assert one is not None
        assert other is not None
        assert float(fraction(one.value)) == pytest.approx(float(fraction(other.value)), rel=1e-5)


def test_any_source_gives_the_same_bits(tmp_path: Path) -> None:
    """An array, a memory-mapped NPY file, Parquet in row groups, CSR and float32 columns held as float64."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(4)
    X = rng.standard_normal((5_000, 6)).astype(np.float32).astype(np.float64)
    y = (X[:, 0] + rng.standard_normal(5_000) > 0).astype(float)
    np.save(tmp_path / "a.npy", np.column_stack([X, y]))
    columns = {**{f"x{j}": X[:, j] for j in range(6)}, "y": y}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet", row_group_size=777)
    sources = [(X, y), (sparse.csr_array(X), y), (np.asfortranarray(X), y), (X.astype(np.float32), y)]
    for name in ("a.npy", "a.parquet"):
        found = data(str(tmp_path / name), None, loss="hinge")
        assert isinstance(found.X, np.memmap)
        sources.append((found.X, found.y))
    theta = [[rational(v) for v in (0.5, 0.1, 0.0, 0.0, -0.1, 0.2, 0.01)]]
    said = [gap(objective(rows, labels, loss="hinge"), theta, exact=False).certificate for rows, labels in sources]
    assert all(certificate == said[0] for certificate in said[1:])


@pytest.mark.parametrize("offset", [1e8, 1.7e9])
def test_a_column_far_from_0(offset: float) -> None:
    o = overlapping("hinge", "free", 500, 3)
    moved = objective(o.X + np.array([offset, 0, 0]), o.y)
    near, far = lower_bound(objective(moved.X - np.array([offset, 0, 0]), o.y)), lower_bound(moved)
    assert near is not None
    assert far is not None
    assert float(fraction(far.value)) == pytest.approx(float(fraction(near.value)), rel=1e-6)


@pytest.mark.parametrize("scale", [1e140, 1e-140])
def test_everything_scaled(scale: float) -> None:
    """A ridge that is next to nothing leaves no bound but 0, in time; one that is nearly all leaves nothing open."""
    o = overlapping("hinge", "free", 300, 2)
    found = gap(objective(o.X * scale, o.y), [[rational(0.0)] * 3], exact=False)
    assert 0 <= fraction(found.lower) <= fraction(found.upper) == 300
    assert scale > 1 or found.relative < 2


def test_more_columns_than_rows() -> None:
    o = overlapping("hinge", "free", 20, 60)
    dual = lower_bound(o)
    found = svm.solve(o.X, o.y)
    assert dual is not None
    assert 0 <= fraction(found.objective) - fraction(dual.value) <= fraction(found.objective) / 10**6


def test_all_weight_on_one_class() -> None:
    """A free bias then makes every loss 0: the optimum is 0, and nothing more is claimed."""
    o = objective(np.arange(6.0)[:, None], np.array([0, 0, 0, 1, 1, 1]), sample_weight=np.array([0.0, 0, 0, 1, 1, 1]))
    found = gap(o, [[rational(0.0), rational(0.0)]])
    assert found.lower == 0
    assert found.relative == float("inf")
    assert "may be 0" in str(found)
    assert gap(o, [[rational(0.0), rational(1.0)]]).relative == 0.0


@pytest.mark.parametrize(
    ("X", "y", "more", "says"),
    [
        ([[1.0, float("nan")], [0.0, 1.0]], [0, 1], {}, "row 0, column 1: nan is not a finite number"),
        ([[1.0], [float("inf")]], [0, 1], {}, "row 1, column 0: inf is not a finite number"),
        ([[1.0], [1e200]], [0, 1], {}, "row 1, column 0: 1e+200 is above 2^500"),
        ([[1.0], [2.0]], [0, 0], {}, "one class only"),
        ([[1.0], [2.0], [3.0]], [0, 1, 2], {}, "3 labels"),
        ([[1.0], [2.0]], [0, 1], {"nu": "0.5"}, "hinge has no nu"),
        ([[1.0], [2.0]], [0, 1], {"C": "0"}, "C is 0: it must be above 0"),
        ([[1.0], [2.0]], [0, 1], {"sample_weight": [1.0, -1.0]}, "row 1, sample_weight: -1.0 is not"),
        ([[1.0], [2.0]], [0, 1], {"sample_weight": [0.0, 0.0]}, "every weight is 0"),
        ([[1.0], [2.0]], [0, 1], {"sample_weight": [1.0]}, "sample_weight has shape"),
        ([[1.0], [2.0]], [0, 1], {"sample_weight": [1, 2**53 + 1]}, "beyond 2^53"),
        ([[1.0], [2.0]], [0, 1], {"sample_weight": [1.0, 1e-99]}, "row 1, sample_weight: 1e-99 is not 0 or"),
        ([[1.0], [2.0]], [0, 1], {"class_weight": {2: 1}}, "label in class_weight"),
        ([[1.0], [2.0]], [0, 1], {"class_weight": {0: 0, 1: 0}}, "every weight is 0"),
        ([[1.0], [2.0]], None, {"loss": "one_class", "sample_weight": [1, 1]}, "has no C to weight"),
        ([1.0, 2.0], [0, 1], {}, "must be (n, d)"),
        ([[2**53], [2**53 + 1]], [0, 1], {}, "integers from 2^53"),
        ([[1j], [2.0]], [0, 1], {}, "dtype complex128"),
        (np.array([["1"], ["2"]], dtype=object), [0, 1], {}, "dtype object"),
        (np.array([[1.0], [2.0]], dtype=np.longdouble), [0, 1], {}, "dtype float128"),
        (np.ma.array([[1.0], [2.0]], mask=[[0], [1]]), [0, 1], {}, "masked array"),
        ([[1.0], [2.0]], [0.5, float("inf")], {"loss": "epsilon_insensitive"}, "row 1, label"),
        ([[1.0], [2.0]], None, {}, "needs labels"),
    ],
)
def test_what_makes_no_problem_is_refused(X: Any, y: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        objective(np.array(X) if isinstance(X, list) else X, None if y is None else np.array(y), **more)
    assert says in str(refused.value)
