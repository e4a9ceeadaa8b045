"""The oracle against each loss stated a third time, as one line of `Fraction`s from its source, and against NumPy."""

from __future__ import annotations

import math
from fractions import Fraction as F
from functools import reduce
from itertools import product
from operator import add
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hingeproof.reference_impls.formats import FORMATS, Format, exact, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic, Evaluation, evaluate

INF, NAN = math.inf, math.nan
quick = settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
each = pytest.mark.parametrize("name", LOSSES)
WIDE = Format("wide", 400, -4000, 4000)  # every small dyadic is one of its numbers


def relu(x: Any) -> Any:
    return max(x - x, x)


def total(xs: Any) -> Any:
    head, *tail = [*xs] or [0]
    return reduce(add, tail, head)


def norm(v: list[Any], p: Any = 2) -> Any:
    square = total(x * x for x in v)
    if p == 1:
        return total(map(abs, v))
    return F(math.isqrt(int(square * 4**400)), 2**400) if isinstance(square, F) else np.sqrt(square)


def others(x: Any, y: Any) -> list[Any]:
    return [*x[:y], *x[y + 1 :]]


def pairs(x: Any, y: Any) -> list[tuple[Any, Any]]:
    inside = y[: y.index(-1)]
    return [(x[j], x[k]) for j in inside for k in range(len(x)) if k not in inside]


def far(x: Any, i: int, p: Any) -> Any:  # from the anchor to the positive (1) or negative (2)
    d = len(x) // 3
    return norm([x[k] - x[i * d + k] for k in range(d)], p)


