"""The environment of every process that runs an implementation: for verdicts, timings, a look at it, or a script."""

from __future__ import annotations

import os
from pathlib import Path

from hingeproof.frameworks.registry import FRAMEWORKS


def pinned(threads: int = 1) -> dict[str, str]:
    """Return the variables that are fixed: the threads of every pool, which sleeps when idle, and the hash seed."""
    counts = {name: str(threads) for f in FRAMEWORKS.values() for name in f.threads}
    # an idle pool that spins takes time from what runs after it
    return {**counts, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0"}


def added(threads: int = 1) -> dict[str, str]:
    """Return what is added to variables that may hold more: some frameworks keep to one thread only if told so."""
    return {name: words for f in FRAMEWORKS.values() for name, words in f.one_thread.items()} if threads == 1 else {}


def worker_environment(threads: int = 1) -> dict[str, str]:
    """Return the environment of a worker: so many threads, and nothing of the user's pytest."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    more = {name: " ".join(filter(None, [kept.get(name), words])) for name, words in added(threads).items()}
    return {
        **kept,
        **pinned(threads),
        **more,
        "PYTHONWARNINGS": "ignore",
        # the current directory is importable, as with `python -m`
        "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *filter(None, [kept.get("PYTHONPATH")])]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
