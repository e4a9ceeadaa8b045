"""Two runs side by side: what fails now, what no longer does, what looks different, and what may explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from hingeproof.errors import FINDING, GOOD, NOTHING, UNDECIDED
from hingeproof.frameworks.environment import distributions
from hingeproof.reports.summary import (
    FINDINGS_KEPT,
    JUDGED,
    Finding,
    Selection,
    Summary,
    Tally,
    Where,
    columns,
)
from hingeproof.reports.timings import Slower
from hingeproof.runs.records import FINDINGS, Plan, Record, RunInfo, Verdict

Kind = Literal["newly_failing", "newly_passing", "still_failing", "new", "vanished", "not_judged", "otherwise"]
KINDS: tuple[Kind, ...] = (
    "newly_failing", "new", "not_judged", "vanished", "otherwise", "newly_passing", "still_failing",
)  # fmt: skip


class Differs(msgspec.Struct, frozen=True):
    """A fact (a version, an option) that is not the same on both sides; empty where one side has none."""

    name: str
    base: str
    head: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Checks of one law on one implementation whose verdicts went the same way.

    record: the head's, one with a witness if there is one; None where the checks vanished.
    explained_by: differences of the environment that concern this implementation.
    """

    kind: Kind
    implementation: str
    loss: str
    framework: str
    law: str
    base: Verdict | None
    head: Verdict | None
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    modes: tuple[str, ...]
    checks: int
    record: Record | None = None
    explained_by: tuple[str, ...] = ()

    @property
    def worse(self) -> bool:
        """Whether the head has a finding here that the base had not."""
        return self.head in FINDINGS and self.base not in FINDINGS


class Selected(msgspec.Struct, frozen=True):
    """Another point of the sub-differential was seen at the kink in one mode."""

    implementation: str
    loss: str
    mode: str
    base: tuple[str, ...]
    head: tuple[str, ...]
    explained_by: tuple[str, ...] = ()


class Accuracy(msgspec.Struct, frozen=True):
    """The largest error in ulp that a law saw, over all modes and devices."""

    implementation: str
    loss: str
    law: str
    dtype: str
    base: float
    head: float


class Convention(msgspec.Struct, frozen=True):
    """What a law reported as a convention; empty where it reported none."""

    implementation: str
    loss: str
    law: str
    base: str
    head: str
    checks: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report on two runs says, as data."""

    base: str
    head: str
    environment: tuple[Differs, ...]
    plan: tuple[Differs, ...]
    changes: tuple[Change, ...]
    selections: tuple[Selected, ...]
    accuracy: tuple[Accuracy, ...]
    conventions: tuple[Convention, ...]
    timings: tuple[Slower, ...] = ()
    compared: int
    incomplete: tuple[str, ...]
    base_summary: Summary
    head_summary: Summary
    exit_code: int

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """Return the changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)

    def checks(self, kind: Kind) -> int:
        """Return how many checks changed in this way."""
        return sum(change.checks for change in self.of(kind))

    @property
    def worse(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.worse)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What got worse, as findings of the head."""
        return tuple(
            Finding(r, (r.law,), (r.group,), c.dtypes, c.devices, c.modes, c.checks)
            for c in self.worse
            if (r := c.record) is not None
        )


def compare(
    base: tuple[RunInfo, Iterable[Record]],
    head: tuple[RunInfo, Iterable[Record]],
    *,
    names: tuple[str, str] = ("base", "head"),
    strict: bool = False,
) -> Difference:
    """Return what differs between two verify runs; each is read once and only a few words a check are kept."""
    (base_info, base_records), (head_info, head_records) = base, head
    environment = differing(base_info.environment, head_info.environment)
    matched = _Matched({fact.name for fact in environment})
    for record in base_records:
        matched.before(record)
    for record in head_records:
        matched.after(record)
    matched.rest()
    base_summary, head_summary = matched.base.summary(base_info), matched.head.summary(head_info)
    changes = matched.changes()
    incomplete = tuple(name for name, info in zip(names, (base_info, head_info), strict=True) if not info.complete)
    return Difference(
        base=names[0],
        head=names[1],
        environment=environment,
        plan=differing(_plan(base_info.plan), _plan(head_info.plan)),
        changes=changes,
        selections=_selections(base_summary.selections, head_summary.selections, matched.differs),
        accuracy=matched.accuracy(),
        conventions=matched.conventions(),
        compared=matched.common,
        incomplete=incomplete,
        base_summary=base_summary,
        head_summary=head_summary,
        exit_code=_exit_code(changes, matched.common, strict=strict),
    )


def _exit_code(changes: tuple[Change, ...], common: int, *, strict: bool) -> int:
    if any(change.worse for change in changes):
        return FINDING
    if not common:
        return NOTHING
    lost = any(change.kind in ("not_judged", "vanished") for change in changes)
    return UNDECIDED if strict and lost else GOOD


class _Before(msgspec.Struct, gc=False):
    """What is kept of a check of the base until the head's is met."""

    verdict: Verdict
    convention: str
    ulp: float | None


