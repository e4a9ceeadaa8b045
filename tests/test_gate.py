"""`hingeproof bench gate`: sides, interleaved processes, wrong answers, verdicts and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gate_power
import here
import numpy as np
import pytest
from gate_power import Attempt
from planted import chunked

from hingeproof.bench.gate import controller as gating
from hingeproof.bench.gate import processes
from hingeproof.bench.gate import side as sides
from hingeproof.bench.gate.paired import Gate, Limits, Pairing, Samples, _alike, decide
from hingeproof.bench.gate.processes import Place, Process, SharedArrays, SideError, answer, loading
from hingeproof.bench.timing.clock import CallSpec
from hingeproof.bench.timing.data import Data, make
from hingeproof.commands.main import run
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import UsageError
from hingeproof.frameworks.process import worker_environment
from hingeproof.reference_impls.in_numpy import hinge
from hingeproof.runs.timings import TimingCase, between, gate_code

NUMPY = CallSpec(
    "numpy", "hingeproof.reference_impls.in_numpy:hinge", "function", {"reduction": "mean"}, False, False, None,
    "forward", "eager", "cpu", "float32", 1,
)  # fmt: skip
CASE = TimingCase(
    implementation="numpy.hinge", loss="hinge", framework="numpy", dtype="float32", n=2000, k=1, phase="forward",
    mode="eager", device="cpu",
)  # fmt: skip
FEW = Limits(pairs=2, blocks=4, most_pairs=2)


# -- sides ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("rev:HEAD~1", ("rev", "HEAD~1")),
        ("venv:/x/y", ("venv", "/x/y")),
        ("impl:torch.hinge", ("impl", "torch.hinge")),
        ("impl:mine:f", ("impl", "mine:f")),
        ("mine:f", ("impl", "mine:f")),
    ],
)
def test_sides_are_read(text: str, want: tuple[str, str]) -> None:
    assert sides.parse(text) == want


@pytest.mark.parametrize("text", ["main", "", "rev:", "torch.hinge"])
def test_nothing_is_guessed(text: str) -> None:
    with pytest.raises(UsageError, match="is no side of the gate"):
        sides.parse(text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--base", "impl:numpy.hinge", "--head", "rev:HEAD"], "impl: is compared with impl: only"),
        (["--base", "venv:/nowhere", "--head", "venv:/nowhere"], "does not exist"),
        (["--base", "impl:numpy.hinge", "--head", "impl:torch.ramp"], "compare the same loss"),
        (["--base", "impl:numpy.hinge", "--head", "impl:torch.hinge"], "compares within a framework"),
        (["--base", "impl:numpy.*", "--head", "impl:numpy.hinge"], "give one by its full name"),
        (["--base", "impl:nope", "--head", "impl:numpy.hinge"], "no implementation matches"),
        (["numpy.hinge", "--base", "impl:numpy.hinge", "--head", "impl:numpy.hinge"], "leave the implementations out"),
        (["--base", "impl:numpy.hinge", "--head", "impl:numpy.hinge", "--pairs", "4"], "fewer than 5"),
        (["--base", "impl:numpy.hinge", "--head", "impl:numpy.hinge", "--seconds", "0"], "--seconds 0"),
        (["--head", "impl:numpy.hinge"], "Missing option"),
        (["--base", "rev:nope", "--head", "rev:nope"], "git"),
    ],
)
def test_a_users_mistake_is_one_line(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["bench", "gate", *words]) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1


PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "mineproof"
version = "1"
dependencies = [{dependencies}]
[tool.setuptools]
py-modules = ["mineproof"]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two revisions that differ, and a third with other dependencies."""

    def commit(name: str) -> None:
        for words in (["add", "-A"], ["commit", "-qm", name], ["tag", name]):
            identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
            subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True)

    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text(".hingeproof\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(dependencies=""))
    once = "np.maximum(1 - y * s, 0).mean()"
    (tmp_path / "mineproof.py").write_text(
        "import numpy as np\ndef f(s, y):\n    return np.maximum(1 - y * s, 0).mean()\n"
    )
    commit("one")
    (tmp_path / "mineproof.py").write_text(f"import numpy as np\ndef f(s, y):\n    {once}\n    return {once}\n")
    commit("two")
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(dependencies='"msgspec"'))
    commit("three")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_revisions_are_built_and_run_from_their_own_wheel(repository: Path) -> None:
    base, head = sides.prepare("rev:one", "rev:two", 1)
    assert base.facts["commit"] != head.facts["commit"]
    spec = NUMPY._replace(target="mineproof:f", settings={})
    with SharedArrays() as shared:
        arrays = shared.put(make("hinge", "float32", 100, 1, 0.5))
        for side in (base, head):
            with Process(side.place) as process:
                assert process.do("load", **loading(spec, arrays))["origin"].startswith(side.inside)
    (repository / ".hingeproof" / "builds" / base.facts["commit"] / "mineproof.py").write_text("built once\n")
    assert sides.build("one")[0] == base.facts["commit"]  # and not again


