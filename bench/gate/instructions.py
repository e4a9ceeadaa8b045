"""The tier of instruction counts: callgrind on eager CPU cases. No clock, so no noise from neighbours.

A process that makes 2n calls is counted, and one that makes n: the difference is n calls, without the interpreter's
start and the framework's import. What is counted is work, not time: caches, memory and threads are not seen.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from hingeproof.bench.gate.paired import Pairing, Verdict
from hingeproof.bench.gate.processes import Place, Process, SharedArrays, SideError, loading
from hingeproof.bench.gate.side import Side
from hingeproof.bench.gate.statistics import Judged
from hingeproof.bench.timing.measure import spec_of
from hingeproof.errors import UsageError

# Two starts of an interpreter differ by some hundred thousand instructions: this much work makes that a per mille.
WORK = 0.1  # seconds without valgrind
THRESHOLD = 0.01
_COLLECTED = re.compile(r"Collected : (\d+)")


def needed() -> str:
    """Where valgrind is. Raises: UsageError where it is not."""
    found = shutil.which("valgrind")
    if found is None:
        raise UsageError("--instructions needs valgrind, which is not installed (apt-get install valgrind)")
    return found


def count(place: Place, request: dict[str, Any], calls: int) -> float:
    """Instructions of one call. Raises: SideError where the process fails under valgrind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        many, few = (_collected(place, n, path) for n in (2 * calls, calls))
    return (many - few) / calls


def _collected(place: Place, calls: int, path: Path) -> int:
    script = str(files("hingeproof.bench.gate") / "agent.py")
    command = [
        *(needed(), "--tool=callgrind", f"--callgrind-out-file={path.with_name('out')}"),
        *(place.python, "-P", script, "--calls", str(calls), str(path)),
    ]
    done = subprocess.run(command, env=place.environment or None, capture_output=True, text=True, check=False)
    found = _COLLECTED.search(done.stderr)
    if done.returncode != 0 or found is None:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise SideError(f"under valgrind the process ended with {done.returncode}: {last}")
    return int(found[1])


def eager(subjects: Sequence[Pairing]) -> list[Pairing]:
    """The cases that this tier can judge."""
    return [s for s in subjects if s.case.mode == "eager" and s.case.device == "cpu"]


def judged(base: float, again: float, head: float) -> Judged:
    """Counts into a verdict: over max(1 %, what the base differs from itself) is a regression."""
    effect, floor = head / base - 1, abs(again / base - 1)
    limit = max(THRESHOLD, floor)
    decision: Any = "regression" if effect > limit else "improvement" if effect < -limit else "equivalent"
    return Judged(decision, effect, effect, effect, floor, limit, 0.0)


def decide(subjects: Sequence[Pairing], base: Side, head: Side, note: Any = lambda *_: None) -> list[Verdict]:
    """Count both sides of each case, the base twice."""
    needed()
    out = []
    for s in eager(subjects):
        with SharedArrays() as shared:
            arrays = s.shared(shared)
            requests = [
                (side.place.having(s.of(lane).environment), loading(spec_of(s.of(lane), s.case), arrays[lane]))
                for side, lane in ((base, "base"), (base, "again"), (head, "head"))
            ]
            try:
                with Process(requests[0][0]) as process:
                    process.do("load", **requests[0][1])
                    calls = process.do("calibrate", seconds=WORK)["loops"]
                found = judged(*(count(place, request, calls) for place, request in requests))
            except SideError as error:
                out.append(Verdict(s.case, "invalid", None, None, str(error), 0, 0))
                continue
        note(s, found)
        out.append(Verdict(s.case, found.decision, found, None, "instructions, not time", 1, 3))
    return out