class _Group:
    """Checks that went the same way."""

    __slots__ = ("checks", "record", "where")

    def __init__(self) -> None:
        self.checks = 0
        self.where: set[Where] = set()
        self.record: Record | None = None

    def add(self, where: Where, record: Record | None) -> None:
        self.checks += 1
        self.where.add(where)
        if record is not None:
            mine = self.record
            if mine is None or (record.witness is None, record.check) < (mine.witness is None, mine.check):
                self.record = record


_Key = tuple[Kind, str, str, str, Verdict | None, Verdict | None]


class _Matched:
    """Matches the checks of two runs, one record at a time."""

    def __init__(self, differing: set[str]) -> None:
        self.differing = differing
        self.base, self.head = Tally(), Tally()
        self.common = 0
        self._open: dict[str, _Before] = {}
        self._frameworks: dict[tuple[str, str], str] = {}
        self._groups: dict[_Key, _Group] = {}
        self._places: dict[Where, Where] = {}
        self._ulps: dict[tuple[str, str, str, str], list[float]] = {}
        self._said: dict[tuple[str, str, str, str, str], int] = {}

    def before(self, record: Record) -> None:
        self.base.add(record)
        self._frameworks[record.implementation, record.loss] = record.framework
        self._open[record.check] = _Before(record.verdict, record.convention, record.worst_ulp)

    def after(self, r: Record) -> None:
        self.head.add(r)
        self._frameworks[r.implementation, r.loss] = r.framework
        was = self._open.pop(r.check, None)
        if was is None:
            self._changed("new", r, None)
            return
        self.common += 1
        if (kind := _kind(was.verdict, r.verdict)) is not None:
            self._changed(kind, r, was.verdict)
        if was.ulp is not None and r.worst_ulp is not None:
            worst = self._ulps.setdefault((r.implementation, r.loss, r.law, r.dtype), [0.0, 0.0])
            worst[0], worst[1] = max(worst[0], was.ulp), max(worst[1], r.worst_ulp)
        if was.convention != r.convention:
            said = (r.implementation, r.loss, r.law, was.convention, r.convention)
            self._said[said] = self._said.get(said, 0) + 1

    def rest(self) -> None:
        """Call what the head did not have vanished."""
        for check, was in self._open.items():
            law, _, other = check.partition("|")
            # an implementation's name may hold anything, a bar too
            implementation, loss, dtype, device, mode = other.rsplit("|", 4)
            self._group("vanished", law, implementation, loss, was.verdict, None).add(
                self._where(dtype, device, mode), None
            )
        self._open.clear()

    def _changed(self, kind: Kind, r: Record, base: Verdict | None) -> None:
        group = self._group(kind, r.law, r.implementation, r.loss, base, r.verdict)
        # a record is shown where something fails; of more than can be shown none is kept
        shown = r.verdict in FINDINGS and len(self._groups) <= FINDINGS_KEPT
        group.add(self._where(r.dtype, r.device, r.mode), r if shown else None)

    def _where(self, *where: str) -> Where:
        """Return the one tuple for a dtype, device and mode."""
        return self._places.setdefault(where, where)  # type: ignore[arg-type]

    def _group(
        self, kind: Kind, law: str, implementation: str, loss: str, base: Verdict | None, head: Verdict | None
    ) -> _Group:
        key = (kind, law, implementation, loss, base, head)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        return group

    def differs(self, implementation: str, loss: str) -> tuple[str, ...]:
        """Return the packages of its framework and of the library it stands in, where their versions differ."""
        framework = self._frameworks.get((implementation, loss), "")
        space = "" if ":" in implementation else implementation.partition(".")[0]
        behind = [p for name in dict.fromkeys((framework, space)) for p in distributions(name)]
        return tuple(name for name in (*behind, "hingeproof") if name in self.differing)

    def changes(self) -> tuple[Change, ...]:
        found = [
            Change(
                kind=kind,
                implementation=implementation,
                loss=loss,
                framework=self._frameworks.get((implementation, loss), ""),
                law=law,
                base=base,
                head=head,
                dtypes=where[0],
                devices=where[1],
                modes=where[2],
                checks=group.checks,
                record=group.record,
                explained_by=self.differs(implementation, loss),
            )
            for (kind, law, implementation, loss, base, head), group in self._groups.items()
            for where in [columns(group.where, 3)]
        ]
        return tuple(
            sorted(
                found,
                key=lambda c: (
                    not c.worse, KINDS.index(c.kind), c.implementation, c.loss, c.law, str(c.base), str(c.head)
                ),
            )
        )  # fmt: skip

    def accuracy(self) -> tuple[Accuracy, ...]:
        found = [Accuracy(*key, *worst) for key, worst in self._ulps.items() if worst[0] != worst[1]]
        return tuple(sorted(found, key=lambda a: (a.base - a.head, a.implementation, a.loss, a.law, a.dtype)))

    def conventions(self) -> tuple[Convention, ...]:
        return tuple(Convention(*key, count) for key, count in sorted(self._said.items()))


