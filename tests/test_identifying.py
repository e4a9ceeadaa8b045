"""`hingeproof identify`: what black boxes behave like, which inputs tell, and the usual mistakes by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hingeproof.commands import main as cli

BOXES = """
import numpy as np

def hinge_01(scores, targets):
    return np.maximum(1 - (2 * targets - 1) * scores, 0).astype(scores.dtype).mean()

def half_squared(scores, targets):
    return (np.maximum(1 - targets * scores, 0) ** 2 / 2).astype(scores.dtype)

def crammer_singer(targets, scores):
    n = np.arange(len(scores))
    rivals = scores + 1
    rivals[n, targets] = -np.inf
    return np.maximum(rivals.max(1) - scores[n, targets], 0).astype(scores.dtype)

def over_violators(scores, targets):
    d = np.maximum(1 - targets * scores, 0)
    return d.sum() / max((d > 0).sum(), 1)

def logistic(scores, targets):
    return np.log1p(np.exp(-targets * scores)).astype(scores.dtype)

def one(x):
    return x
"""
IN_JAX = "import jax.numpy as jnp\ndef f(scores, targets):\n    return jnp.maximum(0, 1 - scores * targets)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boxes.py").write_text(BOXES)
    return tmp_path


def identify(capsys: pytest.CaptureFixture[str], name: str, *more: str, code: int = 0) -> dict:
    assert cli.run(["identify", f"boxes:{name}", "--framework", "numpy", "--json", *more]) == code
    return json.loads(capsys.readouterr().out)


def test_labels_and_mean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = identify(capsys, "hinge_01")
    assert (found["loss"], found["labels"], found["mean"]) == ("hinge", "01", "divides by N")


def test_scale(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = identify(capsys, "half_squared")
    assert (found["loss"], found["scale"]) == ("squared_hinge", "1/2")
    assert any("labels {0, 1} are given" in remark for remark in found["remarks"])


def test_order_and_the_wrong_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = identify(capsys, "crammer_singer", "--loss", "weston_watkins")
    assert (found["loss"], found["order"]) == ("crammer_singer", "targets_first")
    assert "this is Crammer–Singer, not Weston–Watkins" in found["remarks"]
    (difference,) = [d for d in found["others"] if d["loss"] == "weston_watkins"]
    assert difference["inputs"].startswith("scores [")
    assert difference["it_would_be"] != difference["it_is"]


def test_a_mean_over_the_violators(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = identify(capsys, "over_violators")
    assert found["mean"] == "divides by the number of violated samples"
    # other readings of its labels fail, and that does not make it another loss than it is
    assert found["others"]
    assert found["loss"] not in {d["loss"] for d in found["others"]}


def test_what_is_none_of_the_family(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = identify(capsys, "logistic", code=1)
    assert not found.get("loss")
    assert found["others"]


def test_the_kink_in_every_mode(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in_jax.py").write_text(IN_JAX)
    assert cli.run(["identify", "in_jax:f", "--framework", "jax", "--json"]) == 0
    kink = json.loads(capsys.readouterr().out)["kink"]
    assert {"eager", "jit"} <= set(kink)
    assert all(set(seen) == {"1/2"} for mode, seen in kink.items() if mode != "forward")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["boxes:one", "--framework", "numpy"], "cannot be called with"),
        (["boxes:two", "--framework", "numpy"], "has no attribute two"),
        (["nowhere:f", "--framework", "numpy"], "no module named nowhere"),
        (["boxes", "--framework", "numpy"], "is not module:attribute"),
        (["boxes:one", "--framework", "torhc"], "did you mean torch"),
        (["boxes:one", "--framework", "numpy", "--loss", "hing"], "did you mean hinge"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["identify", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
