"""The SVM problem of any convex loss of the family, brought to the oracle's common form and solved exactly.

φ is taken apart into ramps sup_{0 ≤ p ≤ cap} p·u − κp²/2 with u = ±(z − break), derived from its pieces. The result is
proved by `hingeproof.properties.svm.optima.prove`, which knows nothing of this file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from hingeproof.properties.svm.optima import RidgeProblem, Vector
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.phi import Phi
from hingeproof.svm.problem import Model
from hingeproof.svm.result import multipliers
from hingeproof.svm.solver.oracle import guesses
from hingeproof.svm.solver.polish import polish

ZERO, ONE = fmpq(0), fmpq(1)
FAR = fmpq(2**12)  # where a linear φ is given a kink that no score of these problems comes near


@dataclass(frozen=True)
class Ramps:
    """Arms (sign, break) of a φ, all of one cap (None: no end) and one κ."""

    arms: tuple[tuple[int, fmpq], ...]
    cap: fmpq | None
    kappa: fmpq


def ramps(phi: Phi) -> Ramps:
    """Take a convex φ with least value 0 (or a linear one) apart. Raises: ValueError for what has no such form."""
    if not phi.breaks:
        slope = phi.pieces[0][1]
        if abs(slope) != 1 or phi.pieces[0][2] != 0:
            raise ValueError("a linear φ must have slope ±1")
        sign = 1 if slope > 0 else -1
        return Ramps(((sign, -sign * FAR),), ONE, ZERO)
    inner = [(x + y) / 2 for x, y in zip(phi.breaks[:-1], phi.breaks[1:], strict=True)]
    slopes = [phi.slopes(z)[0] for z in (phi.breaks[0] - 1, *inner, phi.breaks[-1] + 1)]
    falling, rising = sum(s < 0 for s in slopes), sum(s > 0 for s in slopes)
    arms, forms = [], set()
    for sign, count, pieces in (
        (-1, falling, phi.pieces[:falling][::-1]),
        (1, rising, phi.pieces[::-1][:rising][::-1]),
    ):
        if not count:
            continue
        at = phi.breaks[falling - 1] if sign < 0 else phi.breaks[-rising]
        curved = pieces[0][2] != 0
        if phi(at) != 0 or count > 1 + curved or (count > 1 and pieces[1][2] != 0):
            raise ValueError("φ is no sum of ramps")
        cap = None if pieces[-1][2] != 0 else abs(pieces[-1][1])
        forms.add((cap, 1 / (2 * pieces[0][2]) if curved else ZERO))
        arms.append((sign, at))
    if len(forms) != 1:
        raise ValueError("the arms of φ differ")
    cap, kappa = forms.pop()
    return Ramps(tuple(arms), cap, kappa)


def model(problem: RidgeProblem) -> tuple[Model, list[tuple[int, int, int]]]:
    """The common form, and (sample, term, sign) of each row."""
    loss = problem.loss
    rows, offsets, names = [], [], []
    forms = set()
    for i, terms in enumerate(problem.terms([ZERO] * problem.size)):
        label = problem.labels[i]
        shape = ramps(loss.shape(label if loss.labels_decide else None, problem.params))
        forms.add((shape.cap, shape.kappa))
        for t, term in enumerate(terms):
            line = [ZERO] * problem.size
            for k, a in term.gradient.items():
                line = [v + a * x for v, x in zip(line, problem.features[i][k], strict=True)]
            for sign, at in shape.arms:
                rows.append([to_float(sign * v) for v in line])
                offsets.append(sign * (term.z - at))  # type: ignore[operator]
                names.append((i, t, sign))
    ((cap, kappa),) = forms
    scale = problem.C * problem.factor
    group = len(names) // len(problem.targets) if loss.aggregate == "max" else 1
    h = np.array([to_float(o - offsets[0]) for o in offsets])
    if any(fmpq(*v.as_integer_ratio()) != o - offsets[0] for v, o in zip(h.tolist(), offsets, strict=True)):
        raise ValueError("base scores, targets and breaks must be dyadic")
    made = Model(
        loss=loss.name, bias="free" if problem.free else "regularised", parameters={}, A=np.array(rows),
        constant=offsets[0], h=h, C=None if cap is None else scale * cap, kappa=kappa / scale, group=group,
        weights=problem.ridged, free=problem.free, c=(ZERO,) * problem.free, labels=(), d=problem.ridged, classes=1,
        y=np.zeros(len(problem.targets)), names=np.array(names), X=np.zeros((len(problem.targets), 1)),
    )  # fmt: skip
    return made, names


class NotFoundError(ArithmeticError):
    """The oracle left a problem of its own uncertified."""


def solve(problem: RidgeProblem) -> tuple[Vector, list[Vector]]:
    """θ and the slope of each margin at an exact optimum. Raises: NotFoundError."""
    form, names = model(problem)
    slopes = [[ZERO] * len(terms) for terms in problem.terms([ZERO] * problem.size)]
    for guess in guesses(form, None):
        point = polish(form, guess, deadline=None)
        if point is not None:
            for row, p in multipliers(form, point).items():
                i, t, sign = names[row]
                slopes[i][t] += sign * p
            return point.theta, slopes
    raise NotFoundError(f"{problem.loss.name}, {problem.kind}: no exact optimum found")
