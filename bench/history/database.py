"""The database: SQLite in a file, or PostgreSQL by URL. One transaction a change, so a killed writer leaves nothing.

The tables here are what is queried; how they come to be is in migrations/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from hingeproof.errors import UsageError
from hingeproof.frameworks.environment import present

if not present("sqlalchemy") or not present("alembic"):
    raise UsageError("the history needs SQLAlchemy and Alembic: pip install 'hingeproof[history]'")

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

DEFAULT = Path(".hingeproof") / "history.sqlite"
PATIENCE = 60  # seconds a writer waits for another
_LOCK = 0x68696E67  # PostgreSQL's advisory lock: "hing"

metadata = sa.MetaData()
runs = sa.Table(
    "runs", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("key", sa.String(64)),
    sa.Column("kind", sa.String(16)), sa.Column("started", sa.String(40)), sa.Column("environment", sa.String(64)),
    sa.Column("comparable", sa.Text), sa.Column("volatile", sa.Text),
)  # fmt: skip
timings = sa.Table(
    "timings", metadata, sa.Column("run", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(400), primary_key=True), sa.Column("ratio", sa.Float), sa.Column("seconds", sa.Float),
    sa.Column("blocks", sa.Integer),
)  # fmt: skip
accuracy = sa.Table(
    "accuracy", metadata, sa.Column("run", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(400), primary_key=True), sa.Column("verdicts", sa.Text),
    sa.Column("failures", sa.Integer), sa.Column("worst_ulp", sa.Float),
)  # fmt: skip
notes = sa.Table(
    "annotations", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("run", sa.Integer),
    sa.Column("name", sa.String(400)), sa.Column("text", sa.Text), sa.Column("written", sa.String(40)),
)  # fmt: skip


class History:
    """An open history, at the schema of this hingeproof."""

    def __init__(self, where: str | None = None, *, create: bool = True) -> None:
        """Open, and bring to this schema. Raises: UsageError for what is no history, damaged, newer or out of reach."""
        self.where = where or str(DEFAULT)
        self.engine = _engine(self.where, create=create)
        try:
            with self.changing() as connection:
                _upgrade(connection, self.shown)
        except BaseException:
            self.close()
            raise

    @property
    def shown(self) -> str:
        """The place without a password."""
        return self.engine.url.render_as_string(hide_password=True) if "://" in self.where else self.where

    @contextlib.contextmanager
    def changing(self) -> Iterator[sa.Connection]:
        """One transaction, alone: others wait. Raises: UsageError in words for what the database says."""
        try:
            with self.engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                yield connection
        except sa.exc.DBAPIError as error:
            raise UsageError(_in_words(error, self.shown)) from None

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _engine(where: str, *, create: bool) -> sa.Engine:
    if "://" not in where:
        path = Path(where)
        if not path.exists():
            if not create:
                raise UsageError(f"there is no history in {where}: `hingeproof history add RUN` makes one")
            path.parent.mkdir(parents=True, exist_ok=True)
        url = sa.URL.create("sqlite", database=where)
    else:
        try:
            url = sa.engine.make_url(where)
        except sa.exc.ArgumentError:
            raise UsageError(f"--db {where.partition('://')[0]}://…: this is no database URL") from None
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise UsageError(f"--db {url.get_backend_name()}://…: give a file, or postgresql://user@host/name")
        if url.get_backend_name() == "postgresql":
            if not present("psycopg"):
                raise UsageError("PostgreSQL needs psycopg: pip install 'hingeproof[postgres]'")
            url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, connect_args={"timeout": PATIENCE} if url.get_backend_name() == "sqlite" else {})
    if engine.dialect.name == "sqlite":
        _serialise(engine)
    return engine


def _serialise(engine: sa.Engine) -> None:
    """Let SQLite take its write lock when a transaction begins, so that two writers wait instead of failing."""

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself

    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)


def _upgrade(connection: sa.Connection, shown: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("hingeproof.bench.history.migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    now = MigrationContext.configure(connection).get_current_revision()
    known = {r.revision for r in script.walk_revisions()}
    if now is not None and now not in known:
        raise UsageError(
            f"{shown} has schema {now}, this hingeproof knows up to {script.get_current_head()}: "
            "pip install --upgrade hingeproof"
        )
    if now is None and sa.inspect(connection).get_table_names():
        raise UsageError(f"{shown} holds tables of something else: name another place with --db")
    if now != script.get_current_head():
        command.upgrade(config, "head")


def _in_words(error: sa.exc.DBAPIError, shown: str) -> str:
    text = " ".join(str(error.orig).split())
    if "not a database" in text or "malformed" in text or "disk image" in text:
        return (
            f"{shown} is damaged, or no SQLite database ({text}): nothing was written; put a copy back, or move it away"
        )
    if "locked" in text:
        return f"{shown} was locked by another writer for {PATIENCE} s: try again"
    if "readonly" in text or "unable to open" in text:
        return f"{shown} cannot be written ({text}): check the folder and its permissions"
    return f"{shown}: {text}"
