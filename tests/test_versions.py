"""Two real runs of different PyTorch versions, made by tox (see runs/README.md), and the report between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hingeproof.commands.main import run
from hingeproof.reports import model as load
from hingeproof.reports import tables
from hingeproof.reports.compare import Difference

RUNS = Path(__file__).parent / "runs"
OLDER, NEWER = RUNS / "torch-older", RUNS / "torch2.13"


@pytest.fixture(scope="module")
def difference() -> Difference:
    sides = [load.run(directory, summarised=False) for directory in (OLDER, NEWER)]
    return load.difference(*sides, (OLDER.name, NEWER.name), strict=False)


def test_both_runs_are_whole_and_of_the_versions_that_they_say() -> None:
    for directory, version in ((OLDER, "1.13."), (NEWER, "2.13.")):
        told = load.run(directory)
        assert told.verified.complete
        assert told.verified.environment["torch"].startswith(version)
        assert told.summary.gradients_judged


def test_the_versions_are_what_differs_first(difference: Difference) -> None:
    (table, *_) = tables.diff_tables(difference)
    assert table.key == "environment"
    versions = {line.cells[0]: line.cells[1:] for line in table.lines}
    assert versions["torch"][0].startswith("1.13.")
    assert versions["torch"][1].startswith("2.13.")


def test_what_changed_between_the_versions(difference: Difference) -> None:
    assert difference.compared > 100
    assert not difference.worse
    assert not difference.checks("vanished")
    changed = {(c.implementation, c.law) for c in difference.conventions}
    # 2.13 has unsigned label dtypes that 1.13 lacks, and answers labels in another dtype
    assert ("torch.nn.MarginRankingLoss", "label_dtypes") in changed
    # clamp, relu and maximum choose the same sub-gradients in both
    assert not difference.selections
    assert {s.implementation: s.modes["eager"] for s in difference.head_summary.selections}.keys() >= {
        "textbook.hinge_loss"
    }


def test_the_command_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(OLDER), str(NEWER)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("Nothing got worse in ")
    assert "still failing" in text
    assert run(["diff", str(NEWER), str(OLDER), "--quiet"]) == 0
