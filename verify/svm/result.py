"""What was proved of a problem: an optimum, an interval that holds it, or that there is none; and its certificate."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from flint import fmpq
from scipy import sparse

from hingeproof.svm.checker import write
from hingeproof.svm.exact import rounded
from hingeproof.svm.problem import BINARY, MULTICLASS, Model, Point
from hingeproof.svm.weights import Weighting


@dataclass(frozen=True, repr=False)
class Result:
    """What was proved. Numbers are exact rationals (flint's fmpq); `exact` means a duality gap of 0.

    `w` is a list (of lists, one a class, for multi-class losses; None with a kernel), `alpha` the non-zero multipliers
    by (sample, constraint), `margin_squared` the exact square of the geometric margin 1/‖w‖ of a binary problem,
    `biases` the exact interval of optimal biases (None: unbounded on that side) where there is a single free bias.
    """

    kind: Literal["optimum", "interval", "infeasible"]
    status: Literal["exact", "interval"]
    loss: str
    bias: str
    w: list[Any] | None
    b: Any
    objective: fmpq | None
    lower: fmpq | None
    upper: fmpq | None
    margin_squared: fmpq | None
    biases: tuple[fmpq | None, fmpq | None] | None
    farkas: dict[int, fmpq] | None
    solver: str
    seconds: dict[str, float]
    note: str  # why an interval is no more than that
    _model: Model = field(repr=False)
    _point: Point | None = field(repr=False)
    kernel: dict[str, Any] | None = None  # name and options; w is then Σ alpha times the samples in its space

    def __repr__(self) -> str:
        size = f"{self.loss}, bias {self.bias}, n = {self._model.n}, d = {self._model.d}"
        if self.objective is not None:
            return f"<SVM optimum, exact: objective {rounded(self.objective):.12g}; {size}>"
        if self.lower is not None and self.upper is not None:
            return f"<SVM interval [{rounded(self.lower):.12g}, {rounded(self.upper):.12g}]; {size}>"
        return f"<SVM infeasible: not separable; {size}>"

    @property
    def _implied(self) -> bool:
        """Whether the certificate leaves out w: where rows are fewer than columns, its multipliers say it shorter."""
        return self.kind == "optimum" and self._model.n < self._model.d

    @property
    def alpha(self) -> dict[tuple[int, int], fmpq]:
        """The non-zero multipliers by (sample, constraint)."""
        if self._point is None:
            return {}
        names = self._model.names
        found = multipliers(self._model, self._point)
        placed = {(int(names[r][0]), int(names[r][1])): v for r, v in found.items() if v != 0}
        return dict(sorted(placed.items()))

    @property
    def margin(self) -> float | None:
        """The geometric margin 1/‖w‖ of a binary problem, in units of the data; None where w = 0."""
        return None if self.margin_squared is None else math.sqrt(rounded(self.margin_squared))

    @property
    def support(self) -> list[int]:
        """The samples with a non-zero multiplier."""
        return sorted({i for i, _ in self.alpha})

    def certificate(self) -> dict[str, Any]:
        """The certificate, as docs/svm-certificate.md describes it."""
        model = self._model
        out: dict[str, Any] = {
            "kind": self.kind,
            "status": self.status,
            "loss": self.loss,
            "bias": self.bias,
            "parameters": {k: None if v is None else _text(v) for k, v in sorted(model.parameters.items())},
            "n": model.n,
            "d": model.d,
            "data_sha256": model_digest(model),
            "label_map": dict(model.labels),
        }
        if model.weighting is not None:
            out |= _weights(model.weighting)
        if self.farkas is not None:
            return {**out, "farkas": {str(i): _text(v) for i, v in sorted(self.farkas.items())}}
        if self.kernel is not None:
            out["kernel"] = {k: _text(v) if isinstance(v, fmpq) else v for k, v in self.kernel.items()}
        several = self.loss in MULTICLASS
        if self.w is not None:
            out["w"] = None if self._implied else _vectors(self.w, several)
        out["b"] = [_text(v) for v in self.b] if several else _text(self.b)
        out["objective"] = None if self.objective is None else _text(self.objective)
        out["lower"], out["upper"] = _text(self.lower), _text(self.upper)
        if self.loss in BINARY:
            out["alpha"] = {str(i): _text(v) for (i, _), v in self.alpha.items()}
            if self.kernel is None:
                out["margin_squared"] = None if self.margin_squared is None else _text(self.margin_squared)
        else:
            out["multipliers"] = [[i, k, _text(v)] for (i, k), v in self.alpha.items()]
        return out


def multipliers(model: Model, point: Point) -> dict[int, fmpq]:
    """The dual of each row, those of 0 mostly left out."""
    found = dict(point.part)
    if model.C is not None:
        found.update((row, model.cap(row)) for row in point.full.tolist())
    if model.kappa > 0 and "edge" in point.notes:
        edge = point.notes["edge"]
        for row, u in zip(edge.tolist(), model.values(edge, point.theta), strict=True):
            found[row] = u / model.curve(row)
    return found


def _vectors(w: list[Any], several: bool) -> list[Any]:
    return [[_text(v) for v in line] for line in w] if several else [_text(v) for v in w]


def _weights(weighting: Weighting) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if weighting.classes is not None:
        out["class_weight"] = {name: _text(v) for name, v in weighting.classes.items()}
    if weighting.samples is not None:
        out["sample_weight"] = [_text(v) for v in weighting.samples]
    return out


def _text(value: fmpq | None) -> str:
    assert value is not None
    return write(Fraction(int(value.p), int(value.q)))


def model_digest(model: Model) -> str:
    """SHA-256 of the rows and mapped labels, as the checker computes it."""
    sha = hashlib.sha256()
    X = model.X
    for start in range(0, model.n, 4096):
        block = X[start : start + 4096]
        block = block.toarray() if sparse.issparse(block) else block
        sha.update(np.ascontiguousarray(block + 0.0, dtype="<f8").tobytes())
    if model.loss != "one_class":
        sha.update(np.ascontiguousarray(model.y + 0.0, dtype="<f8").tobytes())
    if model.lost is not None:
        rows, columns = np.nonzero(model.lost)
        lost = model.lost[rows, columns].astype(np.int64)
        sha.update(np.stack([rows, columns, lost], axis=1).astype("<i8").tobytes())
    return sha.hexdigest()


def bounded(model: Model, found: tuple[fmpq, fmpq, Point], solver: str, seconds: dict[str, float]) -> Result:
    """The result that has an interval only; where its ends meet, it is an optimum."""
    lower, upper, point = found
    result = optimum(model, point, solver, seconds)
    if lower == upper:
        return replace(result, objective=upper, lower=lower, upper=upper, biases=None)
    return replace(result, kind="interval", status="interval", objective=None, lower=lower, upper=upper, biases=None)


def infeasible(model: Model, farkas: dict[int, fmpq], solver: str, seconds: dict[str, float]) -> Result:
    return Result(
        "infeasible", "exact", model.loss, model.bias, None, None, None, None, None, None, None, farkas, solver,
        seconds, "", model, None,
    )  # fmt: skip


def optimum(model: Model, point: Point, solver: str, seconds: dict[str, float]) -> Result:
    theta, d, K = point.theta, model.d, model.classes
    rest = theta[model.weights :]
    w: list[Any] = theta[: model.weights]
    b: Any = rest[0] if rest else fmpq(0)
    squared = None
    if model.loss in MULTICLASS:
        w = [theta[k * d : (k + 1) * d] for k in range(K)]
        b = [fmpq(0)] * (K - len(rest)) + list(rest)
    elif model.loss in BINARY:
        norm = sum((v * v for v in w), fmpq(0))
        squared = None if norm == 0 else 1 / norm
    biases = point.biases
    if biases is None and model.free == 1 and model.classes == 1:
        biases = (b, b)
    return Result(
        "optimum", "exact", model.loss, model.bias, w, b, point.objective, point.objective, point.objective, squared,
        biases, None, solver, seconds, "", model, point,
    )  # fmt: skip


def with_kernel(
    model: Model, point: Point, bounds: tuple[fmpq, fmpq], kernel: dict[str, Any], solver: str,
    seconds: dict[str, float], note: str,
) -> Result:  # fmt: skip
    """An optimum where the bounds meet, an interval elsewhere. There is no w outside the kernel's space."""
    lower, upper = bounds
    found = Result(
        "interval", "interval", model.loss, model.bias, None, point.theta[-1], None, lower, upper, None, None, None,
        solver, seconds, note, model, point, kernel,
    )  # fmt: skip
    return replace(found, kind="optimum", status="exact", objective=upper, note="") if lower == upper else found
