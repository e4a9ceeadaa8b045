"""Laws that only one way of running can answer: forward mode and double backward."""

from __future__ import annotations

from flint import fmpq

from hingeproof.properties.batch import ONE, ZERO, extended, rows_of, show
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law
from hingeproof.properties.laws.gradient import in_range, show_row, singular
from hingeproof.properties.laws.selection import WEIGHTS
from hingeproof.reference_impls.formats import is_power_of_two
from hingeproof.reference_impls.oracle import Evaluation
from hingeproof.reference_impls.sets import SubGradients


@law(
    group="modes", formula="ℓ̇(s; v) ∈ {g·v : g ∈ ∂ℓ(s)}", source="Clarke 1983, §2.1; Griewank and Walther 2008, §3.1", modes=("forward",),
    why="Forward mode pushes v through the same program, so it must use some sub-gradient.", needs=("gradient",),
    breaks="A custom_jvp that disagrees with its function; a derivative of the wrong branch.", foci=("kink", "inside", "past", "random"),
)  # fmt: skip
def forward_slope(case: Case) -> Judgement:
    """Forward mode gives the slope of a legal sub-gradient along the tangent; its selection at kinks is shown."""
    out = Judgement()
    batch = case.batch
    slopes = None if case.seen.slope is None else extended(case.seen.slope)
    for i, e in enumerate(batch.evaluations):
        allowed = e.sub_gradients(batch.scales[i], batch.weight is not None)
        if slopes is None or allowed is None or singular(e) or not in_range(allowed, batch.format.largest):
            continue
        tangent = [x for x in rows_of(batch.tangent, i) if isinstance(x, fmpq)]
        low, high, slack = _slopes(allowed, tangent, batch.format.gamma(2 * len(tangent) + 2) or ONE)
        got = slopes[i]
        out.judged += 1
        if not isinstance(got, fmpq) or not low - slack <= got <= high + slack:
            out.fail(
                Failure(
                    batch,
                    f"a slope in [{show(low)}, {show(high)}] along the tangent {show_row(tangent)}",
                    show(got),
                    kind_of(got),
                    sample=i,
                )
            )
        elif e.kinked and low != high and len(allowed.free) == 1:
            zero, full = (low, high) if abs(low) <= abs(high) else (high, low)
            seen = (got - zero) / (full - zero)
            name = next((n for n, v in WEIGHTS.items() if v == seen), "other")
            out.selection[name] = out.selection.get(name, 0) + 1
    return out


def _slopes(allowed: SubGradients, tangent: list[fmpq], relative: fmpq) -> tuple[fmpq, fmpq, fmpq]:
    """The least and greatest g·v over the set, and the rounding of the products and their sum."""
    low = high = sum((f * v for f, v in zip(allowed.fixed, tangent, strict=True)), ZERO)
    for group in allowed.free:
        along = [sum((x * tangent[k] for k, x in p.items()), ZERO) for p in group]
        low, high = low + min(along), high + max(along)
    terms = [abs(x * tangent[k]) for group in allowed.groups for p in group for k, x in p.items()]
    slack = sum((b * abs(v) for b, v in zip(allowed.box, tangent, strict=True)), ZERO) + relative * sum(terms, ZERO)
    return low, high, slack


@law(
    group="modes", formula="∇²ℓ v = Σ_k φ″(z_k) ∇z_k (∇z_k·v)", source="derived from φ's pieces", modes=("double_backward",), needs=("gradient",),
    why="Off its break points φ is a polynomial of degree ≤ 2, so its second derivative is a constant: 0 for a linear piece.",
    breaks="A detached or non-differentiable backward; a smoothing that the loss does not have.", foci=("inside", "past", "random"),
    applies=lambda loss: not loss.margins.norms,
)  # fmt: skip
def second_derivative(case: Case) -> Judgement:
    """Off the break points, differentiating twice gives φ's second derivative."""
    out = Judgement()
    batch = case.batch
    if case.seen.curvature is None:
        return out
    for i, e in enumerate(batch.evaluations):
        if not e.finite or _near_break(e):
            continue
        scale = e.factor * batch.cotangents[i] * batch.scales[i]
        tangent = [x for x in rows_of(batch.tangent, i) if isinstance(x, fmpq)]
        got = rows_of(case.seen.curvature, i)
        want, reach = [ZERO] * e.width, [ZERO] * e.width
        for t in e.terms:
            second = _second(t.phi, t.z)
            along = sum((a * tangent[k] for k, a in t.term.gradient.items()), ZERO)
            size = sum((abs(a * tangent[k]) for k, a in t.term.gradient.items()), ZERO)
            for k, a in t.term.gradient.items():
                want[k] += scale * second * a * along
                reach[k] += abs(scale * second * a) * size
        roundings = (
            8
            + 2 * len(e.terms)
            + e.scalings
            + sum(not is_power_of_two(c) for t in e.terms for c in (_second(t.phi, t.z),) if c)
        )
        relative = batch.format.gamma(roundings) or ONE
        out.judged += 1
        for g, exact, r in zip(got, want, reach, strict=True):
            out.measure(abs(g - exact) if isinstance(g, fmpq) else None, relative * r, batch.format.ulp(exact))
            if not isinstance(g, fmpq) or abs(g - exact) > relative * r + batch.arithmetic.underflow * (r != 0):
                expected = f"∇²ℓ v = {show_row(want)} for v = {show_row(tangent)}"
                out.fail(Failure(batch, expected, show_row(got), kind_of(*got), sample=i))
                break
    return out


def _second(phi: object, z: fmpq) -> fmpq:
    pieces, breaks = phi.pieces, phi.breaks  # type: ignore[attr-defined]
    return 2 * pieces[sum(1 for b in breaks if b <= z)][2]  # type: ignore[no-any-return]


def _near_break(e: Evaluation) -> bool:
    if len(e.active()) > 1:
        return True
    return any(abs(t.z - b) <= t.error for t in e.terms for b in t.phi.breaks)
