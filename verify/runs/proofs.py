"""What a proof run writes: a row a shard in records.jsonl, and a certificate for each claim. Imports no framework."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from hingeproof.errors import UsageError
from hingeproof.runs.records import UserImplementation

PROOF_SCHEMA_VERSION = 1
SHARD = 1 << 22  # scores; a format of 16 bits is one shard a label
MARKS = 16  # checksums of parts of a shard, so that a diff can say where in it bits changed
OFFENDERS = 100  # named one by one; the rest is a count

WIDTH = {"float16": 16, "bfloat16": 16, "float32": 32}  # bits of the formats whose scores can all be asked
# What a score is asked with: both labels, or targets that stand for all in the losses of regression.
LABELS: dict[str, tuple[float, ...]] = {"sign": (-1.0, 1.0), "real": (0.0, 1.0, -0.75)}

Status = Literal["judged", "raised", "crash", "timeout", "error"]


class Claim(msgspec.Struct, frozen=True, order=True):
    """What is to be proved: an implementation is right at every score of a dtype, in one mode."""

    implementation: str
    loss: str
    dtype: str
    device: str
    mode: str

    @property
    def id(self) -> str:
        return "|".join((self.implementation, self.loss, self.dtype, self.device, self.mode))

    @property
    def file(self) -> str:
        """A name for its certificate."""
        return f"{'-'.join((self.implementation, self.dtype, self.device, self.mode)).replace(':', '.')}.json"


class Task(msgspec.Struct, frozen=True):
    """A shard: so many scores from the bits `first` on, at one label."""

    claim: Claim
    label: float
    first: int
    count: int

    @property
    def id(self) -> str:
        return f"{self.claim.id}|{self.label:+g}|{self.first:#010x}"


class Offender(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A score at which an answer is wrong: its bits, and its value in decimal and hex.

    kind: which law it breaks. script: imports the framework alone and exits 1 while the answer is wrong.
    """

    label: float
    bits: str
    decimal: str
    hex: str
    kind: str
    expected: str
    got: str
    script: str = ""


class Worst(msgspec.Struct, frozen=True):
    """The largest error of a value, in ulp of the exact one, and where it is."""

    ulp: float
    label: float
    bits: str
    decimal: str


class Counts(msgspec.Struct, kw_only=True):
    """What was judged in some shards.

    unbounded, unbounded_gradients: answers at finite scores for which no bound is known, so that nothing is proved.
    swallowed: NaN scores answered with a number by code that promises nothing; refused: scores that are not finite and
    that are refused loudly. wrong: answers rejected; open: not decided, since enough had been rejected. decided: by
    the rational oracle, one by one.
    """

    scores: int = 0
    values: int = 0
    gradients: int = 0
    unbounded: int = 0
    unbounded_gradients: int = 0
    swallowed: int = 0
    refused: int = 0
    wrong: int = 0
    open: int = 0
    decided: int = 0
    regions: dict[str, int] = {}
    selection: dict[str, dict[str, int]] = {}
    worst: Worst | None = None


class Shard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of records.jsonl. A shard that is not judged has a reason.

    sha256: of the bits of all values, then of all gradients, in order, little-endian, with one NaN. marks: CRC-32 of
    each sixteenth of the values and gradients.
    """

    task: Task
    status: Status = "judged"
    reason: str = ""
    sha256: str = ""
    marks: str = ""
    counts: Counts = msgspec.field(default_factory=Counts)
    offenders: list[Offender] = []
    flushes: bool = False  # may subnormal numbers count as 0 in this mode?
    seconds: float = 0.0

    @property
    def id(self) -> str:
        return self.task.id


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A proof, to be read by anyone and run again by `hingeproof prove --verify`.

    `proved`: every shard was judged and nothing in it is wrong. sha256: of the shards' hashes, as hex, in order: label
    by label, ascending bits; empty where a shard has none. shards, marks: those of the shards, in that order.
    user: what was said of a callable of one's own, so that it can be asked again. seconds: of the processors.
    """

    kind: Literal["proof"] = "proof"
    schema_version: int = PROOF_SCHEMA_VERSION
    statement: str
    proved: bool
    complete: bool
    implementation: str
    framework: str
    loss: str
    parameters: dict[str, str]
    dtype: str
    device: str
    mode: str
    versions: dict[str, str]
    subnormals: Literal["keep", "flush"]
    domain: str
    labels: list[float]
    counts: Counts
    offenders: list[Offender]
    failed: list[str]
    sha256: str
    shard: int
    shards: list[str]
    marks: list[str]
    seconds: float
    machine: str
    user: UserImplementation | None = None

    @property
    def claim(self) -> Claim:
        return Claim(self.implementation, self.loss, self.dtype, self.device, self.mode)


def tasks(claim: Claim, labels: Sequence[float]) -> list[Task]:
    """Return every shard of a claim, in order."""
    every = 1 << WIDTH[claim.dtype]
    size = min(SHARD, every)
    return [Task(claim, label, first, size) for label in labels for first in range(0, every, size)]


def whole(hashes: Iterable[str]) -> str:
    """Return the hash of the shards' hashes in order; nothing where one is missing."""
    hashes = list(hashes)
    return hashlib.sha256("".join(hashes).encode()).hexdigest() if hashes and all(hashes) else ""


def added(several: Iterable[Counts]) -> Counts:
    """Return the sum of counts."""
    out = Counts()
    for one in several:
        add(out, one)
    return out


def add(out: Counts, more: Counts) -> None:
    """Add counts to others."""
    for field in msgspec.structs.fields(Counts):
        mine, theirs = getattr(out, field.name), getattr(more, field.name)
        if isinstance(mine, int):
            setattr(out, field.name, mine + theirs)
    for region, count in more.regions.items():
        out.regions[region] = out.regions.get(region, 0) + count
    for kink, seen in more.selection.items():
        known = out.selection.setdefault(kink, {})
        for name, count in seen.items():
            known[name] = known.get(name, 0) + count
    if more.worst is not None and (out.worst is None or more.worst.ulp > out.worst.ulp):
        out.worst = more.worst


def read_certificate(path: Path) -> Certificate:
    """Return the certificate in a file. Raises: UsageError where it is none, or contradicts itself."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Certificate)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no certificate of a proof: {' '.join(str(error).split())}") from None
    if found.schema_version > PROOF_SCHEMA_VERSION:
        raise UsageError(
            f"{path} has schema version {found.schema_version}, this hingeproof reads up to {PROOF_SCHEMA_VERSION}: "
            "pip install --upgrade hingeproof"
        )
    return found


def forged(certificate: Certificate) -> str:
    """Return why a certificate cannot be what `prove` wrote, or nothing: it contradicts itself."""
    c = certificate
    if c.dtype not in WIDTH:
        return f"{c.dtype} is no dtype whose scores can all be asked"
    expected = tasks(c.claim, c.labels)
    if not len(expected) == len(c.shards) == len(c.marks) or not expected or c.shard != expected[0].count:
        return f"{len(c.shards)} shards where {len(expected)} are due"
    if whole(c.shards) != c.sha256:
        return "its hash is not that of its shards"
    if c.proved and not (c.sha256 and c.complete):
        return "it claims a proof and lacks shards"
    if c.proved and (c.counts.wrong or c.counts.open or c.offenders or c.failed):
        return "it claims a proof and lists offenders"
    if c.complete and not c.failed and c.counts.scores != (due := sum(task.count for task in expected)):
        return f"{c.counts.scores:,} scores were judged where all {due:,} are due"
    return ""
