"""Is the timed answer right? A fast wrong one is `invalid`. Judged by the exact oracle, in the same process."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq

from hingeproof.bench.timing.clock import Answer
from hingeproof.bench.timing.data import Data, Domain, domain_of
from hingeproof.frameworks.binding import labelled, load
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import adaptor
from hingeproof.ledger.deviations import shipped
from hingeproof.ledger.versions import within
from hingeproof.properties.batch import Batch, extended, show
from hingeproof.properties.laws.gradient import in_range, singular
from hingeproof.properties.laws.reductions import reduced_interval
from hingeproof.properties.strategies import Spec, foci_of
from hingeproof.reference_impls.definition import Loss, rational
from hingeproof.reference_impls.formats import FORMATS, exact, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic, Evaluation, Interval
from hingeproof.reference_impls.sets import SubGradients
from hingeproof.runs.timings import TimingCase

Array = np.ndarray[Any, Any]
ELEMENTS = 12_500  # drawn; at least 10,000 are left where a norm has no gradient
POSITIONS = 2_000  # coordinates of the timed buffers whose gradient is judged
CHUNK = 1 << 20


class WrongAnswerError(Exception):
    """The implementation answers with something that the exact oracle does not allow. The message says what."""


def reason(error: WrongAnswerError, implementation: Implementation, dtype: str) -> str:
    """What a row says of a wrong answer, and in which laws the ledger knows the implementation to be wrong."""
    mine = [d for d in shipped() if d.implementation == implementation.name and dtype in d.dtypes]
    laws = sorted({d.law for d in mine if within(d.versions)})
    more = f" and {len(laws) - 4} more laws" if len(laws) > 4 else ""
    return f"wrong answer: {error}" + (
        f" (the ledger knows deviations from {', '.join(laws[:4])}{more})" if laws else ""
    )


@dataclass
class Checked:
    """How many numbers were judged, the worst error in units of its bound, and the reduction's relative error."""

    values: int = 0
    gradients: int = 0
    worst: float = 0.0
    reduction_error: float | None = None

    def add(self, other: Checked) -> None:
        self.values += other.values
        self.gradients += other.gradients
        self.worst = max(self.worst, other.worst)


def arithmetic_of(case: TimingCase) -> Arithmetic:
    flush = adaptor(case.framework).flushes(case.mode, case.dtype)
    return Arithmetic(FORMATS[case.dtype], flush)


def parameters_of(implementation: Implementation) -> dict[str, fmpq]:
    fixed = {n: rational(v) for n, v in implementation.fixed.items()}
    return {**implementation.family.defaults, **fixed}


class Strata(NamedTuple):
    """What seeded elements are drawn for: a loss, the constants, scale and domain of a contract; foci to leave out."""

    loss: str
    arithmetic: Arithmetic
    fixed: tuple[tuple[str, fmpq], ...] = ()
    scale: str = "1"
    domain: Domain = None
    without: tuple[str, ...] = ()


def strata_of(implementation: Implementation, arithmetic: Arithmetic, without: tuple[str, ...] = ()) -> Strata:
    fixed = tuple(sorted((n, rational(v)) for n, v in implementation.fixed.items()))
    return Strata(implementation.loss, arithmetic, fixed, implementation.scale, domain_of(implementation), without)


@lru_cache(maxsize=64)
def strata(key: Strata, *, extreme: bool = False) -> Batch:
    """At least 10,000 seeded elements of one loss, every stratum of its own that lies in the domain among them.

    The extreme strata (near overflow, NaN and infinities) are a batch apart: no mean of theirs has a bound.
    """
    loss = LOSSES[key.loss]
    apart = ("large", "not_finite")
    foci = [
        f for f in foci_of(loss, bounded=key.domain is not None) if (f in apart) == extreme and f not in key.without
    ]
    width = 4 if loss.margins.row == "vector" else 1
    spec = Spec(
        loss, key.arithmetic, frozenset(), fixed=key.fixed, sizes=(8,), widths=(width,), scale=key.scale,
        domain=key.domain,
    )  # fmt: skip
    random = np.random.default_rng(20240)
    per = (1_000 if extreme else ELEMENTS) // (max(len(foci), 1) * width * len(loss.margins.inputs)) + 1
    parts = [spec.decode(f, per, width, random.bytes(12 + per * (8 + 13 * width * 3))) for f in foci]
    if not parts:
        return spec.decode("random", 1, width, b"").take([])
    inputs = tuple(np.concatenate(xs) for xs in zip(*(p.inputs for p in parts), strict=True))
    targets = None if parts[0].targets is None else np.concatenate([p.targets for p in parts])
    cotangent = np.ones(len(inputs[0]), inputs[0].dtype)
    return parts[0].change(inputs=inputs, targets=targets, cotangent=cotangent, weight=None, class_weight=None)


