"""The paired gate: both sides interleaved in fresh processes, judged by their log-ratios.

One stage runs `pairs` sets of fresh processes: base, head, and base once more (the A/A lane, which shows what this
machine makes of no difference at all). Within a set every case is timed in rounds: each process one block, in random
order. Whatever slows the machine down for a while slows all three.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hingeproof.bench.gate.processes import Place, Process, SharedArrays, SideError, answer, loading
from hingeproof.bench.gate.side import Side
from hingeproof.bench.gate.statistics import Estimate, Judged, benjamini_hochberg, estimate, judge, log_ratios
from hingeproof.bench.timing.case import too_large
from hingeproof.bench.timing.check import WrongAnswerError, handed, judge_strata, judge_timed, reason
from hingeproof.bench.timing.clock import Answer, Block
from hingeproof.bench.timing.data import Data, domain_of, make
from hingeproof.bench.timing.measure import spec_of
from hingeproof.bench.timing.selfcheck import distrust
from hingeproof.frameworks.implementation import Implementation
from hingeproof.runs.timings import TimingCase

PAIRS, BLOCKS = 6, 60  # a stage: at least 360 blocks in 6 process pairs
MOST_PAIRS = 24
LANES = ("base", "head", "again")
BLOCK_SECONDS = 0.0015


@dataclass(frozen=True)
class Pairing:
    """One case: what each side calls."""

    case: TimingCase
    base: Implementation
    head: Implementation

    def of(self, lane: str) -> Implementation:
        return self.head if lane == "head" else self.base

    def too_large(self, memory: int) -> str:
        """Why its three processes cannot hold their arrays at once in so many bytes, or nothing."""
        return max(too_large(self.case, memory // 3, i) for i in (self.base, self.head))

    @property
    def environments(self) -> dict[str, Mapping[str, str]]:
        """The variables that each lane's process needs from its start."""
        return {lane: self.of(lane).environment for lane in LANES}

    def data(self) -> Data:
        """The arrays of both sides, in our labels; scores that both contracts speak of."""
        c = self.case
        return make(c.loss, c.dtype, c.n, c.k, c.inside, domain=domain_of(self.base, self.head))

    def shared(self, shared: SharedArrays) -> dict[str, dict[str, Any]]:
        """By lane: the same inputs, and labels as its implementation takes them."""
        data = self.data()
        base = shared.put(handed(self.case, self.base, data))
        head = shared.put(handed(self.case, self.head, data), base["inputs"])
        return {"base": base, "head": head, "again": base}


@dataclass
class Samples:
    """Seconds a call, pair by pair, by lane."""

    pairs: list[dict[str, list[float]]] = field(default_factory=list)
    invalid: str = ""
    seconds: float = 0.0
    loops: int = 0

    @property
    def count(self) -> int:
        """Paired blocks of all process pairs."""
        return sum(len(p["base"]) for p in self.pairs)

    def estimates(self, seed: int = 0) -> tuple[Estimate, Estimate]:
        """Of head over base, and of base over itself."""
        heads = [log_ratios(p["base"], p["head"]) for p in self.pairs]
        lanes = [log_ratios(p["base"], p["again"]) for p in self.pairs]
        return estimate(heads, seed=seed), estimate(lanes, seed=seed + 1)


@dataclass(frozen=True)
class Limits:
    """How long a gate goes on, and what counts."""

    pairs: int = PAIRS
    blocks: int = BLOCKS
    most_pairs: int = MOST_PAIRS
    seconds: float = 60.0  # a case: half of it to flag a slow-down, half to see it again
    threshold: float = 0.02
    equivalence: float = 0.03
    rate: float = 0.01  # false discoveries


def places(base: Side, head: Side) -> dict[str, Place]:
    return {"base": base.place, "head": head.place, "again": base.place}


