"""Implementations beside one another on the same points: what is compared, what is found, what is printed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.evidence.pairs import pairs
from hingeproof.evidence.points import Answers, points
from hingeproof.judge.engine import run_pass
from hingeproof.plan.checks import build
from hingeproof.reports import pairs as report
from hingeproof.runs import reader
from hingeproof.runs.records import Plan


def answers(*names: str, modes: tuple[str, ...] = ("eager",), dtype: str = "float32") -> list[Answers]:
    plan = Plan(patterns=names, dtypes=(dtype,), modes=modes, laws=("answers",), profile="quick")
    found: list[Answers] = []
    for check in build(plan).checks:
        list(run_pass([check], plan, lambda tried: None, answered=found.append))
    return found


def one(found: list[Answers], kind: str = "implementations"):
    (pair,) = [p for p in pairs(found) if p.kind == kind]
    return pair


def test_points_are_the_same_for_everybody_and_lie_where_it_matters() -> None:
    first, again = (list(points("hinge", "float32", {})) for _ in range(2))
    assert [b.inputs[0].tobytes() for b in first] == [b.inputs[0].tobytes() for b in again]
    assert {b.focus for b in first} >= {"kink", "ulp", "inside", "past", "random", "small", "large", "not_finite"}
    assert any(e.kinked for b in first for e in b.evaluations)


def test_two_spellings_are_alike_bit_for_bit_and_select_differently() -> None:
    pair = one(answers("torch.spelled.hinge.clamp", "torch.spelled.hinge.relu"))
    assert pair.identical
    assert pair.ulp == 0
    assert pair.selected_differently > 0
    assert {pair.selection["first"], pair.selection["second"]} <= {"-1", "0", "1", "-0"}


def test_a_nan_that_one_of_them_swallows() -> None:
    pair = one(answers("torch.spelled.hinge.fmax", "torch.spelled.hinge.clamp"))
    assert not pair.identical
    assert pair.not_finite > 0


def test_another_order_of_the_sum_is_some_ulp_away() -> None:
    pair = one(answers("torch.weston_watkins", "torch.spelled.weston_watkins.relu"))
    assert pair.ulp is not None
    assert pair.ulp < 16
    if not pair.identical:
        assert pair.where is not None
        assert pair.where.first != pair.where.second


def test_what_does_not_compute_the_same_is_not_compared() -> None:
    assert IMPLEMENTATIONS["rax.pairwise_hinge_loss"].fixed == {"margin": "1"}
    assert not pairs(answers("torch.nn.MarginRankingLoss", "rax.pairwise_hinge_loss"))


def test_a_mode_that_trains_differently() -> None:
    pair = one(answers("torch.nn.MultiMarginLoss", modes=("eager", "compile")), "modes")
    assert (pair.first_mode, pair.second_mode) == ("eager", "compile")
    # PyTorch 2.13: eager gives a kink no gradient, its decomposition gives it all
    assert pair.selected_differently > 0
    buffer = io.StringIO()
    report.render([pair], Console(file=buffer, width=100))
    assert "another sub-gradient" in buffer.getvalue()


def test_the_table_is_a_line_a_loss() -> None:
    found = pairs(answers("numpy.hinge", "torch.hinge", "jax.hinge", "numpy.ramp", "torch.ramp"))
    buffer = io.StringIO()
    report.render(found, Console(file=buffer, width=100))
    lines = buffer.getvalue().splitlines()
    assert len(lines) < 12
    assert any(line.startswith("hinge") and " 3/3 " in line for line in lines)
    assert all(len(line) <= 100 for line in lines)


def test_a_run_without_pairs(tmp_path: Path) -> None:
    assert reader.pairs(tmp_path) == ()


@pytest.mark.parametrize("mode", ["func_grad", "checkpoint", "autocast", "threads"])
def test_the_lattice_of_torch_agrees_with_eager(mode: str) -> None:
    pair = one(answers("torch.hinge", modes=("eager", mode)), "modes")
    assert pair.identical
    assert pair.selected_differently == 0


@pytest.mark.parametrize("mode", ["remat", "x64"])
def test_the_lattice_of_jax_agrees_with_eager(mode: str) -> None:
    pair = one(answers("jax.hinge", modes=("eager", mode)), "modes")
    assert pair.identical
    assert pair.selected_differently == 0
