"""A loss of another package: a row and three references, and it has all that ours have. Rosset and Zhu 2007."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROWS = '''
from dataclasses import replace

from hingeproof import Loss
from hingeproof.reference_impls.margins import BINARY, SCORE
from hingeproof.reference_impls.phi import Phi


def huberised(delta):
    """(1 − z)² over [δ, 1], its tangent below, 0 above"""
    return Phi.of([delta, 1], [[1 - delta**2, 2 * delta - 2], [1, -2, 1], [0]])


HUBERISED = Loss(
    name="huberised_hinge", title="Huberised squared hinge", margins=BINARY, phi={None: huberised},
    phi_parameters=("delta",), parameters={"delta": "0"}, choices={"delta": ("0", "0.5", "-1")},
    references="huberised", source="Rosset and Zhu 2007",
)
taken = replace(HUBERISED, name="hinge")
nothing = 3


def __getattr__(name):
    if name == "undrawn":
        return replace(HUBERISED, margins=replace(SCORE, targets="index"))
    raise AttributeError(name)
'''
IN_NUMPY = """
import numpy as np
from hingeproof.reference_impls.in_numpy.policy import floating, number, quiet, reduce, relu, signs, upstream


@quiet
def huberised_hinge(scores, targets, *, delta=0.0, reduction="mean", weight=None):
    dtype, s = floating(scores=scores)
    z, delta = signs(targets, s) * s, number("delta", delta, dtype)
    loss = np.where(z < delta, (1 - delta) * (1 + delta) - 2 * (1 - delta) * z, relu(1 - z) * relu(1 - z))
    return reduce(loss, dtype, reduction, weight)


@quiet
def huberised_hinge_grad(scores, targets, *, delta=0.0, reduction="mean", weight=None, cotangent):
    dtype, s = floating(scores=scores)
    y, delta = signs(targets, s), number("delta", delta, dtype)
    slope = -2 * y * np.where(y * s < delta, 1 - delta, relu(1 - y * s))
    return (upstream(cotangent, slope, reduction, weight) * slope).astype(dtype)
"""
TRACED = """
def huberised_hinge(scores, targets, *, delta=0.0, reduction="mean", weight=None):
    {floating}
    z, delta = signs(targets, s) * s, number("delta", delta, {of})
    straight = z < delta
    bend = {np}.where(straight, 0.0, {relu}(1 - z))  # no inf · 0 in the other branch's gradient
    loss = {np}.where(straight, (1 - delta) * (1 + delta) - 2 * (1 - delta) * z, bend * bend)
    return reduce(loss, {dtype}, reduction, weight)
"""
IN_TORCH = "import torch\nfrom hingeproof.reference_impls.in_torch.policy import *\n" + TRACED.format(
    floating="(s,) = floating(scores=scores)", np="torch", relu="torch.relu", of="scores", dtype="scores.dtype"
)
IN_JAX = "import jax\nfrom jax import numpy as jnp\nfrom hingeproof.reference_impls.in_jax.policy import *\n" + (
    TRACED.format(
        floating="dtype, s = floating(scores=scores)", np="jnp", relu="jax.nn.relu", of="dtype", dtype="dtype"
    )
)
BOXES = """
import numpy as np

def black_box(scores, targets):
    z = targets * scores
    return np.where(z < 0, 1 - 2 * z, np.maximum(1 - z, 0) ** 2).astype(scores.dtype)

def steep(scores, targets):
    z = targets * scores
    return np.where(z < 0, 1 - z, np.maximum(1 - z, 0) ** 2).astype(scores.dtype)
"""
ORACLE = """
from fractions import Fraction
from flint import fmpq
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic, evaluate

loss = LOSSES["huberised_hinge"]
for n in range(-20, 21):
    z = Fraction(n, 8)
    want = 0 if z >= 1 else (1 - z) ** 2 if z >= 0 else 1 - 2 * z
    got = evaluate(loss, loss.defaults, [fmpq(n, 8)], 1, Arithmetic(FORMATS["float32"])).value
    assert got == fmpq(want.numerator, want.denominator), z