def test_other_dependencies_are_refused(repository: Path) -> None:
    with pytest.raises(UsageError, match=r"different dependencies.*venv:PATH"):
        sides.prepare("rev:one", "rev:three", 1)


def test_a_revision_that_nobody_knows(repository: Path) -> None:
    with pytest.raises(UsageError, match="rev:four: git knows no such revision"):
        sides.prepare("rev:four", "rev:one", 1)


def test_a_virtual_environment_is_a_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PYTHONPATH", "/of/this/environment")
    side, _ = sides.prepare(f"venv:{tmp_path}", f"venv:{tmp_path}", 1)
    assert side.place.python == str(tmp_path / "bin" / "python")
    assert side.place.environment["PYTHONPATH"] == str(Path.cwd())


def test_what_sides_have_is_told_and_compared() -> None:
    side, _ = sides.prepare("impl:numpy.hinge", "impl:numpy.hinge", 1)
    assert sides.told(side)["numpy"] == np.__version__
    base = {"python": "3.11.7", "jax": "0.7.2", "numpy": "2.3.5"}
    assert between({"base": base, "head": base}) == ""
    assert (
        between({"base": base, "head": {"python": "3.11.7", "jax": "0.10.2"}})
        == "jax 0.7.2 → 0.10.2, numpy 2.3.5 → none"
    )


def test_an_environment_that_cannot_start_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\necho ModuleNotFoundError: numpy >&2\nexit 1\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    side, _ = sides.prepare(f"venv:{tmp_path}", f"venv:{tmp_path}", 1)
    with pytest.raises(UsageError, match=r"venv:.* cannot be used: .*ModuleNotFoundError: numpy"):
        sides.told(side)


# -- processes -----------------------------------------------------------------------------------------------


def test_a_side_times_and_answers() -> None:
    data = make("hinge", "float32", 1000, 1, 0.5)
    with SharedArrays() as shared, Process(Place()) as process:
        process.do("load", **loading(NUMPY, shared.put(data)))
        loops = process.do("calibrate", seconds=1e-4)["loops"]
        reply = process.do("block", loops=loops)
        assert reply["seconds"] > 0
        assert reply["compiled"] == 0
        path = shared.path(".npz")
        process.do("answer", path=path)
        got = answer(path)
    assert float(got.value) == float(hinge(*data.inputs, data.targets))
    assert got.gradients is None


