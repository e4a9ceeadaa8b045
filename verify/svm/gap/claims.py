"""What a trained model claims to minimise, read off the estimator: the objective with its scale, and the point (w, b).

scikit-learn and PyTorch are not imported: a fitted estimator says its name. What cannot be mapped is refused, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hingeproof.errors import UsageError
from hingeproof.svm.exact import Array, rational
from hingeproof.svm.gap.objective import Objective, Theta, objective
from hingeproof.svm.given import decimal


@dataclass(frozen=True)
class Given:
    """What the caller said beside the model."""

    sample_weight: Any = None
    C: Any = None
    weight_decay: Any = None
    loss: str | None = None
    bias: str | None = None
    epsilon: Any = None
    gamma: Any = None
    margin: Any = None
    nu: Any = None
    class_weight: Any = None

    def names(self) -> list[str]:
        """The names of what was said, weights aside."""
        return [name for name, value in vars(self).items() if value is not None and name != "sample_weight"]


@dataclass(frozen=True)
class Fitted:
    """One problem that a model claims to solve: its name among several, the scale that was derived, and the point."""

    name: str
    scale: str
    objective: Objective
    theta: Theta


def claims(model: Any, X: Any, y: Any, given: Given) -> list[Fitted]:
    """The problems that a model claims to solve. Raises: UsageError with the reason why it cannot be said."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    if isinstance(model, tuple):
        return [_plain(model, X, y, given)]
    names = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(model).__mro__]
    if ("torch", "Linear") in names:
        bias = None if model.bias is None else _tensor(model.bias)
        return [_plain((_tensor(model.weight), bias), X, y, given)]
    if ("sklearn", "Pipeline") in names:
        before = model[:-1]
        return claims(model[-1], before.transform(X) if len(before.steps) else X, y, given)
    for package, name in names:
        if package == "sklearn" and name in REFUSED:
            raise UsageError(f"{name}: {REFUSED[name]}")
        if package == "sklearn" and name in READERS:
            if given.names():
                raise UsageError(f"{name} says itself what it minimises: leave out {', '.join(given.names())}")
            if not hasattr(model, "intercept_"):
                raise UsageError(f"{name} is not fitted: call fit first")
            return list(READERS[name](model, X, y, given.sample_weight))
    raise UsageError(
        f"{type(model).__name__}: what it minimises is not known here; give (w, b), and loss, bias and C"
        f" (known: {', '.join(READERS)}, torch.nn.Linear, a Pipeline that ends in one of them)"
    )


REFUSED = {
    "NuSVC": "its C follows from nu at the optimum alone, so a trained model does not say what it minimises: use SVC",
    "NuSVR": "its epsilon follows from nu at the optimum alone: use SVR",
    "RidgeClassifier": "it minimises a squared error, which punishes margins above 1 too; squared_hinge is LinearSVC's",
    "LogisticRegression": "the logistic loss is no hinge",
    "Perceptron": "it stops at the first separating line: its objective has no penalty",
    "PassiveAggressiveClassifier": "its C bounds single steps; it minimises no sum over the data",
    "SGDOneClassSVM": "its threshold is trained at another rate than the objective says: use OneClassSVM",
}


# -- plain weights -----------------------------------------------------------------------------------------------------


def _plain(pair: tuple[Any, ...], X: Any, y: Any, given: Given) -> Fitted:
    if len(pair) != 2:
        raise UsageError(f"a model of {len(pair)} parts: give (w, b)")
    theta = point(*pair)
    loss = given.loss or "hinge"
    if (given.C is None) == (given.weight_decay is None) and loss != "one_class":
        raise UsageError(
            "give one of C (the weight of the sum) and weight_decay (of the optimiser that minimised the mean)"
        )
    scale, C = "", given.C
    if given.weight_decay is not None:
        C = 1 / (decimal("weight_decay", given.weight_decay) * int(X.shape[0]))
        scale = f"mean loss + ½·{given.weight_decay}·(‖w‖² + b²), divided by weight_decay: C = 1/(weight_decay·n) = {C}"
    default = "none" if pair[1] is None else "regularised" if given.weight_decay is not None else "free"
    made = objective(
        X, y, loss=loss, bias=given.bias or default, sample_weight=given.sample_weight, C=C, epsilon=given.epsilon,
        gamma=given.gamma, margin=given.margin, nu=given.nu, class_weight=given.class_weight,
    )  # fmt: skip
    return Fitted("", scale, made, fitting(theta, made))


