"""What estimators claim to minimise: a long training leaves a gap of next to nothing, so the formula is theirs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from hingeproof import svm
from hingeproof.errors import UsageError

linear_model = pytest.importorskip("sklearn.linear_model")
pipeline = pytest.importorskip("sklearn.pipeline")
preprocessing = pytest.importorskip("sklearn.preprocessing")
machines = pytest.importorskip("sklearn.svm")

N, D = 600, 4
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, D))
TWO = np.where(X @ RNG.standard_normal(D) + RNG.standard_normal(N) > 0, "yes", "no")
THREE = np.argmax(X @ RNG.standard_normal((D, 3)) + RNG.standard_normal((N, 3)), axis=1)
REAL = X @ RNG.standard_normal(D) + RNG.standard_normal(N)
OWN = RNG.random(N) + 0.5
FACTORS = {"yes": 3.0, "no": 0.5}
LONG: dict[str, Any] = {"tol": 1e-10, "max_iter": 100_000}
SGD: dict[str, Any] = {"alpha": 0.1, "tol": None, "max_iter": 400, "average": True, "random_state": 0}

# estimator, labels, sample weights, what the formula says, and the gap that its training leaves
TRAINED = {
    "hinge": (machines.LinearSVC(loss="hinge", **LONG), TWO, None, "½‖w‖² + ½b² + C Σ max(0, 1 − y f), ", 1e-6),
    "squared": (machines.LinearSVC(C=0.1, **LONG), TWO, OWN, "weight·max(0, 1 − y f)², f = w·x + b, C = 1/10", 1e-8),
    "scaling": (machines.LinearSVC(intercept_scaling=10, **LONG), TWO, None, "½·1/100·b²", 1e-8),
    "no bias": (machines.LinearSVC(fit_intercept=False, **LONG), TWO, None, "f = w·x, C", 1e-8),
    "class weight": (machines.LinearSVC(class_weight=FACTORS, **LONG), TWO, OWN, "weight·", 1e-8),
    "balanced": (machines.LinearSVC(class_weight="balanced", **LONG), TWO, None, "weight·", 1e-8),
    "rest": (machines.LinearSVC(class_weight={0: 3.0, 1: 0.5}, **LONG), THREE, OWN, "weight·", 1e-6),
    "simplex": (machines.LinearSVC(multi_class="crammer_singer", C=0.1, **LONG), THREE, None, "max over k", 1e-6),
    "tube": (machines.LinearSVR(epsilon=0.2, **LONG), REAL, OWN, "|y − f| − 1/5", 1e-6),
    "free": (machines.SVC(kernel="linear", tol=1e-6, C=0.1), TWO, None, "½‖w‖² + C Σ max(0, 1 − y f), f", 1e-6),
    "free weighted": (machines.SVC(kernel="linear", tol=1e-6, C=0.1, class_weight=FACTORS), TWO, OWN, "weight·", 1e-6),
    "pairs": (machines.SVC(kernel="linear", tol=1e-6, C=0.01, class_weight={0: 3.0}), THREE, OWN, "weight·", 1e-6),
    "free tube": (machines.SVR(kernel="linear", tol=1e-7, C=0.1), REAL, OWN, "|y − f| − 1/10", 1e-6),
    "descent": (linear_model.SGDClassifier(**SGD), TWO, None, "C = 1/(alpha·n) = 1/60", 1e-3),
    "descent of three": (linear_model.SGDClassifier(**SGD), THREE, None, "C = 1/(alpha·n) = 1/60", 1e-3),
    "descent in a tube": (
        linear_model.SGDRegressor(loss="epsilon_insensitive", **SGD), REAL, None, "C = 1/(alpha·n) = 1/60", 1e-3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TRAINED))
def test_an_estimator_is_next_to_the_optimum_of_its_formula(name: str) -> None:
    model, y, weight, says, rel = TRAINED[name]
    model.fit(X, y, sample_weight=weight)
    found = svm.check_model(model, X, y, sample_weight=weight)
    assert says in found.formula
    assert 0 <= found.relative <= rel, str(found)
    svm.assert_optimal(model, X, y, rel, sample_weight=weight)
    if "coef_" in vars(model):  # a model moved is proved to be off
        model.coef_ = model.coef_ * 1.1
        assert svm.check_model(model, X, y, sample_weight=weight).relative > max(found.relative, 1e-5)


def test_the_parts_of_several_classes() -> None:
    rest = svm.check_model(machines.LinearSVC(**LONG).fit(X, THREE), X, THREE)
    assert list(rest.parts) == ["0 against the rest", "1 against the rest", "2 against the rest"]
    pairs = svm.check_model(machines.SVC(kernel="linear").fit(X, THREE), X, THREE)
    assert list(pairs.parts) == ["0 against 1", "0 against 2", "1 against 2"]
    assert pairs.relative == max(part.relative for part in pairs.parts.values())


def test_one_class_has_libsvms_scale() -> None:
    found = svm.check_model(machines.OneClassSVM(kernel="linear", nu=0.3, tol=1e-8).fit(X + 3), X + 3)
    assert found.relative < 1e-6
    assert "divided by 180" in found.formula


def test_a_pipeline_is_followed() -> None:
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), machines.LinearSVC(loss="hinge", **LONG))
    scaled = X * np.array([1e3, 1, 1, 1e-3])
    model.fit(scaled, TWO)
    assert svm.check_model(model, scaled, TWO).relative < 1e-6
    alone = pipeline.make_pipeline(machines.LinearSVC(loss="hinge", **LONG)).fit(X, TWO)
    assert svm.check_model(alone, X, TWO).relative < 1e-6


def test_an_unfinished_training_fails_in_one_line() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = machines.LinearSVC(loss="hinge", max_iter=2, random_state=0).fit(X, TWO)
    with pytest.raises(AssertionError, match=r"not within 0\.0001 of its optimum: train longer"):
        svm.assert_optimal(model, X, TWO)


def test_torch() -> None:
    """SGD with weight_decay on the mean hinge, from its first step to near its end."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.Linear(D, 1)
    inputs, y = torch.tensor(X), torch.tensor(np.where(TWO == "yes", 1.0, -1.0))
    layer = layer.double()
    first = svm.check_model(layer, inputs.numpy(), TWO, weight_decay="0.1")
    for step in range(400):
        layer.zero_grad()
        torch.clamp(1 - y * layer(inputs).squeeze(1), min=0).mean().backward()
        with torch.no_grad():
            for p in layer.parameters():
                p -= 1 / (0.1 * (step + 10)) * (p.grad + 0.1 * p)
    last = svm.check_model(layer, X, TWO, weight_decay="0.1")
    assert "C = 1/(weight_decay·n) = 1/60" in last.formula
    assert "½b²" in last.formula
    assert last.relative < 0.02 < first.relative
    several = svm.check_model(torch.nn.Linear(D, 3), X, THREE, loss="weston_watkins", C="1/600", bias="regularised")
    assert several.relative > 0.1


