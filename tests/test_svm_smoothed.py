"""The first candidates of large problems: their intervals are proved, and their sharp ends become exact optima."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flint import fmpq

from hingeproof import svm
from hingeproof.svm import checker
from hingeproof.svm.gap.newton import Candidate
from hingeproof.svm.problem import LOSSES, Model, build
from hingeproof.svm.result import bounded
from hingeproof.svm.solver import oracle, smoothed
from hingeproof.svm.solver.polish import polish
from hingeproof.svm.weights import Weighting

SETTING = {"C": "0.7", "epsilon": "0.1", "gamma": "0.5", "nu": "0.4", "margin": 1, "hard": False}


def made(loss: str, bias: str = "free", n: int = 90, d: int = 3) -> tuple[Any, Any, Model]:
    """Halves among the numbers put samples on kinks."""
    rng = np.random.default_rng(5)
    X = np.round(rng.standard_normal((n, d)) * 2) / 2 + 1
    X[: n // 2] += rng.standard_normal((n // 2, d))
    score = X @ np.arange(1, d + 1) + rng.standard_normal(n)
    several = loss in ("weston_watkins", "crammer_singer")
    cuts = np.quantile(score, [0.3, 0.7] if several else [0.5])
    y = score if loss == "epsilon_insensitive" else np.digitize(score, cuts)
    return X, y, build(X, y, loss=loss, bias=bias, **SETTING)


CASES = [(loss, bias) for loss in LOSSES for bias in ("free", "regularised", "none") if loss != "one_class"]


@pytest.mark.parametrize(("loss", "bias"), [*CASES, ("one_class", "free")])
def test_the_interval_is_proved_and_the_sharp_candidate_becomes_the_optimum(loss: str, bias: str) -> None:
    X, y, model = made(loss, bias)
    rough, sharp = smoothed.smoothed(model)
    assert (rough.status, sharp.status) == ("bound", "optimal")
    point = polish(model, sharp, deadline=None)
    assert point is not None
    assert point.objective is not None
    assert rough.bounds is not None
    lower, upper, _ = found = rough.bounds()
    assert lower <= point.objective <= upper
    assert upper - lower <= abs(point.objective) / 100_000
    certificate = bounded(model, found, "newton", {}).certificate()
    assert checker.check(certificate, X, [] if loss == "one_class" else y)


@pytest.mark.parametrize("width", [1e-9, 0.3, 1e9])
@pytest.mark.parametrize(("loss", "bias"), [*CASES, ("one_class", "free")])
def test_a_search_that_lies_is_held_to_what_it_proves(
    loss: str, bias: str, width: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, model = made(loss, bias, n=30)
    K, rng = model.classes, np.random.default_rng(1)
    theta = rng.standard_normal((K, 4)) * [1, 1, 1, float(bias != "none")]
    wrong = [Candidate(theta, width, 1.0, 0.0)]
    monkeypatch.setattr(smoothed, "candidates", lambda *a: wrong)
    guess = next(smoothed.smoothed(model))
    assert guess.bounds is not None
    lower, upper, _ = found = guess.bounds()
    optimum = svm.solve(X, y, loss=loss, bias=bias, **{k: v for k, v in SETTING.items() if k in model.parameters})
    assert optimum.objective is not None
    assert lower <= optimum.objective < upper
    certificate = bounded(model, found, "newton", {}).certificate()
    assert checker.check(certificate, X, [] if loss == "one_class" else y)


def test_large_problems_ask_it_first_and_need_no_other_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "SOON", 0.0)
    monkeypatch.setattr(oracle, "_solve", lambda *a: pytest.fail("CVXPY was asked"))
    X, y, _ = made("hinge")
    found = svm.solve(X, y)
    assert (found.status, found.solver) == ("exact", "newton")


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "one_class"])
def test_weights_are_exact(loss: str) -> None:
    X, y, _ = made(loss)
    weights: dict[str, Any] = {"sample_weight": np.arange(90) % 4 / 2}
    if loss != "epsilon_insensitive":
        weights["class_weight"] = {0: "1/3"}
    model = build(X, y, loss=loss, bias="free", **weights, **SETTING)
    rough, sharp = smoothed.smoothed(model)
    point = polish(model, sharp, deadline=None)
    assert rough.bounds is not None
    lower, upper, _ = found = rough.bounds()
    assert point is not None
    assert point.objective is not None
    assert lower <= point.objective <= upper
    assert checker.check(bounded(model, found, "newton", {}).certificate(), X, y)
    third = [fmpq(1, 3)] * 90  # no float
    assert not list(smoothed.smoothed(replace(model, weighting=Weighting(None, tuple(third)))))


def test_it_declines_hard_margins_wide_data_and_integers_that_float64_rounds() -> None:
    X, y, model = made("hinge")
    assert smoothed.fits(model)
    assert not smoothed.fits(build(X, y, loss="hinge", bias="free", **{**SETTING, "hard": True}))
    assert not smoothed.fits(build(np.full((90, 1), 2**53 + 1), y, loss="hinge", bias="free", **SETTING))
    wide = np.ones((90, smoothed.WIDEST))
    assert not smoothed.fits(build(wide, y, loss="hinge", bias="free", **SETTING))
    assert not list(smoothed.smoothed(build(wide, y, loss="hinge", bias="free", **SETTING)))


@pytest.mark.parametrize(
    ("z", "a"),
    [
        ([fmpq(1, 2), fmpq(1, 4)], [fmpq(1, 2), fmpq(1, 4)]),
        ([fmpq(-1), fmpq(3)], [fmpq(0), fmpq(1)]),
        ([fmpq(1), fmpq(1), fmpq(-1)], [fmpq(1, 2), fmpq(1, 2), fmpq(0)]),
        ([fmpq(1), fmpq(3, 4), fmpq(1, 4)], [fmpq(5, 8), fmpq(3, 8), fmpq(0)]),
    ],
)
def test_the_nearest_point_of_the_simplex(z: list[fmpq], a: list[fmpq]) -> None:
    assert smoothed._nearest(z) == a
