"""Kernels: exact optima, enclosures of the RBF kernel, matrices that are none, forgeries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from flint import arb, ctx, fmpq

from hingeproof import svm
from hingeproof.commands.main import run
from hingeproof.errors import UsageError
from hingeproof.svm import checker
from hingeproof.svm.checker import Rejected, read, write

SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "docs" / "svm-certificate.schema.json").read_text("utf-8"))
LOSSES = ("hinge", "squared_hinge", "smooth_hinge", "epsilon_insensitive", "one_class")
CASES = [
    (loss, bias) for loss in LOSSES for bias in ("free", "regularised", "none") if (loss, bias[0]) != ("one_class", "r")
]
CASES = [(loss, bias) for loss, bias in CASES if loss != "one_class" or bias == "free"]


def data(seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = np.round(rng.standard_normal((40, 3)) * 8) / 8
    return X, (np.abs(X).sum(axis=1) + 0.3 * rng.standard_normal(40) > 2.2).astype(float)


def proved(X: Any, y: Any, **how: Any) -> svm.Result:
    found = svm.solve(X, y, **how)
    certificate = json.loads(json.dumps(found.certificate()))
    jsonschema.validate(certificate, SCHEMA)
    assert checker.check(certificate, X, y).split(":")[0] == found.status
    return found


@pytest.mark.parametrize(("loss", "bias"), CASES)
def test_the_linear_kernel_is_the_linear_problem(loss: str, bias: str) -> None:
    X, y = data()
    linear = svm.solve(X, y, loss=loss, bias=bias)
    by_kernel = proved(X, y, loss=loss, bias=bias, kernel="polynomial:degree=1,gamma=1,coef0=0")
    given = proved(X @ X.T, y, loss=loss, bias=bias, kernel="precomputed")  # exact: eighths
    assert linear.status == by_kernel.status == given.status == "exact"
    assert linear.objective == by_kernel.objective == given.objective


@pytest.mark.parametrize(("loss", "bias"), CASES)
def test_a_polynomial_kernel_is_exact(loss: str, bias: str) -> None:
    assert proved(*data(), loss=loss, bias=bias, kernel="polynomial:degree=3,gamma=1/2,coef0=1").status == "exact"


@pytest.mark.parametrize(("loss", "bias"), CASES)
def test_an_rbf_kernel_is_enclosed(loss: str, bias: str) -> None:
    found = proved(*data(), loss=loss, bias=bias, kernel="rbf:gamma=0.5")
    assert found.lower is not None
    assert found.upper is not None
    assert 0 < found.upper - found.lower < fmpq(1, 10**40)


def test_repeated_rows_and_weights() -> None:
    X, y = data()
    X[20:] = X[:20]
    weights = np.arange(40) % 4
    assert proved(X, y, kernel="polynomial", sample_weight=weights, class_weight="balanced").status == "exact"
    found = proved(X, y, kernel="rbf")
    assert found.upper - found.lower < fmpq(1, 10**40)  # type: ignore[operator]


def test_two_points_on_a_circle() -> None:
    # K = exp(−γ‖x − z‖²): alpha on both is C = 1/10 where the margin is not reached: P = D = 2C − C²(1 − K)
    found = proved([[0.0], [1.0]], np.array([1, -1]), C="0.1", kernel="rbf:gamma=1")
    known = 0.2 - 0.01 * (1 - np.exp(-1.0))
    assert float(found.lower.p) / float(found.lower.q) == pytest.approx(known, rel=1e-14)  # type: ignore[union-attr]


def test_the_checkers_exponential_is_within_a_unit_of_arbs() -> None:
    rng = np.random.default_rng(0)
    before, ctx.prec = ctx.prec, 400
    try:
        for _ in range(400):
            q = int(rng.integers(1, 2**50))
            p = int(abs(float(rng.standard_normal())) * 10.0 ** rng.uniform(-6, 2.3) * q)
            true = arb(2) ** checker.BITS * (-arb(fmpq(p, q))).exp()
            assert abs(true - checker.exponential(p, q)) < 1
    finally:
        ctx.prec = before


@pytest.mark.parametrize("kernel", ["polynomial:degree=2,coef0=1", "rbf:gamma=0.5", "precomputed"])
def test_forgeries_are_rejected(kernel: str) -> None:
    X, y = data()
    X = X @ X.T if kernel == "precomputed" else X
    certificate = svm.solve(X, y, C="0.3", kernel=kernel).certificate()
    row, value = next(iter(certificate["alpha"].items()))
    lower, upper, b = (read(certificate[name], "") for name in ("lower", "upper", "b"))
    other_kind: dict[str, Any] = {"kind": "interval", "status": "interval", "objective": None}
    if kernel.startswith("rbf"):
        other_kind = {
            "kind": "optimum",
            "status": "exact",
            **dict.fromkeys(("objective", "lower"), certificate["upper"]),
        }
    lies = [
        {k: v for k, v in certificate.items() if k != "kernel"},
        *({**certificate, "kernel": other} for other in (
            None, {}, "rbf", {"name": "rbf"}, {"name": "sigmoid"}, {"name": "precomputed", "gamma": "1/1"},
            {"name": "rbf", "gamma": "0/1"}, {"name": "rbf", "gamma": "1/3"},
            {"name": "polynomial", "degree": 3, "gamma": "1/1", "coef0": "1/1"},
            {"name": "polynomial", "degree": True, "gamma": "1/1", "coef0": "1/1"},
            {"name": "polynomial", "degree": 2, "gamma": "1/1", "coef0": "-1/1"},
            {"name": "polynomial", "degree": 2, "gamma": "-1/1", "coef0": "1/1"},
        )),
        {**certificate, "w": ["0/1"] * 3},
        {**certificate, "alpha": {**certificate["alpha"], row: write(read(value, "") / 2)}},
        {**certificate, "alpha": {}},
        {**certificate, "b": write(b + 1)},
        {**certificate, "bias": "none"},
        {**certificate, "lower": write(lower + upper / 10**30)},
        {**certificate, "upper": write(upper - upper / 10**30)},
        {**certificate, **other_kind},
    ]  # fmt: skip
    for lie in lies:
        with pytest.raises(Rejected):
            checker.check(lie, X, y)
    with pytest.raises(Rejected):
        checker.check(certificate, X[::-1], y)


@pytest.mark.parametrize(
    ("K", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "not positive semi-definite"),
        ([[1.0, 0.5], [0.25, 1.0]], "must be symmetric"),
        ([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0]], "square matrix"),
        ([[0.0, 1.0], [1.0, 0.0]], "not positive semi-definite"),
        ([[1.0, 1.0], [1.0, 1.0 - 2**-53]], "not positive semi-definite"),
    ],
)
def test_a_matrix_that_is_no_kernel_is_refused(K: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        svm.solve(np.array(K), [0, 1], kernel="precomputed")
    linear = svm.solve(np.eye(2), [0, 1], kernel="precomputed").certificate()
    forged = {**linear, "data_sha256": checker.digest(K, [-1.0, 1.0]), "d": len(K[0])}
    with pytest.raises(Rejected, match=message):
        checker.check(forged, K, [0.0, 1.0])


def test_a_singular_kernel_is_proved_by_elimination() -> None:
    checker.semidefinite([[1, 1], [1, 1]], 1)
    checker.semidefinite([[0, 0], [0, 0]], 1)
    assert not checker._factors([[1.0, 1.0], [1.0, 1.0]])
    assert checker._factors([[2.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"kernel": "sigmoid"}, "no kernel is named 'sigmoid'"),
        ({"kernel": "rbf:sigma=1"}, "no option of the rbf kernel is named 'sigma'"),
        ({"kernel": "rbf:gamma=0"}, "gamma must be above 0"),
        ({"kernel": "polynomial:degree=2.5"}, "whole number from 1 to 20"),
        ({"kernel": "polynomial:coef0=-1"}, "coef0 at least 0"),
        ({"kernel": "rbf", "hard": True}, "a kernel goes with"),
        ({"kernel": "rbf", "loss": "crammer_singer"}, "a kernel goes with"),
    ],
)
def test_what_is_no_kernel_is_said(how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        svm.solve(*data(), **how)
    assert message in str(error.value)


def test_too_many_samples_for_a_kernel() -> None:
    with pytest.raises(UsageError, match="up to n = 2,000"):
        svm.solve(np.zeros((2_001, 1)), np.arange(2_001) % 2, kernel="rbf")


def test_a_time_limit_leaves_a_checked_interval() -> None:
    X, y = data()
    found = svm.solve(X, y, kernel="rbf", time_limit=0.0)
    assert (found.kind, found.note) == ("interval", "the time limit of 0 s")
    assert checker.check(found.certificate(), X, y).startswith("interval")


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = data()
    np.savez("d.npz", X=X, y=y)
    for kernel, status in (("rbf:gamma=1/2", "interval: "), ("polynomial:degree=2,coef0=1", "exact: ")):
        assert run(["svm", "solve", "d.npz", "--kernel", kernel, "--certificate", "c.json"]) == 0
        assert capsys.readouterr().out.startswith(status)
        assert run(["svm", "check", "c.json", "d.npz"]) == 0
        assert f"kernel {kernel.partition(':')[0]}" in capsys.readouterr().out
        assert run(["svm", "check", "c.json", "d.npz", "--expect", "loss=hinge,C=1"]) == 1
        assert "say kernel=" in capsys.readouterr().out