def point(w: Any, b: Any) -> Theta:
    """(w, b) as exact rationals, one line a score. Raises: UsageError for what is no finite number."""
    lines = np.atleast_2d(np.asarray(w, dtype=np.float64))
    ends = np.zeros(len(lines)) if b is None else np.atleast_1d(np.asarray(b, dtype=np.float64)).ravel()
    if lines.ndim != 2 or ends.shape != (len(lines),):
        raise UsageError(f"w has shape {np.shape(w)} and b {np.shape(b)}: give (d,) and a number, or (K, d) and (K,)")
    if not (np.isfinite(lines).all() and np.isfinite(ends).all()):
        raise UsageError("w or b holds a number that is not finite: the model is broken, and every bound infinite")
    return [[rational(v) for v in [*line, end]] for line, end in zip(lines.tolist(), ends.tolist(), strict=True)]


def fitting(theta: Theta, o: Objective) -> Theta:
    """The point, if it fits the objective. Raises: UsageError."""
    if len(theta) != o.scores or len(theta[0]) != o.d + 1:
        raise UsageError(
            f"the model gives {len(theta)} scores of {len(theta[0]) - 1} features; "
            f"{o.loss} on these data has {o.scores} of {o.d}"
        )
    if o.bias == "none" and any(line[-1] for line in theta):
        raise UsageError("the model has a bias that is not 0: say bias free or regularised")
    return theta


def _tensor(value: Any) -> Array:
    return np.asarray(value.detach().cpu().double().numpy())


# -- scikit-learn ------------------------------------------------------------------------------------------------------


def _linear_svc(m: Any, X: Any, y: Any, sample_weight: Any) -> Iterator[Fitted]:
    if m.penalty != "l2":
        raise UsageError(f"LinearSVC(penalty={m.penalty!r}): the penalty must be l2")
    setting: dict[str, Any] = {**_liblinear_bias(m), "C": m.C}
    if m.multi_class == "crammer_singer":
        if len(m.classes_) == 2:
            raise UsageError("LinearSVC(multi_class='crammer_singer') of two classes: use the default, ovr")
        weights = _weights(y, m, _class_weights(m, y, sample_weight), sample_weight)
        made = objective(X, y, loss="crammer_singer", sample_weight=weights, **setting)
        yield Fitted("", "", made, fitting(point(m.coef_, _ends(m)), made))
        return
    yield from _against_the_rest(m, X, y, sample_weight, {"loss": m.loss, **setting}, "")


def _linear_svr(m: Any, X: Any, y: Any, sample_weight: Any) -> Iterator[Fitted]:
    if m.loss != "epsilon_insensitive":
        raise UsageError(f"LinearSVR(loss={m.loss!r}): of its losses, epsilon_insensitive alone is known here")
    made = objective(X, y, loss=m.loss, sample_weight=sample_weight, C=m.C, epsilon=m.epsilon, **_liblinear_bias(m))
    yield Fitted("", "", made, fitting(point(m.coef_, _ends(m)), made))


def _sgd(m: Any, X: Any, y: Any, sample_weight: Any) -> Iterator[Fitted]:
    name = type(m).__name__
    known = ("hinge", "squared_hinge") if hasattr(m, "classes_") else ("epsilon_insensitive",)
    if m.loss not in known:
        raise UsageError(f"{name}(loss={m.loss!r}): of its losses, {' and '.join(known)} are known here")
    if m.penalty != "l2":
        raise UsageError(f"{name}(penalty={m.penalty!r}): the penalty must be l2")
    if m.early_stopping:
        raise UsageError(f"{name}(early_stopping=True) sets samples aside that it does not name")
    n = int(X.shape[0])
    C = 1 / (decimal("alpha", m.alpha) * n)
    setting = {"loss": m.loss, "bias": "free" if m.fit_intercept else "none", "C": C}
    scale = f"(1/n) Σ loss + ½·{m.alpha}·‖w‖², divided by alpha: C = 1/(alpha·n) = {C}"
    if not hasattr(m, "classes_"):
        made = objective(X, y, sample_weight=sample_weight, epsilon=m.epsilon, **setting)
        yield Fitted("", scale, made, fitting(point(m.coef_, _ends(m)), made))
        return
    yield from _against_the_rest(m, X, y, sample_weight, setting, scale)


def _svc(m: Any, X: Any, y: Any, sample_weight: Any) -> Iterator[Fitted]:
    _linear_kernel(m)
    y, classes = np.asarray(y), m.classes_
    weights = _weights(y, m, np.asarray(m.class_weight_), sample_weight)
    if len(classes) == 2:
        made = objective(X, y, C=m.C, sample_weight=weights)
        yield Fitted("", "", made, fitting(point(_dense(m.coef_), m.intercept_), made))
        return
    coefficients, at = _dense(m.coef_), 0
    for i, first in enumerate(classes):
        for second in classes[i + 1 :]:
            rows = np.flatnonzero((y == first) | (y == second))
            part = X.tocsr()[rows] if sparse.issparse(X) else np.asarray(X)[rows]
            made = objective(
                part, np.where(y[rows] == first, 1, -1), C=m.C, sample_weight=None if weights is None else weights[rows]
            )
            yield Fitted(
                f"{first} against {second}", "", made, fitting(point(coefficients[at], m.intercept_[at]), made)
            )
            at += 1


