"""A framework that somebody else registers, in a package of its own: our files know nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hingeproof.runs.kinds import BENCH, VERIFY
from hingeproof.runs.reader import read
from hingeproof.runs.records import Record

HERE = Path(__file__).parent / "listed"


FACTS = "[hingeproof.frameworks]\nlisted = listed_hingeproof.facts:FRAMEWORK\n"
ROWS = "[hingeproof.implementations]\nlisted = listed_hingeproof.rows:IMPLEMENTATIONS\n"


def installed(folder: Path, entry_points: str) -> Path:
    """The folder, with the framework, its plugin and what pip would write of it."""
    shutil.copytree(HERE, folder, dirs_exist_ok=True)
    info = folder / "listed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: listed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("site"), FACTS + ROWS)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, timeout=600, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip


def hingeproof(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "hingeproof", *words)


@pytest.fixture(scope="module")
def verified(folder: Path) -> list[Record]:
    done = hingeproof(folder, "verify", "listed.*", "--profile", "quick", "--jobs", "1", "--quiet", "--out", "verified")
    assert done.returncode == 1, done.stderr
    return list(read(folder / "verified", VERIFY).records)


def test_a_right_loss_passes(verified: list[Record]) -> None:
    mine = [r for r in verified if r.implementation == "listed.hinge"]
    assert {r.verdict for r in mine} <= {"pass", "unsupported"}
    passed = {r.law for r in mine if r.verdict == "pass"}
    assert {"value", "gradient_inside", "zero_past_margin", "batch_permutation"} <= passed
    assert {r.framework for r in mine} == {"listed"}
    assert {r.dtype for r in mine} == {"float64"}


def test_a_wrong_one_fails_in_its_own_notation(verified: list[Record], folder: Path) -> None:
    failed = {r.law: r for r in verified if r.implementation == "listed.leaky" and r.verdict == "fail"}
    assert "gradient_zero_past_margin" in failed
    assert "value" not in failed
    record = failed["gradient_zero_past_margin"]
    assert record.witness is not None
    assert record.witness.repro.startswith("import listed; from listed import leaky\nscores = [")
    assert "listed.pull(leaky(scores, targets), [" in record.witness.script
    done = hingeproof(folder, "repro", "verified", record.check)
    assert done.returncode == 0, done.stderr
    assert "shows the failure" in done.stderr


def test_it_is_listed(folder: Path) -> None:
    done = hingeproof(folder, "list", "implementations", "--json")
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert found["listed.hinge"]["framework"] == "listed"
    assert found["listed.hinge"]["installed"] == "yes"


def test_the_doctor_asks_it(folder: Path) -> None:
    found = json.loads(hingeproof(folder, "doctor", "--json").stdout)
    assert found["frameworks"]["listed"] == {"works": True, "version": "1.0", "devices": "a list", "problem": ""}
    assert found["environment"]["listed"] == "1.0"
    assert " LISTED_THREADS=1 " in found["environment"]["flags"]


def test_it_is_a_framework_like_any(folder: Path) -> None:
    (folder / "mine.py").write_text("from listed import hinge\n")
    words = ("verify", "mine:hinge", "--loss", "hinge", "--profile", "quick", "--jobs", "1", "--law", "answers")
    done = hingeproof(folder, *words, "--framework", "listed", "--dtype", "float64", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    done = hingeproof(folder, *words, "--framework", "lisst")
    assert done.returncode == 2
    assert "no framework is named 'lisst'; did you mean listed?" in done.stderr


def test_it_is_timed(folder: Path) -> None:
    words = ("bench", "run", "listed.*", "--size", "500", "--blocks", "3", "--phase", "forward,backward,both")
    done = hingeproof(folder, *words, "--out", "timed")
    assert done.returncode == 4, done.stderr  # one is wrong
    rows = read(folder / "timed", BENCH).records
    assert {(r.fields.implementation, r.fields.phase, r.status) for r in rows} == {
        ("listed.hinge", "forward", "measured"),
        ("listed.hinge", "backward", "measured"),
        ("listed.hinge", "both", "measured"),
        ("listed.leaky", "forward", "invalid"),
        ("listed.leaky", "backward", "invalid"),
        ("listed.leaky", "both", "invalid"),
    }
    for r in rows:
        assert r.fields.dtype == "float64"
        if r.status == "measured":
            assert r.roof is None  # its kernel has no plain copy
            assert r.checked_gradients > 0
        else:
            assert "gradient" in r.reason


SIDE = """
import msgspec
from hingeproof.bench.gate.processes import Place, Process, SharedArrays, answer, loading
from hingeproof.bench.timing.case import cases
from hingeproof.bench.timing.data import make
from hingeproof.bench.timing.measure import spec_of
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.frameworks.process import worker_environment
from hingeproof.runs.timings import BenchPlan

(case,) = cases(BenchPlan(patterns=("listed.hinge",), phases=("both",), sizes=("20",)))
with SharedArrays() as shared, Process(Place(environment=worker_environment())) as process:
    arrays = shared.put(make("hinge", "float64", 20, 1, 0.5))
    process.do("load", **loading(spec_of(IMPLEMENTATIONS[case.implementation], case), arrays))
    assert process.do("block", loops=3)["seconds"] > 0
    path = shared.path(".npz")
    process.do("answer", path=path)
    got = answer(path)
    print(got.value.shape, got.gradients[0].shape)
"""


def test_a_side_of_the_gate_finds_its_kernel(folder: Path) -> None:
    (folder / "side.py").write_text(SIDE)
    done = run(folder, "side.py")
    assert done.stdout == "() (20,)\n", done.stderr


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("listed_hingeproof.facts:TAKEN", "gives torch, which is there already: rename it"),
        ("listed_hingeproof.rows:IMPLEMENTATIONS", "gives Implementation: it should be a Framework, or several"),
        ("listed_hingeproof.nowhere:FRAMEWORK", "raises ModuleNotFoundError"),
    ],
)
def test_a_bad_registration_is_one_line(tmp_path: Path, value: str, said: str) -> None:
    installed(tmp_path, f"[hingeproof.frameworks]\nlisted = {value}\n")
    done = hingeproof(tmp_path, "list", "implementations")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_loss_of_a_framework_that_is_not_registered_is_one_line(tmp_path: Path) -> None:
    done = hingeproof(installed(tmp_path, ROWS), "list", "implementations")
    assert done.returncode == 2
    assert done.stderr.endswith("listed.hinge is made for listed, a framework that nobody registered\n")


@pytest.mark.parametrize("module", ["facts", "rows", "adaptor", "kernel"])
def test_its_modules_can_be_imported_before_ours(folder: Path, module: str) -> None:
    done = run(folder, "-c", f"import listed_hingeproof.{module}")
    assert done.returncode == 0, done.stderr
