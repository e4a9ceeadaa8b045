"""`hingeproof svm gap`, and `svm check` of what it writes: files in, exit codes out, one line for every trouble."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hingeproof.commands.main import run

CSV = "a,b,y\n0,0,no\n1,0.5,no\n3,1,yes\n4,2,yes\n1.5,3,yes\n2,1,no\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(CSV)
    Path("model.json").write_text('{"w": [1, 0.5], "b": -2.5}')
    np.savez("model.npz", coef_=np.array([[1, 0.5]]), intercept_=np.array([-2.5]))


def call(*arguments: str) -> int:
    return run(["svm", *arguments])


def test_gap_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("gap", "model.json", "data.csv", "--label", "y", "--C", "1", "--certificate", "gap.json") == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert "above the optimum (relative), proved; objective " in first
    assert second == "minimises ½‖w‖² + C Σ max(0, 1 − y f), f = w·x + b, C = 1"
    assert third == "certificate: gap.json"
    assert call("check", "gap.json", "data.csv") == 0
    assert "loss hinge, C 1, margin 1, bias free, n 6, d 2" in capsys.readouterr().out
    assert call("gap", "model.npz", "data.csv", "--certificate", "other.json") == 0
    assert Path("other.json").read_text() == Path("gap.json").read_text()


def test_a_rejected_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    call("gap", "model.json", "data.csv", "--certificate", "gap.json")
    forged = json.loads(Path("gap.json").read_text())
    forged["upper"] = forged["lower"]
    Path("gap.json").write_text(json.dumps(forged))
    capsys.readouterr()
    assert call("check", "gap.json", "data.csv") == 1
    assert capsys.readouterr().out == "rejected: upper is not the objective of w and b\n"


def test_rel_is_a_gate() -> None:
    assert call("gap", "model.json", "data.csv", "--rel", "1e-4") == 1
    assert call("gap", "model.json", "data.csv", "--rel", "1e4") == 0


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("gap", "model.json", "data.csv", "--json", "--bias", "regularised") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["exact"] is True
    assert said["lower"] <= said["upper"]
    assert said["relative"] == pytest.approx((said["upper"] - said["lower"]) / said["lower"])


def test_weights_are_spelled_as_solve_spells_them(capsys: pytest.CaptureFixture[str]) -> None:
    """In a column of the file, which is no feature; and by class, as exact decimals."""
    table = np.array([line.split(",") for line in CSV.split()[1:]])
    r = ["1", "2", "1", "1", "0.5", "1"]
    Path("heavy.csv").write_text(
        "a,b,r,y\n" + "".join(f"{a},{b},{w},{y}\n" for (a, b, y), w in zip(table, r, strict=True))
    )
    np.save("heavy.npy", np.array([[a, b, w, y == "yes"] for (a, b, y), w in zip(table, r, strict=True)], np.float64))
    said = []
    for data, column, yes in (("heavy.csv", "r", "yes"), ("heavy.npy", "2", "1")):
        weights = ("--sample-weight", column)
        by_class = ("--class-weight", f"{yes}=0.1")
        assert call("gap", "model.json", data, *weights, *by_class, "--certificate", "gap.json") == 0
        said.append(capsys.readouterr().out)
        assert call("check", "gap.json", data, *weights, "--expect", "weights=class+sample") == 0
        assert "weights class+sample" in capsys.readouterr().out
        assert json.loads(Path("gap.json").read_text())["class_weight"][yes] == "1/10"
        assert call("check", "gap.json", data) in (1, 2)  # the column is a feature then
        capsys.readouterr()
        assert call("solve", data, *weights, *by_class, "--json") == 0
        optimum = json.loads(capsys.readouterr().out)["objective"]
        assert f"the optimum, proved exactly, is {optimum:.12g}" in said[-1]
    assert said[0] == said[1]
    assert call("gap", "model.json", "heavy.csv", "--sample-weight", "none") == 2
    assert "label 'none' not found" in capsys.readouterr().err


@pytest.mark.parametrize("at", [0, 1, 2])
def test_npy_with_its_label_in_any_column(at: int, capsys: pytest.CaptureFixture[str]) -> None:
    table = np.array([[0, 0, 0], [1, 0.5, 0], [3, 1, 1], [4, 2, 1], [1.5, 3, 1], [2, 1, 0]])
    np.save("data.npy", np.insert(table[:, :2], at, table[:, 2], axis=1))
    assert call("gap", "model.json", "data.npy", "--label", str(at), "--certificate", "gap.json") == 0
    assert call("check", "gap.json", "data.npy", "--label", str(at)) == 0
    said = capsys.readouterr().out
    call("gap", "model.json", "data.csv")
    assert capsys.readouterr().out.splitlines()[0] == said.splitlines()[0]


@pytest.mark.parametrize("loss", ["squared_hinge", "smooth_hinge", "one_class"])
def test_losses(loss: str) -> None:
    assert call("gap", "model.json", "data.csv", "--loss", loss, "--label", "y", "--certificate", "gap.json") == 0
    assert call("check", "gap.json", "data.csv", "--label", "y") == 0


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ('{"w": [1, NaN], "b": 0}', "not finite"),
        ('{"w": [1, 1e999], "b": 0}', "not finite"),
        ('{"b": 0}', "there is no w"),
        ("[1, 2]", "give an object"),
        ("{", "no JSON"),
        ('{"w": ["x", 1], "b": 0}', "must be numbers"),
        ('{"w": [[1, 2], [3]], "b": 0}', "must be numbers"),
        ('{"w": [1, 2, 3], "b": 0}', "3 features"),
    ],
)
def test_a_broken_model_is_one_line(model: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.json").write_text(model)
    assert call("gap", "model.json", "data.csv") == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_other_trouble_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.npz").write_bytes(b"PK\x03\x04 broken")
    Path("text.npy").write_bytes(b"not an array")
    np.save("wide.npy", np.zeros((2, 2, 2)))
    for arguments in (
        ("gap", "nowhere.json", "data.csv"),
        ("gap", "model.npz", "data.csv"),
        ("gap", "model.json", "nowhere.csv"),
        ("gap", "model.json", "text.npy"),
        ("gap", "model.json", "wide.npy"),
        ("gap", "model.json", "data.csv", "--C", "much"),
        ("gap", "model.json", "data.csv", "--nu", "0.5"),
        ("gap", "model.json", "data.csv", "--certificate", "nowhere/gap.json"),
        ("gap", "model.json", "data.csv", "--class-weight", "yes"),
        ("gap", "model.json", "wide.npy", "--sample-weight", "7"),
        ("gap", "model.json", "data.csv", "--loss", "logistic"),
    ):
        assert call(*arguments) == 2, arguments
        assert capsys.readouterr().err.count("\n") == 1, arguments


def test_expect_refuses_a_gap_of_another_problem(capsys: pytest.CaptureFixture[str]) -> None:
    call("gap", "model.json", "data.csv", "--certificate", "gap.json")
    assert call("check", "gap.json", "data.csv", "--expect", "loss=hinge,C=1,bias=free,n=6") == 0
    capsys.readouterr()
    assert call("check", "gap.json", "data.csv", "--expect", "C=2") == 1
    assert capsys.readouterr().out.startswith("rejected: ")


def test_integers_that_floats_round_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    large = Path("large.csv")
    large.write_text("a,b,y\n9007199254740993,0,no\n1,0,no\n3,1,yes\n4,2,yes\n2,3,yes\n2,1,no\n")
    assert call("gap", "model.json", str(large)) == 2
    assert "integers from 2^53 on" in capsys.readouterr().err
    call("gap", "model.json", "data.csv", "--certificate", "gap.json")
    assert call("check", "gap.json", str(large)) == 2
    assert "integers from 2^53 on" in capsys.readouterr().err


def test_a_gap_is_not_checked_on_libsvm(capsys: pytest.CaptureFixture[str]) -> None:
    call("gap", "model.json", "data.csv", "--certificate", "gap.json")
    assert call("check", "gap.json", "data.libsvm") == 2
    assert "svm export" in capsys.readouterr().err
