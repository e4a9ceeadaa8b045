"""Where a run took place: versions and hardware. No environment variables, host names or home paths."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shlex
from pathlib import Path

from hingeproof.frameworks.process import added, pinned
from hingeproof.frameworks.registry import FRAMEWORKS

# Libraries whose losses have contracts: name to import (and our extra that brings it), name to install.
LIBRARIES = {
    "optax": "optax", "sklearn": "scikit-learn", "keras": "keras", "jaxopt": "jaxopt", "rax": "rax",
    "torchmetrics": "torchmetrics", "river": "river",
}  # fmt: skip
# Distributions whose release may decide a verdict.
PACKAGES = (
    "hingeproof",
    *(name for f in FRAMEWORKS.values() for name in (f.distribution, *f.beside)),
    *LIBRARIES.values(),
    "ml_dtypes", "python-flint", "hypothesis", "pytest", "pytest-xdist", "msgspec",
)  # fmt: skip


def distributions(name: str) -> tuple[str, ...]:
    """Return what a framework or a library is, by the name to import, as distributions with versions."""
    known = FRAMEWORKS.get(name)
    return (LIBRARIES.get(name, name),) if known is None else (known.distribution, *known.beside)


def to_install(name: str) -> str:
    """Return what to write after `pip install` for a framework or a library, by the name to import."""
    extra = FRAMEWORKS[name].extra if name in FRAMEWORKS else name if name in LIBRARIES else ""
    return f"'hingeproof[{extra}]'" if extra else distributions(name)[0]


def version(distribution: str) -> str | None:
    """Return the installed version, without importing anything."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return what decides verdicts: a run resumes only where these are as they were."""
    found = {"python": platform.python_version()}
    for distribution in PACKAGES:
        known = version(distribution)
        if known is not None:
            found[distribution] = known
    return found


def environment() -> dict[str, str]:
    """Return versions, processor, system and the flags that workers get."""
    flags = {**pinned(), **added()}
    return {
        **versions(),
        "implementation": platform.python_implementation(),
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": str(cpus()),
        "flags": " ".join(f"{name}={shlex.quote(value)}" for name, value in flags.items()),
    }


def cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def present(module: str) -> bool:
    """Tell whether a module could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def without_home(text: str) -> str:
    """Leave the user's name out of a path."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
