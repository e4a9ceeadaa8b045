"""Offsets, scales and integers that float solvers and float64 cannot take as they are."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from flint import fmpq

from hingeproof import svm
from hingeproof.errors import UsageError
from hingeproof.svm import checker


def data(d: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, d))
    return X, np.where(X @ rng.standard_normal(d) + rng.standard_normal(300) > 0, 1, -1)


def timestamps(X: Any) -> Any:
    rng = np.random.default_rng(1)
    return np.column_stack([1.7e9 + np.round(rng.uniform(0, 1e7, len(X))) + X[:, 0], X[:, 1:]])


def one_row(X: Any) -> Any:
    X = X.copy()
    X[7] *= 1e9
    return X


CASES = {
    "timestamps": timestamps,
    "timestamps of a day": lambda X: np.column_stack([1.7e9 + 1e4 * X[:, 0], X[:, 1:]]),
    "offset 1e8": lambda X: X + 1e8,
    "offset 1e12": lambda X: X + 1e12,
    "one row": one_row,
    "all large": lambda X: X * 1e140,
    "columns": lambda X: X * 2.0 ** np.array([-20, -10, 0, 10, 20]),
}


@pytest.mark.parametrize("case", CASES)
def test_offsets_and_scales_are_certified(case: str) -> None:
    X, y = data()
    X = CASES[case](X)
    began = time.process_time()
    found = svm.solve(X, y)
    assert found.status == "exact", found
    assert time.process_time() - began < 20  # a second; the import of CVXPY and a slow machine
    assert checker.check(found.certificate(), X, y).startswith("exact")


def test_tiny_data_leave_at_least_a_narrow_interval() -> None:
    # every multiplier of the smaller class is C, and all rows of the other have u = 0 to 1e-9: hardly a partition
    X, y = data()
    found = svm.solve(X * 1e-9, y)
    assert found.lower is not None
    assert found.upper is not None
    assert found.upper - found.lower < found.upper / 10**9
    assert checker.check(found.certificate(), X * 1e-9, y)


@pytest.mark.parametrize(
    "loss", ["squared_hinge", "smooth_hinge", "epsilon_insensitive", "weston_watkins", "crammer_singer"]
)
@pytest.mark.parametrize("case", ["timestamps", "offset 1e8", "one row"])
def test_the_other_losses_too(loss: str, case: str) -> None:
    X, y = data()
    X, y = CASES[case](X)[:80], y[:80]
    if loss in ("weston_watkins", "crammer_singer"):
        y = y + (np.arange(80) % 2) * (y > 0)
    found = svm.solve(X, y, loss=loss)
    assert found.status == "exact"
    assert checker.check(found.certificate(), X, y).startswith("exact")


def test_a_shift_moves_the_bias_alone() -> None:
    X, y = data()
    X = np.round(X * 2**20) / 2**20  # so that the shift is exact
    here, there = svm.solve(X, y), svm.solve(X + 2.0**30, y)
    assert (here.objective, here.w) == (there.objective, there.w)
    assert here.w is not None
    assert there.b == here.b - sum(here.w, fmpq(0)) * 2**30


def test_a_scale_that_is_a_power_of_two_is_another_C() -> None:
    X, y = data()
    here, there = svm.solve(X, y, C="1/4"), svm.solve(X * 2.0**20, y, C=fmpq(1, 4) / 2**40)
    assert there.objective == here.objective / 2**40  # type: ignore[operator]


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "epsilon_insensitive", "weston_watkins"])
def test_integers_are_exact(loss: str) -> None:
    # the optimum of the integers is that of their differences, with a free bias
    X = np.array([[2**53 + 1], [2**53], [2**53 + 4], [2**53 - 3]])
    y = np.array([1, -1, 1, -1])
    found = svm.solve(X, y, loss=loss)
    assert found.objective == svm.solve(X - 2**53, y, loss=loss).objective
    assert checker.check(found.certificate(), X, y).startswith("exact")
    with pytest.raises(checker.Rejected):
        checker.check(found.certificate(), X.astype(float), y)
    with pytest.raises(checker.Rejected):
        checker.check(found.certificate(), X - np.array([[1], [0], [0], [0]]), y)


def test_the_integers_of_the_issue() -> None:
    assert svm.solve(np.array([[2**53 + 1], [2**53]]), [1, -1]).objective == fmpq(3, 2)
    assert svm.solve([[2**53 + 1], [2**53]], [1, -1]).objective == fmpq(3, 2)
    unsigned = np.array([[2**64 - 1], [2**64 - 2]], dtype=np.uint64)
    assert svm.solve(unsigned, [1, -1]).objective == fmpq(3, 2)


def test_all_of_64_bits() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.integers(-(2**63), 2**63 - 1, (20, 2)), np.arange(20) % 2
    for loss in ("hinge", "squared_hinge", "smooth_hinge", "crammer_singer", "epsilon_insensitive"):
        found = svm.solve(X, y, loss=loss)
        assert found.status == "exact"
        assert checker.check(found.certificate(), X, y).startswith("exact")


def test_a_data_frame_keeps_an_integer_column_beside_floats() -> None:
    class Frame(dict[str, Any]):  # what pandas and polars have in common
        columns = ("a", "b")
        dtypes = ("int64", "float64")

        @property
        def shape(self) -> tuple[int, int]:
            return 2, 2

    X = Frame(a=np.array([2**53 + 1, 2**53]), b=np.array([0.5, 0.5]))
    assert svm.solve(X, [1, -1]).objective == fmpq(3, 2)
    with pytest.raises(UsageError, match="column b of X has dtype object"):
        svm.solve(Frame(X, b=np.array([None, 1])), [1, -1])
    with pytest.raises(UsageError, match="row 1, column 1: nan"):
        svm.solve(Frame(X, b=np.array([1.0, np.nan])), [1, -1])


def test_labels_that_float64_would_merge_are_two() -> None:
    found = svm.solve([[0.0], [1.0]], np.array([2**53, 2**53 + 1]))
    assert found.certificate()["label_map"] == {str(2**53): -1, str(2**53 + 1): 1}
    assert checker.check(found.certificate(), [[0.0], [1.0]], [2**53, 2**53 + 1]).startswith("exact")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((2, 1), np.longdouble), [1, 2], "X has dtype longdouble|X has dtype float128"),
        (np.ones((2, 1), complex), [1, 2], "X has dtype complex128"),
        (np.ma.masked_array(np.ones((2, 1)), mask=[[True], [False]]), [1, 2], "X is a masked array"),
        (np.array([[1], [2]], dtype=object), [1, 2], "X is an object array"),
        ([[2**70], [1]], [1, 2], "X is an object array"),
        ([[2**53 + 1, 0.5], [1, 2]], [1, 2], "row 0, column 0: the integer 9007199254740993 is rounded beside floats"),
        (np.array(["2020-01-01"], dtype="M8[D]")[:, None], [1], "X has dtype datetime64"),
        ([[1.0], [2.0]], np.ma.masked_array([1, 2], mask=[True, False]), "y is a masked array"),
        ([[1.0], [2.0]], np.array([1, 2], np.longdouble), "y has dtype"),
    ],
)
def test_what_float64_does_not_hold_is_refused_by_name(X: Any, y: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        svm.solve(X, y)


def test_targets_and_sparse_integers_that_float64_rounds_are_refused() -> None:
    from scipy import sparse

    with pytest.raises(UsageError, match="targets beyond 2"):
        svm.solve([[1.0], [2.0]], np.array([2**53 + 1, 1]), loss="epsilon_insensitive")
    with pytest.raises(UsageError, match="X is sparse and has integers beyond"):
        svm.solve(sparse.csr_array(np.array([[2**53 + 1], [1]])), [1, 2])


def test_squared_hinge_with_few_rows_is_solved_in_their_number() -> None:
    from hingeproof.svm.problem import build
    from hingeproof.svm.solver.cost import most_equations
    from hingeproof.svm.solver.oracle import guesses
    from hingeproof.svm.solver.polish import equations

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10, 300)), np.arange(10) % 2
    model = build(X, y, C=1, loss="squared_hinge", bias="free", epsilon=0, gamma=1, nu=1, margin=1, hard=False)
    assert most_equations(model) == 11
    assert equations(model, next(guesses(model, None))) <= 11
    for bias in ("free", "regularised", "none"):
        found = svm.solve(X, y, loss="squared_hinge", bias=bias)
        assert found.status == "exact"
        assert checker.check(found.certificate(), X, y).startswith("exact")


def test_a_result_is_shown_in_a_line() -> None:
    X, y = data()
    assert repr(svm.solve(X, y)).startswith("<SVM optimum, exact: objective ")
    assert repr(svm.solve(X, y, time_limit=0.0)) == "<SVM interval [0, 300]; hinge, bias free, n = 300, d = 5>"
    assert "infeasible" in repr(svm.solve(X, y, hard=True))
    assert all("\n" not in repr(svm.solve(X, y, bias=bias)) for bias in ("none", "regularised"))
