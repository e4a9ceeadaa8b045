"""What is written to disk: plans, checks, witnesses, verdicts. No framework, no engine: any reader can import this."""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from hingeproof.properties.failure_kinds import Kind
from hingeproof.runs.figures import Training

SCHEMA_VERSION = 1

Verdict = Literal["pass", "fail", "known", "stale", "unsupported", "crash", "timeout", "undecided"]
FINDINGS: tuple[Verdict, ...] = ("crash", "timeout", "fail", "stale")  # what makes a run exit 1, the worst first
NOT_RUN = "not run"  # the reason of a check that its run never came to: reports count it apart


class Check(msgspec.Struct, frozen=True, order=True):
    """One law or promise of one implementation, for one dtype, device and mode."""

    law: str
    implementation: str
    loss: str
    dtype: str
    device: str
    mode: str

    @property
    def id(self) -> str:
        return "|".join((self.law, self.pass_id))

    @property
    def pass_id(self) -> str:
        """The checks that share this are judged from the same observations."""
        return "|".join((self.implementation, self.loss, self.dtype, self.device, self.mode))


class Tensor(msgspec.Struct, frozen=True):
    """An array as evidence: `hex` are `float.hex` strings (or integers as decimal), row by row."""

    dtype: str
    shape: list[int]
    hex: list[str]
    decimal: list[str]


class Witness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The smallest input found on which a law fails, with what the law allows and what was seen.

    `script` imports the framework alone and exits 1 while the failure is there: `hingeproof repro` runs and writes it.
    kind: what kind of wrong answer it is, None in runs of an older hingeproof. error: the exception's class, if raised.
    """

    inputs: dict[str, Tensor]
    parameters: dict[str, float | int | str]
    expected: str
    observed: str
    repro: str
    reproduced: bool | None = None
    script: str = ""
    kind: Kind | None = None
    error: str = ""
    asked: dict[str, Tensor] = {}  # the batch that the law was asked about, where `inputs` is one it made from that


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The verdict on one check. `worst_bound` is the largest error in units of its bound, `worst_ulp` in ulp."""

    check: str
    law: str
    group: str
    kind: Literal["law", "promise"]
    implementation: str
    framework: str
    loss: str
    dtype: str
    device: str
    mode: str
    verdict: Verdict
    reason: str = ""
    witness: Witness | None = None
    convention: str = ""
    selection: dict[str, int] = {}
    strata: dict[str, int] = {}
    thin: list[str] = []
    examples: int = 0
    samples: int = 0
    worst_bound: float | None = None
    worst_ulp: float | None = None
    seed: int = 0
    seconds: float = 0.0
    note: str = ""
    figures: list[Training] = []  # moved to figures.jsonl when the run ends

    @property
    def id(self) -> str:
        return self.check


class Where(msgspec.Struct, frozen=True):
    """A sample, in decimal, and the two values there, in hex."""

    inputs: dict[str, str]
    first: str
    second: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two implementations of one loss in eager mode, or two modes of one, on the same points (pairs.jsonl).

    ulp: the largest difference of two finite values; not_finite: samples where they differ and one is not finite;
    selected_differently: samples at a kink or tie where both gradients may be legal and are not the same.
    """

    kind: Literal["implementations", "modes"]
    loss: str
    dtype: str
    device: str
    first: str
    second: str
    first_mode: str
    second_mode: str
    samples: int
    identical: bool
    unequal: int
    not_finite: int
    ulp: float | None
    where: Where | None
    selected_differently: int
    selection: dict[str, str] = {}


class Deviation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A known deviation: one law of one implementation. `check` is where its witness is replayed.

    kind, error: the kind of the wrong answer, and for `raised` the exception's class; another one fails. Any text is
    decoded, so that plans of older runs are; what may stand in a ledger is checked where one is read.
    """

    id: str
    implementation: str
    law: str
    loss: str
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]
    devices: tuple[str, ...] = ("cpu",)
    versions: str
    kind: str
    error: str = ""
    check: str
    observed: str
    allowed: str
    why: str
    link: str
    since: datetime.date
    review_by: datetime.date
    witness: dict[str, Tensor]
    parameters: dict[str, float | int | str] = {}


class UserImplementation(msgspec.Struct, frozen=True, kw_only=True):
    """A user's own callable as its preflight found it. `parameters`: what its signature has."""

    target: str
    loss: str
    framework: str
    style: Literal["function", "module_class", "module"] = "function"
    parameters: tuple[str, ...] = ()
    reductions: tuple[str, ...] = ("mean", "sum", "none")
    grad: str | None = None
    strict: bool = False
    contract: tuple[tuple[str, str], ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to verify. Empty tuples mean: whatever the profile and the implementation offer."""

    patterns: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    profile: Literal["quick", "ci", "nightly"] = "ci"
    seed: int = 0
    strict: bool = False
    users: tuple[UserImplementation, ...] = ()
    deviations: tuple[Deviation, ...] = ()


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """run.json"""

    schema_version: int
    kind: str
    plan: Plan
    environment: dict[str, str]
    arguments: list[str]
    started: str
    complete: bool
    seconds: float = 0.0
    checks: int = 0
    not_applicable: int = 0
    missing: dict[str, int] = {}
