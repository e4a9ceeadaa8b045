"""Ledgers of an older hingeproof: migrated by what their witnesses show, by their text else, and nothing is lost."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from msgspec.structs import replace

from hingeproof.commands import main as cli
from hingeproof.ledger.deviations import as_toml, decoded, named, read, shipped
from hingeproof.ledger.migration import Shown, ToldKind, as_told_before, by_text, decided, rewrite
from hingeproof.properties.failure_kinds import same_kind
from hingeproof.run.witnesses import witnesses
from hingeproof.runs.records import Deviation

SHIPPED = Path(str(files("hingeproof.ledger") / "deviations.toml"))


@pytest.fixture(scope="module")
def seen() -> list[Shown]:
    """What the witness of each shipped entry shows, asked again."""
    return witnesses(shipped(), ())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def older(entry: Deviation, observed: str) -> Deviation:
    """The entry as an older hingeproof would have written it."""
    old = replace(entry, kind=as_told_before(observed), error="")
    return replace(old, id=named(old, old))


def entry(**fields: str) -> Deviation:
    return replace(shipped()[0], **fields)


def test_each_shipped_entry_is_still_what_it_says(seen: list[Shown]) -> None:
    for one, shown in zip(shipped(), seen, strict=True):
        if shown.why:  # the framework is missing here, or another release of it is
            assert "installed" in shown.why, (one.id, shown.why)
        else:
            assert same_kind(one, shown), (one.id, shown)
    assert sum(not shown.why for shown in seen) >= 60


def test_the_older_ledger_becomes_the_shipped_one(
    seen: list[Shown], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = SHIPPED.read_text(encoding="utf-8")
    old = [older(one, shown.observed or one.observed) for one, shown in zip(shipped(), seen, strict=True)]
    (folder / "old.toml").write_text(new[: new.index("[[")] + "\n".join(map(as_toml, old)), encoding="utf-8")
    assert any(a.kind != b.kind for a, b in zip(old, shipped(), strict=True))
    monkeypatch.setattr("hingeproof.run.witnesses.witnesses", lambda entries, users: seen)
    for _ in range(2):  # a second time changes nothing
        assert cli.run(["deviations", "migrate", "--ledger", "old.toml"]) == 0
        assert (folder / "old.toml").read_text(encoding="utf-8") == new
    assert "144 entries, 0 changed" in capsys.readouterr().out


WRONG = """
import numpy as np

def hinge(scores, targets, reduction="mean"):
    if targets.dtype == np.uint8:
        raise TypeError("Could not infer dtype")
    d = np.maximum(1 - scores * targets, 0).astype(scores.dtype)
    return {"none": d, "sum": d.sum(dtype=d.dtype), "mean": d.mean(dtype=d.dtype)}[reduction]
"""
OLDER = """# ours