def test_a_side_that_prints_is_still_heard(tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text("def f(s, y):\n    print('hello')\n    return s.mean()\n")
    place = Place(environment=worker_environment() | {"PYTHONPATH": str(tmp_path)})
    with SharedArrays() as shared, Process(place) as process:
        arrays = shared.put(Data([np.ones(3, np.float32)], np.ones(3, np.float32)))
        assert process.do("load", **loading(NUMPY._replace(target="chatty:f", settings={}), arrays))["ok"]


def test_what_a_side_raises_is_told() -> None:
    with SharedArrays() as shared, Process(Place()) as process:
        arrays = shared.put(Data([np.ones(3, np.float32)], np.zeros(3, np.float32)))
        with pytest.raises(SideError, match="ValueError: targets"):
            process.do("load", **loading(NUMPY, arrays))


def test_a_side_that_dies_is_told(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text("import os\ndef f(s, y):\n    os._exit(7)\n")
    place = Place(environment=worker_environment() | {"PYTHONPATH": str(tmp_path)})
    with SharedArrays() as shared, Process(place) as process:
        arrays = shared.put(Data([np.ones(3, np.float32)], np.ones(3, np.float32)))
        with pytest.raises(SideError, match="the process ended with 7"):
            process.do("load", **loading(NUMPY._replace(target="deadly:f", settings={}), arrays))


def test_bfloat16_goes_through_shared_memory() -> None:
    data = make("hinge", "bfloat16", 64, 1, 0.5)
    with SharedArrays() as shared, Process(Place()) as process:
        process.do("load", **loading(NUMPY._replace(dtype="bfloat16"), shared.put(data)))
        path = shared.path(".npz")
        process.do("answer", path=path)
        assert float(answer(path).value) == float(hinge(*data.inputs, data.targets))


# -- the gate ------------------------------------------------------------------------------------------------


def test_sides_are_interleaved_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    before = processes.Process.tell

    def tell(self: Process, do: str, **more: object) -> None:
        if do == "block":
            told.append(id(self))
        before(self, do, **more)

    monkeypatch.setattr(processes.Process, "tell", tell)
    i = IMPLEMENTATIONS["numpy.hinge"]
    pair = sides.prepare("impl:numpy.hinge", "impl:numpy.hinge", 1)
    found = Gate(*pair, FEW).stage([Pairing(CASE, i, i)])[CASE.id]
    assert len(found.pairs) == 2
    assert all(len(blocks) == 4 for p in found.pairs for blocks in p.values())
    rounds = [told[i : i + 3] for i in range(0, len(told), 3)]
    assert all(len(set(r)) == 3 for r in rounds)
    assert len(set(told)) == 6  # fresh processes for the second pair
    assert len({tuple(map(sorted(set(r)).index, r)) for r in rounds}) > 1  # in random order


def _both(base: str, head: str) -> Samples:
    """Two implementations, measured in a set of processes."""
    subject = Pairing(CASE, IMPLEMENTATIONS[base], IMPLEMENTATIONS[head])
    gate = Gate(*sides.prepare(f"impl:{base}", f"impl:{head}", 1), Limits(pairs=1, blocks=3, most_pairs=1))
    (samples,) = gate.stage([subject]).values()
    return samples


def test_sides_with_other_labels_and_environments_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    samples = _both("numpy.hinge", "keras.numpy.hinge")
    assert samples.invalid == ""
    assert samples.count == 3
    coded = replace(IMPLEMENTATIONS["river.optim.losses.Hinge"], dtypes=("float32",))
    monkeypatch.setitem(IMPLEMENTATIONS, "river.optim.losses.Hinge", coded)
    assert _both("numpy.hinge", "river.optim.losses.Hinge").invalid == ""


def test_labels_that_are_misread_are_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    misread = replace(IMPLEMENTATIONS["numpy.hinge"], labels="01")  # 0 is no label of our reference
    monkeypatch.setitem(IMPLEMENTATIONS, "misread", misread)
    assert "= 0 is not in {-1, +1}" in _both("numpy.hinge", "misread").invalid


def test_cases_are_grouped_by_their_environments() -> None:
    names = ["keras.numpy.hinge", "numpy.hinge", "keras.numpy.Hinge"]
    made = [Pairing(CASE, IMPLEMENTATIONS[n], IMPLEMENTATIONS[n]) for n in names]
    assert [[s.base.name for s in group] for group in _alike(made)] == [[names[0], names[2]], [names[1]]]


def test_a_fast_wrong_answer_is_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.py").write_text(
        "import numpy as np\ndef f(s, y):\n    return np.maximum(1 - y * s, 0)[::2].mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["--base", "impl:numpy.hinge", "--head", "half:f", "--loss", "hinge", "--framework", "numpy"]
    assert run(["bench", "gate", *words, "--phase", "forward", "--size", "1000", "--out", "run", "--json"]) == 4
    (line,) = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert found["verdict"] == "invalid"
    assert found["reason"].startswith("wrong answer: head: ")


def test_a_doubled_work_is_a_confirmed_regression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slow.py").write_text("from planted import chunked\none, two = chunked(0), chunked(100)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", here.FOLDER)
    words = ["--base", "slow:one", "--head", "slow:two", "--loss", "hinge", "--framework", "numpy", "--pairs", "5"]
    assert run(["bench", "gate", *words, "--phase", "forward", "--size", "5e4", "--out", "run"]) == 1
    assert "1 regression" in capsys.readouterr().out
    found = json.loads((tmp_path / "run" / "records.jsonl").read_text())
    assert found["repeated_low"] > 0.02  # seen again in fresh processes
    assert found["blocks"] >= 200
    pairs = [json.loads(x) for x in (tmp_path / "run" / "pairs.jsonl").read_text().splitlines()]
    assert {p["stage"] for p in pairs} == {"first", "again"}
    assert all(set(p["blocks"]) == {"base", "head", "again"} for p in pairs)


def fake(monkeypatch: pytest.MonkeyPatch, effects: list[float]) -> Gate:
    """A gate whose stages show these effects, one after the other."""
    left = iter(effects)

    def stage(self: Gate, subjects: list[Pairing], note: object = None) -> dict[str, Samples]:
        effect, random = next(left), np.random.default_rng(0)
        noise = 0.2 if effect == 0.03 else 0.005
        out = {}
        for s in subjects:
            pairs = [
                {
                    lane: list(slow * (1 + noise * random.standard_normal(60)))
                    for lane, slow in (("base", 1.0), ("head", 1 + effect), ("again", 1.0))
                }
                for _ in range(6)
            ]
            out[s.case.id] = Samples(pairs=pairs, loops=1)
        self.stages.append(out)
        return out

    monkeypatch.setattr(Gate, "stage", stage)
    return Gate(*sides.prepare("impl:numpy.hinge", "impl:numpy.hinge", 1), Limits())


@pytest.mark.parametrize(
    ("effects", "verdict", "code", "strict"),
    [
        ([0.0], "equivalent", 0, 0),
        ([0.1, 0.1], "regression", 1, 1),
        ([0.1, 0.0], "inconclusive", 0, 3),  # not seen again
        ([-0.1], "improvement", 0, 0),
        ([0.03], "inconclusive", 0, 3),
    ],
)
def test_verdicts_and_codes(
    monkeypatch: pytest.MonkeyPatch, effects: list[float], verdict: str, code: int, strict: int
) -> None:
    gate = fake(monkeypatch, effects)
    i = IMPLEMENTATIONS["numpy.hinge"]
    verdicts = decide(gate, [Pairing(CASE, i, i)])
    rows = [gating._row(v, gate.base, gate.head, gate.stages[0][v.case.id]) for v in verdicts]
    assert [r.verdict for r in rows] == [verdict]
    assert gate_code(rows, strict=False) == code
    assert gate_code(rows, strict=True) == strict
    if effects == [0.03]:
        assert "would have been seen" in rows[0].reason
    assert verdict in gating.table(rows)


def test_an_interruption_loses_no_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def pair(
        self: Gate, subject: Pairing, processes: object, shared: object, samples: Samples
    ) -> dict[str, list[float]]:
        if samples.pairs:
            raise KeyboardInterrupt
        return {lane: [1.0, 2.0] for lane in ("base", "head", "again")}

    monkeypatch.setattr(Gate, "_pair", pair)
    words = ["--base", "impl:numpy.hinge", "--head", "impl:numpy.hinge", "--phase", "forward", "--out", "run"]
    assert run(["bench", "gate", *words]) == 130
    (line,) = (tmp_path / "run" / "pairs.jsonl").read_text().splitlines()
    assert json.loads(line)["blocks"]["head"] == [1.0, 2.0]
    assert not json.loads((tmp_path / "run" / "run.json").read_text())["complete"]


def test_what_does_not_fit_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--base", "impl:torch.multilabel_margin", "--head", "impl:torch.nn.MultiLabelMarginLoss"]
    assert run(["bench", "gate", *words, "--size", "1e5x500", "--mode", "eager", "--out", "run"]) == 5
    rows = [json.loads(x) for x in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    assert {(r["verdict"], r["reason"].split(":")[0]) for r in rows} == {("not run", "memory")}


def test_nothing_compared_is_a_code_of_its_own() -> None:
    assert gate_code([], strict=True) == 5


# -- how often it is right -----------------------------------------------------------------------------------


def test_the_planted_work_is_of_the_size_it_says() -> None:
    calls = [0]

    class Counted(np.ndarray):
        def __getitem__(self, at: object) -> object:
            calls[0] += 1
            return np.asarray(self)[at]

    s = np.linspace(-2, 2, 1000, dtype=np.float32)
    y = np.ones(1000, np.float32)
    for extra in (0, 3, 5, 10):
        calls[0] = 0
        assert chunked(extra)(s, y.view(Counted)) == hinge(s, y)
        assert calls[0] == 100 + extra


def test_trials_are_balanced_and_summed_up() -> None:
    def trial(planted: int, gate: str, whitney: bool = False) -> Attempt:
        return Attempt(
            planted=planted, gate=gate, effect=0.0, low=0.0, floor=0.0, pairs=6, gate_seconds=9.0, compare_median=False,
            compare_mean=False, mann_whitney=whitney, before=1.0, after=1.0, load="1.0 1 1", environment="x",
        )  # fmt: skip

    done = [trial(0, "equivalent", True), trial(5, "regression"), trial(10, "regression")]
    assert gate_power.due(done, {0: 60, 5: 30, 10: 30, 3: 30}) == 3
    assert gate_power.due(done, {0: 1, 5: 1}) is None
    text = gate_power.summary(done)
    assert "| paired gate | 0 of 1 (0.0–97.5 %) | 1 of 1 (2.5–100.0 %) | 1 of 1 (2.5–100.0 %) |" in text
    assert "| Mann–Whitney | 1 of 1" in text
