"""The exact oracle: value and sub-differential of a loss at a sample, and what a correct implementation may answer.

The model of an implementation is the standard one (Higham 2002, §2.2): every operation is rounded once, to nearest.
It evaluates margins with error e(z), then `d = Δ − z`, then φ, then the sums and products of the formula. No tolerance
is chosen: each bound is the count of those roundings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from flint import fmpq

from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended, Format, is_power_of_two, to_float
from hingeproof.reference_impls.margins import Row, Term
from hingeproof.reference_impls.phi import Phi
from hingeproof.reference_impls.sets import Group, SubGradients

ZERO, ONE = fmpq(0), fmpq(1)


@dataclass(frozen=True)
class Interval:
    """What may be answered: a number in [low, high]; `center` is the exact result, `bound` its derived error."""

    low: Extended
    high: Extended
    center: Extended
    bound: fmpq = ZERO

    def allows(self, got: Extended) -> bool:
        if isinstance(self.center, float) and math.isnan(self.center):
            return isinstance(got, float) and math.isnan(got)
        return not (isinstance(got, float) and math.isnan(got)) and _le(self.low, got) and _le(got, self.high)

    def error(self, got: Extended) -> fmpq | None:
        """|got − exact|, None where either is not finite."""
        if isinstance(got, fmpq) and isinstance(self.center, fmpq):
            return abs(got - self.center)
        return None


def _le(a: Extended, b: Extended) -> bool:
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return bool(a <= b)
    return _sortable(a) <= _sortable(b)


def _sortable(a: Extended) -> float:
    """Only the order against infinities matters here."""
    return 0.0 if isinstance(a, fmpq) else a


@dataclass(frozen=True)
class Arithmetic:
    """A dtype with its treatment of subnormals: `keep` (gradual underflow) or `flush` (to zero)."""

    format: Format
    flush: bool = False

    @property
    def underflow(self) -> fmpq:
        """The absolute error of one operation whose result is below the normal range."""
        return self.format.tiny if self.flush else self.format.subnormal

    def errors(self, roundings: int) -> tuple[fmpq, fmpq] | None:
        """What so many operations may be off: relative to the magnitude, and absolutely; None: no bound exists."""
        gamma = self.format.gamma(roundings)
        return None if gamma is None else (gamma, roundings * self.underflow)

    def enclose(
        self, low: fmpq, high: fmpq, center: fmpq, roundings: int, magnitude: fmpq, scale: fmpq
    ) -> Interval | None:
        """The answers that `roundings` roundings of relative size u on `magnitude` may give; None: no bound exists.

        One rounding of an interval's end is monotone, so it is applied, not bounded: half an ulp, strictly.
        """
        if roundings <= 1:
            slack = ZERO
            ends = low, high
        else:
            errors = self.errors(roundings)
            if errors is None:
                return None
            slack = errors[0] * magnitude + errors[1] * max(ONE, scale)
            ends = low - slack, high + slack
        rounded = [self.format.round(e) for e in ends]
        if self.flush:
            rounded = _flushed(rounded, self.format.tiny)
        # an answer in a wider format (a Python float, say) need not be rounded at all
        rounded = [low if _le(low, rounded[0]) else rounded[0], high if _le(rounded[1], high) else rounded[1]]
        bound = max(slack, abs(high - center), abs(center - low)) + self.format.ulp(center) / 2
        return Interval(rounded[0], rounded[1], center, bound)


def _flushed(ends: list[Extended], tiny: fmpq) -> list[Extended]:
    """Results below the smallest normal may count as 0."""
    low, high = ends
    if isinstance(low, fmpq) and 0 < low < tiny:
        low = ZERO
    if isinstance(high, fmpq) and -tiny < high < 0:
        high = ZERO
    return [low, high]


@dataclass(frozen=True)
class JudgedTerm:
    """One term: its margin, and φ and φ′ over the margins that an implementation may have computed."""

    term: Term
    z: fmpq
    phi: Phi
    low: fmpq
    high: fmpq
    slopes: tuple[fmpq, fmpq]
    exact_slopes: tuple[fmpq, fmpq]
    magnitude: fmpq
    error: fmpq

    @property
    def flat(self) -> bool:
        """Is the only slope that an implementation may see 0?"""
        return self.slopes[0] == 0 and self.slopes[1] == 0


@dataclass(frozen=True)
class Evaluation:
    """A loss at one sample: exact value, and the interval and the set that an implementation may answer with."""

    loss: Loss
    params: Mapping[str, fmpq]
    arithmetic: Arithmetic
    terms: tuple[JudgedTerm, ...]
    infinite: Extended | None  # the value where a score is not finite
    factor: fmpq  # 1/K, the class weight and the implementation's own scale
    width: int
    masked: int = 0  # terms left out: margins of +∞
    base: fmpq = ONE  # the factor without the class weight

    @cached_property
    def value(self) -> Extended:
        if self.infinite is not None:
            return self.infinite
        values = [t.phi(t.z) for t in self.terms]
        if self.loss.aggregate == "max":
            return self.factor * max([*values, ZERO])
        return self.factor * sum(values, ZERO)

    @property
    def finite(self) -> bool:
        return self.infinite is None

    @cached_property
    def scalings(self) -> int:
        return scaling_roundings(self.loss, self.base, self.factor != self.base)

    @property
    def phi(self) -> Phi | None:
        """The shape that all terms share; None where every class is masked."""
        return self.terms[0].phi if self.terms else None

    @cached_property
    def value_roundings(self) -> int:
        return value_roundings(self.loss, self.phi, len(self.terms)) + self.scalings

    def magnitude(self) -> fmpq:
        return abs(self.factor) * sum((t.magnitude for t in self.terms), ZERO)

    @property
    def peak(self) -> fmpq:
        """The largest intermediate result that some order of evaluation forms; past the format's end no bound holds."""
        total = sum((t.magnitude for t in self.terms), ZERO)
        return max(
            [
                total,
                total * self.factor / self.base,  # the scale may come last
                total * self.factor,
                *(t.phi.peak(t.z) for t in self.terms),
            ]
        )

    def exact_bounds(self) -> tuple[fmpq, fmpq]:
        """The least and greatest value that margins within their errors give, before other roundings."""
        if self.loss.aggregate == "max":
            low = max([t.low for t in self.terms] + [ZERO])
            high = max([t.high for t in self.terms] + [ZERO])
        else:
            low, high = sum((t.low for t in self.terms), ZERO), sum((t.high for t in self.terms), ZERO)
        return self.factor * low, self.factor * high

    def interval(self, weight: fmpq | None = None, more: int = 0) -> Interval | None:
        """The values that may be answered for this sample, times a weight; None where no bound can be derived."""
        w = ONE if weight is None else weight
        if not isinstance(self.value, fmpq):
            infinite = self.value * to_float(w)
            return Interval(infinite, infinite, infinite)
        n = self.value_roundings + (weight is not None) + more
        low, high = sorted(e * w for e in self.exact_bounds())
        peak = self.peak * max(abs(w), ONE)
        # where nothing on the way is larger than the result, what overflows there overflows within the result's bound
        if peak >= self.arithmetic.format.largest and n > 1 and peak > abs(self.value * w):
            return None
        scale = max(abs(w), ONE) * max(self.factor, ONE) * amplification(self.phi)
        return self.arithmetic.enclose(low, high, self.value * w, n, self.magnitude() * abs(w), scale)

    # -- sub-gradients ---------------------------------------------------------------------------------------------

    @property
    def kinked(self) -> bool:
        """Is some margin exactly on a kink, with e(z) = 0 for all of them (so the selection can be seen)?"""
        return any(t.exact_slopes[0] != t.exact_slopes[1] for t in self.terms) and all(t.error == 0 for t in self.terms)

    @property
    def near_kink(self) -> bool:
        """May some computed margin lie on either side of a kink, or a maximum be tied?"""
        return any(_mixed(t) for t in self.terms) or len(self.active()) > 1

    def active(self) -> list[JudgedTerm | None]:
        """For a maximum: the terms that may attain it within their errors; None stands for the constant 0."""
        if self.loss.aggregate != "max":
            return []
        floor = max([t.low for t in self.terms] + [ZERO])
        out: list[JudgedTerm | None] = [t for t in self.terms if t.high >= floor and (t.high > 0 or not t.flat)]
        if floor == 0:
            out.append(None)
        return out

    def sub_gradients(self, multiplier: fmpq, roundings: int) -> SubGradients | None:
        """The set of gradients of `multiplier` × loss that may be answered; None where a score is not finite.

        `roundings` counts the products that make the multiplier (cotangent × weight, division by N).
        """
        if self.infinite is not None:
            return None
        scale = self.factor * multiplier
        groups, reach = self._groups(scale)
        touched: dict[int, int] = {}
        for t in self.terms:
            for k in t.term.gradient:
                touched[k] = touched.get(k, 0) + 1
        own = slope_roundings(self.loss, self.phi, len(self.active())) + self.scalings + roundings
        rounded = [t for t in self.terms if t.term.gradient_error]
        box = []
        for k in range(self.width):
            errors = self.arithmetic.errors(own + additions(self.loss, touched.get(k, 0)))
            if errors is None:
                return None
            slack = errors[0] * reach.get(k, ZERO) + errors[1]
            if self.arithmetic.flush:
                slack += self.arithmetic.underflow
            for t in rounded:
                if k in t.term.gradient_error:
                    slack += t.term.gradient_error[k] * max(abs(s) for s in t.slopes) * abs(scale) * (1 + errors[0])
                    slack += self.arithmetic.underflow  # that error is relative: its last rounding may be subnormal
            box.append(slack)
        return SubGradients(tuple(groups), tuple(box))

    def _groups(self, scale: fmpq) -> tuple[list[Group], dict[int, fmpq]]:
        reach: dict[int, fmpq] = {}

        def point(t: JudgedTerm, slope: fmpq) -> dict[int, fmpq]:
            return {k: a * slope * scale for k, a in t.term.gradient.items() if a * slope * scale != 0}

        def ends(t: JudgedTerm) -> list[dict[int, fmpq]]:
            for k, a in t.term.gradient.items():
                reach[k] = reach.get(k, ZERO) + abs(a * scale) * max(abs(s) for s in t.slopes)
            return [point(t, s) for s in dict.fromkeys(t.slopes)]

        if self.loss.aggregate == "max":
            active = self.active()
            if not active:
                return [], reach
            return [tuple(p for t in active for p in ([{}] if t is None else ends(t)))], reach
        return [tuple(ends(t)) for t in self.terms], reach


