"""The measurement of gaps: one small case of it, and the page holds the table of the results that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import svm_gap

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "bench" / "results" / "svm-gap.json", ROOT / "docs" / "svm-gap.md"


def test_a_case() -> None:
    pytest.importorskip("sklearn")
    found = svm_gap.measured("hinge", 3_000, 3, 1)
    assert 0 <= found["own_relative"] < 1e-6
    assert found["own_relative"] <= found["relative"]
    assert found["bytes"] < found["n"]  # a byte a row
    assert found["optimum_status"] == "exact"


def test_the_page_has_the_table_of_the_results() -> None:
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert svm_gap.table(found) in PAGE.read_text(encoding="utf-8")
    assert {(r["loss"], r["n"], r["d"]) for r in found["results"]} == set(svm_gap.CASES)
    assert all(r["own_relative"] <= 1e-6 and r["check_s"] <= 30 and r["peak_gib"] <= 2 for r in found["results"])


def test_a_page_without_its_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    assert svm_gap.main(["table", str(RESULTS), str(page)]) == 2
    assert "are not there" in capsys.readouterr().err
    assert svm_gap.main([]) == 2