def test_plain_weights() -> None:
    optimum = svm.solve(X, TWO, C="0.1")
    w, b = [float(int(v.p) / int(v.q)) for v in optimum.w or []], float(int(optimum.b.p) / int(optimum.b.q))
    found = svm.check_model((w, b), X, TWO, C="0.1")
    assert found.relative < 1e-12
    assert found.parts[""].exact
    assert svm.check_model((w, None), X, TWO, C="0.1").formula.startswith("½‖w‖² + C Σ max(0, 1 − y f), f = w·x,")


REFUSED = [
    (lambda: machines.NuSVC(kernel="linear").fit(X, TWO), {}, "NuSVC: its C follows from nu"),
    (lambda: machines.SVC().fit(X, TWO), {}, "kernel='rbf'"),
    (lambda: machines.LinearSVC(penalty="l1", dual=False).fit(X, TWO), {}, "penalty='l1'"),
    (lambda: linear_model.RidgeClassifier().fit(X, TWO), {}, "squared error"),
    (lambda: linear_model.LogisticRegression().fit(X, TWO), {}, "no hinge"),
    (lambda: linear_model.SGDClassifier(loss="modified_huber").fit(X, TWO), {}, "loss='modified_huber'"),
    (lambda: linear_model.SGDClassifier(penalty="elasticnet").fit(X, TWO), {}, "penalty='elasticnet'"),
    (lambda: linear_model.SGDClassifier(early_stopping=True).fit(X, TWO), {}, "sets samples aside"),
    (lambda: machines.LinearSVC(), {}, "not fitted"),
    (lambda: machines.LinearSVC().fit(X, TWO), {"C": 1}, "says itself what it minimises: leave out C"),
    (lambda: object(), {}, "object: what it minimises is not known here"),
    (lambda: (np.ones(D), 0.0), {}, "give one of C"),
    (lambda: (np.ones(D), 0.0), {"C": 1, "weight_decay": 1}, "give one of C"),
    (lambda: (np.full(D, np.nan), 0.0), {"C": 1}, "not finite"),
    (lambda: (np.ones(D), np.inf), {"C": 1}, "not finite"),
    (lambda: (np.ones(D + 1), 0.0), {"C": 1}, "1 scores of 5 features; hinge on these data has 1 of 4"),
    (lambda: (np.ones(D), 1.0), {"C": 1, "bias": "none"}, "a bias that is not 0"),
    (lambda: (np.ones((2, D)), 1.0), {"C": 1}, "w has shape (2, 4)"),
    (lambda: (np.ones(D), 0.0), {"C": 1, "epsilon": 1}, "hinge has no epsilon"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("make", "more", "says"), REFUSED)
def test_what_cannot_be_mapped_is_refused_with_the_reason(make: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        svm.check_model(make(), X, TWO, **more)
    assert says in str(refused.value)
