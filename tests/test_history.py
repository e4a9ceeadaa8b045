"""The history, on SQLite and on a real PostgreSQL server that is started here (`tox -e postgres`)."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import pytest
import ruptures
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from hingeproof.bench.history import series, storing
from hingeproof.bench.history.changes import change_points, rises
from hingeproof.bench.history.database import History, metadata, runs, timings
from hingeproof.bench.history.storing import Entry
from hingeproof.bench.timing.measure import row
from hingeproof.bench.timing.session import Session, new_info
from hingeproof.commands.main import run
from hingeproof.errors import UsageError
from hingeproof.runs.journal import Journal
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.records import Plan, Record, RunInfo
from hingeproof.runs.timings import BenchPlan


def entry(number: int, ratio: float, *, environment: str = "one", name: str = "case") -> Entry:
    return Entry(
        key=f"{number:04d}{environment}{name}", kind="bench", started=f"2026-01-{number:02d}T00:00:00+00:00",
        comparable={"processor": environment},
        timings=[{"name": name, "ratio": ratio, "seconds": ratio / 1000, "blocks": 30}],
    )  # fmt: skip


# -- servers -------------------------------------------------------------------------------------------------


def unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root: the user that Debian's package makes."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL server on loopback, with a fresh cluster; its URL without a database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = str(programs[-1] / "initdb") if programs else shutil.which("initdb")
    assert found, "there is no initdb: apt-get install postgresql (nothing here is skipped without a server)"
    folder = Path(tempfile.mkdtemp(prefix="hingeproof-postgres-"))
    who = unprivileged()
    if who:
        shutil.chown(folder, "postgres")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    name = str(who.get("user", getpass.getuser()))
    subprocess.run(
        [found, "-D", str(folder / "data"), "-A", "trust", "-U", name, "-N"], check=True, capture_output=True,
        cwd=folder, **who,  # type: ignore[call-overload]
    )  # fmt: skip
    process = subprocess.Popen(
        [
            *(str(Path(found).with_name("postgres")), "-D", str(folder / "data"), "-p", str(port)),
            *("-h", "127.0.0.1", "-k", str(folder)),
        ],
        cwd=folder, stderr=subprocess.DEVNULL, **who,
    )  # type: ignore[call-overload]  # fmt: skip
    url = f"postgresql://{name}@127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        _execute(f"{url}/postgres", "SELECT 1")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _execute(url: str, text: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    for attempt in range(50):
        try:
            with engine.connect() as connection:
                connection.execute(sa.text(text))
            break
        except sa.exc.OperationalError:  # still starting
            if attempt == 49:
                raise
            time.sleep(0.2)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a history."""
    if request.param == "sqlite":
        return str(tmp_path / "history.sqlite")
    name = f"h{abs(hash(request.node.nodeid))}"
    server = request.getfixturevalue("server")
    _execute(f"{server}/postgres", f"CREATE DATABASE {name}")
    return f"{server}/{name}"


# -- storing -------------------------------------------------------------------------------------------------


def test_a_run_is_stored_once(db: str) -> None:
    with History(db) as history:
        assert storing.store(history, [entry(1, 2.0), entry(2, 2.1)]) == 2
        assert storing.store(history, [entry(1, 2.0), entry(3, 2.2)]) == 1
    with History(db) as history:
        (found,) = series.every(history)
    assert [p.ratio for s in found.segments for p in s.points] == [2.0, 2.1, 2.2]


def test_the_tables_are_those_of_the_migrations(db: str) -> None:
    with History(db) as history, history.changing() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            assert {c["name"] for c in inspector.get_columns(table.name)} == {c.name for c in table.columns}


def test_writers_wait_for_each_other(db: str) -> None:
    """Four processes, ten runs each, into a history that none of them finds there."""
    text = """
import sys
from hingeproof.bench.history import storing
from hingeproof.bench.history.database import History
from hingeproof.bench.history.storing import Entry
for i in range(10):
    with History(sys.argv[1]) as history:
        rows = [{"name": f"case {k}", "ratio": 1.0, "seconds": 1.0, "blocks": 1} for k in range(20)]
        key = f"{sys.argv[2]}-{i}"
        storing.store(history, [Entry(key=key, kind="bench", started=key, comparable={}, timings=rows)])
"""
    writers = [subprocess.Popen([sys.executable, "-c", text, db, str(n)]) for n in range(4)]
    assert [w.wait(timeout=240) for w in writers] == [0] * 4
    with History(db) as history, history.changing() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar() == 40
        assert connection.execute(sa.select(sa.func.count()).select_from(timings)).scalar() == 800