def cosine(x: Any, unit: bool = False) -> Any:
    a, b = x[: len(x) // 2], x[len(x) // 2 :]
    if not (any(a) and any(b)):
        return x[0] - x[0]
    n, m = (norm(a), norm(b)) if unit else (type(x[0])(1),) * 2
    inner = total((v / n) * (w / m) for v, w in zip(a, b, strict=True))
    return inner if unit else inner / (norm(a) * norm(b))


def spread(terms: Any, width: int, scale: int = 1) -> Any:  # a mean over K, part by part, backwards
    return total(t * (type(t)(1) / type(t)(width)) * scale for t in reversed([*terms]))


TRUTH: dict[str, Any] = {  # x: the row, y: the target; m = Δ, g = γ, e = ε, w: the class weight
    "hinge": lambda x, y, m: relu(m - y * x[0]),
    "squared_hinge": lambda x, y, m: relu(m - y * x[0]) ** 2,
    "perceptron": lambda x, y: relu(-y * x[0]),
    "smooth_hinge": lambda x, y, m, g: (lambda d: d - g / 2 if d >= g else relu(d) ** 2 / (2 * g))(m - y * x[0]),
    "modified_huber": lambda x, y: relu(1 - y * x[0]) ** 2 if y * x[0] >= -1 else -4 * y * x[0],
    "ramp": lambda x, y: min(F(1), relu(1 - y * x[0])),
    "hinge_embedding": lambda x, y, m: x[0] if y == 1 else relu(m - x[0]),
    "margin_ranking": lambda x, y, m: relu(-y * (x[0] - x[1]) + m),
    "epsilon_insensitive": lambda x, y, e: relu(abs(x[0] - y) - e),
    "squared_epsilon_insensitive": lambda x, y, e: relu(abs(x[0] - y) - e) ** 2,
    "weston_watkins": lambda x, y, m: total(relu(m - x[y] + v) for v in others(x, y)),
    "multi_margin": lambda x, y, m, p, w: w * total(relu(m - x[y] + v) ** int(p) for v in others(x, y)) / len(x),
    "crammer_singer": lambda x, y, m: relu(m + max(others(x, y)) - x[y]),
    "one_vs_rest_hinge": lambda x, y, m: total(relu(m - (v if k == y else -v)) for k, v in enumerate(x)),
    "multiclass_perceptron": lambda x, y: max(x) - x[y],
    "multilabel_margin": lambda x, y, m: total(relu(m - (a - b)) for a, b in pairs(x, y)) / len(x),
    "triplet_margin": lambda x, y, m, p: relu(far(x, 1, p) - far(x, 2, p) + m),
    "cosine_embedding": lambda x, y, m: 1 - cosine(x) if y == 1 else relu(cosine(x) - m),
}
SECOND: dict[str, Any] = {  # the same in another order of evaluation, for NumPy
    "hinge": lambda x, y, m: relu(-(y * x[0] - m)),
    "squared_hinge": lambda x, y, m: (y * x[0] - m) * min(y * x[0] - m, m - m),
    "perceptron": lambda x, y: -min(y * x[0], x[0] - x[0]),
    "smooth_hinge": lambda x, y, m, g: (lambda d, t: t * (d - t / 2) / g)(m - y * x[0], min(relu(m - y * x[0]), g)),
    "modified_huber": lambda x, y: (lambda d, t: t * (2 * d - t))(1 - y * x[0], min(relu(1 - y * x[0]), 2 * y * y)),
    "ramp": lambda x, y: 1 - min(relu(y * x[0]), y * y),
    "hinge_embedding": lambda x, y, m: x[0] if y == 1 else -min(x[0] - m, m - m),
    "margin_ranking": lambda x, y, m: relu((m - y * x[0]) + y * x[1]),
    "epsilon_insensitive": lambda x, y, e: max((x[0] - e) - y, (y - e) - x[0], e - e),
    "squared_epsilon_insensitive": lambda x, y, e: relu(x[0] - (y + e)) ** 2 + relu((y - e) - x[0]) ** 2,
    "weston_watkins": lambda x, y, m: total(relu(m - (x[y] - v)) for v in reversed(others(x, y))),
    "multi_margin": lambda x, y, m, p, w: spread((relu((m + v) - x[y]) ** int(p) for v in others(x, y)), len(x), w),
    "crammer_singer": lambda x, y, m: max(relu((m - x[y]) + v) for v in others(x, y)),
    "one_vs_rest_hinge": lambda x, y, m: relu(m - x[y]) + total(relu(m + v) for v in reversed(others(x, y))),
    "multiclass_perceptron": lambda x, y: relu(-(x[y] - max(others(x, y)))),
    "multilabel_margin": lambda x, y, m: spread((relu((m - a) + b) for a, b in pairs(x, y)), len(x)),
    "triplet_margin": lambda x, y, m, p: relu(m - (far(x, 2, p) - far(x, 1, p))),
    "cosine_embedding": lambda x, y, m: 1 - cosine(x, True) if y == 1 else relu(cosine(x, True) - m),
}
grid = st.integers(-32, 32).map(lambda n: F(n, 8))


def q(x: Any) -> fmpq:
    return fmpq(*F(str(x)).as_integer_ratio())


def floats(width: Any, least: float = 0.0) -> st.SearchStrategy[F]:
    return grid | st.floats(-8, 8, width=width).filter(lambda v: v == 0 or abs(v) >= least).map(F)


@st.composite
def samples(draw: Any, name: str, coordinate: Any, fmt: Format) -> tuple[list[F], Any, dict[str, F], dict[str, F]]:
    """A row, its target, the loss's parameters (numbers of the format) and the same under their initials."""
    loss = LOSSES[name]
    width = draw(st.integers(2, 4)) if loss.margins.row == "vector" else 1
    row = [draw(coordinate) for _ in range(width * len(loss.margins.inputs))]
    labels = draw(st.lists(st.integers(0, width - 1), unique=True)) if loss.margins.targets == "multilabel" else []
    target = {
        "sign": draw(st.sampled_from([1, -1])), "real": draw(coordinate), None: None,
        "index": draw(st.integers(0, width - 1)), "multilabel": [*labels, *[-1] * (width + 1 - len(labels))],
    }[loss.margins.targets]  # fmt: skip
    params = {n: F(str(fmt.round(v))) for n, v in draw(st.sampled_from(loss.drawn())).items()}
    class_weight = {"w": draw(st.sampled_from([F(1), F(3, 4), F(2)]))} if loss.class_weight else {}
    return row, target, params, {n[0]: v for n, v in params.items()} | class_weight


def judged(name: str, sample: Any, arithmetic: Arithmetic) -> Evaluation:
    row, target, params, short = sample
    weights = [q(short["w"])] * len(row) if "w" in short else None
    exactly, y = {n: q(v) for n, v in params.items()}, q(target) if isinstance(target, F) else target
    return evaluate(LOSSES[name], exactly, [q(x) for x in row], y, arithmetic, weights)


@each
@quick
@given(st.data())
def test_the_value_is_that_of_the_source_and_small_dyadics_are_judged_strictly(name: str, data: Any) -> None:
    row, target, _, short = sample = data.draw(
        samples(name, grid | st.fractions(-4, 4, max_denominator=60), FORMATS["float64"])
    )
    value = judged(name, sample, Arithmetic(FORMATS["float64"])).value
    error = abs(F(str(value)) - F(TRUTH[name](row, target, **short)))
    assert error <= (F(1, 10**80) if LOSSES[name].margins.norms else 0)
    sample = data.draw(samples(name, grid, FORMATS["bfloat16"]))
    if not LOSSES[name].margins.norms and sample[2].get("epsilon", F(0)).denominator < 3:
        assert all(t.error == 0 for fmt in FORMATS.values() for t in judged(name, sample, Arithmetic(fmt)).terms)


def slope(name: str, row: Any, target: Any, short: Any, d: Any, h: F = F(1, 2**60)) -> F:
    """f′(x; d), exact on quadratics: f(x + h d) = f + a h + b h² gives a = (4 f(h/2) − f(h) − 3 f) / h."""
    points = [[x + t * h * c for x, c in zip(row, d, strict=True)] for t in (F(1, 2), 1, 0)]
    half, whole, here = (TRUTH[name](x, target, **short) for x in points)
    return F(4 * half - whole - 3 * here) / h


@each
@quick
@given(st.data())
def test_sub_gradients_have_the_directional_derivatives_as_support(name: str, data: Any) -> None:
    """For convex f the supremum of ⟨g, d⟩ over ∂f is f′(x; d): off kinks, a difference quotient."""
    row, target, _, short = sample = data.draw(samples(name, grid, FORMATS["float64"]))
    cotangent = data.draw(st.sampled_from([F(1), F(-3, 4), F(2)]))
    e = judged(name, sample, Arithmetic(WIDE))
    got = e.sub_gradients(q(cotangent), 1)
    if any(t.term.singular for t in e.terms) or name == "ramp":  # ramp is not convex: see the next test
        return
    few = st.lists(st.tuples(*[st.integers(-1, 1)] * len(row)), min_size=12, max_size=12)
    for d in product((-1, 0, 1), repeat=len(row)) if len(row) < 5 else data.draw(few):
        support = sum(F(str(max(sum((x * d[k] for k, x in p.items()), fmpq(0)) for p in g))) for g in got.groups)
        truth = abs(cotangent) * slope(name, row, target, short, [c if cotangent > 0 else -c for c in d])
        assert abs(support - truth) <= (F(1, 2**40) if LOSSES[name].margins.norms else 0), d


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if not loss.margins.norms])
@quick
@given(st.data())
def test_limits_of_gradients_are_members_and_what_lies_beyond_is_not(name: str, data: Any) -> None:
    """Clarke: the sub-differential is the hull of the limits of gradients nearby."""
    row, target, _, short = sample = data.draw(samples(name, grid, FORMATS["float64"]))
    got = judged(name, sample, Arithmetic(WIDE)).sub_gradients(fmpq(1), 0)
    units = [[int(i == k) for i in range(len(row))] for k in range(len(row))]
    limits, slack = [], F(1, 2**45)  # a curved φ′ has moved by as much as the step
    for signs, sizes in product(product((-1, 1), repeat=len(row)), ((3, 7, 17, 31), (31, 17, 7, 3))):
        near = [x + F(s * w, 2**60) for x, s, w in zip(row, signs, sizes, strict=False)]  # f is smooth there
        limits.append([slope(name, near, target, short, d, F(1, 2**70)) for d in units])
    for a, b in zip(limits, limits[1:] + limits[:1], strict=True):
        assert got.excess([q((u + 2 * v) / 3) for u, v in zip(a, b, strict=True)]) <= q(slack)
    for k, ends in enumerate(got.hull()):
        seen = min(g[k] for g in limits), max(g[k] for g in limits)
        assert all(abs(F(str(x)) - y) <= slack for x, y in zip(ends, seen, strict=True))
        beyond = ([ends[1] + fmpq(1, 2**30) if i == k else q(x) for i, x in enumerate(g)] for g in limits)
        assert all(got.excess(g) > 0 for g in beyond)


