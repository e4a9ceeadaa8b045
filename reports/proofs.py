"""Proof runs: what was proved in a sentence and a table, and where two certificates differ in bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from hingeproof.errors import FINDING, GOOD, INTERNAL, NOTHING, UNDECIDED, UsageError
from hingeproof.reports.tables import Line, State, Table
from hingeproof.reports.text import number, one_line
from hingeproof.runs.proofs import MARKS, Certificate, Claim, read_certificate, tasks

FOLDER = "certificates"


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof run came to."""

    certificates: tuple[Certificate, ...]
    complete: bool
    broken: bool = False

    @property
    def exit_code(self) -> int:
        """70 we broke, 1 an offender or no answer, 5 nothing was asked, 3 not complete."""
        if self.broken:
            return INTERNAL
        if any(c.counts.wrong or c.failed for c in self.certificates):
            return FINDING
        if not self.complete:
            return UNDECIDED
        return GOOD if self.certificates else NOTHING


def of_directory(directory: Path, *, complete: bool) -> Proved:
    """Return what a run has written. Raises: UsageError where a certificate is none."""
    return Proved(
        certificates=tuple(read_certificate(path) for path in sorted((directory / FOLDER).glob("*.json"))),
        complete=complete,
    )


def sentence(proved: Proved) -> str:
    """Return the verdict on a proof run in one sentence."""
    found = proved.certificates
    begin = "" if proved.complete else "The run is not complete; so far "
    if not found:
        return f"{begin}{'nothing' if begin else 'Nothing'} was proved."
    wrong = [c for c in found if c.counts.wrong]
    silent = [c for c in found if c.failed and not c.counts.wrong]
    said = f"{number(sum(c.proved for c in found), 'claim')} proved of {len(found):,}"
    said += f"; {len(wrong):,} wrong" if wrong else ""
    said += f"; {len(silent):,} without an answer" if silent else ""
    return f"{begin}{said}: {sum(c.counts.scores for c in found):,} scores asked."


def proved_table(found: Iterable[Certificate]) -> Table:
    """Return one line for the modes of an implementation that came out alike, in a dtype: what is false first."""
    alike: dict[tuple[str, ...], list[Certificate]] = {}
    for c in sorted(found, key=lambda c: (c.proved, c.implementation, c.dtype, c.mode)):
        alike.setdefault((c.implementation, c.dtype, verdict(c), *_seen(c), exceptions(c)), []).append(c)
    return Table(
        key="proved",
        title="Proved at every score",
        head=("implementation", "dtype", "modes", "verdict", "ulp", "kink", "not proved"),
        lines=tuple(
            Line((name, dtype, ", ".join(c.mode for c in members), *rest), _state(members[0]))
            for (name, dtype, *rest), members in alike.items()
        ),
        note="Every bit pattern with each label: values within the derived bound, gradients in the sub-differential, 0 "
        "past the margin. ulp: the worst error of a value. kink: the weight of the violated side's slope.",
    )


def _state(c: Certificate) -> State:
    return "good" if c.proved else "bad" if c.counts.wrong or c.failed else "open"


def _seen(c: Certificate) -> tuple[str, str]:
    """Return the worst error and the selection at kinks, as text."""
    worst = "" if c.counts.worst is None else f"{c.counts.worst.ulp:.3g}"
    return worst, ", ".join(sorted({name for kink in c.counts.selection.values() for name in kink}))


def verdict(c: Certificate) -> str:
    """Return what became of a claim, in few words."""
    if c.counts.wrong:
        return f"{'≥ ' if c.counts.open else ''}{c.counts.wrong:,} wrong"
    if c.failed:
        return f"{len(c.failed):,} without an answer"
    return "proved" if c.proved else "not complete"


def exceptions(c: Certificate) -> str:
    """Return what a proof does not cover, or what is a convention in it."""
    t = c.counts
    parts = [
        (t.unbounded, "values without a bound"), (t.unbounded_gradients, "gradients without a bound"),
        (t.swallowed, "NaN swallowed"), (t.refused, "not finite, refused"),
        (0 if t.gradients or not t.scores else t.scores, "gradients: none given"),
    ]  # fmt: skip
    said = [f"{count:,} {words}" for count, words in parts if count]
    return ", ".join([*said, *(["subnormals may be 0"] if c.subnormals == "flush" else [])])


