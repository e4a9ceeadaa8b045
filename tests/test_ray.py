"""`hingeproof prove --on ray`: the same certificate as without, a worker killed on the way or not. `tox -e ray`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from hingeproof.commands.main import run
from hingeproof.errors import GOOD, USAGE
from hingeproof.frameworks.environment import present
from hingeproof.runs.proofs import Certificate

CLAIM = ("wrong_scores:slow", "--loss", "hinge", "--framework", "numpy", "--dtype", "float16,bfloat16")


@pytest.fixture(autouse=True)
def _beside_wrong_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(__file__).with_name("wrong_scores.py"), tmp_path / "wrong_scores.py")
    monkeypatch.chdir(tmp_path)


def certificates(out: str) -> list[Certificate]:
    paths = sorted((Path(out) / "certificates").glob("*.json"))
    found = [msgspec.json.decode(path.read_bytes(), type=Certificate) for path in paths]
    return [msgspec.structs.replace(c, seconds=0.0) for c in found]


def at_a_shard() -> list[int]:
    """The Ray workers of this user that are at a shard."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().split(b"\0")[0]
            if line.startswith(b"ray::judged") and path.stat().st_uid == os.getuid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.ray
def test_a_killed_ray_worker_loses_nothing() -> None:
    command = [sys.executable, "-m", "hingeproof", "prove", *CLAIM, "--on", "ray", "--out", "ray", "-q"]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(Path.cwd())}
    before = set(at_a_shard())
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 180
    while not (workers := set(at_a_shard()) - before) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.kill(min(workers), signal.SIGKILL)
    assert process.wait(timeout=240) == GOOD
    assert run(["prove", *CLAIM, "--out", "here", "-q"]) == GOOD
    assert certificates("ray") == certificates("here")
    assert all(c.proved for c in certificates("ray"))


@pytest.mark.skipif(present("ray"), reason="ray is installed")
def test_without_ray_it_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "numpy.hinge", "--on", "ray", "--out", "out"]) == USAGE
    assert "pip install 'hingeproof[ray]'" in capsys.readouterr().err


def test_only_ray_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "numpy.hinge", "--on", "dask"]) == USAGE
    assert "ray://HOST:PORT" in capsys.readouterr().err
