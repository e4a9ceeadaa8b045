"""The certificate of a gap: its schema, a checker that shares no code with its maker, and forgeries, all rejected."""

from __future__ import annotations

import ast
import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hingeproof.svm.checker import BadData, Rejected, read, write
from hingeproof.svm.exact import rational
from hingeproof.svm.gap import checker, recount, sums
from hingeproof.svm.gap.engine import gap
from hingeproof.svm.gap.objective import PARAMETERS, objective

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = json.loads((ROOT / "docs" / "svm-gap.schema.json").read_text(encoding="utf-8"))
CASES = [
    (loss, bias, exact, weighted)
    for loss in PARAMETERS
    for bias in (("free",) if loss == "one_class" else ("free", "regularised", "none"))
    for exact, weighted in ((True, False), (False, False), (True, True), (False, True))
    if not (weighted and loss == "one_class")
]


def made(loss: str, bias: str, exact: bool, weighted: bool, n: int = 30) -> tuple[dict[str, Any], Any, Any, Any]:
    """A certificate with its data, labels and weights; integers among the numbers put samples on kinks."""
    rng = np.random.default_rng(7)
    K = 3 if loss in ("weston_watkins", "crammer_singer") else 2
    y = rng.integers(0, K, n)
    X = np.where(rng.random((n, 3)) < 0.5, rng.integers(-2, 3, (n, 3)), rng.standard_normal((n, 3))) + y[:, None] % 2
    weights = rng.choice([0.5, 1.0, 2.5, 0.1], n) if weighted else None
    labels = (
        rng.standard_normal(n) if loss == "epsilon_insensitive" else None if loss == "one_class" else y.astype(float)
    )
    classes = {0: "1/3", 1: "0.1"} if weighted and loss != "epsilon_insensitive" else None
    o = objective(X, labels, loss=loss, bias=bias, class_weight=classes, sample_weight=weights)
    theta = [[rational(v) for v in line] for line in (rng.integers(-4, 5, (o.scores, 4)) / 8).tolist()]
    if bias == "none":
        theta = [[*line[:-1], rational(0.0)] for line in theta]
    certificate = json.loads(json.dumps(gap(o, theta, exact=exact).certificate))
    assert certificate["status"] == ("exact" if exact else "bound")
    return certificate, X, labels, weights


@pytest.mark.parametrize(("loss", "bias", "exact", "weighted"), CASES)
def test_what_is_made_is_accepted(loss: str, bias: str, exact: bool, weighted: bool) -> None:
    certificate, X, labels, weights = made(loss, bias, exact, weighted)
    jsonschema.validate(certificate, SCHEMA)
    said = checker.check_gap(certificate, X, labels, weights)
    assert said.startswith("exactly" if exact else "at most")
    assert f"loss {loss}" in said.splitlines()[1]
    assert checker.check_gap(certificate, X.tolist(), None if labels is None else labels.tolist(), weights) == said