def amplification(phi: Phi | None) -> fmpq:
    """How much an underflow within φ may be multiplied by its coefficients."""
    return max([ONE, *(abs(c) for p in (phi.pieces if phi else ()) for c in p)])


def scaling_roundings(loss: Loss, base: fmpq, weighted: bool) -> int:
    """Roundings of the products behind the sum: 1/K may be formed first (2), a class weight is one more."""
    return (0 if is_power_of_two(base) else 2) + (1 if loss.class_weight and weighted else 0)


def additions(loss: Loss, terms: int) -> int:
    """Roundings of adding so many terms up; a maximum adds nothing."""
    return max(terms - 1, 0) if loss.aggregate == "sum" else 0


def value_roundings(loss: Loss, phi: Phi | None, terms: int) -> int:
    """Roundings of so many terms φ, aggregated."""
    return (_value_roundings(phi) if phi else 0) + additions(loss, terms)


def slope_roundings(loss: Loss, phi: Phi | None, active: int) -> int:
    """Roundings of one term's slope; more than two that share a maximum divide by their number."""
    return (_slope_roundings(phi) if phi else 0) + (active if active > 2 else 0)


def _mixed(t: JudgedTerm) -> bool:
    return any(abs(t.z - kink) <= t.error for kink in t.phi.kinks)


