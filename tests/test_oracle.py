"""The oracle against each loss stated a third time, as one line of `Fraction`s from its source, and against NumPy."""

from __future__ import annotations

import math
from fractions import Fraction as F
from itertools import product
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hingeproof.reference_impls.formats import FORMATS, Format, exact
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic, Evaluation, evaluate

quick = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
each = pytest.mark.parametrize("name", LOSSES)
LINEAR = [name for name, loss in LOSSES.items() if not loss.margins.norms]
linear = pytest.mark.parametrize("name", LINEAR)
WIDE = Format("wide", 400, -4000, 4000)  # every small dyadic is one of its numbers
DTYPES: dict[str, Any] = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


def relu(x: Any) -> Any:
    return max(x - x, x)


def root(x: F) -> F:
    return F(math.isqrt(int(x * 4**400)), 2**400)


def norm(v: list[F], p: Any) -> Any:
    return sum(map(abs, v)) if p == 1 else root(sum(a * a for a in v)) if isinstance(v[0], F) else np.sqrt(total([a * a for a in v]))


def minus(a: Any, b: Any) -> list[Any]:
    return [x - y for x, y in zip(a, b, strict=True)]


def dot(a: Any, b: Any) -> Any:
    return total([x * y for x, y in zip(a, b, strict=True)])


def total(xs: Any) -> Any:
    """A sum from left to right, in the type of its terms (0 for none)."""
    out: Any = 0
    for i, x in enumerate(xs):
        out = x if i == 0 else out + x
    return out


def others(x: Any, y: Any) -> list[Any]:
    return [v for k, v in enumerate(x) if k != y]


def inside(y: Any) -> list[int]:
    return y[: y.index(-1)]


def pairs(x: Any, y: Any) -> list[tuple[Any, Any]]:
    return [(x[j], x[k]) for j in inside(y) for k in range(len(x)) if k not in inside(y)]