assert loss.convex and loss.shapes[None].kinks == ()
"""


def installed(folder: Path, row: str) -> Path:
    """A folder on the path in which the package is installed, with this entry point."""
    package, info = folder / "huberised", folder / "huberised-1.0.dist-info"
    for made in (package, info):
        made.mkdir(parents=True)
    modules = {"rows": ROWS, "in_numpy": IN_NUMPY, "in_torch": IN_TORCH, "in_jax": IN_JAX, "boxes": BOXES}
    for name, text in {"__init__": "", **modules}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: huberised\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hingeproof.losses]\nours = huberised.rows:{row}\n")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("installed"), "HUBERISED")


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=600, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
    )  # fmt: skip


def hingeproof(folder: Path, *arguments: str, code: int = 0) -> str:
    done = python(folder, "-m", "hingeproof", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_its_references_keep_every_law(folder: Path, framework: str) -> None:
    words = ("verify", f"{framework}.huberised_hinge", "--profile", "quick", "--jobs", "1", "--quiet")
    hingeproof(folder, *words, "--out", framework)
    found = records(folder / framework)
    assert {r["verdict"] for r in found} == {"pass"}
    # of each group: what φ says (convex, no kink), what the margin says (no classes), what references promise
    laws = {r["law"] for r in found}
    assert laws >= {"value", "gradient", "convex", "fenchel_young", "label_flip", "optimal_objective", "bad_label"}
    assert not laws & {"kink_selection", "ties", "class_permutation"}


def test_a_wrong_version_fails_with_a_witness(folder: Path) -> None:
    words = ("verify", "huberised.boxes:steep", "--loss", "huberised_hinge", "--framework", "numpy", "--law", "value")
    hingeproof(folder, *words, "--profile", "quick", "--jobs", "1", "--quiet", "--out", "wrong", code=1)
    (failed,) = (r for r in records(folder / "wrong") if r["verdict"] == "fail")
    score, label = (float(failed["witness"]["inputs"][name]["decimal"][0]) for name in ("scores", "targets"))
    assert score * label < 0  # where its slope is −1 and not −2
    assert failed["witness"]["expected"].startswith(f"{1 - 2 * score * label:g} ")
    assert failed["witness"]["observed"].startswith(f"{1 - score * label:g} ")


def test_the_oracle_and_the_lists_know_it(folder: Path) -> None:
    done = python(folder, "-c", ORACLE)
    assert done.returncode == 0, done.stderr
    assert "huberised_hinge" in hingeproof(folder, "list", "losses")
    assert "huberised_hinge" in json.loads(hingeproof(folder, "explain", "label_flip", "--json"))["losses"]


def test_a_black_box_is_identified_as_it(folder: Path) -> None:
    found = json.loads(hingeproof(folder, "identify", "huberised.boxes:black_box", "--framework", "numpy", "--json"))
    assert found["loss"] == "huberised_hinge"
    assert found["also"] == ["smooth_hinge"]  # twice that with γ = 1
    assert {"hinge", "squared_hinge"} <= {other["loss"] for other in found["others"]}


def test_it_is_timed(folder: Path) -> None:
    words = ("bench", "run", "numpy.huberised_hinge", "--size", "1e4", "--phase", "forward", "--dtype", "float32")
    hingeproof(folder, *words, "--out", "timed")
    (row,) = records(folder / "timed")
    assert row["status"] == "measured"


def test_the_row_may_be_imported_before_the_table(folder: Path) -> None:
    code = "import huberised.rows; from hingeproof.reference_impls.losses import LOSSES; LOSSES['huberised_hinge']"
    done = python(folder, "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("taken", "gives hinge, which is there already"),
        ("nothing", "gives int: it should be a Loss"),
        ("undrawn", "score: no samples of the form (1, 'scalar', 'index') are drawn"),
    ],
)
def test_a_bad_row_is_one_line(tmp_path: Path, row: str, said: str) -> None:
    done = python(installed(tmp_path, row), "-m", "hingeproof", "list", "losses")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
