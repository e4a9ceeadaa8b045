"""What a law says of one example: what was judged, how wrong the worst answer is, and the failure, if it has one."""

from __future__ import annotations

from dataclasses import dataclass, field

from flint import fmpq

from hingeproof.properties.batch import Batch
from hingeproof.properties.failure_kinds import Kind
from hingeproof.reference_impls.formats import to_float


@dataclass(frozen=True)
class Failure:
    """A law broken: what it allows, what was seen, on which batch; `sample` is the index concerned."""

    batch: Batch
    expected: str
    observed: str
    kind: Kind
    reduction: str = "none"
    sample: int | None = None
    note: str = ""
    error: str = ""  # the exception's class, where one was raised
    asked: Batch | None = None  # the batch that the law was given, where `batch` is one that it made


@dataclass(frozen=True)
class Descent:
    """A training run: relative sub-optimality, exact, and margin 1/‖w‖ over that of the optimum, after `steps`."""

    title: str
    optimiser: str
    steps: list[int]
    suboptimality: list[float]
    margin: list[float | None]


@dataclass
class Judgement:
    """What one law says of one example: samples judged, worst errors, samples left out and why."""

    judged: int = 0
    failure: Failure | None = None
    worst_bound: float | None = None
    worst_ulp: float | None = None
    selection: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    convention: str = ""
    note: str = ""  # what was measured, where a row is to say it whatever the verdict
    curves: list[Descent] = field(default_factory=list)

    def fail(self, failure: Failure) -> Judgement:
        if self.failure is None:
            self.failure = failure
        return self

    def leave_out(self, why: str) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + 1

    def measure(self, error: fmpq | None, bound: fmpq, ulp: fmpq) -> None:
        """Note an error in units of its bound and of the ulp."""
        if error is None:
            return
        if bound != 0:
            self.worst_bound = max(self.worst_bound or 0.0, to_float(error / bound))
        self.worst_ulp = max(self.worst_ulp or 0.0, to_float(error / ulp))
