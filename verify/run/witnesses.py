"""What the witnesses of ledger entries show on the installed releases, asked again in processes of their own.

Run as `python -m hingeproof.run.witnesses FILE` on a plan in stdin, whose deviations are the entries.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.process import worker_environment
from hingeproof.ledger.migration import Shown
from hingeproof.ledger.versions import within
from hingeproof.plan.checks import implementations, missing_packages
from hingeproof.runs.records import Deviation, Plan, UserImplementation

SECONDS = 900.0  # for the entries that share a process


def witnesses(entries: Sequence[Deviation], users: tuple[UserImplementation, ...]) -> list[Shown]:
    """Return what each entry's witness shows. An implementation that crashes or hangs is said so of its entry alone."""
    plan = Plan(patterns=tuple({e.implementation: None for e in entries}), users=users)
    known = implementations(plan)
    found = {e.id: Shown(why=why) for e in entries if (why := _not_here(e, known.get(e.implementation)))}
    groups: dict[tuple[tuple[str, str], ...], list[Deviation]] = {}
    for entry in entries:
        if entry.id not in found:
            environment = known[entry.implementation].environment  # a library like Keras takes its backend from it
            groups.setdefault(tuple(sorted(environment.items())), []).append(entry)
    for variables, todo in groups.items():
        while todo:
            shown, ended = _asked(msgspec.structs.replace(plan, deviations=tuple(todo)), dict(variables))
            found |= {e.id: s for e, s in zip(todo, shown, strict=False)}
            todo = todo[len(shown) :]
            if todo:
                found[todo.pop(0).id] = Shown(why=ended)
    return [found[e.id] for e in entries]


def _not_here(entry: Deviation, implementation: Implementation | None) -> str:
    """Why the witness cannot be asked here, if so."""
    if implementation is None:
        return f"declare {entry.implementation} in [tool.hingeproof.implementations] of pyproject.toml to have it asked"
    absent = missing_packages(implementation)
    if absent:
        return f"{absent[0]} is not installed"
    return "" if within(entry.versions) is True else f"not the release that is installed: {entry.versions}"


def _asked(plan: Plan, environment: dict[str, str]) -> tuple[list[Shown], str]:
    """What the witnesses show, one after the other, and how the process ended."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "shown.jsonl"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "hingeproof.run.witnesses", str(out)], input=msgspec.json.encode(plan),
                capture_output=True, env={**worker_environment(), **environment}, timeout=SECONDS, check=False,
            )  # fmt: skip
            last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
            ended = f"the process died (exit code {done.returncode}) {last}".rstrip()
        except subprocess.TimeoutExpired:
            ended = f"no answer within {SECONDS:.0f} s"
        lines = out.read_bytes().splitlines() if out.exists() else []
    return [msgspec.json.decode(line, type=Shown) for line in lines], ended


def main() -> None:
    """Write what each witness shows as a line of its own. It goes to a file, since users' modules may print."""
    from hingeproof.judge.engine import replayed

    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    with Path(sys.argv[1]).open("wb") as file:
        for entry in plan.deviations:
            seen = replayed(entry, plan)
            if isinstance(seen, str):
                shown = Shown(why=seen)
            else:
                shown = Shown(kind=seen.kind, error=seen.error, observed=seen.observed)
            file.write(msgspec.json.encode(shown) + b"\n")
            file.flush()


if __name__ == "__main__":
    main()