@each
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@quick
@given(st.data())
def test_the_interval_contains_what_numpy_computes_and_little_else(name: str, dtype: str, data: Any) -> None:
    fmt, kind, loss = FORMATS[dtype], np.dtype(dtype).type, LOSSES[name]
    least = 2.0**-4 if loss.margins.norms else 0.0  # squares that underflow are no part of the bound on a norm
    row, target, _, short = sample = data.draw(samples(name, floats(8 * kind().itemsize, least), fmt))
    e = judged(name, sample, Arithmetic(fmt))
    interval = e.interval()
    y = kind(target) if loss.margins.targets in ("sign", "real") else target
    for formula in (TRUTH, SECOND):
        got = formula[name]([kind(x) for x in row], y, **{n: kind(v) for n, v in short.items()})
        assert interval.allows(exact(float(got))), (float(got), interval)
    if loss.margins.name in ("binary", "score") and all(phi.degree == 1 for phi in loss.shapes.values()):
        assert interval.high - interval.low <= fmt.ulp(interval.center) / 2
    for n in (1023, 1025) if dtype != "float16" and e.value >= fmpq(1, 8) else ():
        assert not interval.allows(e.value * fmpq(n, 1024))


@pytest.mark.parametrize(
    ("name", "row", "target", "value"),
    [
        ("hinge", [-INF], 1, INF), ("hinge", [INF], 1, 0), ("hinge", [-INF], -1, 0), ("hinge", [NAN], 1, NAN),
        ("ramp", [INF], 1, 0), ("ramp", [-INF], 1, 1), ("hinge_embedding", [-INF], 1, -INF),
        ("epsilon_insensitive", [-INF], fmpq(0), INF), ("margin_ranking", [INF, INF], 1, NAN),
        ("weston_watkins", [fmpq(0), -INF, fmpq(1)], 0, 2), ("crammer_singer", [fmpq(0), -INF, fmpq(1)], 0, 2),
        ("crammer_singer", [fmpq(0), -INF, NAN], 0, NAN), ("multiclass_perceptron", [INF, fmpq(1)], 0, 0),
        ("triplet_margin", [fmpq(0), INF, fmpq(0)], None, INF), ("cosine_embedding", [NAN, fmpq(1)], 1, NAN),
    ],
)  # fmt: skip
def test_scores_that_are_not_finite(name: str, row: Any, target: Any, value: Any) -> None:
    e = evaluate(LOSSES[name], LOSSES[name].defaults, row, target, Arithmetic(FORMATS["float32"]))
    assert repr(to_float(e.value)) == repr(float(value))
    assert [e.interval().allows(exact(x)) for x in (value, 7.0)] == [True, False]


