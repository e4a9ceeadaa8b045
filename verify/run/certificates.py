"""The rows of a proof run as certificates, one a claim: what was proved in a sentence, and what anyone can check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from hingeproof.frameworks.environment import distributions, environment, versions
from hingeproof.frameworks.implementation import Implementation
from hingeproof.judge.proof.domain import settings
from hingeproof.plan.checks import implementations
from hingeproof.reference_impls.formats import to_float
from hingeproof.run.proving import unsupported
from hingeproof.runs.proofs import (
    LABELS,
    OFFENDERS,
    SHARD,
    WIDTH,
    Certificate,
    Claim,
    Counts,
    Shard,
    Task,
    added,
    tasks,
    whole,
)
from hingeproof.runs.records import Plan

OURS = ("python", "hingeproof", "numpy", "ml_dtypes", "python-flint")


def all_tasks(plan: Plan, claims: Iterable[Claim]) -> list[Task]:
    """Return the shards of all claims."""
    known = implementations(plan)
    return [task for claim in claims for task in tasks(claim, labels(known[claim.implementation]))]


def labels(implementation: Implementation) -> tuple[float, ...]:
    """Return the labels, or targets, that every score is asked with."""
    return LABELS[str(implementation.family.margins.targets)]


def certificates(plan: Plan, rows: Sequence[Shard]) -> tuple[list[Certificate], dict[str, str]]:
    """Return a certificate for each claim that rows speak of, and why others cannot run, by claim."""
    known, made, cannot = implementations(plan), [], {}
    by_claim = groupby(sorted(rows, key=lambda row: row.task.claim), key=lambda row: row.task.claim)
    for claim, group in by_claim:
        own = list(group)
        refused = [row.reason for row in own if row.status == "raised" and unsupported(claim, row.reason)]
        if refused:
            cannot[claim.id] = refused[0]
        else:
            made.append(certificate(plan, known[claim.implementation], claim, {row.id: row for row in own}))
    return made, cannot


def certificate(plan: Plan, implementation: Implementation, claim: Claim, rows: Mapping[str, Shard]) -> Certificate:
    """Return the certificate of a claim, whole or not."""
    every = tasks(claim, labels(implementation))
    ordered = [rows.get(task.id) for task in every]
    found = [row for row in ordered if row is not None]
    counts = added(row.counts for row in found)
    failed = [f"{row.task.label:+g}, {row.task.first:#010x}: {row.status}: {row.reason}" for row in found
              if row.status != "judged"]  # fmt: skip
    complete = len(found) == len(every)
    proved = complete and not failed and not counts.wrong and not counts.open
    flushes = any(row.flushes for row in found)
    now = environment()
    return Certificate(
        statement=statement(claim, implementation, counts, failed, complete=complete, flushes=flushes),
        proved=proved, complete=complete, implementation=claim.implementation, framework=implementation.framework,
        loss=claim.loss,
        parameters={n: repr(to_float(v)) for n, v in settings(implementation, claim.dtype).items()},
        dtype=claim.dtype, device=claim.device, mode=claim.mode, versions=_versions(implementation),
        subnormals="flush" if flushes else "keep",
        domain=f"every bit pattern of {claim.dtype} ({1 << WIDTH[claim.dtype]:,}), ascending, label by label",
        labels=list(labels(implementation)), counts=counts,
        offenders=[o for row in found for o in row.offenders][:OFFENDERS], failed=failed,
        sha256=whole("" if row is None else row.sha256 for row in ordered), shard=min(SHARD, every[0].count),
        shards=["" if row is None else row.sha256 for row in ordered],
        marks=["" if row is None else row.marks for row in ordered],
        seconds=round(sum(row.seconds for row in found), 3), machine=f"{now['processor']}, {now['os']}",
        user=next((u for u in plan.users if u.target == claim.implementation), None),
    )  # fmt: skip


def _versions(implementation: Implementation) -> dict[str, str]:
    wanted = {*OURS, *distributions(implementation.framework)}
    for module in implementation.requires:
        wanted |= set(distributions(module))
    return {name: version for name, version in versions().items() if name in wanted}


def statement(
    claim: Claim, implementation: Implementation, counts: Counts, failed: list[str], *, complete: bool, flushes: bool
) -> str:
    """Return what was found, in one sentence."""
    who = f"{claim.implementation} ({claim.loss}, {claim.mode}, {claim.device})"
    if counts.wrong:
        more = "at least " if counts.open else ""
        count = f"{counts.wrong:,} answer{'s' if counts.wrong > 1 else ''}"
        return f"{who} is wrong: {more}{count} at {claim.dtype} scores"
    if failed:
        return f"{who} gave no answer in {len(failed):,} of the shards of the {claim.dtype} scores"
    if not complete:
        return f"Nothing wrong was found with {who} at {counts.scores:,} {claim.dtype} scores so far"
    what = "values and gradients are" if counts.gradients else "values are"
    with_what = "both labels" if implementation.family.margins.targets == "sign" else "each of three targets"
    said = f"{who}: {what} right at every {claim.dtype} score, with {with_what}"
    said += ", where subnormal numbers may count as 0" if flushes else ""
    rest = [
        (counts.unbounded, "values without a known bound"),
        (counts.unbounded_gradients, "gradients without one"),
        (counts.refused, "scores that are not finite, and are refused"),
        (counts.swallowed, "NaN scores, answered with a number"),
    ]
    exceptions = ", ".join(f"{count:,} {words}" for count, words in rest if count)
    return f"{said}; not proved: {exceptions}" if exceptions else said
