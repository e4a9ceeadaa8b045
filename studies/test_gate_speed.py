"""How fast the gate is: checks/s and samples/s of `hingeproof verify`, and of one pass beside torch.autograd.gradcheck.

Run by `tox -e bench`. Nothing here asserts a time: the figures go into the benchmark's `extra_info`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hingeproof.judge.engine import run_pass
from hingeproof.plan.checks import build
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.reader import read
from hingeproof.runs.records import Plan

PROFILES = {
    # at most 4 minutes on 2 cores is the aim of the first, 60 s that of `quick`
    "ci": ("--profile", "ci", "--dtype", "float32,float64", "--mode", "eager,jit,compile"),
    "ci_all_modes": ("--profile", "ci", "--dtype", "float32,float64"),
    "quick": ("--profile", "quick"),
}


@pytest.mark.parametrize("profile", PROFILES)
def test_references(benchmark: Any, tmp_path: Path, profile: str) -> None:
    """All three references of all losses, from the command line."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "hingeproof", "verify", "--reference", "--quiet", "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": ""}

    def verify() -> int:
        return subprocess.run(
            [*command, *PROFILES[profile]], check=False, env=environment, capture_output=True
        ).returncode

    code = benchmark.pedantic(verify, rounds=1, iterations=1)
    records = read(out, VERIFY).records
    passes = {(r.implementation, r.dtype, r.mode): 0 for r in records}
    for r in records:
        key = (r.implementation, r.dtype, r.mode)
        passes[key] = max(passes[key], r.samples)
    seconds = benchmark.stats.stats.total
    benchmark.extra_info |= {
        "exit_code": code,
        "checks": len(records),
        "checks_per_second": round(len(records) / seconds, 1),
        "samples": sum(passes.values()),
        "samples_per_second": round(sum(passes.values()) / seconds, 1),
        "thin": sum(bool(r.thin) for r in records),
        "verdicts": {v: sum(r.verdict == v for r in records) for v in sorted({r.verdict for r in records})},
    }
    assert code == 0


def _pass(law: tuple[str, ...]) -> int:
    plan = Plan(patterns=("torch.hinge",), dtypes=("float64",), modes=("eager",), laws=law)
    records = list(run_pass(build(plan).checks, plan, lambda given: None))
    assert {r.verdict for r in records} == {"pass"}
    return max(r.samples for r in records if r.law != "accumulation")


@pytest.mark.parametrize("laws", [(), ("gradient",)], ids=["all_laws", "gradient_laws"])
def test_one_pass(benchmark: Any, laws: tuple[str, ...]) -> None:
    """torch.hinge in float64, eager: samples/s, every one judged by each law."""
    samples = benchmark.pedantic(_pass, args=(laws,), rounds=5, iterations=1, warmup_rounds=1)
    benchmark.extra_info |= {"samples": samples, "samples_per_second": round(samples / benchmark.stats.stats.median, 1)}


@pytest.mark.parametrize("size", [8, 64, 512])
def test_gradcheck(benchmark: Any, size: int) -> None:
    """torch.autograd.gradcheck on the same loss, off the kinks (where it can be right)."""
    import torch

    from hingeproof.reference_impls.in_torch import hinge

    torch.manual_seed(0)
    scores = (torch.rand(size, dtype=torch.float64) * 0.5).requires_grad_()
    targets = torch.where(torch.rand(size) < 0.5, -1.0, 1.0).double()
    check = torch.autograd.gradcheck
    benchmark.pedantic(
        check, args=(lambda s: hinge(s, targets, reduction="none"), (scores,)), rounds=5, warmup_rounds=1
    )
    benchmark.extra_info |= {"samples": size, "samples_per_second": round(size / benchmark.stats.stats.median, 1)}
