"""Margin maps with norms, evaluated in balls: distances and angles."""

from __future__ import annotations

import math
from collections.abc import Iterator

from flint import arb, ctx, fmpq

from hingeproof.reference_impls.formats import Format, power_of_two
from hingeproof.reference_impls.margins import ONE, ZERO, MarginMap, Params, Row, Term, difference_error, plain

_BITS = 300


def _ball(x: arb) -> tuple[fmpq, fmpq]:
    """Middle and radius as rationals."""

    def rational(y: arb) -> fmpq:
        man, exp = y.man_exp()
        return fmpq(man) * power_of_two(int(exp))

    return rational(x.mid()), rational(x.rad())


def _norm(diff: list[fmpq], p: int, inside: fmpq = ZERO) -> arb:
    """(Σ |x|^p + inside)^(1/p)"""
    if p == 1:
        return arb(sum((abs(x) for x in diff), ZERO) + inside)
    return arb(sum((x * x for x in diff), ZERO) + inside).sqrt()


def _gamma(fmt: Format, n: int) -> fmpq:
    g = fmt.gamma(n)
    assert g is not None, "rows of a metric loss are short"
    return g


def norm_roundings(name: str, width: int) -> tuple[int, int]:
    """Roundings of a margin made of norms of so many components, and of one component of its gradient."""
    return {"triplet": (width + 6, 2 * width + 12), "cosine": (2 * width + 8, 4 * width + 16)}[name]