[[deviation]]
id = "mine:hinge/label_dtypes/infinity"  # the id
implementation = "mine:hinge"
law = "label_dtypes"
loss = "hinge"
dtypes = ["float32"]
modes = ["eager"]
versions = "numpy"
# misread
kind = "infinity" # the kind
check = "label_dtypes|mine:hinge|hinge|float32|cpu|eager"
observed = "OBSERVED"
allowed = "an answer"
why = "kept"
link = "https://example.org"
since = 2026-11-24
review_by = 2036-05-25
parameters = {}
witness = {}
"""
PROJECT = """[tool.hingeproof.implementations."mine:hinge"]
loss = "hinge"
framework = "numpy"
contract = "strict"
"""


@pytest.fixture
def mine(folder: Path) -> Path:
    (folder / "mine.py").write_text(WRONG)
    (folder / "pyproject.toml").write_text(PROJECT)
    path = folder / "hingeproof-deviations.toml"
    path.write_text(OLDER)
    return path


def test_an_own_callable_is_replayed_and_comments_stay(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["deviations", "migrate"]) == 0
    assert "1 entry, 1 changed; 1 by what their witness shows" in capsys.readouterr().out
    assert mine.read_text() == OLDER.replace("label_dtypes/infinity", "label_dtypes/raised-TypeError").replace(
        'kind = "infinity"', 'kind = "raised"\nerror = "TypeError"'
    )
    (one,) = read(mine)
    assert (one.kind, one.error) == ("raised", "TypeError")


def test_what_nothing_tells_is_left_as_it_is(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine.parent / "pyproject.toml").unlink()
    assert cli.run(["deviations", "migrate"]) == 1
    out = capsys.readouterr().out
    assert "left as it is, for its text does not tell its kind: declare mine:hinge" in out
    assert mine.read_text() == OLDER


def test_what_cannot_be_asked_is_told_by_its_text(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.write_text(OLDER.replace("OBSERVED", "uint8 labels: raised TypeError: Could not infer dtype"))
    (mine.parent / "pyproject.toml").unlink()
    assert cli.run(["deviations", "migrate"]) == 0
    assert "1 by their text: declare mine:hinge" in capsys.readouterr().out
    (one,) = read(mine)
    assert (one.kind, one.error) == ("raised", "TypeError")


def test_a_process_that_dies_costs_one_entry(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine.parent / "mine.py").write_text(WRONG + "\ndef dies(scores, targets):\n    import os; os._exit(7)\n")
    (mine.parent / "pyproject.toml").write_text(PROJECT + PROJECT.replace("mine:hinge", "mine:dies"))
    second = OLDER[OLDER.index("[[") :]
    mine.write_text(OLDER.replace("mine:hinge", "mine:dies") + second)
    assert cli.run(["deviations", "migrate"]) == 1
    out = capsys.readouterr().out
    assert "2 entries, 1 changed; 1 by what their witness shows" in out
    assert "the process died (exit code 7)" in out
    dead, living = decoded(mine)
    assert (dead.kind, living.kind) == ("infinity", "raised")


def test_a_witness_that_shows_something_else_is_no_proof_of_another_kind() -> None:
    stale = entry(law="value", kind="nan", observed="nan")
    kept, why = decided(stale, Shown(kind="number", observed="2.0"))
    assert kept == stale
    assert why == "the witness shows number now"
    gone, why = decided(stale, Shown(why="the witness breaks the law no longer"))
    assert gone == stale
    assert "no longer" in why


@pytest.mark.parametrize(
    ("law", "kind", "observed", "told"),
    [
        ("value", "raised TypeError", "raised TypeError: no", ToldKind("raised", "TypeError")),
        ("value", "shape", "a result of shape (2, 2)", ToldKind("shape")),
        ("value", "nan", "nan", ToldKind("nan")),
        ("dtype_kept", "number", "float64", ToldKind("dtype")),
        ("inputs_untouched", "nan", "[nan]", ToldKind("overwritten")),
        ("bad_label", "nan", "label nan is answered with [nan]", ToldKind("accepted")),
        ("bad_label", "nan", "label nan raises KeyError: x", ToldKind("raised", "KeyError")),
        (
            "bad_shape",
            "shape",
            "shapes (8, 1) against (8,) are answered with a result of shape ()",
            ToldKind("accepted"),
        ),
        ("bad_shape", "infinity", "TypeError: Could not infer dtype", ToldKind("raised", "TypeError")),
        ("label_dtypes", "infinity", "int8 labels: raised TypeError: Could not infer", ToldKind("raised", "TypeError")),
        ("label_dtypes", "number", "['0.0'] of dtype float64 for int8 labels", None),
        ("any_shape", "infinity", "Could not infer dtype", None),
        ("empty_batch", "number", "[0.0]", None),
        ("optimal_objective", "number", "not finite", None),
        ("value", "nonsense", "2.0", None),
    ],
)
def test_what_old_text_tells(law: str, kind: str, observed: str, told: ToldKind | None) -> None:
    assert by_text(entry(law=law, kind=kind, observed=observed)) == told


def test_entries_that_turn_out_alike_keep_their_ids(mine: Path) -> None:
    second = (
        OLDER[OLDER.index("[[") :].replace("infinity", "number").replace("OBSERVED", "int8 labels: raised TypeError:")
    )
    mine.write_text(OLDER + second)
    assert cli.run(["deviations", "migrate"]) == 0
    assert [(e.id[-8:], e.kind) for e in read(mine)] == [("infinity", "raised"), ("s/number", "raised")]


def test_a_ledger_that_is_laid_out_otherwise_is_not_touched(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = OLDER.replace("[[deviation]]", "  [[deviation]]")
    mine.write_text(text)
    assert cli.run(["deviations", "migrate"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert mine.read_text() == text


def test_rewriting_keeps_what_it_need_not_change(tmp_path: Path) -> None:
    copy = tmp_path / "ledger.toml"
    copy.write_bytes(SHIPPED.read_bytes())
    rewrite(copy, shipped())
    assert copy.read_bytes() == SHIPPED.read_bytes()
