"""`hingeproof bench gate`: which cases, on which sides, what is written and shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from hingeproof.bench.gate.paired import Gate, Limits, Pairing, Samples, Verdict, decide
from hingeproof.bench.gate.side import Side, told
from hingeproof.bench.options import GateOptions, RunOptions
from hingeproof.bench.timing import asked, surroundings
from hingeproof.bench.timing.case import cases, chosen
from hingeproof.bench.timing.session import new_info
from hingeproof.bench.timing.show import columns
from hingeproof.errors import UsageError
from hingeproof.frameworks.implementation import Implementation
from hingeproof.runs.directory import locked
from hingeproof.runs.journal import Journal, write_lines
from hingeproof.runs.kinds import GATE
from hingeproof.runs.timings import BenchInfo, BenchPlan, GateRow, PairRow, TimingCase, between


def subjects(wanted: GateOptions, base: Side, head: Side) -> tuple[BenchPlan, list[Pairing]]:
    """The cases, with what each side calls. Raises: UsageError where the sides compute different losses."""
    timed = msgspec.convert(wanted, RunOptions, from_attributes=True)  # what has the same name is the same option
    if base.kind != "impl":
        plan = asked.plan(timed)
        found = chosen(plan)
        return plan, [Pairing(c, found[c.implementation], found[c.implementation]) for c in _timed(plan)]
    if wanted.patterns:
        raise UsageError("impl: names what is compared: leave the implementations out")
    names = [side.implementation for side in (base, head) if side.implementation is not None]
    plans = [asked.plan(msgspec.structs.replace(timed, patterns=[name])) for name in names]
    ours, theirs = (_only(plan, side) for plan, side in zip(plans, (base, head), strict=True))
    if ours.loss != theirs.loss:
        raise UsageError(f"{base.text} computes {ours.loss}, {head.text} computes {theirs.loss}: compare the same loss")
    if ours.framework != theirs.framework:
        raise UsageError(
            f"{base.text} is made for {ours.framework}, {head.text} for {theirs.framework}: the gate compares within a "
            "framework (bench run times both, each beside the same frozen kernel)"
        )
    there = {_where(c): c for c in _timed(plans[1])}
    pairs = []
    for case in _timed(plans[0]):
        twin = there.get(_where(case))
        if twin is not None:
            pairs.append(Pairing(case, ours, theirs))
    return plans[0], pairs


def _timed(plan: BenchPlan) -> list[TimingCase]:
    return [c for c in cases(plan) if c.phase != "compile" and c.layout == "contiguous" and c.cache == "warm"]


def _only(plan: BenchPlan, side: Side) -> Implementation:
    found = chosen(plan)
    if len(found) != 1:
        raise UsageError(f"{side.text} names {len(found)} implementations: give one by its full name")
    return next(iter(found.values()))


def _where(case: TimingCase) -> tuple[object, ...]:
    """Two implementations are compared on the same arrays; eager with eager and compiled with compiled."""
    return (case.dtype, case.n, case.k, case.phase, case.mode != "eager", case.device, case.inside)


def execute(
    directory: Path,
    plan: BenchPlan,
    todo: Sequence[Pairing],
    base: Side,
    head: Side,
    limits: Limits,
    *,
    counted: bool = False,
) -> tuple[BenchInfo, list[GateRow]]:
    """Run the gate; return what run.json says now, and the records. counted: by callgrind. Raises: UsageError."""
    found = told(base)
    sides = {"base": found, "head": found if head.place == base.place else told(head)}
    info = new_info("gate", plan, sys.argv[1:], sides=sides)
    journal = Journal(directory, GATE)
    with locked(directory):
        journal.begin(info)
        rows = _judged(directory, todo, Gate(base, head, limits, seed=plan.seed), counted=counted)
        info = msgspec.structs.replace(info, complete=True, cases=len(rows))
        journal.finish(info, rows)
    return info, rows


def _judged(directory: Path, todo: Sequence[Pairing], gate: Gate, *, counted: bool) -> list[GateRow]:
    """Every case's row; the raw blocks are written beside them, whatever happens."""
    base, head = gate.base, gate.head
    large = {s.case.id: s.too_large(surroundings.memory(s.case.device)) for s in todo}
    fits = [s for s in todo if not large[s.case.id]]
    if counted:
        from hingeproof.bench.gate import instructions

        verdicts = instructions.decide(fits, base, head)
    else:
        try:
            verdicts = decide(gate, fits, _progress)
        finally:  # an interruption loses no block
            write_lines(directory / "pairs.jsonl", _pairs(gate))
    first = gate.stages[0] if gate.stages else {}
    rows = [_row(v, base, head, first.get(v.case.id, Samples())) for v in verdicts]
    return rows + [
        GateRow(
            case=s.case.id, fields=s.case, base=base.text, head=head.text, verdict="not run", reason=large[s.case.id]
        )
        for s in todo
        if large[s.case.id]
    ]


def _progress(subject: Pairing, samples: Samples) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{len(samples.pairs)} pairs  {subject.case.id[:100]}", end="", file=sys.stderr)


def _pairs(gate: Gate) -> list[PairRow]:
    return [
        PairRow(case=case, stage=stage, pair=i, loops=samples.loops, blocks=pair)
        for stage, found in zip(("first", "again"), gate.stages, strict=False)
        for case, samples in found.items()
        for i, pair in enumerate(samples.pairs)
    ]


def _row(v: Verdict, base: Side, head: Side, samples: Samples) -> GateRow:
    j, again = v.judged, v.repeated
    measured = sorted(x for p in samples.pairs for x in p["base"])
    more: dict[str, Any] = {}
    if j is not None:
        more = {
            "effect": j.effect, "low": j.low, "high": j.high, "floor": j.floor, "smallest": j.smallest, "p": j.p,
            "adjusted_p": v.adjusted, "base_seconds": measured[len(measured) // 2] if measured else None,
        }  # fmt: skip
    if again is not None:
        more |= {"repeated_effect": again.effect, "repeated_low": again.low}
    return GateRow(
        case=v.case.id, fields=v.case, base=base.text, head=head.text, verdict=v.verdict, reason=v.reason,
        pairs=v.pairs, blocks=v.blocks, **more,
    )  # fmt: skip


def table(rows: Sequence[GateRow]) -> str:
    """One line a case: verdict, effect with its 99 % interval, noise floor."""
    out = [("verdict", "effect", "99 % interval", "floor", "blocks", "case")]
    for r in rows:
        if r.effect is None or r.low is None or r.high is None or r.floor is None:
            out.append((r.verdict, "-", "-", "-", str(r.blocks), f"{r.case}: {r.reason}"))
            continue
        interval = f"{100 * r.low:+.1f} … {100 * r.high:+.1f} %"
        note = f": {r.reason}" if r.reason else ""
        out.append(
            (r.verdict, f"{100 * r.effect:+.1f} %", interval, f"{100 * r.floor:.1f} %", str(r.blocks), r.case + note)
        )
    return columns(out)


def sentence(rows: Sequence[GateRow], base: Side, head: Side, info: BenchInfo, directory: Path) -> str:
    """What came of it, after what differs between the sides."""
    count = {v: sum(r.verdict == v for r in rows) for v in sorted({r.verdict for r in rows})}
    said = ", ".join(f"{n} {v}" for v, n in count.items()) or "nothing to compare"
    different = between(info.sides)
    first = f"different: {different}\n" if different else ""
    return f"{first}{head.text} against {base.text}: {said}\nrun: {directory}"
