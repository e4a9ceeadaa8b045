"""The certified problem of every convex loss: strong duality, Fenchel and Young, and the dual that CVXPY gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flint import fmpq

from hingeproof.properties.svm.optima import KINDS, NotOptimalError, losses, objective, problem, prove
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.phi import Phi
from hingeproof.svm.exact import rounded
from hingeproof.svm.for_laws import model, ramps, solve
from hingeproof.svm.solver.oracle import guesses

ZERO = fmpq(0)


def dyadic(params: dict[str, fmpq]) -> dict[str, fmpq]:
    return {n: fmpq(*rounded(v).as_integer_ratio()) for n, v in params.items()}


SETTINGS = [(name, dyadic(params)) for name in losses() for params in LOSSES[name].drawn()]


def shapes(name: str) -> list[Phi]:
    return [LOSSES[name].shape(label, p) for label in LOSSES[name].phi for p in LOSSES[name].drawn()]


def test_the_losses_are_those_with_a_convex_objective() -> None:
    assert set(losses()) == set(LOSSES) - {"ramp", "triplet_margin", "cosine_embedding"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_strong_duality(name: str, params: dict[str, fmpq], kind: str) -> None:
    """P* = −½‖Aᵀp‖² − C Σ φ*(p/C) + Σ of the parts of the margins that θ does not move, exactly."""
    loss = LOSSES[name]
    made = problem(loss, params, kind)
    found = prove(made, *solve(made))
    scale = made.C * made.factor
    dual = -sum((v * v for v in found.theta[: made.ridged]), ZERO) / 2
    still = made.terms([ZERO] * made.size)
    for i, slopes in enumerate(found.slopes):
        label = made.labels[i]
        phi = loss.shape(label if loss.labels_decide else None, params)
        gain = sum((m * t.z for m, t in zip(slopes, still[i], strict=True)), ZERO)  # type: ignore[operator]
        if loss.aggregate == "max":  # the maximum's conjugate is linear on the simplex, with the margin as slope
            dual += gain - scale * sum((m / scale * phi.breaks[-1] for m in slopes), ZERO)
            continue
        for m in slopes:
            conjugate = phi.conjugate(m / scale)
            assert conjugate is not None
            dual -= scale * conjugate
        dual += gain
    assert dual == found.objective


@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "smooth_hinge", "epsilon_insensitive", "weston_watkins"])
def test_cvxpys_dual_agrees_with_the_derived_conjugates(name: str) -> None:
    made = problem(LOSSES[name], dyadic(LOSSES[name].defaults), "cloud")
    found = prove(made, *solve(made))
    form, names = model(made)
    guess = next(guesses(form, None))
    by_margin = [[0.0] * len(row) for row in found.slopes]
    for (i, t, sign), p in zip(names, guess.p.tolist(), strict=True):
        by_margin[i][t] += sign * p
    phi = made.loss.shape(None, made.params)
    scale = made.C * made.factor
    low, high = phi.slope_hull(fmpq(-(10**6)), fmpq(10**6))
    value = -sum(rounded(t) ** 2 for t in guess.theta[: made.ridged]) / 2
    for terms, slopes in zip(made.terms([ZERO] * made.size), by_margin, strict=True):
        for term, m in zip(terms, slopes, strict=True):
            inside = min(max(fmpq(*m.as_integer_ratio()) / scale, low), high)
            conjugate = phi.conjugate(inside)
            assert conjugate is not None
            value += m * rounded(term.z) - rounded(scale * conjugate)  # type: ignore[arg-type]
    # CVXPY's point is a float candidate: 1e-11 is asked of the solver
    assert value == pytest.approx(rounded(found.objective), rel=1e-8)


@pytest.mark.parametrize("name", losses())
def test_fenchel_and_young_on_random_rationals(name: str) -> None:
    rng = np.random.default_rng(7)
    for phi in shapes(name):
        for z, u in rng.integers(-64, 65, (60, 2)).tolist():
            point, slope = fmpq(z, 24), fmpq(u, 16)
            conjugate = phi.conjugate(slope)
            low, high = phi.slopes(point)
            if conjugate is None:
                assert not low <= slope <= high
                continue
            gap = phi(point) + conjugate - slope * point
            assert gap >= 0
            assert (gap == 0) == (low <= slope <= high)


@pytest.mark.parametrize("name", losses())
def test_ramps_add_up_to_phi(name: str) -> None:
    for phi in shapes(name):
        if not phi.breaks:
            continue
        parts = ramps(phi)
        for z in (fmpq(k, 12) for k in range(-60, 61)):
            total = ZERO
            for sign, at in parts.arms:
                u = max(sign * (z - at), ZERO)
                if parts.kappa == 0:
                    assert parts.cap is not None
                    total += parts.cap * u
                else:
                    p = u / parts.kappa if parts.cap is None else min(u / parts.kappa, parts.cap)
                    total += p * u - parts.kappa * p * p / 2
            assert total == phi(z)


def test_what_is_no_sum_of_ramps_is_refused() -> None:
    with pytest.raises(ValueError, match="no sum of ramps"):
        ramps(Phi.of([0, 1], [[2, -3], [2, -2], [0]]))
    with pytest.raises(ValueError, match="arms of φ differ"):
        ramps(Phi.of([0, 1], [[0, -2], [0], [-1, 1]]))


@pytest.mark.parametrize("name", losses())
def test_what_is_no_optimum_is_not_proved(name: str) -> None:
    """A bit of θ or of one multiplier, or another problem's C: each is caught before a law judges by it."""
    made = problem(LOSSES[name], dyadic(LOSSES[name].defaults), "cloud")
    theta, slopes = solve(made)
    grain = fmpq(1, 2**60)
    prove(made, theta, slopes)
    held = next((i, t) for i, row in enumerate(slopes) for t, m in enumerate(row) if m)
    moved = [list(row) for row in slopes]
    moved[held[0]][held[1]] += grain
    for t, s in (([theta[0] + grain, *theta[1:]], slopes), (theta, moved), (theta, [[-m for m in r] for r in slopes])):
        with pytest.raises(NotOptimalError):
            prove(made, t, s)
    if any(m == -made.C * made.factor for row in slopes for m in row):
        with pytest.raises(NotOptimalError):
            prove(replace(made, C=made.C / 2), theta, slopes)


@pytest.mark.parametrize("name", losses())
def test_no_other_point_is_lower(name: str) -> None:
    rng = np.random.default_rng(3)
    made = problem(LOSSES[name], dyadic(LOSSES[name].defaults), "lattice")
    found = prove(made, *solve(made))
    for step in (fmpq(1), fmpq(1, 2**8), fmpq(1, 2**30)):
        along = [fmpq(v, 8) for v in rng.integers(-8, 9, made.size).tolist()]
        assert objective(made, [t + step * h for t, h in zip(found.theta, along, strict=True)]) >= found.objective