def thirds(x: Any) -> list[Any]:
    return [x[i * len(x) // 3 : (i + 1) * len(x) // 3] for i in range(3)]


def cosine(x: Any) -> Any:
    a, b = x[: len(x) // 2], x[len(x) // 2 :]
    return dot(a, b) / (norm(a, 2) * norm(b, 2)) if any(a) and any(b) else a[0] - a[0]


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
    "multilabel_margin": lambda x, y, m: F(total(relu(m - (a - b)) for a, b in pairs(x, y))) / len(x),
    "triplet_margin": lambda x, y, m, p: (lambda a, b, c: relu(norm(minus(a, b), p) - norm(minus(a, c), p) + m))(*thirds(x)),
    "cosine_embedding": lambda x, y, m: 1 - cosine(x) if y == 1 else relu(cosine(x) - m),
}  # fmt: skip


def unit(x: Any) -> Any:
    """The cosine from rows that were normalised first."""
    a, b = x[: len(x) // 2], x[len(x) // 2 :]
    return total((v / norm(a, 2)) * (u / norm(b, 2)) for v, u in zip(a, b, strict=True)) if any(a) and any(b) else a[0] - a[0]


def each_by_k(terms: Any, width: int, scale: Any) -> Any:
    return total([t * (type(t)(1) / type(t)(width)) * scale for t in reversed(list(terms))])


SECOND: dict[str, Any] = {  # the same losses in another order of evaluation; only these two are run in NumPy
    "hinge": lambda x, y, m: relu(-(y * x[0] - m)),
    "squared_hinge": lambda x, y, m: (y * x[0] - m) * min(y * x[0] - m, m - m),
    "perceptron": lambda x, y: -min(y * x[0], x[0] - x[0]),
    "smooth_hinge": lambda x, y, m, g: (lambda d, t: t * (d - t / 2) / g)(m - y * x[0], min(relu(m - y * x[0]), g)),
    "modified_huber": lambda x, y: (lambda d, t: t * (2 * d - t))(1 - y * x[0], min(relu(1 - y * x[0]), type(x[0])(2))),
    "ramp": lambda x, y: 1 - min(relu(y * x[0]), type(x[0])(1)),
    "hinge_embedding": lambda x, y, m: x[0] if y == 1 else -min(x[0] - m, m - m),
    "margin_ranking": lambda x, y, m: relu((m - y * x[0]) + y * x[1]),
    "epsilon_insensitive": lambda x, y, e: max((x[0] - e) - y, (y - e) - x[0], e - e),
    "squared_epsilon_insensitive": lambda x, y, e: relu(x[0] - (y + e)) ** 2 + relu((y - e) - x[0]) ** 2,
    "weston_watkins": lambda x, y, m: total(relu(m - (x[y] - v)) for v in reversed(others(x, y))),
    "multi_margin": lambda x, y, m, p, w: each_by_k((relu((m + v) - x[y]) ** int(p) for v in others(x, y)), len(x), w),
    "crammer_singer": lambda x, y, m: max(relu((m - x[y]) + v) for v in others(x, y)),
    "one_vs_rest_hinge": lambda x, y, m: total(relu(m - (v if k == y else -v)) for k, v in reversed(list(enumerate(x)))),
    "multiclass_perceptron": lambda x, y: relu(-(x[y] - max(others(x, y)))),
    "multilabel_margin": lambda x, y, m: each_by_k((relu((m - a) + b) for a, b in pairs(x, y)), len(x), type(x[0])(1)),
    "triplet_margin": lambda x, y, m, p: (lambda a, b, c: relu(m - (norm(minus(c, a), p) - norm(minus(b, a), p))))(*thirds(x)),
    "cosine_embedding": lambda x, y, m: 1 - unit(x) if y == 1 else relu(unit(x) - m),
}  # fmt: skip
NAMES = {"margin": "m", "gamma": "g", "epsilon": "e", "p": "p"}
grid = st.integers(-32, 32).map(lambda n: F(n, 8))
any_rational = st.fractions(min_value=-4, max_value=4, max_denominator=60)


def q(x: Any) -> fmpq:
    x = F(x)
    return fmpq(x.numerator, x.denominator)


def fraction(x: fmpq) -> F:
    return F(int(x.p), int(x.q))


def floats(width: Any, least: float = 0.0) -> st.SearchStrategy[F]:
    return grid | st.floats(-8, 8, width=width).filter(lambda v: v == 0 or abs(v) >= least).map(F)


@st.composite
def samples(draw: Any, name: str, coordinate: Any, fmt: Format) -> tuple[list[F], Any, dict[str, F], dict[str, F]]:
    """A row, its target, the loss's parameters (numbers of the format) and the same under the short names."""
    loss = LOSSES[name]
    width = draw(st.integers(2, 4)) if loss.margins.row == "vector" else 1
    row = [draw(coordinate) for _ in range(width * len(loss.margins.inputs))]
    kind = loss.margins.targets
    labels = draw(st.lists(st.integers(0, width - 1), unique=True)) if kind == "multilabel" else []
    target = {
        "sign": draw(st.sampled_from([1, -1])), "real": draw(coordinate), None: None, "index": draw(st.integers(0, width - 1)),
        "multilabel": [*labels, *[-1] * (width + 1 - len(labels))],
    }[kind]  # fmt: skip
    params = {n: fraction(fmt.round(v)) for n, v in draw(st.sampled_from(loss.drawn())).items()}  # type: ignore[arg-type]
    short = {NAMES[n]: v for n, v in params.items()}
    return row, target, params, short | ({"w": draw(st.sampled_from([F(1), F(3, 4), F(2)]))} if loss.class_weight else {})


def judged(name: str, sample: Any, arithmetic: Arithmetic) -> Evaluation:
    row, target, params, short = sample
    weights = [q(short["w"])] * len(row) if "w" in short else None
    target = q(target) if isinstance(target, F) else target
    return evaluate(LOSSES[name], {n: q(v) for n, v in params.items()}, [q(x) for x in row], target, arithmetic, weights)


def test_no_loss_is_left_out() -> None:
    assert set(TRUTH) == set(SECOND) == set(LOSSES)


@each
@quick
@given(st.data())
def test_the_value_is_that_of_the_source(name: str, data: Any) -> None:
    row, target, params, short = sample = data.draw(samples(name, grid | any_rational, FORMATS["float64"]))
    value, truth = judged(name, sample, Arithmetic(FORMATS["float64"])).value, F(TRUTH[name](row, target, **short))
    assert isinstance(value, fmpq)
    assert abs(fraction(value) - truth) <= (F(1, 10**80) if LOSSES[name].margins.norms else 0)


@each
@quick
@given(st.data())
def test_sub_gradients_are_directional_derivatives(name: str, data: Any) -> None:
    """For convex f: sup of ⟨g, d⟩ over ∂f is f′(x; d), in every direction; off kinks this is the central difference."""
    row, target, _, short = sample = data.draw(samples(name, grid, WIDE))
    cotangent = data.draw(st.sampled_from([F(1), F(-3, 4), F(2)]))
    e = judged(name, sample, Arithmetic(WIDE))
    got = e.sub_gradients(q(cotangent), 1)
    assert got is not None
    singular = any(t.term.singular for t in e.terms) or (name == "cosine_embedding" and not cosine(row))
    if singular or name == "ramp":  # ramp is not convex: see the next test
        return
    f0, h = TRUTH[name](row, target, **short), F(1, 2**60)
    tolerance = F(1, 2**40) if LOSSES[name].margins.norms else 0

    def derivative(d: Any) -> F:
        """Exact on quadratics: f(x + h d) = f + a h + b h² gives a = (4 f(h/2) − f(h) − 3 f) / h."""
        at = [TRUTH[name]([x + t * h * c for x, c in zip(row, d, strict=True)], target, **short) for t in (F(1, 2), 1)]
        return (4 * at[0] - at[1] - 3 * f0) / h

    directions = list(product((-1, 0, 1), repeat=len(row)))
    for d in directions if len(directions) <= 81 else data.draw(st.permutations(directions))[:40]:
        support = sum(max(fraction(sum((x * d[k] for k, x in p.items()), fmpq(0))) for p in g) for g in got.groups)
        signed = [c if cotangent > 0 else -c for c in d]
        assert abs(support - abs(cotangent) * derivative(signed)) <= tolerance, d
        if not e.near_kink and sum(map(abs, d)) == 1:
            opposite = derivative([-c for c in signed])
            assert abs(support - abs(cotangent) * (derivative(signed) - opposite) / 2) <= tolerance


@linear
@quick
@given(st.data())
def test_limits_of_gradients_are_members_and_what_lies_beyond_is_not(name: str, data: Any) -> None:
    """Clarke: the sub-differential is the hull of the limits of gradients nearby."""
    row, target, _, short = sample = data.draw(samples(name, grid, WIDE))
    got = judged(name, sample, Arithmetic(WIDE)).sub_gradients(fmpq(1), 0)
    assert got is not None
    h, limits = F(1, 2**60), []
    for signs in product((-1, 1), repeat=len(row)):
        for order in ([3, 7, 17, 31], [31, 17, 7, 3]):  # no two sums of these tie: f is smooth there
            near = [x + h * s * w for x, s, w in zip(row, signs, order, strict=False)]

            def at(k: int, step: F, near: list[F] = near) -> Any:
                return TRUTH[name]([x + (step if i == k else 0) for i, x in enumerate(near)], target, **short)

            limits.append([(at(k, h / 8) - at(k, -h / 8)) / (h / 4) for k in range(len(row))])
    slack = F(1, 2**45)  # a curved φ′ has moved by as much as h
    for a, b in zip(limits, limits[1:] + limits[:1], strict=True):
        for t in (F(0), F(1, 3)):
            assert got.excess([q(t * u + (1 - t) * v) for u, v in zip(a, b, strict=True)]) <= q(slack)
    for k, (low, high) in enumerate(got.hull()):
        seen = [g[k] for g in limits]
        assert abs(fraction(low) - min(seen)) <= slack
        assert abs(fraction(high) - max(seen)) <= slack
        for g in limits:
            beyond = [q(x) for x in g]
            beyond[k] = high + fmpq(1, 2**30)
            assert got.excess(beyond) > 0


@linear
@pytest.mark.parametrize("dtype", FORMATS)
@quick
@given(st.data())
def test_small_dyadics_are_judged_strictly(name: str, dtype: str, data: Any) -> None:
    row, target, params, short = data.draw(samples(name, grid, FORMATS[dtype]))
    params |= {"epsilon": F(1, 2)} if "epsilon" in params else {}
    e = judged(name, (row, target, params, short), Arithmetic(FORMATS[dtype]))
    assert all(t.error == 0 for t in e.terms)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@quick
@given(st.data())
def test_e_z_is_the_rounding_of_numpy_in_all_three_orders(dtype: str, data: Any) -> None:
    fmt, kind = FORMATS[dtype], DTYPES[dtype]
    values = [data.draw(floats(8 * kind().itemsize)) for _ in range(3)]
    (a, b, m), (fa, fb, fm) = values, (kind(v) for v in values)
    (term,) = LOSSES["weston_watkins"].margins.terms([q(a), q(b)], 0, {"margin": q(m)}, fmt)
    firsts = [(fa - fb, a - b), (fm - fa, m - a), (fm + fb, m + b)]
    assert term.error == q(max(abs(F(float(got)) - want) for got, want in firsts))
    for computed in (fm - (fa - fb), (fm - fa) + fb, (fm + fb) - fa):
        got, z = exact(float(computed)), q(m - a + b)
        assert fmt.round(z - term.error) <= got <= fmt.round(z + term.error)  # type: ignore[operator]


@each
@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(st.data())
def test_the_interval_contains_what_numpy_computes(name: str, dtype: str, data: Any) -> None:
    fmt, kind = FORMATS[dtype], DTYPES[dtype]
    least = 2.0**-4 if LOSSES[name].margins.norms else 0.0  # squares that underflow are no part of the bound on a norm
    row, target, _, short = sample = data.draw(samples(name, floats(8 * kind().itemsize, least), fmt))
    e = judged(name, sample, Arithmetic(fmt))
    interval = e.interval()
    assert interval is not None
    y = kind(target) if LOSSES[name].margins.targets in ("sign", "real") else target
    for formula in (TRUTH, SECOND):
        with np.errstate(under="ignore"):
            got = formula[name]([kind(x) for x in row], y, **{n: kind(v) for n, v in short.items()})
        assert interval.allows(exact(float(got))), (float(got), interval)
    assert isinstance(interval.low, fmpq)
    assert isinstance(interval.high, fmpq)
    if len(e.terms) == 1 and e.value_roundings == 1 and e.terms[0].error == 0 and LOSSES[name].class_weight is False:
        assert interval.high - interval.low <= fmt.ulp(interval.center) / 2  # type: ignore[arg-type]
    if dtype != "float16" and e.value >= fmpq(1, 8):  # type: ignore[operator]
        assert not interval.allows(e.value * fmpq(1025, 1024))  # type: ignore[operator]
        assert not interval.allows(e.value * fmpq(1023, 1024))  # type: ignore[operator]
