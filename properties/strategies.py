"""Hypothesis strategies that place samples on the strata that matter: on the kink, a few ulp beside it, past it, ….

A batch is drawn as one byte string, which Hypothesis generates and shrinks fast, and decoded here. Small bytes decode
to simple samples, so a failure shrinks to one sample with simple numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
from flint import fmpq
from hypothesis import strategies as st

from hingeproof.properties.batch import Array, Batch
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended, Format, power_of_two, to_float
from hingeproof.reference_impls.margins import Form
from hingeproof.reference_impls.oracle import Arithmetic, Evaluation

ZERO = fmpq(0)
# what a batch is about; every focus is given the same number of examples
FOCI = ("kink", "ulp", "inside", "past", "random", "small", "large", "not_finite", "ties", "masked")
NUMPY_DTYPES: dict[str, Any] = {
    "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64,
}  # fmt: skip


def foci_of(loss: Loss, *, bounded: bool = False) -> tuple[str, ...]:
    """The foci that mean something for this loss; for scores from a bounded domain there are fewer."""
    several = loss.margins.row == "vector" and not loss.margins.norms
    without = set() if several else {"ties"}
    if loss.margins.norms:
        without |= {"large", "small", "not_finite"}
    if not loss.every(lambda phi: phi.breaks):
        without |= {"kink", "ulp"} if not loss.labels_decide else set()
    if not loss.margins.differences:  # a class is masked by a gap to it of +∞
        without |= {"masked"}
    if bounded:
        without |= {"large", "not_finite", "masked"}
    return tuple(f for f in FOCI if f not in without)


class Bytes:
    """Reads small numbers off a byte string; past its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.byte() % len(options)]


