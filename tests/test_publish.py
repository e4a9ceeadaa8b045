"""`hingeproof publish`: the command, its refusals, and the series of a history with their change points."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.made import good, info, record, stored

from hingeproof.bench.history import figures
from hingeproof.bench.history.database import History
from hingeproof.bench.history.storing import annotate, of_run, store
from hingeproof.commands.main import run


def at(directory: Path, day: int, *, ulp: float, failing: bool = False) -> Path:
    rows = [msgspec.structs.replace(good()[0], worst_ulp=ulp), good()[1]]
    if failing:
        rows.append(record("late", verdict="fail"))
    about = msgspec.structs.replace(info(), started=f"2026-01-{day:02}T00:00:00+00:00")
    return stored(directory, rows, about)


def test_the_command_and_its_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = at(tmp_path / "one", 1, ulp=0.5), at(tmp_path / "two", 2, ulp=0.75, failing=True)
    out = tmp_path / "site"
    assert run(["publish", str(one), str(two), "--out", str(out)]) == 0
    assert "6 pages over 2 runs" in capsys.readouterr().out
    index = (out / "index.html").read_text(encoding="utf-8")
    assert index.index("two") < index.index("run-one.html"), "the newest first"
    history = (out / "history.html").read_text(encoding="utf-8")
    assert "worst error of torch.hinge" in history
    assert "findings" in history
    assert run(["publish", str(one), "--out", str(tmp_path)]) == 2
    assert "no site of hingeproof" in capsys.readouterr().err
    assert run(["publish", str(tmp_path / "none"), "--out", str(out)]) == 2
    assert run(["publish", str(one), "--out", str(out), "--history", str(tmp_path / "none.sqlite")]) == 2
    assert index == (out / "index.html").read_text(encoding="utf-8"), "what stood there stays"


def test_the_series_of_a_history_with_changes_and_annotations(tmp_path: Path) -> None:
    runs = [at(tmp_path / f"run{day}", day, ulp=0.5 if day < 5 else 2.5) for day in range(1, 9)]
    place = str(tmp_path / "history.sqlite")
    with History(place) as history:
        store(history, [of_run(directory) for directory in runs])
        series = {figure.name: figure for figure in figures.of(history)}
        (ulp,) = [figure for name, figure in series.items() if name.endswith("ulp")]
        annotate(history, ulp.name.removesuffix(": ulp"), of_run(runs[6]).key, "new compiler")
        (ulp,) = [figure for figure in figures.of(history) if figure.name.endswith("ulp")]
    assert [point.value for point in ulp.points] == [0.5] * 4 + [2.5] * 4
    assert ulp.change_points
    assert any("new compiler" in point.note for point in ulp.points)
    out = tmp_path / "site"
    assert run(["publish", str(runs[0]), "--out", str(out), "--history", place]) == 0
    page = (out / "history.html").read_text(encoding="utf-8")
    assert 'class="change"' in page
    assert "new compiler" in page
    assert run(["report", str(runs[0]), "--history", place, "--html", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'class="change"' in page
    assert "new compiler" in page
    assert run(["report", str(runs[0]), "--history", place]) == 2
