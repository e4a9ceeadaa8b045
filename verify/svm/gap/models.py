"""A trained model against its own optimum: `check_model`, and `assert_optimal` for the tests of a training pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hingeproof.svm.gap.claims import Given, claims
from hingeproof.svm.gap.engine import gap
from hingeproof.svm.gap.objective import Objective
from hingeproof.svm.gap.report import Gap

LOSSES = {
    "hinge": "max(0, {margin} − y f)",
    "squared_hinge": "max(0, {margin} − y f)²",
    "smooth_hinge": "h(y f), h quadratic over {gamma} below {margin}",
    "crammer_singer": "max(0, max over k ≠ y of {margin} + f_k − f_y)",
    "weston_watkins": "Σ over k ≠ y of max(0, {margin} + f_k − f_y)",
    "epsilon_insensitive": "max(0, |y − f| − {epsilon})",
    "one_class": "max(0, −f)",
}


@dataclass(frozen=True)
class ModelCheck:
    """How far a trained model is from the optimum of each problem that it claims to solve.

    `parts`: name → gap; several where classes are trained one against the rest, or in pairs.
    """

    parts: dict[str, Gap]

    @property
    def relative(self) -> float:
        """The worst part: the model is at most this far, relatively, above the optimum of each."""
        return max(part.relative for part in self.parts.values())

    @property
    def formula(self) -> str:
        """What is minimised, of the first part."""
        return next(iter(self.parts.values())).formula

    def __str__(self) -> str:
        lines = [f"minimises {self.formula}"]
        lines += [f"{name}: {part}" if name else str(part) for name, part in self.parts.items()]
        return "\n".join(lines)


def check_model(
    model: Any, X: Any, y: Any = None, *, sample_weight: Any = None, C: Any = None, weight_decay: Any = None,
    loss: str | None = None, bias: str | None = None, epsilon: Any = None, gamma: Any = None, margin: Any = None,
    nu: Any = None, class_weight: Any = None, exact: bool = True,
) -> ModelCheck:  # fmt: skip
    """Prove how far a trained linear model is from the optimum of what it claims to minimise.

    model: a fitted LinearSVC, LinearSVR, SVC, SVR or OneClassSVM (linear kernel), SGDClassifier or SGDRegressor, a
    Pipeline that ends in one of them, a torch.nn.Linear, or (w, b). Estimators say what they minimise; for the last two
    it is given: loss, bias, class_weight, and C (of the sum) or weight_decay (of the mean, as torch.optim has it).

    sample_weight: what the model was fitted with. exact: prove the optimum itself where samples are few.

    Shapes: X (n, d) dense or SciPy sparse, y (n,).
    Raises: UsageError where it cannot be said what the model minimises, and why.
    """
    said = Given(sample_weight, C, weight_decay, loss, bias, epsilon, gamma, margin, nu, class_weight)
    found = {}
    for claim in claims(model, X, y, said):
        text = formula(claim.objective) + (f"; {claim.scale}" if claim.scale else "")
        found[claim.name] = gap(claim.objective, claim.theta, formula=text, exact=exact)
    return ModelCheck(found)


def assert_optimal(model: Any, X: Any, y: Any = None, rel: float = 1e-4, **said: Any) -> None:
    """Fail unless the model is proved to be at most `rel` above its optimum. Arguments as of `check_model`.

    Raises: AssertionError with what was proved; UsageError as `check_model`.
    """
    found = check_model(model, X, y, **said)
    if not found.relative <= rel:
        raise AssertionError(
            f"not within {rel:g} of its optimum: train longer, with a smaller tol, or on scaled data\n{found}"
        )


def formula(o: Objective) -> str:
    """What an objective minimises, as text."""
    words = {name: str(value) for name, value in o.parameters.items()}
    several = o.scores > 1
    ridge = "" if o.bias != "regularised" else f" + ½{'‖b‖²' if several else 'b²'}"
    if o.ridge != 1:
        ridge = f" + ½·{o.ridge}·{'‖b‖²' if several else 'b²'}"
    f = "f = W x" if several else "f = w·x"
    weights = "" if o.heft is None else "weight·"
    loss = LOSSES[o.loss].format(**words)
    text = f"½{'‖W‖²' if several else '‖w‖²'}{ridge}{' + b' if o.tau else ''} + C Σ {weights}{loss}, "
    return text + f"{f}{'' if o.bias == 'none' else ' + b'}, C = {o.C}"
