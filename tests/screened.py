"""Batches with right and wrong answers, for the tests of the screen, and the rational oracle's word on each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.judge.screen import exact
from hingeproof.judge.screen.screening import screen
from hingeproof.properties.batch import Array, Batch, rows_of
from hingeproof.properties.strategies import NUMPY_DTYPES, Spec, foci_of
from hingeproof.reference_impls import in_numpy
from hingeproof.reference_impls.formats import FORMATS, to_float
from hingeproof.reference_impls.formats import exact as rational
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic

PRODUCTS = {"none": 0, "sum": 0, "mean": 2}


def made(loss: str, dtype: str, inputs: Sequence[Array], targets: Array | None, **fields: Any) -> Batch:
    """A batch at default parameters, rounded to the dtype, with an upstream gradient that is not uniform."""
    fmt, kind = FORMATS[dtype], NUMPY_DTYPES[dtype]
    n = len(inputs[0])
    given = {
        "arithmetic": Arithmetic(fmt),
        "params": {k: fmt.round(v) for k, v in LOSSES[loss].defaults.items()},
        "cotangent": np.resize([1.0, -0.5, 0.0, 3.0, 0.75], n).astype(kind),
    }
    inputs = tuple(x.astype(kind) for x in inputs)
    return Batch(loss=LOSSES[loss], inputs=inputs, targets=targets, **given | fields)


def drawn(loss: str, dtype: str, n: int, width: int, rng: np.random.Generator) -> Batch:
    """Normal scores with kinks and ties among them."""
    row = LOSSES[loss].margins.row
    shape = (n, width) if row == "vector" else (n,)
    inputs = [rng.standard_normal(shape) * 1.5 for _ in LOSSES[loss].margins.inputs]
    for x in inputs:
        some = rng.random(shape) < 0.3
        x[some] = np.round(x[some] * 2) / 2
    kind = LOSSES[loss].margins.targets
    lists = np.sort(rng.integers(-1, width, (n, width)), axis=1)[:, ::-1]
    lists = np.where(np.diff(lists, axis=1, prepend=width) == 0, -1, lists)  # each once, and −1 ends the list
    targets = {
        "sign": rng.choice([-1, 1], n), "index": rng.integers(0, width, n), "multilabel": lists, None: None,
        "real": np.round(rng.standard_normal(n) * 4) / 4,
    }[kind]  # fmt: skip
    return made(loss, dtype, inputs, targets.astype(NUMPY_DTYPES[dtype]) if kind == "real" else targets)


def right(batch: Batch, reduction: str = "none") -> tuple[Array, tuple[Array, ...]]:
    """What the NumPy reference answers."""
    name = batch.loss.name
    targets = () if batch.targets is None else (batch.targets,)
    settings: dict[str, Any] = {k: int(v.p) if k == "p" else to_float(v) for k, v in batch.params.items()}
    for key in ("weight", "class_weight"):
        if getattr(batch, key) is not None:
            settings[key] = getattr(batch, key)
    upstream = batch.cotangent if reduction == "none" else np.ones((), batch.cotangent.dtype)
    with np.errstate(all="ignore"):
        value = getattr(in_numpy, name)(*batch.inputs, *targets, reduction=reduction, **settings)
        slopes = getattr(in_numpy, f"{name}_grad")(
            *batch.inputs, *targets, cotangent=upstream, reduction=reduction, **settings
        )
    return np.asarray(value), slopes if isinstance(slopes, tuple) else (slopes,)


def strata(
    loss: str, dtype: str, flush: bool, batches: int, seed: int, widths: tuple[int, ...] = (2, 3, 4)
) -> Iterator[Batch]:
    """Batches on every focus, with drawn parameters, weights of any sign and size, and tiny and large upstreams."""
    rng, family = np.random.default_rng(seed), LOSSES[loss]
    settable = frozenset({"weight", *(["class_weight"] if family.class_weight else []), *family.parameters})
    scale = str(rng.choice(["1", "1/2", "3/4"]))
    spec = Spec(loss=family, arithmetic=Arithmetic(FORMATS[dtype], flush), settable=settable, scale=scale)
    foci = foci_of(family)
    for i in range(batches):
        width = int(rng.choice(widths)) if family.margins.row == "vector" else 1
        size = 12 + 8 * (8 + width * len(family.margins.inputs) * 16)
        batch = spec.decode(foci[i % len(foci)], 8, width, rng.bytes(size))
        tiny = 3 * to_float(spec.format.tiny)
        if i % 4 == 1 and batch.weight is not None:
            batch = batch.change(weight=(batch.weight * rng.choice([-1, -3, 1e-3, 100])).astype(batch.weight.dtype))
        if i % 5 == 2:
            batch = batch.change(cotangent=(batch.cotangent * rng.choice([1e4, tiny])).astype(batch.cotangent.dtype))
        yield batch


def near(x: float, dtype: str, rng: np.random.Generator) -> float:
    """The number, a place or two beside it, or something else altogether."""
    fmt = FORMATS[dtype]
    if rng.random() < 0.2:
        return float(rng.choice([0.0, -0.0, -x, 1.0, np.nan, np.inf, -np.inf]))
    inside = abs(x) <= to_float(fmt.largest)
    return fmt.step(x, int(rng.choice([0, 0, 0, 1, -1, 2, -2]))) if inside else x


@dataclass(frozen=True)
class Answered:
    """Answers to a batch under one reduction."""

    batch: Batch
    reduction: str
    value: Array
    gradients: tuple[Array, ...]

    def multiplier(self, i: int) -> fmpq:
        upstream = {"none": self.batch.cotangents[i], "sum": fmpq(1), "mean": fmpq(1, self.batch.size)}
        return upstream[self.reduction] * self.batch.scales[i]

    @property
    def products(self) -> int:
        return PRODUCTS[self.reduction] + (self.batch.weight is not None)


def answered(batch: Batch, reduction: str, rng: np.random.Generator) -> Answered:
    """Answers at the ends of what the oracle allows, beside them, and points of the sub-differential, mixed."""
    dtype, fmt = batch.format.name, batch.format
    blank = Answered(batch, reduction, np.zeros(0), ())
    values, rows = [], []
    for i, (e, interval) in enumerate(zip(batch.evaluations, batch.intervals, strict=True)):
        ends = [e.value] if interval is None else [interval.low, interval.high, interval.center]
        values.append(near(to_float(fmt.round(ends[rng.integers(len(ends))])), dtype, rng))
        allowed = e.sub_gradients(blank.multiplier(i), blank.products)
        rows.append([0.0] * batch.width if allowed is None else _point(allowed, dtype, rng))
    kind = NUMPY_DTYPES[dtype]
    table = np.array(rows).astype(kind)
    parts = np.split(table, len(batch.inputs), axis=1)
    slopes = tuple(p if batch.loss.margins.row == "vector" else p[:, 0] for p in parts)
    return Answered(batch, reduction, np.array(values).astype(kind), slopes)


def _point(allowed: Any, dtype: str, rng: np.random.Generator) -> list[float]:
    """A point of a set of sub-gradients: a mixture in each group, or corners of its hull; often moved by its box."""
    x = [fmpq(0)] * len(allowed.box)
    for group in allowed.groups:
        share = rng.choice([0, 0, 1, 1, 2, 3], len(group)).tolist()
        share[rng.integers(len(group))] += 1
        for part, point in zip(share, group, strict=True):
            for k, v in point.items():
                x[k] += v * fmpq(int(part), int(sum(share)))
    if rng.random() < 0.3:
        x = [[low, high, (low + high) / 2][rng.integers(3)] for low, high in allowed.hull()]
    by = int(rng.choice([0, 0, 1, -1]))
    out = [to_float(FORMATS[dtype].round(q + by * b)) for q, b in zip(x, allowed.box, strict=True)]
    if rng.random() < 0.3:
        k = int(rng.integers(len(out)))
        out[k] = near(out[k], dtype, rng)
    return out


def compared(a: Answered) -> Counter[tuple[str, str, str]]:
    """Count (what, the oracle's word, the screen's), and compare the selections counted.

    Raises AssertionError where the screen says more than the oracle does.
    """
    batch, count = a.batch, Counter[tuple[str, str, str]]()
    seen, want = Counter[str](), Counter[str]()
    for masks in screen(batch, a.value, a.gradients, reduction=a.reduction):  # type: ignore[arg-type]
        seen += masks.selection
        for j, i in enumerate(masks.where.tolist()):
            e, row, by = batch.evaluations[i], rows_of(a.gradients, i), a.multiplier(i)
            said = {
                "value": exact.of_value(e, batch.weights[i], rational(a.value[i])),
                "gradient": exact.of_gradient(batch.format, batch.rows[i], e, by, a.products, row),
            }
            for (what, word), (accepted, unjudged) in zip(said.items(), (masks.values, masks.gradients), strict=True):
                truth = "unjudged" if not word.judged else "good" if word.kind is None else "bad"
                screens = "unjudged" if unjudged[j] else "good" if accepted[j] else "open"
                count[what, truth, screens] += 1
                assert screens in ("open", truth), (what, truth, screens, batch.take([i]), a.value[i], row, word)
            if masks.gradients[0][j]:
                want += exact.selection(e, by, row)
    assert seen == want, (seen, want, batch, a.gradients)
    return count