def test_a_writer_that_is_killed_leaves_nothing_half(db: str, tmp_path: Path) -> None:
    with History(db) as history:
        storing.store(history, [entry(1, 2.0)])
    text = """
import sys, time
from pathlib import Path
from hingeproof.bench.history import storing
from hingeproof.bench.history.database import History
from hingeproof.bench.history.storing import Entry
with History(sys.argv[1]) as history, history.changing() as connection:
    rows = [{"name": f"case {k}", "ratio": 1.0, "seconds": 1.0, "blocks": 1} for k in range(500)]
    storing._store(connection, Entry(key="half", kind="bench", started="x", comparable={}, timings=rows))
    Path(sys.argv[2]).touch()
    time.sleep(600)
"""
    written = tmp_path / "written"
    writer = subprocess.Popen([sys.executable, "-c", text, db, str(written)])
    while not written.exists():
        assert writer.poll() is None
        time.sleep(0.05)
    writer.kill()
    writer.wait()
    with History(db) as history:
        (found,) = series.every(history)
        assert [p.ratio for p in found.segments[0].points] == [2.0]
        assert storing.store(history, [entry(2, 2.0)]) == 1


def older(db: str, revision: str) -> None:
    """A history as an older hingeproof left it, with one run."""
    url = db.replace("postgresql:", "postgresql+psycopg:") if "://" in db else f"sqlite:///{db}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(files("hingeproof.bench.history.migrations")))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(
            sa.insert(runs).values(
                key="old", kind="bench", started="2025", environment="e", comparable="{}", volatile="{}"
            )
        )
        made = connection.execute(sa.select(runs.c.id)).scalar_one()
        connection.execute(sa.insert(timings).values(run=made, name="case", ratio=1.5, seconds=1.0, blocks=3))
    engine.dispose()


def test_an_older_schema_is_brought_up_and_loses_nothing(db: str) -> None:
    older(db, "0001")
    with History(db) as history:
        storing.store(history, [entry(1, 2.0)])
        storing.annotate(history, "case", "old", "before the migration")
        (found,) = series.every(history)
    points = [p for s in found.segments for p in s.points]
    assert {p.ratio for p in points} == {1.5, 2.0}
    assert {p.notes for p in points} == {("before the migration",), ()}


def test_a_newer_schema_is_refused(db: str) -> None:
    with History(db) as history, history.changing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match="has schema 9999, this hingeproof knows up to 0002: pip install --upgrade"):
        History(db)


def test_another_program_s_tables_are_left_alone(db: str) -> None:
    url = db.replace("postgresql:", "postgresql+psycopg:") if "://" in db else f"sqlite:///{db}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE theirs (x INTEGER)"))
    engine.dispose()
    with pytest.raises(UsageError, match="holds tables of something else"):
        History(db)