def _kind(base: Verdict, head: Verdict) -> Kind | None:
    """Return how a check that both runs have went, or None where there is nothing to say."""
    if head in FINDINGS:
        return "still_failing" if base in FINDINGS else "newly_failing"
    if base in JUDGED and head not in JUDGED:
        return "not_judged"
    if head == "pass" and base not in ("pass", "known"):
        return "newly_passing"
    if base == head:
        return None
    return "newly_passing" if base in FINDINGS else "otherwise"


def _selections(
    base: Iterable[Selection], head: Iterable[Selection], differs: Callable[[str, str], tuple[str, ...]]
) -> tuple[Selected, ...]:
    before = {(s.implementation, s.loss, mode): tuple(points) for s in base for mode, points in s.modes.items()}
    out = []
    for s in head:
        for mode, points in s.modes.items():
            was = before.get((s.implementation, s.loss, mode))
            if was is not None and was != tuple(points):
                out.append(
                    Selected(s.implementation, s.loss, mode, was, tuple(points), differs(s.implementation, s.loss))
                )
    return tuple(out)


def differing(base: dict[str, str], head: dict[str, str]) -> tuple[Differs, ...]:
    """Return the facts that are not the same on both sides."""
    names = [name for name in sorted({*base, *head}) if base.get(name) != head.get(name)]
    return tuple(Differs(name, base.get(name, ""), head.get(name, "")) for name in names)


def _plan(plan: Plan) -> dict[str, str]:
    """Return a plan as facts. The patterns and checks are long, and show themselves as new and vanished checks."""
    facts = msgspec.to_builtins(plan)
    users = [user["target"] for user in facts.pop("users")]
    out = {
        name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        for name, value in facts.items()
    }
    return {**out, "users": ", ".join(users)}