def _triplet(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    """z = ‖a − n + ε‖ − ‖a − p + ε‖; ε per component as in torch's pairwise_distance, 0 for ours.

    root_eps is one more addend under the root, as in optax and MLX.

    Forward error of a computed norm (Higham §3.1): each difference carries two roundings relative to |a − p| + ε, a
    square one more, the sum D − 1, the root halves what came before and adds one: γ_{D+4} ‖ |a − p| + ε ‖.
    """
    width = len(row) // 3
    if any(isinstance(x, float) for x in row):
        # inf − inf within one norm is NaN; an infinite distance to one of them decides
        yield Term(_infinite_triplet([plain(x) for x in row], width), {})
        return
    exact = [x for x in row if isinstance(x, fmpq)]
    a, near, far = exact[:width], exact[width : 2 * width], exact[2 * width :]
    eps, p, margin = params.get("eps", ZERO), int(params["p"].p), params["margin"]
    inside = params.get("root_eps", ZERO)
    counts = norm_roundings("triplet", width)
    relative = _gamma(fmt, counts[0] + 2 * (inside != 0))
    with ctx.workprec(_BITS):
        distances: list[arb] = []
        gradients: dict[int, fmpq] = {}
        errors: dict[int, fmpq] = {}
        total = abs(margin)
        rounded = width * fmt.rounding_error(eps)
        singular = False
        for sign, other, offset in ((-1, near, width), (1, far, 2 * width)):
            diff = [x - y + eps for x, y in zip(a, other, strict=True)]
            size = [abs(x - y) + eps for x, y in zip(a, other, strict=True)]
            d, reach = _norm(diff, p, inside), _ball(_norm(size, p, inside))
            singular = singular or d == 0 or (p == 1 and not all(diff))
            distances.append(d)
            total += reach[0] + reach[1]
            for i, (x, s) in enumerate(zip(diff, size, strict=True)):
                if p == 1:
                    slope, slack = (fmpq((x > 0) - (x < 0)), ZERO), ZERO
                    if abs(x) <= 2 * relative * s and eps != 0:
                        slack = 2 * ONE  # the sign of a cancelled component is not determined
                elif d == 0:
                    slope, slack = (ZERO, ZERO), ZERO
                else:
                    slope = _ball(arb(x) / d)
                    bound = _ball(arb(s) / d)
                    # ‖·‖ ≥ the component: under a root of a sum of squares no quotient exceeds 1
                    slack = _gamma(fmt, counts[1]) * (bound[0] + bound[1])
                    # ε itself is rounded, absolutely so where it is subnormal; so are the tiny quotients it leaves
                    inverse = _ball(1 / d)
                    slack += fmt.rounding_error(eps) * (inverse[0] + inverse[1]) + 4 * fmt.subnormal
                for where, direction in ((i, sign), (offset + i, -sign)):
                    gradients[where] = gradients.get(where, ZERO) + direction * slope[0]
                    errors[where] = errors.get(where, ZERO) + slope[1] + slack
        middle, radius = _ball(distances[1] - distances[0])
    exactly = radius == 0 and eps == 0 and inside == 0 and _norms_exact(a, (near, far), p, margin, fmt)
    yield Term(middle, gradients, ZERO if exactly else radius + relative * total + 2 * rounded, errors, singular)


def _norms_exact(a: list[fmpq], others: tuple[list[fmpq], ...], p: int, margin: fmpq, fmt: Format) -> bool:
    """Do the sums in both norms, their roots and their difference fit the format, in every order? (Small dyadics.)"""
    norms = []
    for other in others:
        diff = [x - y for x, y in zip(a, other, strict=True)]
        parts = [abs(x) ** p for x in diff]
        total = sum(parts, ZERO)
        grain = fmpq(1, max(int(q.q) for q in parts))
        if total / grain >= power_of_two(fmt.precision) or total > fmt.largest or grain < fmt.subnormal:
            return False
        norm, radius = _ball(_norm(diff, p))
        if radius != 0 or not fmt.holds(norm):
            return False
        norms.append(norm)
    return difference_error(norms[1], norms[0], margin, fmt) == 0


def _infinite_triplet(row: list[float], width: int) -> float:
    a, near, far = row[:width], row[width : 2 * width], row[2 * width :]
    distances = [sum(abs(x - y) for x, y in zip(a, other, strict=True)) for other in (near, far)]
    return distances[1] - distances[0]


def _cosine(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    """z = ⟨x₁, x₂⟩ / (‖x₁‖ ‖x₂‖), with 0 where a vector is 0.

    Error: the dot product carries γ_D Σ|x₁ x₂| ≤ γ_D ‖x₁‖ ‖x₂‖, each norm γ_{D/2+2}, product and division one each.
    """
    width = len(row) // 2
    if any(isinstance(x, float) for x in row):
        yield Term(math.nan, {})
        return
    exact = [x for x in row if isinstance(x, fmpq)]
    x1, x2 = exact[:width], exact[width:]
    if not any(x1) or not any(x2):
        yield Term(ZERO, {}, singular=True)
        return
    counts = norm_roundings("cosine", width)
    relative = _gamma(fmt, counts[0])
    with ctx.workprec(_BITS):
        n1, n2 = _norm(x1, 2), _norm(x2, 2)
        dot = sum((x * y for x, y in zip(x1, x2, strict=True)), ZERO)
        cos = arb(dot) / (n1 * n2)
        gradient, errors = {}, {}
        for offset, own, other, n_own, n_other in ((0, x1, x2, n1, n2), (width, x2, x1, n2, n1)):
            for i, (x, y) in enumerate(zip(own, other, strict=True)):
                slope = _ball((arb(y) / n_other - cos * arb(x) / n_own) / n_own)
                reach = _ball((abs(arb(y)) / n_other + abs(arb(x)) / n_own) / n_own)
                gradient[offset + i] = slope[0]
                errors[offset + i] = slope[1] + _gamma(fmt, counts[1]) * (reach[0] + reach[1])
        middle, radius = _ball(cos)
    yield Term(middle, gradient, radius + relative, errors)


TRIPLET = MarginMap(
    name="triplet", formula="z = ‖a − n‖_p − ‖a − p‖_p", latex="z = \\|a - n\\|_p - \\|a - p\\|_p",
    inputs=("anchor", "positive", "negative"), row="vector", targets=None, terms=_triplet, operations=2, norms=True,
)  # fmt: skip
COSINE = MarginMap(
    name="cosine", formula="z = cos(x1, x2)", latex="z = \\cos(x_1, x_2)", inputs=("x1", "x2"), row="vector",
    targets="sign", terms=_cosine, operations=6, norms=True, lengths=False,
)  # fmt: skip
