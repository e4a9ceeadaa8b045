"""The tier of instruction counts."""

from __future__ import annotations

import pytest
from gate_power import implementation
from here import sides

from hingeproof.bench.gate import instructions
from hingeproof.bench.gate.paired import Pairing
from hingeproof.bench.gate.processes import Place, SharedArrays, SideError, loading
from hingeproof.bench.timing.data import make
from hingeproof.bench.timing.measure import spec_of
from hingeproof.commands.main import run
from hingeproof.errors import UsageError
from hingeproof.runs.timings import TimingCase

CASE = TimingCase(
    implementation="planted", loss="hinge", framework="numpy", dtype="float32", n=50_000, k=1,
    phase="forward", mode="eager", device="cpu",
)  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "decision"),
    [
        ((1000, 1000, 1009), "equivalent"),
        ((1000, 1000, 1011), "regression"),
        ((1000, 1000, 980), "improvement"),
        ((1000, 1030, 1020), "equivalent"),  # the base differs from itself by more
        ((1000, 970, 1031), "regression"),
    ],
)
def test_counts_become_verdicts(counts: tuple[int, int, int], decision: str) -> None:
    assert instructions.judged(*counts).decision == decision


def test_only_eager_cpu_cases_are_counted() -> None:
    import msgspec

    i = implementation(0)
    jit, there = (msgspec.structs.replace(CASE, **x) for x in ({"mode": "jit"}, {"device": "cuda"}))
    assert instructions.eager([Pairing(c, i, i) for c in (CASE, jit, there)]) == [Pairing(CASE, i, i)]


def test_without_valgrind_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="apt-get install valgrind"):
        instructions.needed()
    words = ["--base", "impl:numpy.hinge", "--head", "impl:numpy.hinge", "--instructions"]
    assert run(["bench", "gate", *words]) == 2
    assert "needs valgrind" in capsys.readouterr().err


@pytest.mark.nightly
def test_three_percent_more_work_is_counted() -> None:
    both = sides("impl:planted:slower_0", "impl:planted:slower_3")
    cases = [[Pairing(CASE, implementation(0), implementation(percent))] for percent in (0, 3)]
    same, slower = (instructions.decide(s, *both)[0] for s in cases)
    assert same.verdict == "equivalent"
    assert slower.verdict == "regression"
    assert slower.judged is not None
    assert slower.judged.effect == pytest.approx(0.03, abs=0.012)


@pytest.mark.nightly
def test_a_process_that_fails_under_valgrind_is_told() -> None:
    spec = spec_of(implementation(0), CASE)._replace(target="nowhere:f")
    with SharedArrays() as shared:
        request = loading(spec, shared.put(make("hinge", "float32", 10, 1, 0.5)))
        with pytest.raises(SideError, match="under valgrind the process ended with"):
            instructions.count(Place(), request, 1)
