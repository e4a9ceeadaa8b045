"""What was proved of a trained model, as a sentence, as numbers and as a certificate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.svm.checker import write
from hingeproof.svm.exact import Array, rounded
from hingeproof.svm.gap.ends import Dual
from hingeproof.svm.gap.objective import Objective, Theta, Z
from hingeproof.svm.problem import MULTICLASS
from hingeproof.svm.result import Result


@dataclass(frozen=True)
class Gap:
    """A model's objective `upper`, and `lower`, which the optimum is proved not to be below; exact rationals (fmpq).

    `exact`: `lower` is the optimum itself. `relative`: (upper − lower) / |optimum| is at most this; infinite where the
    optimum may be 0. `formula`: what is minimised, and how it was read off the model.
    """

    _objective: Objective = field(repr=False)
    _theta: Theta = field(repr=False)
    upper: fmpq
    _dual: Dual | None = field(repr=False)
    _optimum: Result | None = field(repr=False)
    formula: str
    seconds: float

    @property
    def exact(self) -> bool:
        return self._optimum is not None

    @property
    def lower(self) -> fmpq:
        if self._optimum is not None and self._optimum.objective is not None:
            return self._optimum.objective
        return Z if self._dual is None else self._dual.value

    @property
    def share(self) -> fmpq | None:
        """The relative gap, exactly; None where the optimum may be 0."""
        if self.upper == self.lower:
            return Z
        if self.lower <= 0 <= self.upper:
            return None
        return (self.upper - self.lower) / min(abs(self.lower), abs(self.upper))

    @property
    def relative(self) -> float:
        """The relative gap, rounded up."""
        return float("inf") if self.share is None else upwards(self.share)

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """The certificate, as docs/svm-gap.md describes it."""
        o = self._objective
        out: dict[str, Any] = {
            "kind": "gap",
            "status": "exact" if self.exact else "bound",
            "loss": o.loss,
            "bias": o.bias,
            "parameters": {k: _text(v) for k, v in sorted(o.parameters.items())},
            "ridge": _text(o.ridge),
            "n": o.n,
            "d": o.d,
            "data_sha256": digest(o),
            "class_weight": self._class_weight,
            "sample_weight_sha256": None if o.weights is None else _sha(o.weights),
            "label_map": dict(o.labels),
            **self._point(self._theta),
            "upper": _text(self.upper),
            "lower": _text(self.lower),
        }
        if self._optimum is not None:
            # it was solved for numbers; the certificate is about the data's own labels
            said: dict[str, Any] = {"label_map": dict(o.labels)}
            if self._class_weight is not None:
                said["class_weight"] = self._class_weight
            return {**out, "optimum": {**self._optimum.certificate(), **said}}
        dual = self._dual
        return {**out, "dual": None if dual is None else {**self._point(dual.theta), "width": _text(dual.width)}}

    @property
    def _class_weight(self) -> dict[str, Any] | None:
        o = self._objective
        if o.factors is None:
            return None
        return {name: _text(f) for (name, _), f in zip(o.labels, o.factors, strict=True)}

    def _point(self, theta: Theta) -> dict[str, Any]:
        w, b = [[_text(v) for v in line[:-1]] for line in theta], [_text(line[-1]) for line in theta]
        return {"w": w, "b": b} if self._objective.loss in MULTICLASS else {"w": w[0], "b": b[0]}

    def __str__(self) -> str:
        """The sentence that says what is proved."""
        upper, lower = rounded(self.upper), rounded(self.lower)
        if self.share is None:
            above = f"at most {upwards(self.upper - self.lower):.3g} above the optimum, which may be 0"
        elif self.exact:
            above = f"{self.relative:.3g} above the optimum (relative)"
        else:
            above = f"at most {self.relative:.3g} above the optimum (relative)"
        end = "the optimum, proved exactly, is" if self.exact else "lower bound"
        return f"{above}, proved; objective {upper:.12g}, {end} {lower:.12g}"


def upwards(value: fmpq) -> float:
    """A float that is not below."""
    near = rounded(value)
    return near if Fraction(near) >= Fraction(int(value.p), int(value.q)) else float(np.nextafter(near, np.inf))


def digest(o: Objective) -> str:
    """SHA-256 of the rows, then of the mapped labels, as little-endian float64, −0 as 0."""
    sha = hashlib.sha256()
    for _, V in o.blocks():
        sha.update(np.ascontiguousarray(V[:, : o.d] + 0.0, dtype="<f8").tobytes())
    if not o.tau:
        sha.update((o.y + 0.0).astype("<f8").tobytes())
    return sha.hexdigest()


def _sha(values: Array) -> str:
    return hashlib.sha256((values + 0.0).astype("<f8").tobytes()).hexdigest()


def _text(value: fmpq) -> str:
    return write(Fraction(int(value.p), int(value.q)))
