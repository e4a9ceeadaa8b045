"""The tutorial does what it says: its loss fails, the mended one passes, and the diff says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hingeproof.commands.main import run

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)

    def verify(source: str, module: str, out: str) -> int:
        Path("mine.py").write_text(source)
        assert f"hingeproof verify mine:{module} --loss hinge --framework torch --out {out}" in PAGE
        words = f"verify mine:{module} --loss hinge --framework torch --out {out}"
        return run(
            [*words.split(), "--law", "reduction_mean", "--dtype", "float32", "--profile", "quick", "--jobs", "1"]
        )

    assert verify(code, "my_hinge", "run-1") == 1
    out = capsys.readouterr().out
    for line in ("reduction_mean", "expected  0.0 (0x0.0p+0)", "observed  nan"):
        assert line in shown
        assert line in out
    old, new = re.findall(r"Replace `(.*?)` by `(.*?)`", PAGE)[0]
    assert old in code
    assert verify(code.replace(old, new), "my_hinge", "run-2") == 0
    capsys.readouterr()
    assert run(["diff", "run-1", "run-2"]) == 0
    assert "newly passing" in capsys.readouterr().out
