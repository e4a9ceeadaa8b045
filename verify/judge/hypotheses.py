"""What a black box may be: each loss with its labels, order, fixed margin and scale, tried against the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
from flint import fmpq

from hingeproof.errors import UsageError
from hingeproof.evidence.points import points
from hingeproof.evidence.witness import tensors
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import subject
from hingeproof.plan.checks import user_implementation
from hingeproof.plan.contract_keys import LABELS, applied
from hingeproof.plan.preflight import Question, described, reduction
from hingeproof.properties.batch import Batch, extended, show
from hingeproof.properties.call import Subject, Unanswered, call
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended, to_float

DTYPE = "float32"
FOCI = ("kink", "ulp", "inside", "past", "random", "ties")
SCALES = ("1", "1/K", "K", "1/(K-1)", "K-1", "1/2", "2", "1/4", "4")
MARGINS = ("1", "0", "0.5", "2")


class BlackBox(msgspec.Struct, frozen=True):
    """The question: a callable, its framework, and the loss that it is taken for, if any."""

    target: str
    framework: str
    claimed: str = ""


class Counterexample(msgspec.Struct, frozen=True):
    """An input on which another loss would have answered otherwise."""

    loss: str
    inputs: str
    it_would_be: str
    it_is: str


def hypotheses(box: BlackBox, f: Any, loss: Loss) -> Iterator[tuple[Implementation | None, str]]:
    """The ways in which a callable may be this loss, or the reason why it cannot be called as one."""
    labels = list(LABELS.get(loss.margins.targets, {})) or [""]
    orders = ("scores_first", "targets_first") if loss.margins.targets is not None else ("scores_first",)
    for label, order in itertools.product(labels, orders):
        keys = {"order": order, **({"labels": label} if label else {})}
        question = Question(target=box.target, loss=loss.name, framework=box.framework, contract=keys)
        try:
            found = described(question, f)
        except UsageError as error:
            yield None, str(error)
            return
        if "reduction" not in found.parameters:
            found = msgspec.structs.replace(found, reductions=(reduction(f, question),))
        base = replace(applied(user_implementation(found), keys, strict=False), subject=f)
        free = [n for n in loss.parameters if n not in found.parameters]
        yield base, ""
        if "margin" in free:
            for margin in MARGINS:
                if margin != loss.parameters["margin"]:
                    yield replace(base, fixed={"margin": margin}), ""


def scaled(implementation: Implementation) -> Iterator[Implementation]:
    """The scales to try: as it is, then the ratio seen at one sample if that is a plain number, then functions of K."""
    yield implementation
    vector = implementation.family.margins.row == "vector"
    for scale in SCALES[1:]:
        if vector or "K" not in scale:
            yield replace(implementation, scale=scale)
    ratio = _ratio(implementation)
    if ratio is not None and ratio > 0 and not vector:
        yield replace(implementation, scale=f"{ratio.numerator}/{ratio.denominator}")


def _ratio(implementation: Implementation) -> Fraction | None:
    try:
        for made, batch in batches(implementation, ("inside",)):
            for e, v in zip(batch.evaluations, extended(call(made, batch).value), strict=True):
                if isinstance(v, fmpq) and isinstance(e.value, fmpq) and e.value > 0:
                    return Fraction(to_float(v / e.value)).limit_denominator(64)
    except Exception:  # a wrong hypothesis: `agreement` says so
        return None
    return None


def batches(implementation: Implementation, foci: Sequence[str]) -> Iterator[tuple[Subject, Batch]]:
    made = subject(implementation, DTYPE, "cpu", "eager")
    for batch in points(implementation.loss, DTYPE, dict(implementation.fixed)):
        if batch.focus in foci:
            yield made, batch.change(scale=implementation.scale)


def agreement(implementation: Implementation) -> tuple[int, Counterexample | None]:
    """How many samples agree with the oracle's interval before the first that does not, and that one."""
    agreed = 0
    try:
        for made, batch in batches(implementation, FOCI):
            values = extended(call(made, batch).value)
            for i, (interval, got) in enumerate(zip(batch.intervals, values, strict=True)):
                if interval is None or not isinstance(interval.center, fmpq):
                    continue
                if not interval.allows(got):
                    return agreed, _counterexample(implementation, batch, i, interval.center, got)
                agreed += 1
    except Unanswered:
        return 0, None
    except Exception as error:  # a black box under a wrong hypothesis may raise anything
        return 0, Counterexample(implementation.loss, "the first call", "an answer", f"{type(error).__name__}: {error}")
    return agreed, None


def _counterexample(
    implementation: Implementation, batch: Batch, i: int, exact: Extended, got: Extended
) -> Counterexample:
    one = {n: t for n, t in tensors(batch.take([i])).items() if n != "cotangent"}
    inputs = ", ".join(f"{n} [{', '.join(t.decimal)}]" for n, t in one.items())
    return Counterexample(implementation.loss, inputs, show(exact), show(got))
