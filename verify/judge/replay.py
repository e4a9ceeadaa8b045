"""The witness of a known deviation, asked again."""

from __future__ import annotations

from flint import fmpq

from hingeproof.evidence.witness import untensor
from hingeproof.properties.batch import Batch
from hingeproof.properties.call import OutOfContract, Unanswered
from hingeproof.properties.case import Case
from hingeproof.properties.judgement import Failure
from hingeproof.properties.law import Law
from hingeproof.properties.strategies import NUMPY_DTYPES, Spec
from hingeproof.reference_impls.formats import exact
from hingeproof.runs.records import Deviation


def batch_of(entry: Deviation, spec: Spec) -> Batch:
    """The batch of an entry's witness."""
    dtype = NUMPY_DTYPES[spec.format.name]
    arrays = {name: untensor(x, dtype) for name, x in entry.witness.items()}
    names = spec.loss.margins.inputs
    fixed = dict(spec.fixed)
    params: dict[str, fmpq] = {}
    for name, default in spec.loss.defaults.items():
        value = exact(float(entry.parameters[name])) if name in entry.parameters else default
        assert isinstance(value, fmpq)
        params[name] = value
    params |= {n: v if n == "eps" else spec.representable(v) for n, v in fixed.items()}
    return Batch(
        loss=spec.loss, arithmetic=spec.arithmetic, params=params, scale=spec.scale,
        inputs=tuple(arrays[n] for n in names), targets=arrays.get("targets"), cotangent=arrays["cotangent"],
        tangent=tuple(arrays[f"tangent {n}"] for n in names if f"tangent {n}" in arrays),
        weight=arrays.get("weight"), class_weight=arrays.get("class_weight"),
    )  # fmt: skip


def shown(law: Law, case: Case) -> Failure | str:
    """The failure that a witness shows, of whatever kind, or why there is none."""
    try:
        failure = law.judge(case).failure
    except OutOfContract as error:
        return str(error)
    except Unanswered as error:
        failure = error.judgement.failure
    return "the witness breaks the law no longer" if failure is None else failure
