"""Time limits and the cost model: never a refusal of what would be done in time, always an interval at the end."""

from __future__ import annotations

import os
import time
from typing import Any

import cvxpy  # noqa: F401 - its seconds are in no time limit
import numpy as np
import pytest
from scipy import sparse

from hingeproof import svm
from hingeproof.svm.problem import Model, build
from hingeproof.svm.solver import cost, limits
from hingeproof.svm.solver.first_order import candidate
from hingeproof.svm.solver.lemke import OutOfTimeError
from hingeproof.svm.solver.moved import moved
from hingeproof.svm.solver.polish import polish


def made(n: int, d: int, loss: str = "hinge", bias: str = "free", thin: bool = False) -> Model:
    rng = np.random.default_rng(1)
    X: Any = rng.standard_normal((n, d))
    y = np.where(X.sum(axis=1) + rng.standard_normal(n) > 0, 1, -1)
    X = sparse.csr_array(np.where(rng.random((n, d)) < 0.3, X, 0)) if thin else X
    return build(X, y, C=1, loss=loss, bias=bias, epsilon="0.1", gamma=1, nu="0.5", margin=1, hard=False)


def test_work_in_a_child_answers_raises_and_ends() -> None:
    later = time.monotonic() + 30
    assert limits.within(later, lambda send: {"a": 1}, print) == {"a": 1}
    with pytest.raises(ZeroDivisionError):
        limits.within(later, lambda send: 1 // 0, print)
    with pytest.raises(MemoryError):
        limits.within(later, lambda send: os._exit(9), print)
    with pytest.raises(OutOfTimeError):
        limits.within(time.monotonic() + 0.2, lambda send: time.sleep(60), print)


def test_the_exact_stage_ends_with_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hingeproof.svm.solver.search.polish", lambda *a, **k: time.sleep(60))
    monkeypatch.setattr(cost, "exact_stage", lambda m, width: 50.0)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    said: list[str] = []
    began = time.monotonic()
    found = svm.solve(X, y, time_limit=2.0, progress=said.append)
    assert time.monotonic() - began < 2.2 + 0.5  # a tenth; the rest for a busy machine
    assert (found.kind, found.note) == ("interval", "the time limit of 2 s")
    assert found.lower is not None
    assert found.upper is not None
    assert 0 < found.lower < found.upper
    assert any("the optimum lies in [" in line for line in said)


def test_without_a_time_limit_hours_are_not_begun_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "exact_stage", lambda m, width: 3e5)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    found = svm.solve(X, y)
    assert found.kind == "interval"
    assert "exact equations take about 3 days: --time-limit 900000 allows it" in found.note
    monkeypatch.setattr(cost, "exact_stage", lambda m, width: 0.5)
    assert svm.solve(X, y, time_limit=600).status == "exact"


def test_what_is_said_in_advance() -> None:
    model = made(40, 3)
    assert cost.ahead(model, None) == ""
    large = build(
        sparse.csr_array((np.ones(50_000), (np.arange(50_000), np.arange(50_000) % 9_999)), shape=(50_000, 10_000)),
        np.arange(50_000) % 2, C=1, loss="hinge", bias="free", epsilon=0, gamma=1, nu=1, margin=1, hard=False,
    )  # fmt: skip
    text = cost.ahead(large, None)
    assert "n = 50,000, d = 10,000" in text
    assert "--time-limit SECONDS allows more" in text
    assert "ends as an interval" in cost.ahead(large, 60)


def test_bits_of_the_data() -> None:
    X = np.array([[1.0, 0.5], [3.0, -0.25]])
    model = build(X, [0, 1], C=1, loss="hinge", bias="none", epsilon=0, gamma=1, nu=1, margin=1, hard=False)
    assert cost.bits(model) == 4  # 12 and 1 in quarters


@pytest.mark.parametrize("thin", [False, True])
@pytest.mark.parametrize("bias", ["free", "none"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "epsilon_insensitive"])
def test_the_first_order_candidate_is_near_enough_to_polish(loss: str, bias: str, thin: bool) -> None:
    model = made(60, 3, loss, bias, thin)
    found = candidate(moved(model, scaled=False), time.monotonic() + 20)
    assert found is not None
    point = polish(model, found, deadline=None)
    assert point is not None


def test_groups_have_no_first_order_candidate() -> None:
    rng = np.random.default_rng(0)
    model = build(
        rng.standard_normal((9, 2)), np.arange(9) % 3, C=1, loss="crammer_singer", bias="none", epsilon=0, gamma=1,
        nu=1, margin=1, hard=False,
    )  # fmt: skip
    assert candidate(moved(model, scaled=False), time.monotonic() + 1) is None


def test_sparse_intervals_are_those_of_the_dense_problem() -> None:
    from hingeproof.svm.solver.bounds import interval

    thin = made(50, 4, thin=True)
    dense = build(
        thin.X.toarray(), np.where(thin.y > 0, 1, -1), C=1, loss="hinge", bias="free", epsilon=0, gamma=1, nu=1,
        margin=1, hard=False,
    )  # fmt: skip
    found = candidate(moved(thin, scaled=False), time.monotonic() + 0.05)
    assert found is not None
    assert interval(thin, found.theta, found.p)[:2] == interval(dense, found.theta, found.p)[:2]


@pytest.mark.parametrize(("widest", "solver"), [(400, "newton"), (5, "first order")])
def test_a_solver_that_hangs_ends_with_the_time_limit_and_leaves_a_bound(
    widest: int, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hingeproof.svm.solver.smoothed.WIDEST", widest)
    monkeypatch.setattr("hingeproof.svm.solver.oracle._solve", lambda *a: time.sleep(60))
    monkeypatch.setattr("hingeproof.svm.solver.oracle.float_stage", lambda model: 20.0)
    monkeypatch.setattr("hingeproof.svm.solver.search.polish", lambda *a, **k: None)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 10))
    y = np.where(X.sum(axis=1) + rng.standard_normal(2000) > 0, 1, -1)
    began = time.monotonic()
    found = svm.solve(X, y, time_limit=4.0)
    assert time.monotonic() - began < 4.4 + 0.5
    assert found.kind == "interval"
    assert found.solver == solver
    assert found.lower is not None
    assert found.upper is not None
    assert 0 < found.lower < found.upper < 2000


def test_a_path_shares_its_time_limit() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    few = svm.path(X, y, C=["0.1", 1, 10], time_limit=0.0)
    assert [found.kind for found in few] == ["interval"] * 3
    all_ = svm.path(X, y, C=["0.1", 1, 10])
    assert [found.objective for found in all_] == [svm.solve(X, y, C=C).objective for C in ("0.1", 1, 10)]
