"""`hingeproof repro`: the script of a failure goes to standard output once it was run in a clean process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from hingeproof.commands.flags import Check, Run
from hingeproof.errors import FINDING, GOOD, UsageError

SECONDS = 300.0


def repro(run: Run, check: Check) -> int:
    """A script that shows one failure with the framework alone: exits 1 while it is there, 0 once it is gone."""
    from hingeproof.ledger.deviations import the_one
    from hingeproof.runs.kinds import VERIFY
    from hingeproof.runs.reader import read

    record = the_one(read(run, VERIFY).records, check)
    if record.witness is None or not record.witness.script:
        raise UsageError(f"{record.check} is {record.verdict}: only a failure that was judged has a script")
    script = record.witness.script
    code, said = execute(script)
    print(script, end="")
    if code == 1:
        _say("it was run in a clean process and shows the failure (exit code 1; 0 once it is gone)")
        return GOOD
    why = "it exits 0: the failure is not in the answer of this one call" if code == 0 else f"exit code {code} {said}"
    _say(f"NOT reproduced in a clean process: {why.strip()}")
    return FINDING


def execute(script: str) -> tuple[int, str]:
    """Run a script in an empty folder by an interpreter of its own; return its exit code and its last line."""
    from hingeproof.frameworks.process import worker_environment

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bug.py"
        path.write_text(script, encoding="utf-8")
        try:
            done = subprocess.run(
                [sys.executable, str(path)], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=folder,
                env=worker_environment(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return -1, f"no end within {SECONDS:.0f} s"
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return done.returncode, last[-1] if last else ""


def _say(text: str) -> None:
    print(f"hingeproof: {text}", file=sys.stderr, flush=True)
