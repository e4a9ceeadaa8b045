"""`hingeproof doctor`: which frameworks are here, their versions and devices, and why one is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec

from hingeproof import __version__
from hingeproof.errors import GOOD
from hingeproof.frameworks.environment import (
    PACKAGES,
    cpus,
    distributions,
    environment,
    present,
    to_install,
    version,
)
from hingeproof.frameworks.registry import FRAMEWORKS

# What each is asked, in a process of its own: a broken one must not break the doctor.
QUESTIONS = {
    **{f.name: f.question for f in FRAMEWORKS.values()},
    "optax": "import optax; print('those of jax')",
    "sklearn": "import sklearn.metrics; print('cpu')",
}
SECONDS = 120.0


def examine(*, as_json: bool) -> int:
    """Print what was found. A framework that is missing is no error."""
    frameworks = {name: _framework(name) for name in QUESTIONS}
    facts = environment()
    if as_json:
        print(msgspec.json.encode({"frameworks": frameworks, "environment": facts}).decode())
        return GOOD
    here = (f"hingeproof {__version__}", f"Python {facts['python']}", facts["os"], facts["processor"], f"{cpus()} CPUs")
    print(" · ".join(here) + "\n")
    for name, found in frameworks.items():
        state = found["devices"] if found["works"] else found["problem"]
        print(f"{'✓' if found['works'] else '✗'} {name:<8} {found['version'] or '-':<14} {state}")
    print()
    said = {"hingeproof", *(distributions(name)[0] for name in QUESTIONS)}
    print(", ".join(f"{name} {facts[name]}" for name in PACKAGES if name in facts and name not in said))
    return GOOD


def _framework(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"works": False, "version": version(distributions(name)[0]), "devices": "", "problem": ""}
    if not present(name):
        return {**found, "problem": f"not installed (pip install {to_install(name)})"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", QUESTIONS[name]], capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**found, "problem": f"importing it took more than {SECONDS:.0f} s"}
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return {**found, "problem": f"importing it fails: {last}"}
    return {**found, "works": True, "devices": answer.stdout.strip().splitlines()[-1]}
