"""A damaged run is refused in one line with exit code 2, or read: it is never an error of ours."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from hingeproof.commands.main import run

WHOLE = Path(__file__).parent / "runs" / "torch2.13"
FILES = ("run.json", "records.jsonl", "figures.jsonl", "pairs.jsonl")


def damaged(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    kind = chance.randrange(4)
    if kind == 0:
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + chance.randbytes(5) + data[at:]
    return data[:at] + data[at + chance.randrange(1, 50) :]


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(name)
    copy = tmp_path / "run"
    shutil.copytree(WHOLE, copy)
    whole = (copy / name).read_bytes()
    refused = 0
    for _ in range(25):
        (copy / name).write_bytes(damaged(whole, chance))
        for command in (["report", str(copy), "--html", str(tmp_path / "o")], ["diff", str(WHOLE), str(copy), "-q"]):
            code = run(command)
            said = capsys.readouterr().err
            assert code in (0, 1, 2, 5), said
            if code == 2:
                refused += 1
                assert len(said.splitlines()) == 1
                assert name in said
    assert refused > 0
