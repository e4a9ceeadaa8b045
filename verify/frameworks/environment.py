"""Where a run took place: versions and hardware. No environment variables, host names or home paths."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

# (name to import, name to install)
PACKAGES = (
    ("hingeproof", "hingeproof"),
    ("numpy", "numpy"),
    ("torch", "torch"),
    ("jax", "jax"),
    ("jaxlib", "jaxlib"),
    ("optax", "optax"),
    ("sklearn", "scikit-learn"),
    ("keras", "keras"),
    ("jaxopt", "jaxopt"),
    ("rax", "rax"),
    ("torchmetrics", "torchmetrics"),
    ("river", "river"),
    ("mlx", "mlx"),
    ("tensorflow", "tensorflow-cpu"),
    ("paddle", "paddlepaddle"),
    ("ml_dtypes", "ml_dtypes"),
    ("flint", "python-flint"),
    ("hypothesis", "hypothesis"),
    ("pytest", "pytest"),
    ("xdist", "pytest-xdist"),
    ("msgspec", "msgspec"),
)

# what `pip install 'hingeproof[…]'` knows
EXTRAS = (
    "torch", "jax", "optax", "sklearn", "keras", "jaxopt", "rax", "torchmetrics", "river", "mlx",
    "tensorflow", "paddle",
)  # fmt: skip

# The one-thread rule and the fixed hash seed, for every worker.
FLAGS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NPROC": "1",  # the size of XLA's pools on the CPU
    "PYTHONHASHSEED": "0",
}
XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def version(distribution: str) -> str | None:
    """Return the installed version, without importing anything."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return what decides verdicts: a run resumes only where these are as they were."""
    found = {"python": platform.python_version()}
    for _, distribution in PACKAGES:
        known = version(distribution)
        if known is not None:
            found[distribution] = known
    return found


def environment() -> dict[str, str]:
    """Return versions, processor, system and the flags that workers get."""
    return {
        **versions(),
        "implementation": platform.python_implementation(),
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": str(cpus()),
        "flags": " ".join(f"{name}={value}" for name, value in FLAGS.items()) + f" XLA_FLAGS='{XLA}'",
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
