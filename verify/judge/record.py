"""The record of a check: what it says of itself, with a verdict."""

from __future__ import annotations

from hingeproof.properties.catalogue import LAWS
from hingeproof.runs.records import Check, Record, Verdict, Witness


def record(
    check: Check, framework: str, *, verdict: Verdict, reason: str = "", witness: Witness | None = None, seed: int
) -> Record:
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
        verdict=verdict,
        reason=reason,
        witness=witness,
        seed=seed,
    )
