"""`hingeproof doctor`: which frameworks are here, their versions and devices, and why one is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec

from hingeproof import __version__
from hingeproof.commands.flags import Json
from hingeproof.errors import GOOD

# What a library is asked, as a framework is by its facts; in a process of its own, for a broken one must not break us.
LIBRARIES = {"optax": "import optax; print('those of jax')", "sklearn": "import sklearn.metrics; print('cpu')"}
SECONDS = 120.0


def doctor(json: Json = False) -> int:
    """The frameworks found, their versions and devices, and why one is missing."""
    from hingeproof.frameworks.environment import PACKAGES, cpus, distributions, environment
    from hingeproof.frameworks.registry import FRAMEWORKS

    questions = {**{f.name: f.question for f in FRAMEWORKS.values()}, **LIBRARIES}
    frameworks = {name: _framework(name, question) for name, question in questions.items()}
    facts = environment()
    if json:
        print(msgspec.json.encode({"frameworks": frameworks, "environment": facts}).decode())
        return GOOD
    here = (f"hingeproof {__version__}", f"Python {facts['python']}", facts["os"], facts["processor"], f"{cpus()} CPUs")
    print(" · ".join(here) + "\n")
    for name, found in frameworks.items():
        state = found["devices"] if found["works"] else found["problem"]
        print(f"{'✓' if found['works'] else '✗'} {name:<8} {found['version'] or '-':<14} {state}")
    print()
    said = {"hingeproof", *(distributions(name)[0] for name in questions)}
    print(", ".join(f"{name} {facts[name]}" for name in PACKAGES if name in facts and name not in said))
    return GOOD


def _framework(name: str, question: str) -> dict[str, Any]:
    from hingeproof.frameworks.environment import distributions, present, to_install, version

    found: dict[str, Any] = {"works": False, "version": version(distributions(name)[0]), "devices": "", "problem": ""}
    if not present(name):
        return {**found, "problem": f"not installed (pip install {to_install(name)})"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", question], capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**found, "problem": f"importing it took more than {SECONDS:.0f} s"}
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return {**found, "problem": f"importing it fails: {last}"}
    return {**found, "works": True, "devices": answer.stdout.strip().splitlines()[-1]}