def batch_of(case: TimingCase, implementation: Implementation, data: Data, at: Array | slice = slice(None)) -> Batch:
    """Timed data, or those samples of it, as the oracle reads them."""
    arithmetic, targets = arithmetic_of(case), data.targets
    if targets is not None and implementation.family.margins.targets == "sign":
        targets = targets.astype(np.int64)
    inputs = tuple(x[at] for x in data.inputs)
    return Batch(
        loss=implementation.family, arithmetic=arithmetic, params=_in_dtype(parameters_of(implementation), arithmetic),
        inputs=inputs, targets=None if targets is None else targets[at], cotangent=np.ones(len(inputs[0])),
        scale=implementation.scale,
    )  # fmt: skip


def handed(case: TimingCase, implementation: Implementation, data: Data) -> Data:
    """The same data as the implementation takes it: its own way to write labels."""
    return Data(data.inputs, labelled(implementation, batch_of(case, implementation, data)))


def _handed(implementation: Implementation, batch: Batch) -> Data:
    return Data([np.ascontiguousarray(x) for x in batch.inputs], labelled(implementation, batch))


class Bounds:
    """The allowed gradients of many samples, compared with many answers: as floats first, exactly where in doubt."""

    def __init__(self, sets: Sequence[SubGradients | None], width: int) -> None:
        self.sets = sets
        self.low, self.high = np.full((len(sets), width), -np.inf), np.full((len(sets), width), np.inf)
        self.hulls = np.zeros(len(sets), bool)  # joint conditions, or an end that floats cannot tell from the answer
        for i, allowed in enumerate(sets):
            if allowed is None:
                continue
            self.hulls[i] = bool(allowed.free) and width > 1
            for k, ((lo, hi), box) in enumerate(zip(allowed.hull(), allowed.box, strict=True)):
                self.low[i, k], self.high[i, k] = to_float(lo - box), to_float(hi + box)

    def judge(self, got: Array, what: str) -> int:
        """Return how many coordinates were judged. Raises: WrongAnswerError."""
        judged = np.array([s is not None for s in self.sets])
        inside = ((self.low < got) & (got < self.high)).all(axis=1) & ~self.hulls
        for i in np.flatnonzero(judged & ~inside):
            allowed = self.sets[int(i)]
            row = [exact(float(g)) for g in got[i]]
            finite = [g for g in row if isinstance(g, fmpq)]
            if allowed is not None and (len(finite) < len(row) or allowed.excess(finite) > 0):
                hull = ", ".join(f"[{self.low[i, k]:.9g}, {self.high[i, k]:.9g}]" for k in range(got.shape[1]))
                raise WrongAnswerError(f"{what} {i}: gradient {got[i].tolist()}, allowed {hull}")
        return int(judged.sum()) * int(got.shape[1])


def bounds(evaluations: Sequence[Evaluation], n: int, largest: fmpq) -> Bounds:
    """What the gradient of a mean over n samples may be at these."""
    sets: list[SubGradients | None] = []
    for e in evaluations:
        allowed = None if singular(e) else e.sub_gradients(fmpq(1, n), 2)
        sets.append(allowed if allowed is not None and in_range(allowed, largest) else None)
    return Bounds(sets, max((e.width for e in evaluations), default=1))


@lru_cache(maxsize=64)
def _strata_bounds(key: Strata) -> Bounds:
    batch = strata(key)
    return bounds(batch.evaluations, batch.size, key.arithmetic.format.largest)


@lru_cache(maxsize=64)
def _strata_mean(key: Strata) -> Interval | None:
    return reduced_interval(strata(key), "mean")


Ask = Callable[[Data, str, str], Answer]  # arrays as the implementation takes them, phase, reduction


def judge_strata(case: TimingCase, implementation: Implementation, ask: Ask, without: tuple[str, ...] = ()) -> Checked:
    """Judge an implementation, in the mode and dtype of the case, on the seeded elements of every stratum.

    Raises: WrongAnswerError.
    """
    key = strata_of(implementation, arithmetic_of(case), without)
    batch, out = strata(key), Checked()
    whole = not implementation.needs_both_classes
    if "none" in implementation.reductions:
        for part in (batch, strata(key, extreme=True)):
            if part.size:
                _values(part, ask(_handed(implementation, part), "forward", "none").value, out)
    phase = "both" if implementation.differentiable else "forward"
    answer = ask(_handed(implementation, batch), phase, "mean")
    interval = _strata_mean(key)
    if interval is not None and whole:
        got = extended(np.asarray(answer.value))[0]
        out.values += 1
        if not interval.allows(got):
            raise WrongAnswerError(f"the mean of {batch.size} samples is {show(got)}, not {show(interval.center)}")
    if answer.gradients is not None:
        rows = np.concatenate([g.reshape(batch.size, -1) for g in answer.gradients], axis=1)
        out.gradients += _strata_bounds(key).judge(rows, "sample")
    return out