def test_a_history_is_copied_into_another(db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(tmp_path / "source.sqlite")
    with History(source) as history:
        storing.store(history, [entry(1, 2.0), entry(2, 3.0)])
        storing.annotate(history, "case", "0001", "a note")
    assert run(["history", "import", source, "--db", db]) == 0
    assert run(["history", "import", source, "--db", db]) == 0
    assert "0 of 2 runs stored" in capsys.readouterr().out
    with History(db) as history:
        (found,) = series.every(history)
    assert [(p.ratio, p.notes) for p in found.segments[0].points] == [(2.0, ("a note",)), (3.0, ())]


# -- SQLite alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["text", "cut", "scribble"])
def test_a_corrupted_file_is_one_line_and_untouched(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history.sqlite"
    with History(str(path)) as history:
        storing.store(history, [entry(i, 2.0, name=f"case {i}") for i in range(1, 29)])
    data = path.read_bytes()
    broken = {
        "text": b"hello\n" * 1000,
        "cut": data[: len(data) // 2],
        "scribble": data[:100] + b"x" * (len(data) - 100),
    }
    path.write_bytes(broken[damage])
    assert run(["history", "list", "--db", str(path)]) == 2
    said = capsys.readouterr().err
    assert "is damaged, or no SQLite database" in said
    assert said.count("\n") == 1
    assert path.read_bytes() == broken[damage]


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    assert run(["history", "list", "--db", str(tmp_path / "folder")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_lock_that_stays_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hingeproof.bench.history import database

    path = str(tmp_path / "history.sqlite")
    History(path).close()
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UsageError, match="was locked by another writer"):
            History(path)


# -- runs ----------------------------------------------------------------------------------------------------


def bench_run(directory: Path, ratio: float, *, complete: bool = True, kind: str = "bench") -> Path:
    session = Session(directory)
    info = new_info("bench", BenchPlan(patterns=("numpy.hinge",)), [])
    session.begin(info)
    case = session.todo()[0]
    session.append(row(case, status="measured", ratio=ratio, seconds=ratio / 1000, blocks=[ratio], loops=1))
    session.finish(msgspec.structs.replace(info, kind=kind), complete=complete)
    return directory


def verify_run(directory: Path, started: str, failures: int, ulp: float) -> Path:
    records = [
        Record(
            check=f"law{i}|numpy.hinge|hinge|float32|cpu|eager", law=f"law{i}", group="value", kind="law",
            implementation="numpy.hinge", framework="numpy", loss="hinge", dtype="float32", device="cpu", mode="eager",
            verdict="fail" if i < failures else "pass", worst_ulp=ulp,
        )
        for i in range(4)
    ]  # fmt: skip
    info = RunInfo(
        schema_version=1, kind="verify", plan=Plan(), environment={"python": "3.11", "hingeproof": started},
        arguments=[], started=started, complete=True,
    )  # fmt: skip
    directory.mkdir()
    Journal(directory, VERIFY).finish(info, records)
    return directory


def test_add_list_show_annotate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bench_run(tmp_path / "one", 2.0)
    assert run(["history", "add", "one"]) == 0
    assert "1 of 1 runs stored in .hingeproof/history.sqlite" in capsys.readouterr().out
    assert run(["history", "list"]) == 0
    assert "numpy.hinge" in capsys.readouterr().out
    assert run(["history", "show", "numpy.hinge", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    (point,) = shown["segments"][0]["points"]
    assert point["ratio"] == 2.0
    assert run(["history", "annotate", "numpy.hinge", point["run"][:10], "a new processor"]) == 0
    assert run(["history", "show", "numpy.hinge"]) == 0
    assert "note: a new processor" in capsys.readouterr().out


def test_accuracy_regressions_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = str(tmp_path / "h.sqlite")
    for day, (failures, ulp) in enumerate([(0, 0.5), (0, 0.5), (1, 0.5), (1, 3.0)], 1):
        found = verify_run(tmp_path / str(day), f"2026-01-0{day}", failures, ulp)
        assert run(["history", "add", str(found), "--db", db]) == 0
    assert run(["history", "show", "numpy.hinge|hinge|float32|cpu|eager", "--db", db]) == 0
    said = capsys.readouterr().out
    assert "1 fail, 3 pass" in said
    third, fourth = [line for line in said.splitlines() if "2026-01-03" in line or "2026-01-04" in line]
    assert third.endswith("1 failures")
    assert fourth.endswith("worst error 3 ulp")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["add", "nowhere"], "is not a run"),
        (["add", "incomplete"], "is not complete"),
        (["add", "gate"], "compares two sides"),
        (["list"], "there is no history"),
        (["show", "x"], "there is no history"),
        (["list", "--db", "mysql://x/y"], "give a file, or postgresql://"),
        (["list", "--db", "://"], "database URL"),
        (["import", "other.json"], "cannot be read"),
        (["import", "list.json"], "is no JSON of pytest-benchmark"),
    ],
)
def test_a_users_mistake_is_one_line(
    words: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bench_run(tmp_path / "incomplete", 1.0, complete=False)
    bench_run(tmp_path / "gate", 1.0, kind="gate")
    (tmp_path / "list.json").write_text("[1, 2]")
    assert run(["history", *words]) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1
    assert not (tmp_path / ".hingeproof" / "history.sqlite").exists()


def test_a_name_must_be_one_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = str(tmp_path / "h.sqlite")
    with History(db) as history:
        storing.store(history, [entry(1, 2.0, name="forward|a"), entry(1, 2.0, name="both|a")])
    assert run(["history", "show", "a", "--db", db]) == 2
    assert "part of 2 names" in capsys.readouterr().err
    assert run(["history", "show", "forwrad|a", "--db", db]) == 2
    assert "did you mean forward|a" in capsys.readouterr().err


def test_pytest_benchmarks_own_files_are_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_it.py").write_text("def test_sum(benchmark):\n    benchmark(sum, [1, 2])\n")
    out = tmp_path / "saved.json"
    # pytest-benchmark measures nothing where it believes to be in an xdist worker
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "pytest_benchmark.plugin", "-c", os.devnull),
            *("--rootdir", str(tmp_path), "--benchmark-json", str(out), "--benchmark-max-time=0.01"),
            str(tmp_path / "test_it.py"),
        ],
        check=True, capture_output=True, env=outside | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    db = str(tmp_path / "h.sqlite")
    assert run(["history", "import", str(out), "--db", db]) == 0
    with History(db) as history:
        (found,) = series.every(history)
    assert found.name.endswith("test_it.py::test_sum")
    assert found.newest.seconds > 0
    assert found.newest.ratio is None


# -- changes -------------------------------------------------------------------------------------------------


def noisy(*levels: tuple[float, int], noise: float = 0.01, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    return [level * (1 + noise * random.standard_normal()) for level, count in levels for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_change_points_are_those_of_ruptures(seed: int) -> None:
    values = noisy((1.0, 15), (1.1, 12), (0.95, 18), seed=seed)
    signal = np.log(np.asarray(values))[:, None]
    theirs = ruptures.Dynp(model="l1", min_size=2, jump=1).fit(signal).predict(n_bkps=2)[:-1]
    ours = change_points(values)
    assert len(ours) == 2
    assert all(abs(a - b) <= 1 for a, b in zip(ours, theirs, strict=True))


def test_a_series_that_does_not_change_has_no_change_points() -> None:
    assert sum(bool(change_points(noisy((1.0, 25), noise=0.03, seed=s), seed=s)) for s in range(20)) <= 3


def test_one_point_is_no_change() -> None:
    values = [*noisy((1.0, 12), noise=0.005), 1.5, *noisy((1.0, 12), noise=0.005, seed=1)]
    assert change_points(values) == []


def test_a_change_below_two_percent_is_nobodys_concern() -> None:
    assert change_points(noisy((1.0, 20), (1.01, 20), noise=0.0005)) == []


def test_a_changed_environment_is_a_new_segment_and_no_regression(tmp_path: Path) -> None:
    with History(str(tmp_path / "h.sqlite")) as history:
        before = [entry(i, x) for i, x in enumerate(noisy((1.0, 10)), 1)]
        after = [entry(i, x, environment="two") for i, x in enumerate(noisy((3.0, 10)), 11)]
        storing.store(history, before + after)
        (found,) = series.every(history)
    assert [len(s.points) for s in found.segments] == [10, 10]
    assert [s.changes for s in found.segments] == [[], []]


def test_a_slow_down_is_a_change_of_its_size(tmp_path: Path) -> None:
    with History(str(tmp_path / "h.sqlite")) as history:
        storing.store(history, [entry(i, x) for i, x in enumerate(noisy((1.0, 10), (1.2, 10)), 1)])
        (found,) = series.every(history)
    (change,) = found.segments[0].changes
    assert change.at.started.startswith("2026-01-11")
    assert change.factor == pytest.approx(1.2, abs=0.02)
    assert change.worse
    assert change.text.startswith("slower by")


def test_rises_persist_or_are_the_newest() -> None:
    assert rises([0, 0, 1, 1]) == [2]
    assert rises([0, 1, 0, 0]) == []
    assert rises([0, 0, 2]) == [2]
    assert rises([None, 0.5, 0.5]) == [1]
    assert rises([3, 2, 1]) == []


def test_an_entry_is_what_it_says() -> None:
    assert msgspec.json.decode(msgspec.json.encode(entry(1, 2.0)), type=Entry) == entry(1, 2.0)