@dataclass(frozen=True)
class Spec:
    """What batches are drawn for: one loss in one arithmetic, with what the implementation can be given."""

    loss: Loss
    arithmetic: Arithmetic
    settable: frozenset[str]
    fixed: tuple[tuple[str, fmpq], ...] = ()
    sizes: tuple[int, ...] = (1, 8)
    widths: tuple[int, ...] = (2, 4)
    few: bool = False  # compiled modes: each parameter set is a compilation
    scale: str = "1"
    domain: tuple[float, float] | None = None  # the scores that the implementation's documentation speaks of

    @property
    def format(self) -> Format:
        return self.arithmetic.format

    @cached_property
    def parameter_sets(self) -> list[dict[str, fmpq]]:
        """Defaults first, then one settable parameter changed at a time, each rounded to the dtype."""
        fixed = dict(self.fixed)
        base = {**self.loss.defaults, **fixed}
        sets = [base] + [
            {**p, **fixed}
            for p in self.loss.drawn()[1:]
            if all(n in self.settable for n in p if p[n] != self.loss.defaults[n])
        ]
        if self.few:
            sets = [sets[0], *(s for s in sets[1:] if any(s.get(n) != base.get(n) for n in ("p",))), *sets[1:2]]
        rounded = [{n: v if n == "eps" else self.representable(v) for n, v in s.items()} for s in sets]
        return [s for i, s in enumerate(rounded) if s not in rounded[:i]]

    def representable(self, v: fmpq) -> fmpq:
        q = self.format.round(v)
        assert isinstance(q, fmpq)
        return q

    def batches(self, focus: str) -> st.SearchStrategy[Batch]:
        """Batches whose samples mostly lie on this focus."""
        inputs = len(self.loss.margins.inputs)
        coordinate = 9 if focus == "random" else 3

        def payload(shape: tuple[int, int]) -> st.SearchStrategy[Batch]:
            size, width = shape
            need = 12 + size * (8 + width * inputs * (coordinate + 4))
            return st.binary(min_size=need, max_size=need).map(lambda data: self.decode(focus, size, width, data))

        widths = self.widths if self.loss.margins.row == "vector" else (1,)
        return st.tuples(st.sampled_from(self.sizes), st.sampled_from(widths)).flatmap(payload)

    def decode(self, focus: str, size: int, width: int, data: bytes) -> Batch:
        source = Bytes(data)
        if self.few:  # weights go together, with the default parameters alone
            first, *others = self.parameter_sets
            params, weighted = source.pick([(first, False), (first, True), *((p, False) for p in others)])
            class_weighted = weighted
        else:
            params = source.pick(self.parameter_sets)
            weighted, class_weighted = source.byte() % 2 == 1, source.byte() % 2 == 1
        with_weight = "weight" in self.settable and weighted
        with_class_weight = "class_weight" in self.settable and class_weighted
        dtype = NUMPY_DTYPES[self.format.name]
        rows, targets, cotangents, weights, tangents = [], [], [], [], []
        for _ in range(size):
            cotangents.append(source.pick(_COTANGENTS))
            weights.append(source.pick(_WEIGHTS))
            row, target = SAMPLERS[self.loss.margins.form](self, params, focus, width, source)
            rows.append([to_float(self.format.round(self._folded(x))) for x in row])
            tangents.append([source.pick(_TANGENTS) for _ in row])
            targets.append(target)
        with np.errstate(over="ignore", invalid="ignore"):
            table = np.array(rows, dtype=np.float64).astype(dtype)
        count = len(self.loss.margins.inputs)
        vector = self.loss.margins.row == "vector"

        def split(x: Array) -> tuple[Array, ...]:
            parts = np.split(x, count, axis=1)
            return tuple(np.ascontiguousarray(p if vector else p[:, 0]) for p in parts)

        return Batch(
            loss=self.loss, arithmetic=self.arithmetic, params=params, focus=focus, scale=self.scale,
            inputs=split(table), targets=_target_array(self.loss, targets, dtype),
            cotangent=np.array(cotangents).astype(dtype), tangent=split(np.array(tangents).astype(dtype)),
            weight=np.array(weights).astype(dtype) if with_weight else None,
            class_weight=np.array([source.pick(_WEIGHTS) for _ in range(width)]).astype(dtype)
            if with_class_weight else None,
        )  # fmt: skip

    def nudge(self, q: fmpq, ulps: int) -> fmpq:
        """The number of the format nearest to q, or one a few ulp beside it."""
        return fmpq(*self.format.step(to_float(self.format.round(q)), ulps).as_integer_ratio())

    def _folded(self, x: Extended) -> Extended:
        """A score, moved into the domain by its size or by whole units where it lies outside."""
        if self.domain is None:
            return x
        low, high = self.domain
        value = to_float(x)
        if low <= value <= high:
            return x
        if not math.isfinite(value):
            return fmpq(*((low + min(high, low + 2)) / 2).as_integer_ratio())
        size = abs(value)
        inside = size if low <= size <= high else low + size % (1 if math.isinf(high) else high - low)
        return fmpq(*inside.as_integer_ratio())

    # -- margins ---------------------------------------------------------------------------------------------------

    def margin(self, focus: str, label: int | None, params: dict[str, fmpq], source: Bytes) -> Extended:
        """One margin on the focus; the break points of φ are where something can go wrong."""
        phi = self.loss.shape(label, params)
        breaks = list(phi.breaks) or [ZERO]
        at: fmpq = source.pick([*phi.kinks, *(b for b in breaks if b not in phi.kinks)])
        kind = source.byte()
        sign = -1 if kind & 1 else 1
        fmt = self.format
        if focus in ("kink", "ties", "masked") or (focus != "random" and kind % 8 == 7):
            return at if kind % 4 < 3 else at + _DYADICS[kind % len(_DYADICS)]
        if focus == "ulp":
            return self.nudge(at, (1, -1, 2, -2)[kind % 4])
        if focus == "inside":
            costly = [i for i, p in enumerate(phi.pieces) if any(p)]
            i = costly[(kind // 16) % len(costly)]
            size = _SIZES[kind % len(_SIZES)]
            if 0 < i < len(phi.breaks):
                return phi.breaks[i - 1] + (phi.breaks[i] - phi.breaks[i - 1]) * (1 + kind % 7) / 8
            return breaks[0] - size if i == 0 else breaks[-1] + size
        if focus == "past":
            flat = [i for i, p in enumerate(phi.pieces) if not any(p)]
            if flat and flat[-1] < len(phi.breaks):  # a tube: φ is 0 between two breaks, not past the last
                low, high = phi.breaks[flat[-1] - 1], phi.breaks[flat[-1]]
                return low + (high - low) * (kind % 9) / 8
            return breaks[-1] + _SIZES[kind % len(_SIZES)]
        if focus == "random":
            mantissa = sum(source.byte() << (8 * i) for i in range(7))
            return sign * fmpq(mantissa) * power_of_two((kind >> 1) % 12 - 58)
        if focus == "small":
            tiny = (ZERO, fmt.subnormal, ZERO, fmt.tiny, fmt.tiny - fmt.subnormal, 3 * fmt.subnormal, fmt.tiny * 2)
            return sign * tiny[(kind >> 1) % len(tiny)]
        if focus == "large":
            # the root of the range first (squares come near its end), then the end itself; violated for even bytes
            root, end = power_of_two(fmt.emax // 2), power_of_two(fmt.emax)
            large = (root, 3 * end / 32, fmt.largest, root / 2, end, fmt.largest / 2, 2 * root)
            return -sign * large[(kind >> 1) % len(large)]
        special: tuple[Extended, ...] = (math.nan, math.inf, -math.inf)
        return special[kind % 3] if kind % 2 == 0 else _SIZES[kind % len(_SIZES)]


_DYADICS = tuple(fmpq(n, 8) for n in (0, 4, -4, 1, -1, 8, -8, 3, -3))
_SIZES = tuple(fmpq(n, 8) for n in (8, 4, 1, 16, 2, 12, 24, 3, 40))
_BASES = tuple(fmpq(n, 4) for n in (0, 4, -4, 2, 6, -10, 1, 0))
_COTANGENTS = (1.0, -1.0, 0.5, 2.0, -3.0, 0.75, 0.0, 1.25, -0.625)
_TANGENTS = (1.0, -1.0, 0.5, 0.0, 2.0, -0.25)
_WEIGHTS = (1.0, 2.0, 0.5, 3.0, 0.75, 1.375, 0.0)
# Pythagorean legs: their norms are exact in every dtype
_LEGS = ((3, 4), (0, 1), (2, 0), (6, 8), (5, 12), (-3, 4), (0, -3), (1, 1), (0, 0), (8, -6), (2, 1))


def _binary_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    sign = source.pick((1, -1))
    z = spec.margin(focus, sign if spec.loss.labels_decide else None, params, source)
    if focus == "small" and z == 0 and sign < 0:
        return [-0.0], sign
    return [z if sign > 0 or not spec.loss.margins.signed else -z], sign


def _ranking_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    sign, z = source.pick((1, -1)), spec.margin(focus, None, params, source)
    base = ZERO if focus in ("ulp", "small", "large") else source.pick(_BASES)
    return [_plus(base, z if sign > 0 else -z), base], sign


def _residual_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    z = spec.margin(focus, None, params, source)
    base = ZERO if focus in ("kink", "ulp", "small", "large") else source.pick(_BASES)
    return [_plus(base, z)], base


def _class_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    c = source.byte() % width
    base = ZERO if focus in ("ulp", "small", "large") else source.pick(_BASES)
    tied = spec.margin(focus, None, params, source)
    row: list[Extended] = []
    for k in range(width):
        z = tied if focus == "ties" and source.byte() % 4 else spec.margin(focus, None, params, source)
        if focus == "masked" and k != c and source.byte() % 2:
            row.append(-math.inf)
        elif not spec.loss.margins.differences:
            row.append(z if k == c else -z)
        elif k == c:
            row.append(base if focus != "not_finite" or source.byte() % 4 else z)
        else:
            row.append(_plus(base, -z))
    return row, c


def _multilabel_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    marks = source.byte()
    labels = [k for k in range(width) if (marks ^ 1) >> k & 1]
    base = ZERO if focus in ("ulp", "small", "large") else source.pick(_BASES)
    row: list[Extended] = []
    for k in range(width):
        z = spec.margin(focus, None, params, source)
        if focus == "masked" and k not in labels and source.byte() % 2:
            row.append(-math.inf)
        else:
            shift = ZERO if focus in ("ulp", "small", "large") else source.pick((ZERO, ZERO, fmpq(1, 2)))
            row.append(_plus(base, shift) if k in labels else _plus(base, -z))
    # behind the first −1 everything is ignored: put something there
    rest = [-1, *(k for k in range(width) if marks & 128)]
    return row, (labels + rest + [-1] * width)[:width]


def _legs(width: int, source: Bytes) -> list[fmpq]:
    x, y = source.pick(_LEGS)
    scale = source.pick((fmpq(1, 4), fmpq(1, 2), fmpq(1)))
    return [fmpq(x) * scale, fmpq(y) * scale] + [ZERO] * (width - 2)


def _noise(spec: Spec, source: Bytes) -> fmpq:
    z = spec.margin("random", None if None in spec.loss.phi else 1, dict(spec.loss.defaults), source)
    assert isinstance(z, fmpq)
    return z


def _triplet_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    if focus == "random":
        return [_noise(spec, source) for _ in range(3 * width)], None
    anchor = [source.pick(_BASES) for _ in range(width)]
    far = _legs(width, source)
    z = spec.margin(focus, None, params, source)
    assert isinstance(z, fmpq)
    p = int(params["p"].p)
    norm = sum(abs(x) for x in far) if p == 1 else _root(sum((x * x for x in far), ZERO))
    near = max(norm - z, ZERO)
    side = source.byte() % width
    positive = [a + (near if k == side else ZERO) for k, a in enumerate(anchor)]
    return [*anchor, *positive, *(a + x for a, x in zip(anchor, far, strict=True))], None


def _root(q: fmpq) -> fmpq:
    """A square root, exact for the squares among the legs' norms, else near enough to be a sample."""
    return fmpq(*math.sqrt(to_float(q)).as_integer_ratio())


def _cosine_sample(
    spec: Spec, params: dict[str, fmpq], focus: str, width: int, source: Bytes
) -> tuple[list[Extended], Any]:
    sign = source.pick((1, -1))
    if focus == "random":
        return [_noise(spec, source) for _ in range(2 * width)], sign
    x = _legs(width, source)
    turned = [-x[1], x[0], *x[2:]]
    kind = source.byte() % 4
    if focus == "kink":
        other = turned
    elif (
        focus == "ulp"
    ):  # at the angle whose cosine is Δ, as near as the coordinates' rounding allows, and a few ulp on
        cos = params["margin"]
        sin = _root(1 - cos * cos)
        aim = [cos * a + sin * t for a, t in zip(x, turned, strict=True)]
        steps = [source.pick((0, 1, -1, 2, -2)) if a else 0 for a in aim]  # beside 0 there are only subnormals
        other = [spec.nudge(a, step) for a, step in zip(aim, steps, strict=True)]
    elif focus == "past":
        other = [-v for v in (x if kind < 2 else _legs(width, source))]
    else:
        other = x if kind == 0 else _legs(width, source)
    return [*x, *other], sign


def _plus(a: Extended, b: Extended) -> Extended:
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return a + b
    return to_float(a) + to_float(b)


# (what is drawn for, its parameters, focus, width, bytes) → one sample's row and label
Sampler = Callable[[Spec, dict[str, fmpq], str, int, Bytes], tuple[list[Extended], Any]]
SAMPLERS: dict[Form, Sampler] = {
    (1, "scalar", "sign"): _binary_sample, (2, "scalar", "sign"): _ranking_sample,
    (1, "scalar", "real"): _residual_sample, (1, "vector", "index"): _class_sample,
    (1, "vector", "multilabel"): _multilabel_sample, (2, "vector", "sign"): _cosine_sample,
    (3, "vector", None): _triplet_sample,
}  # fmt: skip


def _target_array(loss: Loss, targets: list[Any], dtype: Any) -> Array | None:
    kind = loss.margins.targets
    if kind is None:
        return None
    if kind == "real":
        return np.array([to_float(t) for t in targets]).astype(dtype)
    return np.array(targets, dtype=np.int64)


# -- strata ------------------------------------------------------------------------------------------------------------


def strata(e: Evaluation) -> set[str]:
    """Which strata a sample lies on, classified from its exact margins."""
    if e.infinite is not None:
        return {"not_finite"}
    out = set()
    if e.masked:
        out.add("masked")
    fmt = e.arithmetic.format
    margins = [t.z for t in e.terms]
    norms = e.loss.margins.norms  # a margin made of norms is known no better than its error bound
    if len(set(margins)) < len(margins):
        out.add("ties")
    for t, z in zip(e.terms, margins, strict=True):
        kinks = t.phi.kinks or t.phi.breaks
        if any(z == k for k in kinks):
            out.add("kink")
        elif any(abs(z - k) <= 2 * max(fmt.ulp(k), fmt.ulp(z), t.error if norms else ZERO) for k in kinks):
            out.add("ulp")
        out.add("past" if t.flat and t.high == 0 else "inside")
        if 0 < abs(z) <= fmt.tiny:
            out.add("small")
        if abs(z) >= power_of_two(fmt.emax // 2):
            out.add("large")
    return out
