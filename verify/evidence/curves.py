"""The curves of a loss as figures: φ and its slope, sampled from the exact definition."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from flint import fmpq

from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.phi import Phi
from hingeproof.runs.figures import Kink, LossCurve

BENT = 33  # points of a piece that is no line


def curves(losses: Iterable[str]) -> Iterator[LossCurve]:
    """Yield one figure a loss and, where φ depends on the label, a label."""
    for name in sorted(set(losses)):
        loss = LOSSES[name]
        for label, phi in loss.shapes.items():
            yield curve(loss, label, phi)


def curve(loss: Loss, label: int | None, phi: Phi) -> LossCurve:
    """Return φ over a range that shows every piece. A break stands twice, with the slope on either side."""
    low, high = extent(phi)
    z: list[fmpq] = []
    slope: list[fmpq] = []
    edges = [low, *(b for b in phi.breaks if low < b < high), high]
    for left, right in itertools.pairwise(edges):
        piece = phi.slopes((left + right) / 2)
        bent = phi.one_sided_slopes(left)[1] != piece[0]
        steps = BENT - 1 if bent else 1
        for i in range(steps + 1):
            at = left + (right - left) * i / steps
            before, after = phi.one_sided_slopes(at)
            z.append(at)
            slope.append(before if i == steps else after)
    formula = {label_: make.__doc__ or "" for label_, make in loss.phi.items()}[label]
    return LossCurve(
        loss=loss.name,
        title=loss.title,
        label=label,
        formula=formula,
        latex=loss.latex(),
        margin=loss.margins.formula,
        parameters=dict(loss.parameters),
        facts=facts(loss, phi),
        source=loss.source,
        z=[to_float(v) for v in z],
        value=[to_float(phi(v)) for v in z],
        slope=[to_float(v) for v in slope],
        kinks=[Kink(*map(to_float, (k, phi(k), *phi.slopes(k)))) for k in phi.kinks],
    )


def extent(phi: Phi) -> tuple[fmpq, fmpq]:
    """Return where to draw φ: all its breaks, with room on both sides."""
    points = [*phi.breaks, fmpq(0)]
    low, high = min(points), max(points)
    room = max(high - low, fmpq(1)) * fmpq(3, 4)
    return low - room - fmpq(1, 2), high + room


def facts(loss: Loss, phi: Phi) -> dict[str, str]:
    """Return what is derived from φ, as text."""

    def text(value: fmpq | None) -> str:
        return "none" if value is None else str(value)

    def yes(value: bool) -> str:
        return "yes" if value else "no"

    return {
        "kinks of φ": ", ".join(map(str, phi.kinks)) or "none",
        "φ convex": yes(phi.convex),
        "φ non-increasing": yes(phi.nonincreasing),
        "Lipschitz constant of φ": text(phi.lipschitz),
        "Lipschitz constant of φ′": text(phi.smoothness),
        "zero from": text(phi.zero_from),
        "bounds the 0–1 loss": yes(phi.bounds_zero_one),
        "convex in the scores": yes(loss.convex) if not loss.margins.norms else "not derived: its margins have norms",
        "homogeneous": yes(loss.homogeneous),
    }
