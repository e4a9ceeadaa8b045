"""Implementations against one another, and modes against eager, on the same inputs. No framework is imported."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, groupby
from typing import Literal

from flint import fmpq

from hingeproof.evidence.points import Answers, points
from hingeproof.evidence.witness import tensors
from hingeproof.properties.batch import Batch
from hingeproof.reference_impls.formats import FORMATS, Format, exact, to_float
from hingeproof.runs.records import Pair, Where


def pairs(found: Iterable[Answers]) -> list[Pair]:
    """Return every pair of implementations of one loss in eager mode, and every mode of one beside its eager mode."""
    ordered = sorted(
        found, key=lambda a: (a.loss, a.dtype, a.device, sorted(a.fixed.items()), a.scale, a.implementation, a.mode)
    )
    out: list[Pair] = []
    for _, members in groupby(ordered, key=lambda a: (a.loss, a.dtype, a.device, sorted(a.fixed.items()), a.scale)):
        out += _group(list(members))
    return out


def _group(members: Sequence[Answers]) -> Iterator[Pair]:
    batches = list(points(members[0].loss, members[0].dtype, members[0].fixed))
    eager = {a.implementation: a for a in members if a.mode == "eager"}
    for first, second in combinations(eager.values(), 2):
        yield _compare("implementations", first, second, batches)
    for other in members:
        if other.mode != "eager" and other.implementation in eager:
            yield _compare("modes", eager[other.implementation], other, batches)


def _compare(
    kind: Literal["implementations", "modes"], first: Answers, second: Answers, batches: Sequence[Batch]
) -> Pair:
    fmt = FORMATS[first.dtype]
    samples = unequal = not_finite = selected = 0
    worst, where = 0.0, None
    selection: dict[str, str] = {}
    for place, batch in enumerate(batches):
        a, b = first.values[place], second.values[place]
        if a is None or b is None:
            continue
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            samples += 1
            if x == y:
                continue
            distance = _ulps(float.fromhex(x), float.fromhex(y), fmt)
            unequal += distance != 0
            not_finite += distance == math.inf
            if distance > worst and (worst < math.inf):
                worst, where = distance, (place, i, x, y)
        differs = _selects(first.gradients[place], second.gradients[place], batch)
        selected += len(differs)
        if differs and not selection:
            selection = differs[0]
    shown = None
    if where is not None:
        place, i, x, y = where
        inputs = {n: t for n, t in tensors(batches[place].take([i])).items() if n != "cotangent"}
        shown = Where({n: ", ".join(t.decimal) for n, t in inputs.items()}, x, y)
    return Pair(
        kind=kind, loss=first.loss, dtype=first.dtype, device=first.device, first=first.implementation,
        second=second.implementation, first_mode=first.mode, second_mode=second.mode, samples=samples,
        identical=samples > 0 and unequal == 0, unequal=unequal, not_finite=not_finite,
        ulp=worst if math.isfinite(worst) else None, where=shown, selected_differently=selected, selection=selection,
    )  # fmt: skip


def _ulps(x: float, y: float, fmt: Format) -> float:
    """The distance in units of the last place of the larger; infinite where only one is finite."""
    if math.isnan(x) and math.isnan(y):
        return 0.0
    a, b = exact(x), exact(y)
    if not isinstance(a, fmpq) or not isinstance(b, fmpq):
        return 0.0 if x == y else math.inf
    return to_float(abs(a - b) / fmt.ulp(max(abs(a), abs(b))))


def _selects(first: list[list[str]] | None, second: list[list[str]] | None, batch: Batch) -> list[dict[str, str]]:
    """The samples at a kink or tie where both gradients are there and differ by more than their rounding."""
    if first is None or second is None:
        return []
    out = []
    for i, (e, g, h) in enumerate(zip(batch.evaluations, first, second, strict=True)):
        allowed = e.sub_gradients(fmpq(1), 0)
        if allowed is None or not allowed.free:
            continue
        box = [to_float(b) for b in allowed.box]
        moved = [abs(float.fromhex(x) - float.fromhex(y)) > 2 * b for x, y, b in zip(g, h, box, strict=True)]
        if any(moved):
            one = batch.take([i])
            inputs = {n: ", ".join(t.decimal) for n, t in tensors(one).items() if n != "cotangent"}
            out.append({**inputs, "first": _decimals(g), "second": _decimals(h)})
    return out


def _decimals(row: Sequence[str]) -> str:
    return ", ".join(f"{float.fromhex(x):g}" for x in row)
