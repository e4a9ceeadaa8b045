"""`hingeproof svm`: files in, certificates out, exit codes, and one line for every trouble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hingeproof.commands.main import run
from hingeproof.svm.reading import bundled

CSV = "a,b,y\n0,0,no\n1,0.5,no\n3,1,yes\n4,2,yes\n1.5,3,yes\n2,1,no\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(CSV)


def call(*arguments: str) -> int:
    return run(["svm", *arguments])


def test_solve_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("solve", "data.csv", "--label", "y", "--C", "1", "--certificate", "c.json", "--plot", "p.svg") == 0
    assert capsys.readouterr().out.startswith("exact: objective ")
    assert call("check", "c.json", "data.csv", "--label", "y") == 0
    assert "duality gap 0, proved" in capsys.readouterr().out
    proof = json.loads(Path("c.json").read_text())
    assert proof["label_map"] == {"no": -1, "yes": 1}
    picture = Path("p.svg").read_text()
    assert picture.startswith("<svg")
    assert picture.count('class="support"') == len(proof["alpha"])
    assert picture.count("<line") == 3


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("solve", "data.csv", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == "exact"
    assert said["lower"] == said["upper"] == said["objective"]
    assert said["margin"] == pytest.approx(1 / np.hypot(*said["w"]), rel=1e-12)


def test_a_rejected_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    call("solve", "data.csv", "--certificate", "c.json")
    Path("c.json").write_text(Path("c.json").read_text().replace('"free"', '"none"'))
    capsys.readouterr()
    assert call("check", "c.json", "data.csv") == 1
    assert capsys.readouterr().out.startswith("rejected: ")
    Path("c.json").write_text("{")
    assert call("check", "c.json", "data.csv") == 1


def test_an_interval_is_3_under_strict() -> None:
    for strict, code in ((), 0), (("--strict",), 3):
        assert call("solve", "data.csv", "--time-limit", "0", "--certificate", "c.json", *strict) == code
        assert call("check", "c.json", "data.csv", *strict) == code


def test_check_says_which_problem_and_refuses_another(capsys: pytest.CaptureFixture[str]) -> None:
    call("solve", "data.csv", "--C", "0.1", "--certificate", "c.json")
    call("solve", "data.csv", "--C", "0.1", "--margin", "2", "--certificate", "wide.json")
    call("solve", "data.csv", "--hard", "--certificate", "hard.json")
    capsys.readouterr()
    assert call("check", "c.json", "data.csv", "--expect", "loss=hinge,C=0.1,bias=free,n=6,d=2,kind=optimum") == 0
    said = capsys.readouterr().out
    assert "loss hinge, C 0.1, margin 1, bias free, n 6, d 2; data " in said
    assert json.loads(Path("c.json").read_text())["data_sha256"][:16] in said
    for file, other, reason in (
        ("c.json", "C=1", "C=1 is expected, this certificate is about C=0.1"),
        ("c.json", "C=0.1000001", "about C=0.1"),
        ("c.json", "bias=none", "bias=none is expected, this certificate is about bias=free"),
        ("c.json", "loss=squared_hinge", "about loss=hinge"),
        ("c.json", "n=7", "about n=6"),
        ("c.json", "gamma=1", "has no gamma"),
        ("c.json", "data_sha256=0", "about data_sha256="),
        ("wide.json", "C=0.1", "margin=1 is expected, this certificate is about margin=2 (say margin=2"),
        ("hard.json", "C=1", "about C=none"),
    ):
        assert call("check", file, "data.csv", "--expect", other) == 1
        said = capsys.readouterr().out
        assert said.startswith("rejected: ")
        assert reason in said
        assert said.count("\n") == 1
    assert call("check", "wide.json", "data.csv", "--expect", "C=1/10,margin=2") == 0
    assert call("check", "hard.json", "data.csv", "--expect", "C=none,loss=hinge") == 0
    for wrong in ("C", "C=", "colour=red", "C=0.1,C=1", "C=much", "C=1/0"):
        assert call("check", "c.json", "data.csv", "--expect", wrong) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--nu", "0.5"), "hinge has no nu: its parameters are C, margin; leave nu out"),
        (("--loss", "one_class", "--C", "1"), "one_class has no C"),
        (("--loss", "squared_hinge", "--gamma", "1"), "squared_hinge has no gamma"),
        (("--hard", "--C", "1"), "a hard margin has no C"),
        (("--plot", "p.png"), "--plot writes SVG: name it p.svg"),
        (("--plot", "p.svg", "--C", "1,2"), "--plot draws one solution"),
        (("--C", "1,x"), "C 'x' is not a number"),
        (("--C", "1,2,1"), "one of them stands there twice"),
    ],
)
def test_options_that_fit_nothing_are_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("solve", "data.csv", *arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not Path("p.png").exists()


def test_a_path_writes_one_certificate_for_each_C(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("solve", "data.csv", "--C", "0.1, 1,10", "--certificate", "c.json", "--json") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["C"] for row in said] == ["0.1", "1", "10"]
    objectives = [row["objective"] for row in said]
    assert objectives == sorted(objectives)
    for C in ("0.1", "1", "10"):
        assert call("check", f"c-C{C}.json", "data.csv", "--expect", f"C={C}") == 0
    assert call("solve", "data.csv", "--C", "0.1,1", "--time-limit", "0", "--strict") == 3


def test_one_class_takes_no_label_for_a_feature() -> None:
    Path("one.csv").write_text("a,b,label\n1,2,9\n3,4,8\n2,2,7\n")
    assert call("solve", "one.csv", "--loss", "one_class", "--certificate", "c.json") == 0
    assert json.loads(Path("c.json").read_text())["d"] == 2
    assert call("check", "c.json", "one.csv") == 0


def test_sparse_data_are_checked_as_they_are() -> None:
    lines = [f"{i % 2} {i % 3 + 1}:{i + 1} 100000:{i % 5 + 1}" for i in range(12)]
    Path("d.libsvm").write_text("\n".join(lines))
    assert call("solve", "d.libsvm", "--bias", "regularised", "--certificate", "c.json") == 0
    assert call("check", "c.json", "d.libsvm") == 0
    Path("d.libsvm").write_text("\n".join(lines).replace("1:1 ", "1:2 "))
    assert call("check", "c.json", "d.libsvm") == 1


def test_not_separable(capsys: pytest.CaptureFixture[str]) -> None:
    Path("xor.csv").write_text("a,b,y\n0,0,0\n1,1,0\n0,1,1\n1,0,1\n")
    assert call("solve", "xor.csv", "--hard", "--certificate", "c.json") == 0
    assert "not separable" in capsys.readouterr().out
    assert json.loads(Path("c.json").read_text())["farkas"] == dict.fromkeys("0123", "1/4")
    assert call("check", "c.json", "xor.csv") == 0


def test_bundled_data_and_export() -> None:
    assert call("export", "sklearn:iris:1-2", "iris.csv") == 0
    assert call("solve", "sklearn:iris:1-2", "--loss", "squared_hinge", "--certificate", "c.json") == 0
    assert call("check", "c.json", "iris.csv") == 0
    assert call("solve", "iris.csv", "--loss", "one_class", "--label", "y", "--certificate", "c.json") == 0
    assert call("check", "c.json", "iris.csv", "--label", "y", "--expect", "d=4") == 0


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "libsvm"])
def test_kinds_of_files_hold_the_same_data(kind: str) -> None:
    X, y = bundled("sklearn:iris:0-1")
    name = f"data.{kind}"
    if kind == "npy":
        np.save(name, np.column_stack([X, y]))
    elif kind == "npz":
        np.savez(name, X=np.asfortranarray(X), y=y.astype(np.int64))
    elif kind == "libsvm":
        lines = [
            f"{int(v)} " + " ".join(f"{j + 1}:{x!r}" for j, x in enumerate(r))
            for r, v in zip(X.tolist(), y, strict=True)
        ]
        Path(name).write_text("\n".join(lines))
    else:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({**{f"x{j}": X[:, j] for j in range(4)}, "y": y}), name)
    assert call("solve", name, "--certificate", "c.json") == 0
    if kind in ("npy", "npz"):
        assert call("check", "c.json", name) == 0
    assert call("export", name, "out.csv") == 0
    assert call("check", "c.json", "out.csv") == 0


TROUBLE: list[tuple[str | bytes, tuple[str, ...], str]] = [
    ("a,y\n1,0\nnan,1\n", (), "data.csv: row 3, column a: 'nan' is not a finite number"),
    ("a,y\n1,0\n-Inf,1\n", (), "row 3, column a: '-Inf' is not a finite number"),
    ("a,y\n1,0\n1e999,1\n", (), "row 3, column a: '1e999' is not a finite float64"),
    ("a,b,y\n1,red,0\n", (), "row 2, column b: 'red' is not a number"),
    ("a,y\n1,0\n1_0,1\n", (), "row 3, column a: '1_0' is not a number"),
    ("a,y\n1,0\n,1\n", (), "row 3, column a: empty"),
    ("a,y\n1,0\n2,\n", (), "row 3, column y: empty label"),
    ("a,y\n1,0\n2,nan\n", (), "row 3, column y: label 'nan' is not finite"),
    ("a,y\n1,0\n2\n", (), "row 3: 1 columns where the first row has 2"),
    ("a,y\n1,5\n2,5\n", (), "one class only: every label is 5"),
    ("a,z\n1,0\n2,1\n", (), "label not found: name its column with --label"),
    ("a,y\n1,0\n2,1\n", ("--label", "q"), "label 'q' not found: the columns are a, y"),
    ("1,0\n2,1\n", ("--label", "7"), "label 7 not found: there are 2 columns"),
    ("a,y\n", (), "n = 0: there is a header and no rows"),
    ("", (), "n = 0: the file is empty"),
    ("a,a,y\n1,2,0\n", (), "row 1: column 'a' stands there twice"),
    (b"a,y\n1,0\n\xff,1\n", (), "row 3, column 1: not UTF-8 text"),
    (b"a,y\n1,0\n\x00,1\n", (), "row 3: a NUL byte"),
    ("a,y\n1,0\n2,1\n3,2\n", (), "3 labels (0, 1, 2) where a binary loss needs two"),
    ("a,y\n1,red\n2,1\n", ("--loss", "epsilon_insensitive"), "epsilon_insensitive needs numbers as targets"),
    ("a,y\n1,0\n2,1\n", ("--C", "-1"), "C is -1: it must be above 0"),
    ("a,y\n1,0\n2,1\n", ("--loss", "hing"), "did you mean hinge"),
    ("a,y\n1,0\n2,1\n", ("--plot", "p.svg"), "--plot draws binary problems with d = 2"),
    ("a,y\n1,0\n2,1\n", ("--C", "1e400"), "C is 1e400: it must lie between 1e-200 and 1e200"),
    ("a,y\n1,0\n2,1\n", ("--C", "1e999999999999"), "it must lie between 1e-200 and 1e200"),
    ("a,y\n1,0\n2,1\n", ("--C", "nan"), "C 'nan' is not a number"),
    ("a,y\n1,0\n2,1\n", ("--time-limit", "-1"), "it must be at least 0 seconds"),
    ("a,y\n1,0\n2,1\n", ("--certificate", "none/c.json"), "none/c.json: there is no such directory"),
    ("a,b,y\n1,0,0\n2,1e308,1\n", (), "row 1, column 1: 1e+308 is above 2^500"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "more", "message"), TROUBLE)
def test_trouble_is_one_line_and_2(
    content: Any, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert call("solve", "data.csv", *more) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1:1 3:nan", "row 2, column 3: 'nan' is not a finite number"),
        ("1 0:1", "row 2, column '0': not an index from 1"),
        ("1 2:1 2:3", "row 2, column 2: stands there twice"),
        ("1 99999999999:1", "row 2, column 99999999999: more than 10,000,000 columns"),
        ("x 1:1", "row 2, label: 'x' is not a number"),
    ],
)
def test_libsvm_trouble(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("d.libsvm").write_text(f"-1 1:2\n{line}\n")
    assert call("solve", "d.libsvm") == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_drawn_costs_no_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    Path("line.csv").write_text("a,y\n1,0\n2,1\n")
    assert call("solve", "line.csv", "--plot", "p.svg", "--certificate", "c.json") == 2
    assert capsys.readouterr().out.startswith("exact: ")
    assert call("check", "c.json", "line.csv") == 0


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.xyz", "sklearn:wine", "sklearn:iris:0-9"])
def test_no_such_data(name: str) -> None:
    assert call("solve", name) == 2


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.parquet"])
def test_files_that_are_something_else(name: str) -> None:
    Path(name).write_bytes(b"something else")
    assert call("solve", name) == 2


def test_npy_trouble_names_row_and_column(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.array([[1.0, 0.0], [np.nan, 1.0]]))
    assert call("solve", "x.npy") == 2
    assert "row 1, column 0: nan is not a finite number" in capsys.readouterr().err
    np.save("x.npy", np.array([["a", "b"]]))
    assert call("solve", "x.npy") == 2
    assert "is not numeric" in capsys.readouterr().err
    np.save("x.npy", np.zeros((2, 2, 2)))
    assert call("solve", "x.npy") == 2
    assert "it must be (n, d)" in capsys.readouterr().err
