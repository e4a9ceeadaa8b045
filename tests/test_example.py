"""The example project: its two gates fail on the mistake that it holds, and pass when it is mended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "own_loss"


@pytest.mark.parametrize(("mended", "code"), [("", 1), ("1", 0)])
@pytest.mark.parametrize("gate", ["hingeproof verify --jobs 1 --quiet --out out", "pytest -q -p no:cacheprovider"])
def test_both_gates(tmp_path: Path, gate: str, mended: str, code: int) -> None:
    project = tmp_path / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__", ".hingeproof"))
    done = subprocess.run(
        [sys.executable, "-m", *gate.split()], cwd=project, capture_output=True, text=True, timeout=500, check=False,
        env={**os.environ, "OWN_LOSS_MENDED": mended, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    if code and gate.startswith("pytest"):
        assert "test_hinge_01[reduction_mean]" in done.stdout
        assert "test_weston_watkins[value]" not in done.stdout
