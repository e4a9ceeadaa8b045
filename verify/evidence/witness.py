"""A failure as evidence: its inputs in hex, what was expected and seen, and five lines that show it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hingeproof.evidence import source
from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.judgement import Failure
from hingeproof.reference_impls.formats import to_float
from hingeproof.runs.records import Check, Tensor, Witness

_SHOWN = 64


def _hex(x: float | int) -> str:
    return str(x) if isinstance(x, int) else float(x).hex() if math.isfinite(x) else repr(float(x))


def tensor(x: Array) -> Tensor:
    wide = x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)
    values = wide.ravel().tolist()[:_SHOWN]
    return Tensor(str(x.dtype), list(x.shape), [_hex(v) for v in values], [repr(v) for v in values])


def tensors(batch: Batch) -> dict[str, Tensor]:
    """All arrays of a batch, by name."""
    named: dict[str, Array | None] = dict(zip(batch.loss.margins.inputs, batch.inputs, strict=True))
    named |= {
        "targets": batch.targets,
        "weight": batch.weight,
        "class_weight": batch.class_weight,
        "cotangent": batch.cotangent,
    }
    return {name: tensor(x) for name, x in named.items() if x is not None}


def asked(failure: Failure) -> dict[str, Tensor]:
    """The batch that the law was asked about, tangents and all: enough to ask again."""
    batch = failure.asked or failure.batch
    tangents = zip(batch.loss.margins.inputs, batch.tangent, strict=False)
    return {**tensors(batch), **{f"tangent {name}": tensor(x) for name, x in tangents}}


def untensor(x: Tensor, dtype: Any) -> Array:
    """An array from its evidence, in the dtype given unless it holds integers."""
    whole = "int" in x.dtype
    values = [int(v) if whole else float.fromhex(v) for v in x.hex]
    return (
        np.array(values, dtype=np.int64 if whole else np.float64).astype(x.dtype if whole else dtype).reshape(x.shape)
    )


def witness(implementation: Implementation, failure: Failure, check: Check) -> Witness:
    """The evidence for a failure; the one sample concerned, where the law names it and it stands alone."""
    params: dict[str, float | int | str] = {n: to_float(v) for n, v in failure.batch.params.items()}
    if failure.sample is not None and failure.batch.size > 1:
        params["sample"] = failure.sample
    params["reduction"] = failure.reduction
    return Witness(
        inputs=tensors(failure.batch),
        parameters=params,
        expected=failure.expected + (f" ({failure.note})" if failure.note else ""),
        observed=failure.observed,
        repro=repro(implementation, failure, check),
        kind=failure.kind,
        error=failure.error,
    )


# -- five lines --------------------------------------------------------------------------------------------------------


def repro(implementation: Implementation, failure: Failure, check: Check) -> str:
    """About five lines that import the framework and the implementation alone, and print what is answered."""
    written, gradient = source.notation(implementation), source.differentiates(implementation, check)
    lines = source.preamble(implementation, check.dtype)
    lines.append("; ".join(source.assignments(implementation, failure.batch, check.dtype, gradient)))
    call = source.call(implementation, failure.batch, failure.reduction, check)
    put_in = {
        "call": call,
        "arguments": ", ".join(failure.batch.loss.margins.inputs),
        "upstream": source.upstream(implementation, failure, check.dtype),
        "slopes": ", ".join(source.slopes(implementation, written.slope_shown)),
    }
    shown = (gradient and written.shown_gradient) or written.shown
    lines += [line.format(**put_in) for line in shown]
    return "\n".join(lines)
