"""The ledger: entries are replayed, lying ones are found out, and one is written from a failing verdict."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hingeproof.commands import main as cli
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.ledger.deviations import as_toml, overdue, read, shipped
from hingeproof.properties.catalogue import LAWS
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.reader import read as read_run
from hingeproof.runs.records import Deviation, Record

WRONG = """
import numpy as np

def hinge(scores, targets, reduction="mean"):
    d = np.maximum(1 - scores * targets, 0).astype(scores.dtype)
    n = max((d > 0).sum(), 1)
    return {"none": d, "sum": d.sum(dtype=d.dtype), "mean": (d.sum() / n).astype(d.dtype)}[reduction]
"""
MENDED = WRONG.replace("n = max((d > 0).sum(), 1)", "n = max(d.size, 1)")
FEW = ("--loss", "hinge", "--framework", "numpy", "--law", "value,reduction_mean", "--profile", "quick", "--jobs", "1")
CHECK = "reduction_mean|mine:hinge|hinge|float32|cpu|eager"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verify(out: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hingeproof", "verify", "mine:hinge", *FEW, "--out", out, *more],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def verdict(out: str, law: str = "reduction_mean") -> Record:
    (found,) = [r for r in read_run(Path(out), VERIFY).records if r.law == law]
    return found


@pytest.fixture
def recorded(folder: Path) -> Path:
    """A run that fails, and the ledger that `deviations add` made of it."""
    assert verify("first").returncode == 1
    why = ["--link", "https://example.org/issues/1", "--why", "kept until the next major release"]
    assert cli.run(["deviations", "add", "first", "reduction_mean", *why]) == 0
    return folder / "hingeproof-deviations.toml"


def rewritten(path: Path, change: Callable[[Deviation], Deviation]) -> None:
    (entry,) = read(path)
    path.write_text(as_toml(change(entry)))


def test_a_recorded_failure_is_known_and_goes_stale_when_it_is_mended(recorded: Path) -> None:
    (entry,) = read(recorded)
    assert (entry.law, entry.implementation, entry.kind, entry.check) == (
        "reduction_mean",
        "mine:hinge",
        "number",
        CHECK,
    )
    done = verify("second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict("second").verdict == "known"
    assert "https://example.org/issues/1" in verdict("second").reason
    assert "1 known to deviate" in " ".join(done.stdout.split())
    (recorded.parent / "mine.py").write_text(MENDED)
    assert verify("third").returncode == 1
    stale = verdict("third")
    assert stale.verdict == "stale"
    assert f"remove this entry ({entry.id})" in stale.reason


def test_another_class_of_failure_is_not_known(recorded: Path) -> None:
    rewritten(recorded, lambda e: msgspec.structs.replace(e, kind="nan"))
    assert verify("second").returncode == 1
    assert verdict("second").verdict == "fail"


def test_an_entry_for_another_dtype_or_release_is_not_applied(recorded: Path) -> None:
    for change in ({"dtypes": ("float64",)}, {"versions": "numpy<1"}, {"modes": ("compile",)}):
        rewritten(recorded, lambda e, change=change: msgspec.structs.replace(e, **change))
        out = next(iter(change))
        assert verify(out).returncode == 1
        assert verdict(out).verdict == "fail"
        rewritten(recorded, lambda e: msgspec.structs.replace(e, dtypes=("float32",), versions="numpy>=2"))


def test_a_witness_that_shows_nothing_is_stale_though_the_law_fails(recorded: Path) -> None:
    def innocent(entry: Deviation) -> Deviation:
        scores = msgspec.structs.replace(entry.witness["scores"], shape=[1], hex=["0x1.0p-1"])
        targets = msgspec.structs.replace(entry.witness["targets"], shape=[1], hex=["1"])
        cotangent = msgspec.structs.replace(entry.witness["cotangent"], shape=[1], hex=["0x1.0p+0"])
        return msgspec.structs.replace(entry, witness={"scores": scores, "targets": targets, "cotangent": cotangent})

    rewritten(recorded, innocent)
    assert verify("second").returncode == 1
    found = verdict("second")
    assert found.verdict == "stale"
    assert "another input breaks it still" in found.reason
    assert found.witness is not None


def test_past_its_review_a_warning(recorded: Path) -> None:
    rewritten(recorded, lambda e: msgspec.structs.replace(e, review_by=datetime.date(2020, 1, 1)))
    done = verify("second")
    assert done.returncode == 0
    assert "was to be reviewed by 2020-01-01" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('law = "reduction_mean"', 'law = "reduction_maen"', "did you mean reduction_mean"),
        ('law = "reduction_mean"', 'law = "*"', "no law is named '*'"),
        ('implementation = "mine:hinge"', 'implementation = "torch.*"', "no implementation is named"),
        ('kind = "number"', 'knid = "number"', "is no ledger"),
        ('kind = "number"', 'kind = "raised TypeError"', "deviations migrate --ledger hingeproof-deviations.toml"),
        ('kind = "number"', 'kind = "raised"', "no kind is 'raised'"),
        ('kind = "number"', 'kind = "number"\nerror = "TypeError"', "no kind is 'number TypeError'"),
        ('versions = "numpy', 'versions = "numpy~~', "is not a version range"),
        ("[[deviation]]", "[[deviation]", "is no ledger"),
    ],
)
def test_a_bad_ledger_is_one_line(
    recorded: Path, old: str, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.write_text(recorded.read_text().replace(old, new, 1))
    assert cli.run(["verify", "mine:hinge", *FEW, "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    ("check", "link", "said"),
    [
        ("value", "https://x.org", "is pass: only a failing verdict"),
        ("nothing", "https://x.org", "no check of the run is 'nothing'"),
        ("reduction_mean", "here", "is no URL"),
        ("reduction_mean", "https://x.org", "is in the ledger already"),
    ],
)
def test_what_cannot_be_recorded(
    recorded: Path, check: str, link: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["deviations", "add", "first", check, "--link", link, "--why", "x"]) == 2
    assert said in capsys.readouterr().err


def test_a_run_without_kinds_has_nothing_to_record(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded.unlink()
    records = Path("first/records.jsonl")
    assert '"kind":"number"' in records.read_text()
    records.write_text(records.read_text().replace('"kind":"number",', ""))
    assert cli.run(["deviations", "add", "first", CHECK, "--link", "https://x.org", "--why", "x"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "verify again" in err
    assert not recorded.exists()


def test_a_ledger_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", "mine:hinge", *FEW, "--ledger", "no.toml", "--dry-run"]) == 2
    assert "--ledger no.toml does not exist" in capsys.readouterr().err


def test_the_shipped_ledger_is_exact_and_up_to_date() -> None:
    entries = shipped()
    assert entries
    assert len({e.id for e in entries}) == len(entries)
    for entry in entries:
        assert entry.law in LAWS
        assert entry.implementation in IMPLEMENTATIONS
        assert not IMPLEMENTATIONS[entry.implementation].reference
        assert entry.versions == IMPLEMENTATIONS[entry.implementation].versions
        assert entry.link.startswith("https://")
        assert entry.why
        assert entry.check.startswith(f"{entry.law}|{entry.implementation}|")
        assert read_back(entry) == entry
    assert not overdue(entries, datetime.date(2026, 11, 24))


def read_back(entry: Deviation) -> Deviation:
    import tomllib

    return msgspec.convert(tomllib.loads(as_toml(entry))["deviation"][0], Deviation)
