"""A failure's batch made as small and simple as can be, while it still shows the same kind of failure."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import replace

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.strategies import SearchStrategy

from hingeproof.properties.batch import Batch
from hingeproof.properties.failure_kinds import same_kind
from hingeproof.properties.judgement import Failure

CALLS = 200


def limits(examples: int, *phases: Phase) -> settings:
    """Settings by which a search depends on its seed alone: no database, no clock."""
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


def smallest(
    failure: Failure,
    judge: Callable[[Batch], Failure | None],
    batches: SearchStrategy[Batch],
    *,
    examples: int,
    seed: int,
) -> Failure:
    """Return the smallest failure of this kind that `judge` finds on a batch, after at most `CALLS` calls of it.

    The sample that the failure names is tried alone first.
    """
    best, calls = failure, 0

    def fails(batch: Batch) -> bool:
        nonlocal best, calls
        calls += 1
        if calls > CALLS:
            return False
        found = judge(batch)
        if found is None or not same_kind(found, failure):
            return False
        if found.batch.size <= best.batch.size:
            best = replace(found, asked=batch)
        return True

    if failure.sample is not None and failure.batch.size > 1:
        fails(failure.batch.take([failure.sample]))
    with contextlib.suppress(hypothesis.errors.NoSuchExample, hypothesis.errors.FlakyFailure):
        # without a smaller one the first failure stands; a shrink that ran out of calls looks flaky
        both = limits(examples, Phase.generate, Phase.shrink)
        hypothesis.find(batches, fails, settings=both, random=random.Random(seed))
    return best