def nudged(value: Any) -> list[Any]:
    """Values next to one and far from it."""
    if isinstance(value, str) and "/" in value:
        exact = read(value, "")
        return [write(exact + Fraction(1, 2**80)), write(-exact - 1), "1/0", "2/4", 1.5]
    if isinstance(value, str):
        return [value[:-1] + ("0" if value[-1] != "0" else "1"), "", None]
    if isinstance(value, bool | int):
        return [value + 1, str(value), None, True]
    return [None, {}, [], "x"]


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of a certificate."""
    if isinstance(value, dict):
        # what is inside an optimum's certificate is forged in test_svm_certificate.py
        inside = value.items() if at != ("optimum",) else [(k, value[k]) for k in ("bias", "objective", "data_sha256")]
        return [p for k, v in inside for p in paths(v, (*at, k))] + ([at] if at else [])
    if isinstance(value, list):
        return [p for i, v in enumerate(value[:2]) for p in paths(v, (*at, i))] + [at]
    return [at]


def put(certificate: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    forged = copy.deepcopy(certificate)
    place: Any = forged
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return forged


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(("loss", "bias", "exact", "weighted"), CASES)
def test_every_field_matters(loss: str, bias: str, exact: bool, weighted: bool) -> None:
    certificate, X, labels, weights = made(loss, bias, exact, weighted)
    accepted = []
    for path in paths(certificate):
        value: Any = certificate
        for key in path:
            value = value[key]
        for other in nudged(value):
            if same(value, other):
                continue
            try:
                checker.check_gap(put(certificate, path, other), X, labels, weights)
            except (Rejected, BadData):
                continue
            accepted.append((path, other))
    assert accepted == []


def test_fields_more_or_less_are_rejected() -> None:
    certificate, X, labels, _ = made("hinge", "free", False, False)
    for name in certificate:
        with pytest.raises(Rejected):
            checker.check_gap({k: v for k, v in certificate.items() if k != name}, X, labels)
    with pytest.raises(Rejected, match="unknown fields: more"):
        checker.check_gap({**certificate, "more": 1}, X, labels)
    for nothing in (None, [], "x", 1, {}):
        with pytest.raises(Rejected):
            checker.check_gap(nothing, X, labels)


@pytest.mark.parametrize("loss", list(PARAMETERS))
def test_other_data_are_rejected(loss: str) -> None:
    certificate, X, labels, _ = made(loss, "free", False, False)
    moved = X.copy()
    moved[3, 1] = np.nextafter(moved[3, 1], np.inf)
    others = [(moved, labels), (X[::-1], labels), (X[:-1], None if labels is None else labels[:-1]), (X[:, :2], labels)]
    if labels is not None:
        swapped = labels.copy()
        swapped[[0, 1]] = labels.max(), labels.min()
        others += [(X, swapped if not np.array_equal(swapped, labels) else -labels), (X, -labels)]
    for rows, answers in others:
        with pytest.raises((Rejected, BadData)):
            checker.check_gap(certificate, rows, answers)


def test_weights_belong_to_the_certificate() -> None:
    certificate, X, labels, weights = made("hinge", "free", False, True)
    with pytest.raises(BadData, match="give their weights"):
        checker.check_gap(certificate, X, labels)
    with pytest.raises(BadData, match="beyond 2\\^53"):
        checker.check_gap(certificate, X, labels, [2**53 + 1] * len(X))
    with pytest.raises(Rejected, match="sample_weight_sha256"):
        checker.check_gap(certificate, X, labels, weights * 2)
    plain, X, labels, _ = made("hinge", "free", False, False)
    with pytest.raises(Rejected, match="knows of no weights"):
        checker.check_gap(plain, X, labels, np.ones(len(X)))


def test_the_optimum_of_other_weights_is_no_proof() -> None:
    weighted, X, labels, weights = made("hinge", "free", True, True)
    plain = made("hinge", "free", True, False)[0]
    other = {"optimum": plain["optimum"], "lower": plain["lower"]}
    with pytest.raises(Rejected, match="other weights"):
        checker.check_gap({**weighted, **other}, X, labels, weights)
    own = weighted["optimum"]["sample_weight"]
    forged = {**weighted["optimum"], "sample_weight": [own[1], own[0], *own[2:]]}
    with pytest.raises(Rejected):
        checker.check_gap({**weighted, "optimum": forged}, X, labels, weights)


def test_a_bound_without_multipliers_is_0() -> None:
    certificate, X, labels, _ = made("hinge", "free", False, False)
    weaker = {**certificate, "dual": None, "lower": "0/1"}
    assert checker.check_gap(weaker, X, labels).startswith("at most an unbounded part")
    with pytest.raises(Rejected):
        checker.check_gap({**certificate, "dual": None}, X, labels)
    certificate, X, labels, _ = made("one_class", "free", False, False)
    with pytest.raises(Rejected):
        checker.check_gap({**certificate, "dual": None, "lower": "0/1"}, X, labels)


def test_the_proof_of_another_problem_is_no_proof() -> None:
    """Each is true by itself: the optimum of C = 1, and a gap that names C = 2 and is otherwise that of C = 2."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((30, 2)), rng.integers(0, 2, 30).astype(float)
    theta = [[rational(0.0)] * 3]
    one, two = (json.loads(json.dumps(gap(objective(X, y, C=C), theta).certificate)) for C in (1, 2))
    forged = {**two, "optimum": one["optimum"], "lower": one["lower"]}
    with pytest.raises(Rejected, match="optimum of this problem"):
        checker.check_gap(forged, X, y)


