"""What a pass does beside judging: it tops up thin evidence, and says why it cannot run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hingeproof.judge import engine
from hingeproof.plan.checks import build
from hingeproof.plan.profiles import PROFILES
from hingeproof.runs.records import Plan, Record


def judged(**fields: tuple[str, ...]) -> list[Record]:
    plan = Plan(patterns=("numpy.smooth_hinge",), dtypes=("float32",), modes=("eager",), profile="quick", **fields)
    return list(engine.run_pass(build(plan).checks, plan, lambda given: None))


def test_thin_evidence_is_topped_up(monkeypatch: pytest.MonkeyPatch) -> None:
    thin = {}
    monkeypatch.setitem(PROFILES, "quick", replace(PROFILES["quick"], examples=5, thin=6))
    for extra in (0, 8):
        monkeypatch.setattr(engine, "_TOP_UPS", extra)
        thin[extra] = {r.law for r in judged() if r.verdict == "undecided"}
    assert thin[0] > thin[8] == set(), thin


def test_thin_evidence_says_on_which_stratum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "quick", replace(PROFILES["quick"], examples=1, thin=10**6))
    (record,) = (r for r in judged(laws=("value",)) if r.law == "value")
    assert record.verdict == "undecided"
    assert {"kink", "ulp", "inside", "past"} <= set(record.thin)


def test_a_device_that_is_not_there_is_unsupported() -> None:
    plan = Plan(patterns=("numpy.hinge",), devices=("cuda",), modes=("eager",), profile="quick")
    records = list(engine.run_pass(build(plan).checks, plan, lambda given: None))
    assert {r.verdict for r in records} == {"unsupported"}


def test_a_loss_written_as_an_expression_is_traced_by_torch_compile() -> None:
    plan = Plan(
        patterns=("torch.spelled.hinge.relu",), dtypes=("float32",), modes=("compile",),
        laws=("zero_past_margin",), profile="quick",
    )  # fmt: skip
    (record,) = engine.run_pass(build(plan).checks, plan, lambda given: None)
    assert (record.verdict, record.reason) == ("pass", "")
