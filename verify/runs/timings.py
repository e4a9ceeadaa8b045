"""What a timing or gate run writes: the plan in run.json, one row a case in records.jsonl. Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from hingeproof.errors import FINDING, GOOD, INVALID, NOTHING, UNDECIDED
from hingeproof.runs.records import UserImplementation

BENCH_SCHEMA_VERSION = 1

Status = Literal["measured", "not run", "invalid", "crash"]


class TimingCase(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One thing to time. `inside`: fraction of samples inside the margin; `k`: classes or components, 1 for scalars."""

    implementation: str
    loss: str
    framework: str
    dtype: str
    n: int
    k: int
    phase: str
    mode: str
    device: str
    inside: float = 0.5
    layout: str = "contiguous"
    cache: str = "warm"
    threads: int = 1

    @property
    def id(self) -> str:
        """Stable across versions; a series of the history is this and an environment."""
        return "|".join(
            (self.phase, self.implementation, self.loss, self.dtype, self.device, self.mode, f"N={self.n}",
             f"K={self.k}", f"inside={self.inside:g}", self.layout, self.cache, f"threads={self.threads}")
        )  # fmt: skip


class BenchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases. Empty tuples mean: whatever the profile has."""

    patterns: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    modes: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    inside: tuple[float, ...] = ()
    layouts: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    profile: str = "quick"
    threads: int = 1
    blocks: int = 30
    block_seconds: float = 0.0015
    seed: int = 0
    users: tuple[UserImplementation, ...] = ()


class SelfCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What planted mistakes the clock detected before it was believed."""

    framework: str
    unsynchronised: bool
    compile_in_round: bool
    asynchronous: bool
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.unsynchronised and self.compile_in_round


class Timing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case. `blocks` are seconds of each block in the order they were run, of `loops` calls each.

    reference_blocks: the frozen kernel, block by block beside them, of `reference_loops` calls; the history's unit is
    the ratio. roof: bytes/s that a plain copy of the same framework, threads and device reached in this run.
    """

    case: str
    fields: TimingCase
    status: Status
    reason: str = ""
    blocks: list[float] = []
    loops: int = 0
    reference_blocks: list[float] = []
    reference_loops: int = 0
    timer: str = ""
    first_call: float | None = None
    seconds: float | None = None
    ratio: float | None = None
    bytes: int = 0
    flops: int = 0
    roof: float | None = None
    peak_memory: int | None = None
    checked_values: int = 0
    checked_gradients: int = 0
    worst_bound: float | None = None
    reduction_error: float | None = None
    note: str = ""

    @property
    def id(self) -> str:
        return self.case

    @property
    def calls(self) -> list[float]:
        """Seconds a call, block by block."""
        return [block / self.loops for block in self.blocks] if self.loops else []

    @property
    def ratios(self) -> list[float]:
        """Each block's time a call over the frozen kernel's beside it."""
        if not self.reference_loops:
            return []
        return [
            call / (reference / self.reference_loops)
            for call, reference in zip(self.calls, self.reference_blocks, strict=False)
            if reference > 0
        ]

    @property
    def rate(self) -> float | None:
        """Bytes a second of the least traffic."""
        return self.bytes / self.seconds if self.seconds else None

    @property
    def of_roof(self) -> float | None:
        """The rate as a fraction of the copy bandwidth; above 1 where all fits a cache."""
        return self.rate / self.roof if self.rate is not None and self.roof else None


class GateRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A verdict as it is written. Effects are fractions: 0.05 is five percent slower than the base."""

    case: str
    fields: TimingCase | None = None
    base: str
    head: str
    verdict: str
    reason: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    smallest: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    repeated_effect: float | None = None
    repeated_low: float | None = None
    pairs: int = 0
    blocks: int = 0
    base_seconds: float | None = None

    @property
    def id(self) -> str:
        return self.case


def gate_code(rows: Sequence[GateRow], *, strict: bool) -> int:
    """4 invalid, 1 confirmed regression, 5 nothing compared, 3 inconclusive under --strict: the first that holds."""
    found = {r.verdict for r in rows}
    if "invalid" in found:
        return INVALID
    if "regression" in found:
        return FINDING
    if found <= {"not run"}:
        return NOTHING
    return UNDECIDED if strict and "inconclusive" in found else GOOD


class PairRow(msgspec.Struct, frozen=True, kw_only=True):
    """Raw blocks of one process pair in the order they were run: seconds a call, by lane."""

    case: str
    stage: str
    pair: int
    loops: int
    blocks: dict[str, list[float]]


class BenchInfo(msgspec.Struct, frozen=True, kw_only=True):
    """run.json of a run of kind `bench` or `gate`.

    `comparable` decides whether two runs may be compared and is hashed (`environment_hash`); `volatile` is stored and
    never hashed: clock frequency, load, free memory.
    """

    schema_version: int
    kind: Literal["bench", "gate"]
    plan: BenchPlan
    comparable: dict[str, str]
    environment_hash: str
    volatile: dict[str, str]
    arguments: list[str]
    started: str
    complete: bool
    seconds: float = 0.0
    self_checks: list[SelfCheck] = []
    cases: int = 0
    sides: dict[str, dict[str, str]] = {}  # of a gate: what base and head had, versions and commit


def between(sides: Mapping[str, Mapping[str, str]]) -> str:
    """What differs between the sides of a gate and may explain what it found, or nothing."""
    base, head = sides.get("base", {}), sides.get("head", {})
    names = [n for n in sorted({*base, *head}) if base.get(n) != head.get(n)]
    return ", ".join(f"{n} {base.get(n, 'none')} → {head.get(n, 'none')}" for n in names)
