"""The study of trainers and solvers: exact gaps, the textbook's run, and what a training run leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import svm_study as study

from hingeproof import svm
from hingeproof.commands.main import run
from hingeproof.runs.figures import AT_MOST, Figure, Training
from hingeproof.runs.records import Record

RESULTS = Path(__file__).resolve().parents[1] / "bench" / "results"


def test_the_gap_of_the_optimum_is_0_and_of_nothing_else() -> None:
    X, y = np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])
    optimum = svm.solve(X, y, C=10)  # w = 1, b = 0, P* = ½
    assert study.gap(optimum, [1.0], 0.0) == 0
    assert study.gap(optimum, [0.0], 0.0) == 39  # 20 against ½
    assert study.gap(optimum, [1 + 2.0**-40], 0.0) == 2.0**-39 + 2.0**-80  # (1 + ε)² − 1


@pytest.mark.parametrize("name", [n for n in study.SOLVERS if study.SOLVERS[n][0] == "sklearn"])
def test_no_solver_is_better_than_the_certified_optimum(name: str) -> None:
    _, _, loss, bias, fit = study.SOLVERS[name]
    X, target = study.bundled("sklearn:iris:0-1")
    y = np.where(target == target.max(), 1.0, -1.0)
    optimum = svm.solve(X, y, C=1, loss=loss, bias=bias)
    assert optimum.status == "exact"
    assert 0 <= study.gap(optimum, *fit(X, y, 1e-4)) < 1e-2


def test_the_textbooks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "EPOCHS", (20, 200))
    facts, figure = study.textbook()
    short, printed = facts["rows"]
    assert (short["epochs"], printed["epochs"]) == (20, 200)
    assert 0 < printed["suboptimality"] < short["suboptimality"]
    assert printed["accuracy"] == 1.0
    # every point is on its side, and the margin is far from the exact maximum: what the reader is to learn
    assert 20 < printed["percent_of_maximum_margin"] < 90
    assert facts["margin_of_the_optimum"] <= facts["maximum_margin"]
    assert len(figure.steps) == len(figure.suboptimality) == len(figure.margin) <= AT_MOST
    assert figure.suboptimality[-1] == printed["suboptimality"]


def test_the_results_that_are_shipped() -> None:
    known = json.loads((RESULTS / "svm-study.json").read_text(encoding="utf-8"))
    assert {r["data"] for r in known["solvers"]} == set(study.SETS)
    assert {r["solver"] for r in known["solvers"]} == set(study.SOLVERS)
    assert {r["status"] for r in known["solvers"]} == {"exact"}
    assert all(r[f"{t:g}"] >= 0 for r in known["solvers"] for t in study.TOLERANCES)
    # the Markdown is what the numbers say
    assert study.markdown(known["textbook"], known["solvers"]) == (RESULTS / "svm-study.md").read_text(encoding="utf-8")
    figure = msgspec.json.decode((RESULTS / "svm-figures.jsonl").read_bytes(), type=Training)
    assert figure.steps[-1] == study.EPOCHS[-1]


def test_a_training_run_leaves_its_curve_and_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    arguments = ["verify", "numpy.squared_hinge", "numpy.hinge", "--law", "training", "--dtype", "float64"]
    assert run([*arguments, "--mode", "eager", "--profile", "quick", "--jobs", "1", "--out", str(out)]) == 0
    records = [msgspec.json.decode(x, type=Record) for x in (out / "records.jsonl").read_bytes().splitlines()]
    assert [r.verdict for r in records] == ["pass", "pass"]
    assert [r.figures for r in records] == [[], []]
    hinge, squared = records
    assert hinge.note.startswith("averaged sub-gradient: ")
    assert squared.note.startswith("L-BFGS: ")
    assert not any("not reached" in r.note for r in records)
    lines = (out / "figures.jsonl").read_bytes().splitlines()
    figures = [f for f in (msgspec.json.decode(x, type=Figure) for x in lines) if isinstance(f, Training)]
    assert [f.check for f in figures] == [r.check for r in records]
    assert figures[0].suboptimality[-1] <= 1e-3
    assert figures[1].suboptimality[-1] <= 1e-8
    assert all(v >= 0 for f in figures for v in f.suboptimality)
    assert "above the certified optimum" in capsys.readouterr().out


def test_what_is_not_reached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from hingeproof.judge.engine import run_pass
    from hingeproof.plan.checks import build
    from hingeproof.properties.svm import optimisers
    from hingeproof.runs.records import Plan

    monkeypatch.setattr(optimisers, "STEPS", 20)
    plan = Plan(patterns=("numpy.hinge",), dtypes=("float64",), modes=("eager",), laws=("training",), profile="quick")
    (record,) = run_pass(build(plan).checks, plan, lambda tried: None)
    assert record.verdict == "pass"
    assert record.note.endswith("after 20 steps: not reached (0.001)")


def test_without_cvxpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from hingeproof.contracts import IMPLEMENTATIONS
    from hingeproof.plan import checks as table
    from hingeproof.properties.catalogue import LAWS

    monkeypatch.setattr(table, "_SOLVES", False)
    why = table.lacking(IMPLEMENTATIONS["numpy.hinge"], LAWS["optimal_objective"])
    assert why == "cvxpy is not installed, so no optimum is certified (pip install 'hingeproof[svm]')"
    assert table.lacking(IMPLEMENTATIONS["numpy.hinge"], LAWS["fenchel_young"]) is None
