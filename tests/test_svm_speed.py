"""The page of the SVM's speed, from a made-up run of its benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import svm_speed

ROOT = Path(__file__).resolve().parents[1]


def made_up() -> dict[str, Any]:
    timed = {
        "status": ["exact"], "solve_s": 0.5, "certify_s": 0.125, "certify_over_solve": 0.25, "proved_over_solved": 1.25,
        "predicted_over_measured": 2.0,
    }  # fmt: skip
    ended = {"status": "interval", "relative_width": 3e-9, "limit_s": 30, "ahead": "about 5 min to solve"}
    rows = {
        "test_certifying_beside_solving[500-2]": timed | {"status": ["exact", "interval"]},
        f"test_{svm_speed.SMALL}": timed | {"processor_ms": 4.0},
        f"test_{svm_speed.LARGEST}": ended,
    }
    benchmarks = [{"name": name, "extra_info": facts} for name, facts in rows.items()]
    return {"datetime": "2026-01-02T03:04:05", "machine_info": {"cpu": {"count": 7}}, "benchmarks": benchmarks}


def test_the_page_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(made_up()))
    assert svm_speed.main([str(path)]) == 0
    page = capsys.readouterr().out
    for part in (
        "the run of 2026-01-02 on 7 cores",
        "\n| certifying_beside_solving[500-2] | 0.5000 | 0.1250 | 0.25 | 2.00 | exact, interval |\n",
        "\n| many_small_problems | 0.5000 |",
        "solved and proved in 1.25 times the bare solve, 4.0 ms",
        "under `--time-limit 30` left a proved interval of relative width 3e-09",
        "\n> about 5 min to solve\n",
    ):
        assert part in page
    assert page.count("\n| ") == 3  # the head, and the two that were solved


def test_what_is_no_whole_run_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = made_up()
    del part["benchmarks"][1]
    path = tmp_path / "speed.json"
    for text in ("no JSON", "[]", json.dumps(part)):
        path.write_text(text)
        assert svm_speed.main([str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(f"make one with {svm_speed.MADE_BY}")
    assert svm_speed.main([str(tmp_path / "none.json")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert svm_speed.main([]) == 2


def test_the_page_in_the_repository_says_how_it_is_made_and_the_benchmarks_have_these_names() -> None:
    page = (ROOT / "bench" / "results" / "svm-speed.md").read_text(encoding="utf-8")
    assert "python studies/svm_speed.py speed.json" in page
    assert svm_speed.MADE_BY in page
    source = (ROOT / "studies" / "test_svm_speed.py").read_text(encoding="utf-8")
    for name in (svm_speed.SMALL, svm_speed.LARGEST.partition("[")[0]):
        assert f"def test_{name}(" in source