def test_multipliers_that_do_not_balance_are_rejected() -> None:
    """The bias of the dual moved, and lower recomputed as if that did not matter."""
    certificate, X, labels, _ = made("hinge", "free", False, False)
    b = read(certificate["dual"]["b"], "b")
    with pytest.raises(Rejected, match="do not balance"):
        checker.check_gap(put(certificate, ("dual", "b"), write(b + Fraction(1, 10**9))), X, labels)


def test_expect() -> None:
    certificate, X, labels, weights = made("hinge", "free", False, False)
    good = {"loss": "hinge", "C": "1.0", "bias": "free", "n": 30, "d": 3, "kind": "gap"}
    assert checker.check_gap(certificate, X, labels, expect=good)
    for name, other in (("loss", "squared_hinge"), ("C", "2"), ("bias", "none"), ("n", 31), ("epsilon", "0.1")):
        with pytest.raises(Rejected, match=f"{name}={other} is expected"):
            checker.check_gap(certificate, X, labels, expect={name: other})
    with pytest.raises(BadData, match="give a decimal"):
        checker.check_gap(certificate, X, labels, expect={"C": "much"})
    certificate, X, labels, weights = made("hinge", "free", False, True)
    with pytest.raises(Rejected, match="weights=none is expected"):
        checker.check_gap(certificate, X, labels, weights, expect={"C": 1})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.sampled_from(sorted(PARAMETERS)))
def test_a_random_point_and_width_prove_nothing_false(seed: int, loss: str) -> None:
    """Whatever a forger writes as dual, with the lower end that it would need to be better than the truth."""
    bias = "free" if loss == "one_class" else "regularised"
    certificate, X, labels, _ = made(loss, bias, False, False, n=12)
    rng = np.random.default_rng(seed)
    best = read(certificate["lower"], "") + abs(read(certificate["lower"], "")) / 1000 + Fraction(1, 1000)
    shape = np.shape(np.array(certificate["w"], dtype=object))
    w = np.vectorize(lambda v: write(Fraction(float(v))), otypes=[object])(rng.standard_normal(shape)).tolist()
    b = np.vectorize(lambda v: write(Fraction(float(v))), otypes=[object])(rng.standard_normal(shape[:-1])).tolist()
    dual = {"w": w, "b": b, "width": write(Fraction(float(rng.random() + 1e-9)))}
    with pytest.raises(Rejected):
        checker.check_gap({**certificate, "dual": dual, "lower": write(best)}, X, labels)


def test_no_code_is_shared_with_the_engine() -> None:
    """Of the package, the checker imports nothing but the other checker and its own counting."""
    for name in ("checker", "recount"):
        tree = ast.parse((ROOT / "verify" / "svm" / "gap" / f"{name}.py").read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        ours = {module for module in modules if module.startswith("hingeproof")}
        assert ours <= {"hingeproof.svm", "hingeproof.svm.checker", "hingeproof.svm.gap.recount"}
        assert modules - ours <= {
            "__future__", "collections", "collections.abc", "dataclasses", "fractions", "hashlib", "math", "numpy",
            "typing",
        }  # fmt: skip


@pytest.mark.parametrize(("loss", "bias", "exact", "weighted"), [case for case in CASES if not case[2]])
def test_signs_that_floats_decide_are_those_of_fractions(
    loss: str, bias: str, exact: bool, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With error bounds so wide that every sign is in doubt, engine and checker say the same."""
    usual, X, labels, weights = made(loss, bias, exact, weighted)
    monkeypatch.setattr(sums, "U", 2.0**10)
    monkeypatch.setattr(recount, "EPS", 2.0**10)
    slow, *_ = made(loss, bias, exact, weighted)
    assert slow == usual
    assert checker.check_gap(usual, X, labels, weights)


def test_integers_that_float64_rounds_are_refused() -> None:
    certificate, X, labels, _ = made("hinge", "free", False, False)
    with pytest.raises(BadData, match="integers from 2"):
        checker.check_gap(certificate, np.full(X.shape, 2**53, np.int64), labels)


def test_a_certificate_is_small() -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((4_000, 20))
    y = (X[:, 0] + rng.standard_normal(4_000) > 0).astype(int)
    found = gap(objective(X, y), [[rational(0.0)] * 21])
    assert len(json.dumps(found.certificate)) < 4_000
