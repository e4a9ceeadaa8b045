"""Which loss, scale, labels, mean and kink does a black box have? It is tried, not read.

Run as `python -m hingeproof.judge.identify FILE` on a question in stdin: the user's module is
imported there, not in the command's own process.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from flint import fmpq

from hingeproof.errors import UsageError
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import LATTICE, MODES
from hingeproof.judge.engine import run_pass
from hingeproof.judge.hypotheses import DTYPE, BlackBox, Counterexample, agreement, batches, hypotheses, scaled
from hingeproof.plan.contract_keys import LABELS
from hingeproof.plan.live import checks_of
from hingeproof.plan.preflight import load
from hingeproof.properties.batch import extended
from hingeproof.properties.call import Unanswered, call
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Plan


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a black box behaves like; `loss` is empty where it is none of ours."""

    loss: str = ""
    scale: str = "1"
    labels: str = ""
    order: str = "scores_first"
    fixed: dict[str, str] = {}
    reductions: tuple[str, ...] = ()
    mean: str = ""
    kink: dict[str, dict[str, int]] = {}
    samples: int = 0
    others: list[Counterexample] = []
    also: list[str] = []
    remarks: list[str] = []
    error: str = ""


def main() -> None:
    """Answer the question on stdin, in the file that is named: the user's module may print."""
    box = msgspec.json.decode(sys.stdin.buffer.read(), type=BlackBox)
    try:
        answer = look(box)
    except UsageError as error:
        answer = Identity(error=" ".join(str(error).split()))
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(answer))
    os._exit(0)


def look(box: BlackBox) -> Identity:
    """Try every loss, label convention, order, fixed margin and scale. Raises: UsageError."""
    f = load(box.target)
    if not callable(f):
        raise UsageError(f"it is a {type(f).__name__}, which cannot be called")
    fits: list[tuple[Implementation, int]] = []
    misses: dict[str, tuple[int, Counterexample]] = {}
    arity = ""
    for loss in LOSSES.values():
        for hypothesis, error in hypotheses(box, f, loss):
            if hypothesis is None:
                arity = arity or error
                continue
            for implementation in scaled(hypothesis):
                agreed, counterexample = agreement(implementation)
                if counterexample is None and agreed:
                    fits.append((implementation, agreed))
                    break
                if counterexample is not None and agreed > misses.get(loss.name, (-1, None))[0]:
                    misses[loss.name] = (agreed, counterexample)
    if not fits:
        if not misses:
            raise UsageError(arity or "it answers no call that a loss of the family would")
        closest = sorted(misses.values(), key=lambda m: -m[0])[:3]
        return Identity(others=[d for _, d in closest])
    # of equals the plainest: fewest things fixed, scale 1
    fits.sort(key=lambda fit: (fit[0].scale != "1", len(fit[0].fixed), list(LOSSES).index(fit[0].loss)))
    return described_as(box, fits, misses)


def described_as(
    box: BlackBox, fits: Sequence[tuple[Implementation, int]], misses: dict[str, tuple[int, Counterexample]]
) -> Identity:
    """What is said of the best fit."""
    best, samples = fits[0]
    names = {v: k for k, v in LABELS.get(best.family.margins.targets, {}).items()}
    # it may be mistaken for a loss of the same form alone
    form = best.family.margins.form
    others = [d for name, (_, d) in misses.items() if name != best.loss and LOSSES[name].margins.form == form]
    remarks = []
    if box.claimed and box.claimed != best.loss:
        remarks.append(f"this is {best.family.title}, not {LOSSES[box.claimed].title}")
    remarks += _remarks(best)
    return Identity(
        loss=best.loss, scale=best.scale, labels=names.get(best.labels, "real numbers, or none"),
        order="targets_first" if best.targets_first else "scores_first", fixed=dict(best.fixed),
        reductions=best.reductions, mean=_mean(best), kink=_kinks(best), samples=samples, others=others[:4],
        also=list(dict.fromkeys(i.loss for i, _ in fits[1:] if i.loss != best.loss)), remarks=remarks,
    )  # fmt: skip


def _mean(implementation: Implementation) -> str:
    """What the mean divides by, tried on a batch of which half is violated."""
    if "mean" not in implementation.reductions:
        return ""
    for made, weighted in batches(implementation, ("inside", "past", "kink")):
        batch = weighted.change(weight=None)
        exact = [e.value for e in batch.evaluations]
        if not all(isinstance(v, fmpq) for v in exact):
            continue
        total, violated = sum(exact, fmpq(0)), sum(v != 0 for v in exact)
        if violated in (0, batch.size):
            continue
        (got,) = extended(call(made, batch, "mean", gradients=False).value)
        if not isinstance(got, fmpq):
            return "not finite on a batch with samples past the margin"
        width = batch.inputs[0].shape[-1] if batch.inputs[0].ndim > 1 else 1
        divisors = {"N": batch.size, "the number of violated samples": violated, "N K": batch.size * width, "1": 1}
        for name, divisor in divisors.items():
            want = total / divisor
            if math.isclose(to_float(got), to_float(want), rel_tol=1e-5):  # an answer to look at, not a verdict
                return "it is the sum" if name == "1" else f"divides by {name}"
        seen = to_float(total) / to_float(got)
        return f"divides by neither N nor the violated samples ({seen:g} for N = {batch.size})"
    return ""


def _kinks(implementation: Implementation) -> dict[str, dict[str, int]]:
    """The selection at the kink, mode by mode."""
    if not implementation.differentiable:
        return {}
    modes = tuple(m for m in MODES[implementation.framework] if m not in (*LATTICE, "inductor"))
    plan = Plan(dtypes=(DTYPE,), modes=modes, laws=("kink_selection", "forward_slope"), profile="quick")
    seen: dict[str, dict[str, int]] = {}
    try:
        passes = checks_of(implementation, plan)
    except UsageError:
        return {}
    for checks in passes.values():
        for record in run_pass(checks, plan, lambda tried: None, implementation):
            if record.selection:
                seen[record.mode] = record.selection
    return seen


def _remarks(implementation: Implementation) -> list[str]:
    """The usual mistakes that its behaviour invites."""
    out = []
    if implementation.family.margins.targets == "sign" and implementation.labels == "ours":
        for made, batch in itertools.islice(batches(implementation, ("inside",)), 1):
            assert batch.targets is not None
            zero = batch.change(targets=batch.targets * 0, as_given=True)
            try:
                got = call(made, zero)
            except Unanswered:
                continue
            first = float(got.value.ravel()[0])
            if math.isfinite(first):
                out.append(
                    f"it takes labels −1 and +1: label 0 is answered with {first:g}; where labels {{0, 1}} are given "
                    "to a ±1 loss, that class trains nothing"
                )
    if implementation.scale not in ("1",):
        out.append(f"its gradients are {implementation.scale} times the formula's: learning rates do not carry over")
    return out


if __name__ == "__main__":
    main()