def _svr(m: Any, X: Any, y: Any, sample_weight: Any) -> Iterator[Fitted]:
    _linear_kernel(m)
    made = objective(X, y, loss="epsilon_insensitive", C=m.C, epsilon=m.epsilon, sample_weight=sample_weight)
    yield Fitted("", "", made, fitting(point(_dense(m.coef_), m.intercept_), made))


def _one_class(m: Any, X: Any, y: Any, sample_weight: Any) -> Iterator[Fitted]:
    _linear_kernel(m)
    if sample_weight is not None:
        raise UsageError("OneClassSVM with sample_weight: libsvm changes nu by the weights; leave them out")
    made = objective(X, None, loss="one_class", nu=m.nu)
    unit = 1 / (decimal("nu", m.nu) * made.n)
    theta = [[v * unit for v in line] for line in point(_dense(m.coef_), m.intercept_)]
    yield Fitted("", f"libsvm's w and ρ are ν·n times ours: divided by {1 / unit}", made, fitting(theta, made))


READERS: dict[str, Callable[[Any, Any, Any, Any], Iterator[Fitted]]] = {
    "LinearSVC": _linear_svc, "LinearSVR": _linear_svr, "SGDClassifier": _sgd, "SGDRegressor": _sgd, "SVC": _svc,
    "SVR": _svr, "OneClassSVM": _one_class,
}  # fmt: skip


def _against_the_rest(
    m: Any, X: Any, y: Any, sample_weight: Any, setting: dict[str, Any], scale: str
) -> Iterator[Fitted]:
    """One problem of two classes, or one a class: there the rest has weight 1, whatever class_weight says."""
    y, factors = np.asarray(y), _class_weights(m, y, sample_weight)
    if len(m.classes_) == 2:
        made = objective(X, y, sample_weight=_weights(y, m, factors, sample_weight), **setting)
        yield Fitted("", scale, made, fitting(point(m.coef_, _ends(m)), made))
        return
    ends = _ends(m)
    for k, name in enumerate(m.classes_):
        own = y == name
        r = np.where(own, factors[k], 1.0) * (1.0 if sample_weight is None else np.asarray(sample_weight, np.float64))
        made = objective(X, np.where(own, 1, -1), sample_weight=r, **setting)
        theta = fitting(point(m.coef_[k], None if ends is None else ends[k]), made)
        yield Fitted(f"{name} against the rest", scale, made, theta)


def _liblinear_bias(m: Any) -> dict[str, Any]:
    """liblinear's bias is the weight of a constant feature `intercept_scaling`: b = v·scaling, penalised as ½v²."""
    if not m.fit_intercept:
        return {"bias": "none"}
    return {"bias": "regularised", "ridge": 1 / decimal("intercept_scaling", m.intercept_scaling) ** 2}


def _ends(m: Any) -> Any:
    """The intercepts; None where there is none."""
    return m.intercept_ if m.fit_intercept else None


def _linear_kernel(m: Any) -> None:
    if m.kernel != "linear":
        raise UsageError(f"{type(m).__name__}(kernel={m.kernel!r}): it has no w; kernel='linear' alone is known here")


def _class_weights(m: Any, y: Any, sample_weight: Any) -> Array:
    """The factor of each class, as scikit-learn computes it."""
    classes, given = m.classes_, m.class_weight
    if given is None:
        return np.ones(len(classes))
    if isinstance(given, str):
        if sample_weight is not None:
            raise UsageError("class_weight='balanced' with sample_weight: scikit-learn's versions differ; give a dict")
        counts = np.array([np.count_nonzero(np.asarray(y) == name) for name in classes])
        return np.asarray(len(y) / (len(classes) * counts))
    return np.array([given.get(name, 1.0) for name in classes.tolist()], dtype=np.float64)


def _weights(y: Any, m: Any, factors: Array, sample_weight: Any) -> Array | None:
    """The weight of each sample: its class's times its own; None where all are 1."""
    r = factors[np.searchsorted(m.classes_, np.asarray(y))]
    if sample_weight is not None:
        r = r * np.asarray(sample_weight, dtype=np.float64)
    return None if (r == 1).all() else r


def _dense(value: Any) -> Array:
    return np.asarray(value.toarray() if sparse.issparse(value) else value)
