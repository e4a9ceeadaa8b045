"""`hingeproof doctor`: which frameworks are here, their versions and devices, and why one is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec

from hingeproof import __version__
from hingeproof.commands.flags import Json
from hingeproof.errors import GOOD

# What each framework is asked, in a process of its own: a broken one must not break the doctor.
QUESTIONS = {
    "numpy": "import numpy; print('cpu')",
    "torch": (
        "import torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0; "
        "print(', '.join(['cpu', *('cuda:%d %s' % (i, torch.cuda.get_device_name(i)) for i in range(n))]))"
    ),
    "jax": "import jax; print(', '.join(f'{d.platform}:{d.id} {d.device_kind}' for d in jax.devices()))",
    "optax": "import optax; print('those of jax')",
    "sklearn": "import sklearn.metrics; print('cpu')",
    "mlx": "import mlx.core as mx; print(mx.default_device())",
    "tensorflow": "import tensorflow as tf; print(', '.join(d.name for d in tf.config.list_logical_devices()))",
    "paddle": "import paddle; print(paddle.device.get_device())",
}
SECONDS = 120.0


def doctor(json: Json = False) -> int:
    """The frameworks found, their versions and devices, and why one is missing."""
    from hingeproof.frameworks.environment import PACKAGES, cpus, environment

    frameworks = {name: _framework(name) for name in QUESTIONS}
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
    others = [
        f"{n} {facts[n]}" for _, n in PACKAGES if n in facts and n not in (*QUESTIONS, "scikit-learn", "hingeproof")
    ]
    print(", ".join(others))
    return GOOD


def _framework(name: str) -> dict[str, Any]:
    from hingeproof.frameworks.environment import PACKAGES, present, version

    distribution = dict(PACKAGES)[name]
    found: dict[str, Any] = {"works": False, "version": version(distribution), "devices": "", "problem": ""}
    if not present(name):
        extra = f"'hingeproof[{name}]'" if name != "numpy" else "numpy"
        return {**found, "problem": f"not installed (pip install {extra})"}
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