class Gate:
    """Times subjects on two sides. Whatever it has measured is kept in `samples`."""

    def __init__(self, base: Side, head: Side, limits: Limits, *, seed: int = 0, without: tuple[str, ...] = ()) -> None:
        """`without`: strata on which neither side is judged."""
        self.base, self.head, self.limits = base, head, limits
        self.random = random.Random(seed)
        self.without = without
        self._checked: set[tuple[str, str]] = set()
        self.stages: list[dict[str, Samples]] = []  # what was measured, also of a stage that was interrupted

    def stage(self, subjects: Sequence[Pairing], note: Any = lambda *_: None) -> dict[str, Samples]:
        """Measure until each case is decided, or its time is up."""
        found = {s.case.id: Samples() for s in subjects}
        self.stages.append(found)
        left = list(subjects)
        while left:
            for alike in _alike(left):
                began = time.monotonic()
                with SharedArrays() as shared, self._processes(alike[0]) as processes:
                    for subject in alike:
                        self._one(subject, processes, shared, found[subject.case.id])
                        note(subject, found[subject.case.id])
                for subject in alike:  # what a set of processes costs is shared
                    found[subject.case.id].seconds += (time.monotonic() - began) / len(alike)
            left = [s for s in left if self._goes_on(found[s.case.id])]
        return found

    def _one(self, subject: Pairing, processes: dict[str, Process], shared: SharedArrays, samples: Samples) -> None:
        """Add a pair to the samples of one case, or say why it is invalid."""
        try:
            samples.pairs.append(self._pair(subject, processes, shared, samples))
        except (SideError, WrongAnswerError) as error:
            samples.invalid = f"{error}"

    def _goes_on(self, samples: Samples) -> bool:
        if samples.invalid or len(samples.pairs) >= self.limits.most_pairs:
            return False
        if len(samples.pairs) < self.limits.pairs:
            return True
        return samples.seconds < self.limits.seconds / 2 and self.judged(samples).decision == "inconclusive"

    def judged(self, samples: Samples) -> Judged:
        limits = self.limits
        return judge(*samples.estimates(), threshold=limits.threshold, equivalence=limits.equivalence)

    @contextlib.contextmanager
    def _processes(self, subject: Pairing) -> Iterator[dict[str, Process]]:
        where, needs = places(self.base, self.head), subject.environments
        with contextlib.ExitStack() as stack:
            yield {lane: stack.enter_context(Process(p.having(needs[lane]))) for lane, p in where.items()}

    def _pair(
        self, subject: Pairing, processes: dict[str, Process], shared: SharedArrays, samples: Samples
    ) -> dict[str, list[float]]:
        """One set of processes on one case: seconds a call of every block, by lane."""
        case = subject.case
        arrays = subject.shared(shared)
        for lane, process in processes.items():
            process.tell("load", **loading(spec_of(subject.of(lane), case), arrays[lane]))
        for lane, process in processes.items():
            reply = process.heard()
            side = self.head if lane == "head" else self.base
            if side.inside and not reply["origin"].startswith(side.inside):
                raise SideError(f"{side.text}: the code under test came from {reply['origin']}, not from that revision")
        self._check(subject, processes, shared)
        if not samples.loops:
            samples.loops = processes["base"].do("calibrate", seconds=BLOCK_SECONDS)["loops"]
        warm = max(process.do("block", loops=samples.loops)["seconds"] for process in processes.values())
        taken: dict[str, list[Block]] = {lane: [] for lane in processes}
        order = list(processes)
        for _ in range(self._rounds(samples.loops, warm)):
            self.random.shuffle(order)
            for lane in order:
                reply = processes[lane].do("block", loops=samples.loops)
                taken[lane].append(Block(reply["seconds"], reply["left"], reply["compiled"]))
        for lane, blocks in taken.items():
            trouble = distrust(blocks)
            if trouble:
                raise SideError(f"{lane}: {trouble}")
        return {lane: [b.seconds / samples.loops for b in blocks] for lane, blocks in taken.items()}

    def _rounds(self, loops: int, seconds: float) -> int:
        """Blocks in one set of processes: fewer where a single call is long, but a hundred in the first stage."""
        if loops > 1 or seconds < 4 * BLOCK_SECONDS:
            return self.limits.blocks
        return min(self.limits.blocks, -(-100 // self.limits.pairs))

    def _check(self, subject: Pairing, processes: dict[str, Process], shared: SharedArrays) -> None:
        """Have the answers of both sides judged, once in a gate. Raises: WrongAnswerError."""
        lanes = [lane for lane in ("base", "head") if (subject.case.id, lane) not in self._checked]
        data = subject.data() if lanes else None
        for lane in lanes:
            assert data is not None
            process, implementation = processes[lane], subject.of(lane)

            def got(what: str, process: Process = process, **request: Any) -> Answer:
                path = shared.path(".npz")
                process.do(what, path=path, **request)
                return answer(path)

            def ask(data: Data, phase: str, reduction: str, implementation: Implementation = implementation) -> Answer:
                spec = spec_of(implementation, subject.case, phase=phase, reduction=reduction)
                return got("ask", **loading(spec, shared.put(data)))

            try:
                judge_timed(subject.case, implementation, data, got("answer"))
                with np.errstate(all="ignore"):
                    judge_strata(subject.case, implementation, ask, self.without)
            except WrongAnswerError as error:
                where = WrongAnswerError(f"{lane}: {error}")
                raise WrongAnswerError(reason(where, implementation, subject.case.dtype)) from None
            self._checked.add((subject.case.id, lane))


def _alike(subjects: Sequence[Pairing]) -> list[list[Pairing]]:
    """Cases that can be timed in the same processes."""
    groups: list[list[Pairing]] = []
    for s in subjects:
        group = next((g for g in groups if g[0].environments == s.environments), None)
        if group is None:
            groups.append([s])
        else:
            group.append(s)
    return groups


@dataclass(frozen=True)
class Verdict:
    """A case's end: `regression` only where fresh processes showed it again."""

    case: TimingCase
    verdict: str  # regression, improvement, equivalent, inconclusive, invalid
    judged: Judged | None
    adjusted: float | None
    reason: str
    pairs: int
    blocks: int
    repeated: Judged | None = None


def decide(gate: Gate, subjects: Sequence[Pairing], note: Any = lambda *_: None) -> list[Verdict]:
    """Measure, adjust for the number of cases, repeat what was flagged, and decide."""
    first = gate.stage(subjects, note)
    valid = [s for s in subjects if not first[s.case.id].invalid]
    judged = {s.case.id: gate.judged(first[s.case.id]) for s in valid}
    adjusted = dict(zip(judged, benjamini_hochberg([j.p for j in judged.values()]), strict=True))
    flagged = [
        s for s in valid
        if judged[s.case.id].decision == "regression" and adjusted[s.case.id] <= gate.limits.rate
    ]  # fmt: skip
    again = gate.stage(flagged, note) if flagged else {}
    out = []
    for s in subjects:
        samples = first[s.case.id]
        count = len(samples.pairs)
        if samples.invalid:
            out.append(Verdict(s.case, "invalid", None, None, samples.invalid, count, samples.count))
            continue
        out.append(_verdict(gate, s, judged[s.case.id], adjusted[s.case.id], samples, again.get(s.case.id)))
    return out


def _verdict(
    gate: Gate, subject: Pairing, judged: Judged, adjusted: float, samples: Samples, again: Samples | None
) -> Verdict:
    verdict, reason, repeated = str(judged.decision), "", None
    if again is not None and again.invalid:
        verdict, reason = "invalid", again.invalid
    elif again is not None:
        repeated = gate.judged(again)
        if repeated.decision != "regression":
            verdict, reason = "inconclusive", "seen once, and not again in fresh processes"
    elif judged.decision == "regression":
        verdict, reason = "inconclusive", f"not significant among so many cases (adjusted p {adjusted:.2g})"
    if verdict == "inconclusive" and not reason:
        reason = f"an effect of {100 * judged.smallest:.1f} % or more would have been seen"
    pairs = len(samples.pairs) + (len(again.pairs) if again else 0)
    blocks = samples.count + (again.count if again else 0)
    return Verdict(subject.case, verdict, judged, adjusted, reason, pairs, blocks, repeated)