def _values(batch: Batch, got: Array, out: Checked) -> None:
    if got.shape != (batch.size,):
        raise WrongAnswerError(f"losses of {batch.size} samples come in shape {got.shape}")
    for i, (e, interval, value) in enumerate(zip(batch.evaluations, batch.intervals, extended(got), strict=True)):
        if interval is None or not e.finite:
            continue
        out.values += 1
        if not interval.allows(value):
            raise WrongAnswerError(f"sample {i} costs {show(value)}, not {show(interval.center)}")
        error = interval.error(value)
        if error is not None and interval.bound != 0:
            out.worst = max(out.worst, to_float(error / interval.bound))


def judge_timed(case: TimingCase, implementation: Implementation, data: Data, answer: Answer) -> Checked:
    """Judge what the timed call itself answered: gradients at seeded positions, the mean against an error-free sum.

    Raises: WrongAnswerError.
    """
    out = Checked()
    if answer.gradients is not None:
        width = sum(1 if x.ndim == 1 else x.shape[1] for x in data.inputs)
        count = max(1, min(case.n, POSITIONS // width))
        at = np.sort(np.random.default_rng(case.n).choice(case.n, count, replace=False, shuffle=False))
        batch = batch_of(case, implementation, data, at)
        for g, x in zip(answer.gradients, data.inputs, strict=True):
            if g.shape != x.shape:
                raise WrongAnswerError(f"a gradient of shape {g.shape} for an input of shape {x.shape}")
        rows = np.concatenate([np.asarray(g[at]).reshape(count, -1) for g in answer.gradients], axis=1)
        out.gradients += bounds(batch.evaluations, case.n, batch.format.largest).judge(rows, "timed sample")
    if answer.value is not None:
        _mean(case, implementation, data, float(answer.value), out)
    return out


def _in_dtype(params: dict[str, fmpq], arithmetic: Arithmetic) -> dict[str, fmpq]:
    """Parameters as the dtype holds them, as the laws draw them; eps is an implementation's own constant."""
    rounded = {n: v if n == "eps" else arithmetic.format.round(v) for n, v in params.items()}
    return {n: v for n, v in rounded.items() if isinstance(v, fmpq)}


def _mean(case: TimingCase, implementation: Implementation, data: Data, got: float, out: Checked) -> None:
    """The timed mean against an error-free sum (fsum) of every sample's loss in float64.

    Bound: γ_m (Δ + 2 Σ|s|) sup|φ′| a sample, m = N additions and the roundings of the formula. Where m u ≥ 1 no bound
    exists that covers every order of summation; then the relative error is recorded and not judged.
    """
    if not math.isfinite(got):
        raise WrongAnswerError(f"the timed mean is {got}")
    if implementation.fixed:
        return  # its own constant is not in the float64 reference; the strata were judged with it
    loss = LOSSES[case.loss]
    multiple = to_float(batch_of(case, implementation, data, slice(1)).multiple)
    truth = multiple * math.fsum(exact_sums(loss, data)) / case.n
    out.reduction_error = abs(got - truth) / abs(truth) if truth else abs(got)
    most = max(float(np.abs(x).max(initial=0).astype(np.float64)) for x in data.inputs)
    width = max(case.k, 1)
    slope, pairs = _steepest(loss, width * 2 * most + 4), width * (width if loss.margins.pairs else 1)
    scale = slope * pairs * (2 + 2 * most * (width if loss.margins.norms else 1)) * (1 / width if loss.per_class else 1)
    scale *= multiple
    gamma = FORMATS[case.dtype].gamma(case.n + 4 * width + 24)
    if gamma is None:
        return
    out.values += 1
    if abs(got - truth) > to_float(gamma) * scale + 1e-12 * scale:
        raise WrongAnswerError(f"the timed mean is {got!r}, an error-free sum gives {truth!r}")


def _steepest(loss: Loss, reach: float) -> float:
    """sup |φ′| over |z| ≤ reach, at the default parameters."""
    ends = [fmpq(*float(z).as_integer_ratio()) for z in (-reach, reach)]
    slopes = [abs(to_float(s)) for phi in loss.shapes.values() for z in ends for s in phi.slopes(z)]
    return max([1.0, *slopes])


def exact_sums(loss: Loss, data: Data) -> list[float]:
    """Per-sample losses in float64, from the NumPy reference, as exact partial sums of chunks."""
    function = load(loss.reference("numpy"))
    found: list[float] = []
    n = len(data.inputs[0])
    step = max(1, CHUNK // max(1, data.inputs[0][:1].size) ** (2 if loss.margins.pairs else 1))
    for at in range(0, n, step):
        inputs = [np.asarray(x[at : at + step], dtype=np.float64) for x in data.inputs]
        more = () if data.targets is None else (data.targets[at : at + step],)
        # parameters as the dtype holds them, as the implementation gets them; the norm's p is a whole number
        kind = data.inputs[0].dtype.type
        rounded = {n: float(kind(to_float(v))) for n, v in loss.defaults.items() if n != "p"}
        found.append(math.fsum(function(*inputs, *more, reduction="none", **rounded).tolist()))
    return found
