"""Weights of classes and samples are factors of C, exactly: whole ones are repeated rows."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from flint import fmpq

from hingeproof import svm
from hingeproof.commands.main import run
from hingeproof.errors import UsageError
from hingeproof.svm import checker
from hingeproof.svm.problem import LOSSES

SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "docs" / "svm-certificate.schema.json").read_text("utf-8"))

LOSSES_WITH_C = tuple(loss for loss in LOSSES if loss != "one_class")


def data(loss: str, n: int, d: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng([n, d])
    K = 3 if loss in ("weston_watkins", "crammer_singer") else 2
    y = rng.integers(0, K, n).astype(float)
    y[:K] = np.arange(K)
    times = rng.integers(0, 4, n)
    times[:K] = 1
    return rng.standard_normal((n, d)) + y[:, None], y, times


@pytest.mark.parametrize("bias", ["free", "regularised", "none"])
@pytest.mark.parametrize(("n", "d"), [(30, 3), (12, 20)])
@pytest.mark.parametrize("loss", LOSSES_WITH_C)
def test_a_weight_is_a_repeated_row(loss: str, n: int, d: int, bias: str) -> None:
    X, y, times = data(loss, n, d)
    classes = {} if loss == "epsilon_insensitive" else {"class_weight": {0: "0.3", 1: 2}}
    weighted = svm.solve(X, y, C="0.7", loss=loss, bias=bias, sample_weight=times / 4, **classes)
    repeated = svm.solve(np.repeat(X, times, axis=0), np.repeat(y, times), C="0.175", loss=loss, bias=bias, **classes)
    assert weighted.status == repeated.status == "exact"
    assert weighted.objective == repeated.objective
    certificate = weighted.certificate()
    jsonschema.validate(certificate, SCHEMA)
    assert checker.check(certificate, X, y).startswith("exact")


def test_balanced_is_n_over_k_times_count() -> None:
    X, y = np.array([[0.0], [1.0], [2.0], [4.0]]), [0, 0, 0, 1]
    found = svm.solve(X, y, class_weight="balanced")
    assert found.certificate()["class_weight"] == {"0": "2/3", "1": "2/1"}
    assert found.objective == svm.solve(X, y, class_weight={0: fmpq(2, 3), 1: 2}).objective


def test_a_time_limit_leaves_a_checked_interval() -> None:
    X, y, times = data("hinge", 30, 3)
    found = svm.solve(X, y, sample_weight=times, time_limit=0.0)
    assert found.upper == int(times.sum())  # w = 0 loses its weight on each row
    assert checker.check(found.certificate(), X, y).startswith("interval")


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "smooth_hinge", "crammer_singer", "epsilon_insensitive"])
def test_a_bound_with_weights_encloses_the_optimum(loss: str) -> None:
    from hingeproof.svm.problem import build
    from hingeproof.svm.solver.bounds import interval
    from hingeproof.svm.solver.oracle import guesses

    X, y, times = data(loss, 30, 3)
    model = build(
        X, y, C=1, loss=loss, bias="regularised", epsilon="0.1", gamma=1, nu=1, margin=1, hard=False,
        sample_weight=times / 4,
    )  # fmt: skip
    guess = next(guesses(model, None))
    lower, upper, _ = interval(model, guess.theta, guess.p)
    exact = svm.solve(X, y, loss=loss, bias="regularised", sample_weight=times / 4).objective
    assert exact is not None
    assert lower <= exact <= upper
    assert upper - lower < fmpq(1, 10**5)


def test_forged_weights_are_rejected() -> None:
    X, y, times = data("hinge", 30, 3)
    certificate = svm.solve(X, y, class_weight={0: "0.5"}, sample_weight=times / 4).certificate()
    without = {k: v for k, v in certificate.items() if k not in ("class_weight", "sample_weight")}
    caps = [times[i] / 4 * (0.5 if y[i] == 0 else 1.0) for i in range(30)]
    held = {int(i) for i, v in certificate["alpha"].items() if Fraction(v) == Fraction(caps[int(i)])}
    assert held
    lies = [
        without,
        {**without, "class_weight": certificate["class_weight"]},
        {**without, "sample_weight": certificate["sample_weight"]},
        {**certificate, "class_weight": {"0": "1/1", "1": "1/2"}},
        {**certificate, "class_weight": {"0": "1/2"}},
        {**certificate, "class_weight": {"0": "1/2", "1": "-1/1"}},
        {**certificate, "class_weight": {}},
        {**certificate, "class_weight": None},
        {**certificate, "sample_weight": certificate["sample_weight"][:-1]},
        {**certificate, "sample_weight": certificate["sample_weight"][::-1]},
        {**certificate, "sample_weight": ["0/1"] * 30},
        {**certificate, "sample_weight": [0.25] * 30},
        *(
            {**certificate, "sample_weight": [*weights[:i], "9/8", *weights[i + 1 :]]}
            for i, weights in enumerate([certificate["sample_weight"]] * 30)
            if i in held  # at its bound: elsewhere another weight may make another true statement
        ),
    ]
    for lie in lies:
        with pytest.raises(checker.Rejected):
            checker.check(lie, X, y)
    # a row of weight 0 holds no multiplier, whatever its loss
    row = int(np.flatnonzero(times == 0)[0])
    with pytest.raises(checker.Rejected):
        checker.check({**certificate, "alpha": {str(row): "1/9"}}, X, y)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"sample_weight": [1, 2]}, "sample_weight has shape (2,)"),
        ({"sample_weight": [1, 2, -1, 1]}, "row 2, sample_weight: -1 is not a finite number of at least 0"),
        ({"sample_weight": [1, 2, float("nan"), 1]}, "row 2, sample_weight: nan"),
        ({"sample_weight": [0, 0, 0, 0]}, "every weight is 0"),
        ({"class_weight": {"z": 1}}, "no label in class_weight is named 'z'"),
        ({"class_weight": {0: -1}}, "class_weight of 0 is -1"),
        ({"class_weight": "heavy"}, "no class_weight is named 'heavy'"),
        ({"class_weight": "balanced", "hard": True}, "a hard margin has no C to weight"),
        ({"class_weight": "balanced", "loss": "epsilon_insensitive"}, "epsilon_insensitive has no classes"),
        ({"sample_weight": [1, 1, 1, 1], "loss": "one_class"}, "one_class has no C to weight"),
    ],
)
def test_what_is_no_weight_is_said(how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        svm.solve(np.array([[0.0], [1.0], [2.0], [4.0]]), [0, 1, 0, 1], **how)
    assert message in str(error.value)


def test_weights_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("a,w,y\n0,1,no\n2,0.5,yes\n1,2,yes\n3,1,no\n")
    Path("e.csv").write_text("a,w,y\n0,1,no\n2,0.75,yes\n1,2,yes\n3,1,no\n")
    weighted = ("--sample-weight", "w")
    assert run(["svm", "solve", "d.csv", *weighted, "--class-weight", "yes=2", "--certificate", "c.json"]) == 0
    capsys.readouterr()
    assert run(["svm", "check", "c.json", "d.csv", *weighted, "--expect", "weights=class+sample"]) == 0
    assert "weights class+sample" in capsys.readouterr().out
    assert run(["svm", "check", "c.json", "d.csv", *weighted, "--expect", "loss=hinge,C=1,bias=free"]) == 1
    assert "about weights=class+sample (say weights=class+sample" in capsys.readouterr().out
    assert run(["svm", "check", "c.json", "e.csv", *weighted]) == 1
    assert "sample_weight is not that of the data" in capsys.readouterr().out
    assert run(["svm", "solve", "d.csv", "--class-weight", "yes"]) == 2
