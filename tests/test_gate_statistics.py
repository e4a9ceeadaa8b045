"""The gate's statistics on made-up blocks: what it calls a regression, and what it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hingeproof.bench.gate.statistics import (
    Estimate,
    benjamini_hochberg,
    clopper_pearson,
    estimate,
    judge,
    log_ratios,
)


def pairs(
    effect: float, *, noise: float = 0.02, between: float = 0.002, count: int = 6, seed: int = 0
) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [math.log1p(effect) + random.normal(0, between) + noise * random.standard_t(2, 60) for _ in range(count)]


def test_log_ratios_are_of_head_over_base() -> None:
    assert log_ratios([1.0, 2.0], [2.0, 2.0]) == pytest.approx([math.log(2), 0])


def test_identical_code_is_equivalent() -> None:
    found = [judge(estimate(pairs(0, seed=s)), estimate(pairs(0, seed=s + 500))).decision for s in range(15)]
    assert set(found) == {"equivalent"}


@pytest.mark.parametrize("effect", [0.05, 0.1, 0.5])
def test_a_slow_down_is_a_regression(effect: float) -> None:
    found = judge(estimate(pairs(effect)), estimate(pairs(0, seed=9)))
    assert found.decision == "regression"
    assert found.low < found.effect < found.high
    assert found.effect == pytest.approx(effect, abs=0.01)


def test_a_speed_up_is_an_improvement() -> None:
    assert judge(estimate(pairs(-0.1)), estimate(pairs(0, seed=9))).decision == "improvement"


def test_what_is_too_noisy_says_what_it_could_have_seen() -> None:
    found = judge(estimate(pairs(0.03, noise=0.4)), estimate(pairs(0, noise=0.4, seed=9)))
    assert found.decision == "inconclusive"
    assert found.smallest > 0.05


def test_pairs_are_drawn_before_blocks() -> None:
    """Six processes that differ by 5 % each are six numbers, however many blocks they ran."""
    blocks = [np.full(200, x) for x in (0.05, -0.05, 0.04, -0.04, 0.06, -0.06)]
    found = estimate(blocks)
    assert found.half_width > 0.03
    assert judge(found, found).decision == "inconclusive"


def test_a_lane_at_odds_with_itself_is_the_floor() -> None:
    """The base was 6 % slower than itself: no difference below that can be told here."""
    lane = Estimate(0.055, 0.05, 0.06, 0.002, (0.052, 0.058))
    found = judge(estimate(pairs(0.05)), lane)
    assert found.floor == pytest.approx(math.expm1(0.06))
    assert found.decision != "regression"
    assert judge(estimate(pairs(0.3)), lane).decision == "regression"


def test_the_estimate_is_seeded() -> None:
    assert estimate(pairs(0.01), seed=4) == estimate(pairs(0.01), seed=4)


def test_benjamini_hochberg_is_the_textbook_example() -> None:
    """p_(i) m / i, made monotone from the largest down (Benjamini and Hochberg 1995, §3.1)."""
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg([]) == []


def test_clopper_pearson_is_exact_at_the_ends() -> None:
    """With no hit in n runs the upper bound is 1 − (α/2)^(1/n) (Clopper and Pearson 1934)."""
    assert clopper_pearson(0, 60) == pytest.approx((0, 1 - 0.025 ** (1 / 60)))
    assert clopper_pearson(30, 30) == pytest.approx((0.025 ** (1 / 30), 1))