def _size(x: Extended) -> fmpq:
    """|x|, 0 where x is not finite."""
    return abs(x) if isinstance(x, fmpq) else ZERO


def _coefficient_roundings(c: fmpq) -> int:
    """A coefficient that is 0 or a power of two scales exactly; another is formed and multiplied."""
    return 0 if c == 0 or is_power_of_two(c) else 2


@lru_cache(maxsize=256)
def _value_roundings(phi: Phi) -> int:
    """Roundings of φ, evaluated around its anchor: d = Δ − z is one; a square carries d's twice and its own."""
    worst = 0
    for _, (c0, c1, c2) in phi.around:
        n = 1
        if c2 != 0:
            n += 2
        n += max(_coefficient_roundings(c) for c in (c1, c2))
        if sum(c != 0 for c in (c0, c1, c2)) > 1:
            n += 2  # the constant is rounded, and added
        worst = max(worst, n)
    return worst


@lru_cache(maxsize=256)
def _slope_roundings(phi: Phi) -> int:
    """Roundings of φ′ times a cotangent: slopes that are powers of two are exact."""
    worst = 0
    for _, (_, c1, c2) in phi.around:
        n = max(_coefficient_roundings(c) for c in (c1, c2)) + (c1 != 0 and c2 != 0)
        if c2 != 0:
            n += 3  # d itself, the product with the cotangent, and the product with the slope
        elif _coefficient_roundings(c1):
            n += 1
        worst = max(worst, int(n))
    return worst


