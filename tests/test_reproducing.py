"""`hingeproof repro`: the script exits 1 while the bug is there and 0 once it is gone, and imports nothing of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hingeproof.commands import main as cli
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.reader import read as read_run

WRONG = """
import torch

def hinge(scores, targets, *, margin=1.0, reduction="none"):
    # NaN past a score of 100, and a mean that divides by N + 1
    d = torch.where(scores > 100, torch.full_like(scores, float("nan")), torch.relu(margin - targets * scores))
    return {"none": d, "sum": d.sum(), "mean": d.sum() / (len(d) + 1)}[reduction]

def doubled(scores, targets, *, reduction="none"):
    return torch.relu(1 - targets * (2 * scores - scores.detach()))
"""
RAISES = "import numpy as np\ndef hinge(scores, targets):\n    raise TypeError('no ' + scores.dtype.name)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verify(target: str, framework: str, law: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hingeproof", "verify", target, "--loss", "hinge", "--framework", framework,
         "--law", law, "--profile", "quick", "--jobs", "1", "--out", "out", "--quiet", "--mode", "eager"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr


def script_of(check: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = cli.run(["repro", "out", check])
    out, err = capsys.readouterr()
    return code, out, err


def run(script: str) -> int:
    Path("bug.py").write_text(script)
    return subprocess.run([sys.executable, "bug.py"], capture_output=True, timeout=120, check=False).returncode


def test_values_and_reductions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(WRONG)
    verify("mine:hinge", "torch", "value,reduction_mean")
    for law in ("value|", "reduction_mean"):
        code, script, said = script_of(law, capsys)
        assert code == 0, said
        assert "shows the failure" in said
        assert "hingeproof" not in script
        assert "# expected:" in script
        assert "# got:" in script
        assert run(script) == 1
    (folder / "mine.py").write_text(WRONG.replace("(len(d) + 1)", "len(d)").replace("scores > 100", "scores != scores"))
    for law in ("value|", "reduction_mean"):
        script = next(
            r.witness.script for r in read_run(Path("out"), VERIFY).records if r.check.startswith(law) and r.witness
        )
        assert run(script) == 0
        code, _, said = script_of(law, capsys)
        assert code == 1
        assert "NOT reproduced" in said


def test_gradients(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(WRONG)
    verify("mine:doubled", "torch", "gradient_inside")
    code, script, said = script_of("gradient_inside", capsys)
    assert code == 0, said
    assert run(script) == 1
    (folder / "mine.py").write_text(WRONG.replace("(2 * scores - scores.detach())", "scores"))
    assert run(script) == 0


def test_exceptions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(RAISES)
    verify("mine:hinge", "numpy", "answers")
    code, script, said = script_of("answers", capsys)
    assert code == 0, said
    assert run(script) == 1
    (folder / "mine.py").write_text("def hinge(scores, targets):\n    return scores\n")
    assert run(script) == 0


@pytest.mark.parametrize(("check", "said"), [("zero_past", "is pass"), ("xyz", "no check of the run is 'xyz'")])
def test_mistakes(folder: Path, check: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(
        RAISES.replace("raise TypeError('no ' + scores.dtype.name)", "return np.maximum(1 - targets * scores, 0)")
    )
    subprocess.run(
        [sys.executable, "-m", "hingeproof", "verify", "mine:hinge", "--loss", "hinge", "--framework", "numpy",
         "--law", "zero_past_margin", "--profile", "quick", "--jobs", "1", "--out", "out", "--quiet"],
        capture_output=True, timeout=300, check=True,
    )  # fmt: skip
    code, _, err = script_of(check, capsys)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