def offender_table(found: Iterable[Certificate]) -> Table:
    """Return one line a score at which an answer is wrong, and one a shard without an answer."""
    lines = []
    for c in found:
        who = (c.implementation, c.dtype, c.mode)
        for o in c.offenders:
            lines.append(
                Line((*who, o.kind, f"{o.decimal} ({o.hex}, {o.bits}), label {o.label:+g}", o.expected, o.got))
            )
        lines += [Line((*who, "no answer", one_line(said), "an answer", "")) for said in c.failed]
    return Table(
        key="offenders",
        title="Wrong at these scores",
        head=("implementation", "dtype", "mode", "what", "score", "expected", "got"),
        lines=tuple(lines),
        note="The first hundred of a claim; its certificate has a script that shows the first of each kind.",
    )


def offender_lines(found: Iterable[Certificate], *, most: int = 20) -> list[str]:
    """Return the first offenders as text."""
    lines = offender_table(found).lines
    said = ["{} {} {}: {} at {}: expected {}, got {}".format(*line.cells) for line in lines[:most]]
    return [*said, f"… and {len(lines) - most:,} more"] if len(lines) > most else said


# -- two certificates ------------------------------------------------------------------------------------------


class ScoreRange(msgspec.Struct, frozen=True):
    """Scores from the bits `first` to `last`, at one label, where some bits of the answers differ."""

    label: float
    first: int
    last: int


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two certificates of one domain."""

    claim: Claim
    ranges: tuple[ScoreRange, ...]
    counts: tuple[str, ...]
    worse: bool
    undecided: bool


def changed(base: Certificate, head: Certificate) -> Changed:
    """Compare two certificates. Raises: UsageError where they do not speak of the same scores."""
    if (base.loss, base.dtype, base.labels, base.shard) != (head.loss, head.dtype, head.labels, head.shard):
        raise UsageError(
            f"{base.claim.id} and {head.claim.id} are not about the same scores: a diff needs one loss and one dtype"
        )
    return Changed(
        claim=head.claim,
        ranges=tuple(_ranges(base, head)),
        counts=tuple(_counts(base, head)),
        worse=base.proved and head.complete and not head.proved,
        undecided=not (base.complete and head.complete),
    )


def _ranges(base: Certificate, head: Certificate) -> list[ScoreRange]:
    """Return where bits differ, as finely as both say it, neighbours joined."""
    found: list[ScoreRange] = []
    sides = zip(base.shards, head.shards, base.marks, head.marks, strict=True)
    for task, (one, other, marks, others) in zip(tasks(head.claim, head.labels), sides, strict=True):
        if not one or not other or one == other:
            continue
        size = task.count // MARKS
        differ = [p for p in range(MARKS) if marks[8 * p : 8 * p + 8] != others[8 * p : 8 * p + 8]]
        for first, count in [(task.first + p * size, size) for p in differ] or [(task.first, task.count)]:
            joins = found and (found[-1].label, found[-1].last + 1) == (task.label, first)
            start = found.pop().first if joins else first
            found.append(ScoreRange(task.label, start, first + count - 1))
    return found


def _counts(base: Certificate, head: Certificate) -> list[str]:
    """Return the counts that differ, in words."""
    out = []
    for field in msgspec.structs.fields(type(base.counts)):
        one, other = (getattr(c.counts, field.name) for c in (base, head))
        if one != other and field.name != "decided":
            out.append(f"{field.name}: {_plain(one)} → {_plain(other)}")
    return out


def _plain(x: object) -> str:
    if isinstance(x, int):
        return f"{x:,}"
    if isinstance(x, Mapping):
        return "{" + ", ".join(f"{k}: {_plain(v)}" for k, v in sorted(x.items())) + "}"
    return "none" if x is None else f"{getattr(x, 'ulp', x)} ulp at {getattr(x, 'decimal', '?')}"


def changed_lines(d: Changed) -> list[str]:
    """Return what differs, line by line; the first says it in a sentence."""
    if not d.ranges and not d.counts:
        return [f"{d.claim.id}: the same answers, bit for bit"]
    lines = [f"{d.claim.id}: bits of answers differ in {number(len(d.ranges), 'range')} of scores"]
    lines += [f"  label {r.label:+g}: bits {r.first:#x} … {r.last:#x}" for r in d.ranges[:40]]
    if (rest := len(d.ranges) - 40) > 0:
        lines.append(f"  … and {rest:,} more")
    return [*lines, *(f"  {text}" for text in d.counts)]


def exit_code(found: Sequence[Changed]) -> int:
    """1 a proof was lost, 3 one side is not complete, 5 nothing was compared."""
    if not found:
        return NOTHING
    if any(d.worse for d in found):
        return FINDING
    return UNDECIDED if any(d.undecided for d in found) else GOOD


def paired(base: Proved, head: Proved) -> list[tuple[Certificate, Certificate]]:
    """Return the certificates that both runs have, by claim."""
    known = {c.claim: c for c in base.certificates}
    return [(known[c.claim], c) for c in head.certificates if c.claim in known]
