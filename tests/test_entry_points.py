"""Implementations that other libraries ship under the entry-point group `hingeproof.implementations`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROW = """
from hingeproof.frameworks.implementation import Implementation
IMPLEMENTATIONS = (
    Implementation(
        name="shipping.hinge", framework="numpy", loss="hinge", target="shipping.code:hinge", reductions=("none",),
        source="shipping's manual",
    ),
)
one = IMPLEMENTATIONS[0]
taken = [Implementation(name="numpy.hinge", framework="numpy", loss="hinge", target="shipping.code:hinge")]
nothing = 3
"""
CODE = """
import numpy as np
def hinge(scores, targets):
    return np.maximum(1 - targets * scores, 0).astype(scores.dtype)
"""


def shipped(folder: Path, value: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where a library with this entry point is on the path."""
    package, info = folder / "shipping", folder / "shipping-1.0.dist-info"
    for made in (package, info):
        made.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rows.py").write_text(ROW)
    (package / "code.py").write_text(CODE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shipping\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hingeproof.implementations]\nours = {value}\n")
    return subprocess.run(
        [sys.executable, "-m", "hingeproof", *arguments], capture_output=True, text=True, check=False, timeout=300,
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip


@pytest.mark.parametrize("value", ["shipping.rows:IMPLEMENTATIONS", "shipping.rows:one"])
def test_they_are_verified_like_ours(tmp_path: Path, value: str) -> None:
    done = shipped(
        tmp_path, value, "verify", "shipping.*", "--profile", "quick", "--law", "value", "--quiet", "--jobs", "1"
    )
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("shipping.rows:taken", "gives numpy.hinge, which is there already"),
        ("shipping.rows:nothing", "gives int: it should be an Implementation"),
        ("shipping.nowhere:rows", "raises ModuleNotFoundError"),
    ],
)
def test_a_bad_one_is_one_line(tmp_path: Path, value: str, said: str) -> None:
    done = shipped(tmp_path, value, "list", "implementations")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
