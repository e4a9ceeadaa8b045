"""The record of a check, and of one that the engine could not judge: the process died, hung, or never came to it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from hingeproof.plan.checks import implementations
from hingeproof.properties.catalogue import LAWS
from hingeproof.runs.records import Check, Plan, Record, Tensor, Verdict, Witness

NOT_RUN = "not run"  # `reports` counts records with this reason apart


@lru_cache(maxsize=4)
def _frameworks(plan: bytes) -> dict[str, str]:
    chosen = implementations(msgspec.json.decode(plan, type=Plan))
    return {name: implementation.framework for name, implementation in chosen.items()}


def record(check: Check, framework: str, **facts: Any) -> Record:
    """The record of a check: what it says of itself, and the facts given."""
    law = LAWS[check.law]
    return Record(
        check=check.id,
        law=check.law,
        group=law.group,
        kind=law.kind,
        implementation=check.implementation,
        framework=framework,
        loss=check.loss,
        dtype=check.dtype,
        device=check.device,
        mode=check.mode,
        **facts,
    )


def unjudged(check: Check, plan: Plan, *, verdict: Verdict, reason: str, witness: Witness | None = None) -> Record:
    """Return a record with a verdict that no judgement stands behind."""
    framework = _frameworks(msgspec.json.encode(plan))[check.implementation]
    return record(check, framework, verdict=verdict, reason=reason, witness=witness, seed=plan.seed)


def last_words(tried: Any, observed: str) -> Witness | None:
    """Return a witness from the input that was about to be tried: a whole witness, or tensors by name."""
    if tried is None:
        return None
    try:
        return msgspec.structs.replace(msgspec.convert(tried, Witness), observed=observed)
    except msgspec.ValidationError:
        pass
    try:
        inputs = msgspec.convert(tried, dict[str, Tensor])
    except msgspec.ValidationError:
        return None
    return Witness(inputs=inputs, parameters={}, expected="an answer", observed=observed, repro="")
