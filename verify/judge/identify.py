"""`hingeproof identify`: which loss, scale, labels, mean and kink does a black box have? It is tried, not read.

Run as `python -m hingeproof.judge.identify FILE` on a question in stdin: the user's module is
imported there, not in the command's own process.
"""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
from flint import fmpq

from hingeproof.errors import FINDING, GOOD, UsageError, among
from hingeproof.frameworks.environment import FLAGS
from hingeproof.frameworks.implementation import FRAMEWORKS, Implementation
from hingeproof.plan.contract_keys import LABELS, applied
from hingeproof.plan.options import needed
from hingeproof.plan.preflight import Question, described, load, reduction
from hingeproof.properties.case import Batch, Case, Unanswered, extended, show
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Plan

SECONDS = 600.0
DTYPE = "float32"
FOCI = ("kink", "ulp", "inside", "past", "random", "ties")
SCALES = ("1", "1/K", "K", "1/(K-1)", "K-1", "1/2", "2", "1/4", "4")
MARGINS = ("1", "0", "0.5", "2")


class Difference(msgspec.Struct, frozen=True):
    """An input on which another loss would have answered otherwise."""

    loss: str
    inputs: str
    it_would_be: str
    it_is: str


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
    others: list[Difference] = []
    also: list[str] = []
    remarks: list[str] = []
    error: str = ""


class Asked(msgspec.Struct, frozen=True):
    """The question: a callable, its framework, and the loss that it is taken for, if any."""

    target: str
    framework: str
    claimed: str = ""


# -- the command -------------------------------------------------------------------------------------------------------


def identify(target: str, framework: str, claimed: str, *, as_json: bool) -> int:
    """Print what a callable behaves like; exit 1 where it is none of the family. Raises: UsageError."""
    from hingeproof.plan.user import well_named

    well_named(target)
    needed(among(framework, FRAMEWORKS, "framework"), f"--framework {framework}")
    if claimed:
        among(claimed, LOSSES, "loss", see="hingeproof list losses")
    found = _elsewhere(Asked(target, framework, claimed))
    if found.error:
        raise UsageError(f"{target}: {found.error}")
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        _print(target, found, claimed)
    return GOOD if found.loss else FINDING


