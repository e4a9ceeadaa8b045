"""A failure as a script for the library's maintainers: it exits 1 while the bug is there and 0 once it is gone.

It checks the answer against the oracle's allowed values or gradients, which are written into it as numbers. A law
that compares several calls (a permuted batch, another layout) can be broken without a wrong number at any one of them:
then the script exits 0, and `hingeproof repro` says that it does not show the failure.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import replace

from flint import fmpq

from hingeproof.evidence import source
from hingeproof.frameworks.environment import version
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.properties.batch import Batch
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.judgement import Failure
from hingeproof.properties.laws.reductions import reduced_interval
from hingeproof.properties.laws.selection import predicted
from hingeproof.reference_impls.formats import Extended, exact, to_float
from hingeproof.runs.records import Check

REFUSALS = ("bad_label", "bad_shape")  # what they demand is an exception
ZERO = fmpq(0)


def script(implementation: Implementation, failure: Failure, check: Check) -> str:
    """The script as text."""
    batch, law = failure.batch, LAWS[check.law]
    gradient = source.differentiates(implementation, check) or source.has_written_gradient(implementation, check)
    framework = FRAMEWORKS[implementation.framework]
    package = implementation.versions.partition(">")[0].partition("<")[0] or framework.distribution
    head = [
        f"{implementation.name} ({package} {version(package) or '?'}): {law.statement}",
        f"expected: {failure.expected}",
        f"got:      {failure.observed}",
    ]
    lines = [f"# {line}" for text in head for line in textwrap.wrap(text, 112, subsequent_indent="          ")]
    lines += ["import math", "import sys", ""]
    lines += [part for line in source.preamble(implementation, check.dtype) for part in line.split("; ")]
    lines += ["", *source.assignments(implementation, batch, check.dtype, gradient)]
    wanted = implementation
    if gradient and not framework.autograd:  # its gradient is an expression of its own
        wanted = replace(implementation, expression=str(implementation.gradient))
        lines.append(f"cotangent = {source.upstream(implementation, failure, check.dtype)}")
    call = source.call(wanted, batch, failure.reduction, check)
    lines += ["try:", *_computed(implementation, failure, check, call, gradient), "except Exception as error:"]
    raised = failure.kind == "raised" and check.law not in REFUSALS
    # where an answer is demanded, raising is the bug; where refusing is, it is the cure
    lines += ["    print(f'raised {type(error).__name__}: {error}')", f"    sys.exit({int(raised)})"]
    lines += ["print('got    ', got)", *_judged(implementation, failure, check, gradient, raised)]
    return "\n".join(lines) + "\n"


def _judged(implementation: Implementation, failure: Failure, check: Check, gradient: bool, raised: bool) -> list[str]:
    """The lines that decide between exit codes 0 and 1 on `got`."""
    if raised:
        return ["sys.exit(0)"]
    if check.law in REFUSALS:
        return ["print('allowed: an exception, or NaN')", "sys.exit(0 if got and all(map(math.isnan, got)) else 1)"]
    pairs = _pairs(implementation, failure, check, gradient)
    if pairs is None:
        return ["sys.exit(0)  # the answer at this one call does not show it"]
    text = ", ".join(f"({_outward(low, -1)}, {_outward(high, 1)})" for low, high in pairs)
    return [
        f"allowed = [{text}]  # least and greatest, a pair for each number",
        "print('allowed', allowed)",
        "right = len(got) == len(allowed) and all(",
        "    low <= x <= high or (math.isnan(low) and math.isnan(x)) for x, (low, high) in zip(got, allowed)",
        ")",
        "sys.exit(0 if right else 1)",
    ]


def _computed(implementation: Implementation, failure: Failure, check: Check, call: str, gradient: bool) -> list[str]:
    """The lines that make `got`: a list of floats, values or gradients."""
    written = source.notation(implementation)
    if not gradient:
        value = written.value or written.numbers.format(x="loss")
        return [f"    loss = {call}", f"    got = {value}"]
    if not FRAMEWORKS[implementation.framework].autograd:
        return [f"    got = {written.numbers.format(x=call)}"]
    arguments, upstream = (
        ", ".join(failure.batch.loss.margins.inputs),
        source.upstream(implementation, failure, check.dtype),
    )
    made = [line.format(call=call, arguments=arguments, upstream=upstream) for line in written.gradient]
    numbers = [written.numbers.format(x=f"({slope})") for slope in source.slopes(implementation, written.slope)]
    return [*(f"    {line}" for line in made), "    got = " + " + ".join(numbers)]


Pairs = list[tuple[Extended, Extended]]


def _pairs(implementation: Implementation, failure: Failure, check: Check, gradient: bool) -> Pairs | None:
    """What is allowed, None where the law's failure is not one of numbers at this batch."""
    batch = failure.batch
    if batch.size == 0:
        nothing: dict[str, Pairs] = {"none": [], "sum": [(ZERO, ZERO)], "mean": [(math.nan, math.nan)]}
        return nothing[failure.reduction]
    if batch.as_given or batch.shape is not None:
        return None
    if gradient:
        return _gradient_pairs(implementation, failure, check)
    return _value_pairs(batch, failure.reduction, implementation)


def _value_pairs(batch: Batch, reduction: str, implementation: Implementation) -> Pairs | None:
    only = "none" not in implementation.reductions
    if (reduction == "none" and not only) or (reduction == "none" and batch.size == 1):
        intervals = batch.intervals
    else:
        try:
            intervals = [reduced_interval(batch, reduction)]
        except KeyError:
            return None
    if any(i is None for i in intervals):
        return None
    return [(i.low, i.high) for i in intervals if i is not None]


def _gradient_pairs(implementation: Implementation, failure: Failure, check: Check) -> Pairs | None:
    """The hull of the allowed set, coordinate by coordinate, in the order of the inputs."""
    batch, reduction = failure.batch, failure.reduction
    contract = implementation.contract.for_mode(check.mode)
    hulls = []
    for i, e in enumerate(batch.evaluations):
        multiplier = batch.scales[i]
        if reduction == "none" and "none" in implementation.reductions:
            multiplier *= batch.cotangents[i]
        elif reduction == "mean" or (reduction == "none" and implementation.reductions[0] == "mean"):
            multiplier /= batch.size
        allowed = e.sub_gradients(multiplier, 3)
        if allowed is None:
            return None
        want = predicted(e, multiplier, contract.kink, contract.ties) if check.law == "kink_selection" else None
        if want is not None:
            hulls.append([(w - b, w + b) for w, b in zip(want, allowed.box, strict=True)])
            continue
        hulls.append([(lo - b, hi + b) for (lo, hi), b in zip(allowed.hull(), allowed.box, strict=True)])
    per_input = [1 if x.ndim == 1 else x.shape[1] for x in batch.inputs]
    pairs: Pairs = []
    start = 0
    for width in per_input:
        pairs += [pair for hull in hulls for pair in hull[start : start + width]]
        start += width
    return pairs


def _outward(x: Extended, direction: int) -> str:
    """A float no nearer than x, as source text."""
    f = to_float(x)
    if isinstance(x, fmpq) and math.isfinite(f) and exact(f) != x:
        f = math.nextafter(f, direction * math.inf)
    return repr(f) if math.isfinite(f) else f"float('{f}')"
