"""The record of a check that the engine could not judge: the process died, hung, or never came to it."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from hingeproof.judge.record import record
from hingeproof.plan.checks import implementations
from hingeproof.runs.records import Check, Plan, Record, Tensor, Verdict, Witness


@lru_cache(maxsize=4)
def _frameworks(plan: bytes) -> dict[str, str]:
    chosen = implementations(msgspec.json.decode(plan, type=Plan))
    return {name: implementation.framework for name, implementation in chosen.items()}


def unjudged(check: Check, plan: Plan, *, verdict: Verdict, reason: str, witness: Witness | None = None) -> Record:
    """Return a record with a verdict that no judgement stands behind."""
    framework = _frameworks(msgspec.json.encode(plan))[check.implementation]
    return record(check, framework, verdict=verdict, reason=reason, witness=witness, seed=plan.seed)


def last_words(tried: object, observed: str) -> Witness | None:
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
    return Witness(inputs=inputs, parameters={}, expected="an answer", observed=observed, repro="", kind="silent")