def _elsewhere(asked: Asked) -> Identity:
    """Ask in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answer.json"
        path = os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            done = subprocess.run(
                [sys.executable, "-m", "hingeproof.judge.identify", str(out)], input=msgspec.json.encode(asked),
                capture_output=True, timeout=SECONDS, check=False, env={**os.environ, **FLAGS, "PYTHONPATH": path},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Identity(error=f"no answer within {SECONDS:.0f} s")
        if not out.exists():
            last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
            return Identity(error=f"the process died (exit code {done.returncode}) {last}")
        return msgspec.json.decode(out.read_bytes(), type=Identity)


def _print(target: str, found: Identity, claimed: str) -> None:
    if not found.loss:
        print(f"{target} behaves like no loss of the family")
    else:
        loss = LOSSES[found.loss]
        print(f"{target} behaves like {found.loss} ({loss.title}): {found.samples} samples agree, none differs")
        facts = {
            "scale": "as in the formula" if found.scale == "1" else f"{found.scale} × the formula",
            "labels": f"{found.labels}{', given before the scores' if found.order == 'targets_first' else ''}",
            "parameters": ", ".join(f"{n} fixed at {v}" for n, v in found.fixed.items()) or "as the formula has them",
            "reductions": ", ".join(found.reductions),
            "mean": found.mean,
            **{
                f"kink ({mode})": ", ".join(f"{w} (×{n})" for w, n in seen.items()) for mode, seen in found.kink.items()
            },
            "also fits": ", ".join(found.also),
        }
        for name, text in facts.items():
            if text:
                print(f"  {name:<16} {text}")
    for other in found.others:
        print(f"  not {other.loss}: at {other.inputs} that is {other.it_would_be}, and this is {other.it_is}")
    for remark in found.remarks:
        print(f"  note: {remark}")


# -- in the process of its own -----------------------------------------------------------------------------------------


def main() -> None:
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        answer = look(asked)
    except UsageError as error:
        answer = Identity(error=" ".join(str(error).split()))
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(answer))
    os._exit(0)


def look(asked: Asked) -> Identity:
    """Try every loss, label convention, order, fixed margin and scale. Raises: UsageError."""
    f = load(asked.target)
    if not callable(f):
        raise UsageError(f"it is a {type(f).__name__}, which cannot be called")
    fits: list[tuple[Implementation, int]] = []
    misses: dict[str, tuple[int, Difference]] = {}
    arity = ""
    for loss in LOSSES.values():
        for implementation, error in hypotheses(asked, f, loss):
            if implementation is None:
                arity = arity or error
                continue
            for scaled in _scaled(implementation):
                agreed, difference = agreement(scaled)
                if difference is None and agreed:
                    fits.append((scaled, agreed))
                    break
                if difference is not None and agreed > misses.get(loss.name, (-1, None))[0]:
                    misses[loss.name] = (agreed, difference)
    if not fits:
        if not misses:
            raise UsageError(arity or "it answers no call that a loss of the family would")
        closest = sorted(misses.values(), key=lambda m: -m[0])[:3]
        return Identity(others=[d for _, d in closest])
    # of equals the plainest: fewest things fixed, scale 1
    fits.sort(key=lambda fit: (fit[0].scale != "1", len(fit[0].fixed), list(LOSSES).index(fit[0].loss)))
    return described_as(asked, fits, misses)


def described_as(
    asked: Asked, fits: Sequence[tuple[Implementation, int]], misses: dict[str, tuple[int, Difference]]
) -> Identity:
    """What is said of the best fit."""
    best, samples = fits[0]
    names = {v: k for k, v in LABELS.get(best.family.margins.targets, {}).items()}
    # it may be mistaken for a loss of the same form alone
    others = [d for name, (_, d) in misses.items() if LOSSES[name].margins.form == best.family.margins.form]
    remarks = []
    if asked.claimed and asked.claimed != best.loss:
        remarks.append(f"this is {best.family.title}, not {LOSSES[asked.claimed].title}")
    remarks += _remarks(best)
    return Identity(
        loss=best.loss, scale=best.scale, labels=names.get(best.labels, "real numbers, or none"),
        order="targets_first" if best.targets_first else "scores_first", fixed=dict(best.fixed),
        reductions=best.reductions, mean=_mean(best), kink=_kinks(best), samples=samples, others=others[:4],
        also=list(dict.fromkeys(i.loss for i, _ in fits[1:] if i.loss != best.loss)), remarks=remarks,
    )  # fmt: skip


def hypotheses(asked: Asked, f: Any, loss: Loss) -> Iterator[tuple[Implementation | None, str]]:
    """The ways in which a callable may be this loss, or the reason why it cannot be called as one."""
    from hingeproof.plan.checks import user_implementation

    labels = list(LABELS.get(loss.margins.targets, {})) or [""]
    orders = ("scores_first", "targets_first") if loss.margins.targets is not None else ("scores_first",)
    for label, order in itertools.product(labels, orders):
        keys = {"order": order, **({"labels": label} if label else {})}
        question = Question(target=asked.target, loss=loss.name, framework=asked.framework, contract=keys)
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


def _scaled(implementation: Implementation) -> Iterator[Implementation]:
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
        for case in _cases(implementation, ("inside",)):
            for e, v in zip(case.batch.evaluations, case.values, strict=True):
                if isinstance(v, fmpq) and isinstance(e.value, fmpq) and e.value > 0:
                    return Fraction(to_float(v / e.value)).limit_denominator(64)
    except Exception:  # a wrong hypothesis: `agreement` says so
        return None
    return None


def _cases(implementation: Implementation, foci: Sequence[str]) -> Iterator[Case]:
    from hingeproof.evidence.points import points
    from hingeproof.frameworks import subject

    made = subject(implementation, DTYPE, "cpu", "eager")
    for batch in points(implementation.loss, DTYPE, dict(implementation.fixed)):
        if batch.focus in foci:
            yield Case(made, batch.change(scale=implementation.scale), implementation.contract)


def agreement(implementation: Implementation) -> tuple[int, Difference | None]:
    """How many samples agree with the oracle's interval before the first that does not, and that one."""
    agreed = 0
    try:
        for case in _cases(implementation, FOCI):
            values = case.values
            for i, (interval, got) in enumerate(zip(case.batch.intervals, values, strict=True)):
                if interval is None or not isinstance(interval.center, fmpq):
                    continue
                if not interval.allows(got):
                    return agreed, _difference(implementation, case.batch, i, interval.center, got)
                agreed += 1
    except Unanswered:
        return 0, None
    except Exception as error:  # a black box under a wrong hypothesis may raise anything
        return 0, Difference(implementation.loss, "the first call", "an answer", f"{type(error).__name__}: {error}")
    return agreed, None


def _difference(implementation: Implementation, batch: Batch, i: int, exact: Extended, got: Extended) -> Difference:
    from hingeproof.evidence.witness import tensors

    one = {n: t for n, t in tensors(batch.take([i])).items() if n != "cotangent"}
    inputs = ", ".join(f"{n} [{', '.join(t.decimal)}]" for n, t in one.items())
    return Difference(implementation.loss, inputs, show(exact), show(got))


def _mean(implementation: Implementation) -> str:
    """What the mean divides by, tried on a batch of which half is violated."""
    if "mean" not in implementation.reductions:
        return ""
    for case in _cases(implementation, ("inside", "past", "kink")):
        batch = case.batch.change(weight=None)
        exact = [e.value for e in batch.evaluations]
        if not all(isinstance(v, fmpq) for v in exact):
            continue
        total, violated = sum(exact, fmpq(0)), sum(v != 0 for v in exact)
        if violated in (0, batch.size):
            continue
        (got,) = extended(case.call(batch, "mean", gradients=False).value)
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
    from hingeproof.frameworks import LATTICE, MODES
    from hingeproof.judge.engine import run_pass
    from hingeproof.run.conformance import checks_of

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
        for case in itertools.islice(_cases(implementation, ("inside",)), 1):
            assert case.batch.targets is not None
            zero = case.batch.change(targets=case.batch.targets * 0, as_given=True)
            try:
                got = case.call(zero)
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
