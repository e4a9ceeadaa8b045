"""A million verdicts: how much memory a report takes, and that it cuts details, not counts."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.made import WITNESS, record, stored

from hingeproof.runs.records import Record

# VmHWM, not getrusage: that keeps across exec what the test's own process held when it forked
PROBE = """
import json, sys, time
from hingeproof.commands.main import run
began = time.process_time()
code = run(sys.argv[1:])
(peak,) = (int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([code, time.process_time() - began, peak // 1024]))
"""


def many(directory: Path, count: int, *, failing: int) -> Path:
    """Write a run of `count` verdicts, every `failing`-th of which is a finding of its own."""
    stored(directory, [])
    good = msgspec.structs.replace(record(), strata={"kink": 4, "inside": 9, "past": 3}, samples=16, worst_ulp=0.5)
    encode = msgspec.json.encode
    with (directory / "records.jsonl").open("wb") as file:
        for n in itertools.count():
            if n == count:
                break
            name, law = f"lib{n % 40}.f{n // 40 % 500}", f"law{n // 20_000}"
            bad = bool(failing) and n % failing == 0
            row: Record = msgspec.structs.replace(
                good, check=f"{law}|{name}|hinge|float32|cpu|eager", law=law, implementation=name,
                verdict="fail" if bad else "pass", witness=WITNESS if bad else None,
            )  # fmt: skip
            file.write(encode(row) + b"\n")
    return directory


def probed(*arguments: str) -> tuple[int, float, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, timeout=600, check=True
    )
    code, seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return code, seconds, megabytes


def rendered(tmp_path: Path, count: int, failing: int) -> tuple[float, int]:
    run = many(tmp_path / f"run-{failing}", count, failing=failing)
    html, markdown = tmp_path / f"{failing}.html", tmp_path / f"{failing}.md"
    code, seconds, megabytes = probed("report", str(run), "--html", str(html), "--markdown", str(markdown))
    assert code == (1 if failing else 0)
    page, text = html.read_text(), markdown.read_text()
    assert f"{count:,} checks" in page
    assert len(page.encode()) < 600_000
    assert len(text.encode()) <= 1024 * 1024
    if failing:
        findings = -(-count // failing)
        assert f"{findings:,} findings" in page
        assert page.count('class="finding"') == 200
        assert f"… and {findings - 200:,} findings more" in page
        assert "hingeproof verify --law law" in page
    return seconds, megabytes


@pytest.mark.parametrize("failing", [0, 3])
def test_memory_does_not_grow_with_the_verdicts(tmp_path: Path, failing: int) -> None:
    _, megabytes = rendered(tmp_path, 60_000, failing)
    assert megabytes < 400


@pytest.mark.nightly
@pytest.mark.parametrize("failing", [0, 3])
def test_a_million_verdicts(tmp_path: Path, failing: int) -> None:
    seconds, megabytes = rendered(tmp_path, 1_000_000, failing)
    print(f"{seconds:.1f} s of processor time, {megabytes} MiB")
    assert megabytes < 1024