def test_under_flush_a_subnormal_counts_as_zero_and_widens_the_kink() -> None:
    """Perceptron at z = −tiny/2: value tiny/2 and slope −1 exactly; under flush 0 and 0 are as good."""
    small = FORMATS["float32"].tiny / 2
    for flush in (False, True):
        e = evaluate(LOSSES["perceptron"], {}, [-small], 1, Arithmetic(FORMATS["float32"], flush))
        assert [e.interval().allows(x) for x in (small, fmpq(0))] == [True, flush]
        assert (e.sub_gradients(fmpq(1), 0).excess([fmpq(0)]) == 0) is flush


def test_a_subnormal_component_of_a_norms_gradient_may_be_rounded() -> None:
    """Each component correctly rounded to float16 is as good an answer as there is, where it is subnormal too."""
    row = [0.0101776123046875, 3.66796875, -56.96875, -13.28125, -0.0173492431640625, 5.58984375, -350.25, -7.7265625]
    fmt = FORMATS["float16"]
    e = evaluate(LOSSES["cosine_embedding"], {"margin": fmpq(1, 2)}, [q(F(x)) for x in row], 1, Arithmetic(fmt))
    slopes = e.sub_gradients(fmpq(1), 0)
    assert slopes is not None
    exact = [low for low, _ in slopes.hull()]
    rounded = [fmt.round(x) for x in exact]
    assert any(0 < abs(x) < fmt.tiny and x != r for x, r in zip(exact, rounded, strict=True))
    assert slopes.excess(rounded) == 0
    assert slopes.excess([r + fmt.tiny if k == 4 else r for k, r in enumerate(rounded)]) > 0