def evaluate(
    loss: Loss,
    params: Mapping[str, fmpq],
    row: Row,
    target: object,
    arithmetic: Arithmetic,
    class_weight: Sequence[fmpq] | None = None,
    scale: fmpq = ONE,
) -> Evaluation:
    """Evaluate one sample exactly.

    Args:
        row: the sample's coordinates (all inputs one behind the other), exact rationals or inf/nan.
        target: −1/+1, a rational, a class index or a list of labels, as the margin map wants it.
        class_weight: one rational a class, or None.
        scale: the implementation computes this multiple of the loss.
    """
    fmt = arithmetic.format
    width = len(row)
    base = factor = scale / width if loss.per_class else scale
    if class_weight is not None:
        factor *= class_weight[int(target)]  # type: ignore[call-overload]
    phi = loss.shape(int(target) if loss.labels_decide else None, params)  # type: ignore[call-overload]
    judged: list[JudgedTerm] = []
    infinite: list[float] = []
    masked = 0
    for term in loss.margins.terms(row, target, params, fmt):
        z = term.z
        if not isinstance(z, fmpq):
            limit = z if math.isnan(z) else phi.limit(1 if z > 0 else -1)
            if limit == 0 and z == math.inf and phi.zero_from is not None:
                masked += 1  # a margin of +∞ (a masked class) adds nothing to value or gradient
                continue
            if isinstance(limit, float):
                infinite.append(limit)
                continue
            z = phi.breaks[-1] + 1 if z > 0 else phi.breaks[0] - 1  # φ is constant out there: any point of it will do
        error = term.error
        if arithmetic.flush:
            # each subnormal input, and a subnormal difference, may count as 0
            small = sum(1 for k in term.gradient if 0 < _size(row[k]) < fmt.tiny)
            error += fmt.tiny * small + (fmt.tiny if 0 < abs(z) < fmt.tiny else ZERO)
            if any(0 < abs(z - kink) < fmt.tiny for kink in phi.kinks):
                error += fmt.tiny
        low, high = phi.hull(z - error, z + error)
        magnitude = phi.greatest_magnitude(z - error, z + error) if error else phi.magnitude(z)
        exact_slopes = phi.slopes(z)
        slopes = phi.slope_hull(z - error, z + error) if error else exact_slopes
        judged.append(JudgedTerm(term, z, phi, low, high, slopes, exact_slopes, magnitude, error))
    return Evaluation(loss, params, arithmetic, tuple(judged), _combine(infinite, factor), factor, width, masked, base)


def _combine(infinite: list[float], factor: fmpq) -> Extended | None:
    """The value of a sample of which some term is infinite or NaN (which wins)."""
    return sum(infinite) * to_float(factor) if infinite else None
