"""The screen against the rational oracle: it never says more, and leaves little open."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from tests.screened import Answered, answered, compared, drawn, made, right, strata

from hingeproof.judge.screen import exact, judge, screening
from hingeproof.judge.screen.judge import FlushedThread
from hingeproof.judge.screen.pieces import run
from hingeproof.judge.screen.reduced import judge_reduced
from hingeproof.judge.screen.wide import rounded
from hingeproof.properties.batch import rows_of
from hingeproof.properties.strategies import NUMPY_DTYPES
from hingeproof.reference_impls.formats import FORMATS, to_float
from hingeproof.reference_impls.formats import exact as rational
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic

DTYPES = ("float16", "bfloat16", "float32", "float64")
SCALAR = [name for name, loss in LOSSES.items() if loss.margins.name in ("binary", "score")]
ROWS = [name for name, loss in LOSSES.items() if loss.margins.row == "vector" and not loss.margins.norms]
WIDTHS = (*range(1, 34), 64, 127, 257, 1024)
Counts = Counter[tuple[str, str, str]]


def hammered(name: str, dtype: str, batches: int, seed: int) -> Counts:
    rng, out = np.random.default_rng(seed), Counts()
    for flush in (False, True):
        for i, batch in enumerate(strata(name, dtype, flush, batches, seed + flush)):
            out += compared(answered(batch, ("none", "none", "sum", "mean")[i % 4], rng))
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_it_says_nothing_that_the_oracle_does_not_say(name: str, dtype: str) -> None:
    """Strata, parameters, weights, upstreams, flush; answers ulp by ulp around every bound, and silly ones."""
    seen = hammered(name, dtype, 10, seed=len(name))
    for what in ("value", "gradient"):
        assert seen[what, "bad", "open"] > 9  # wrong answers were among them
        assert seen[what, "good", "good"] > 9
        assert seen[what, "good", "open"] < seen[what, "good", "good"]  # at the very ends of a bound it stays open


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_it_says_nothing_that_the_oracle_does_not_say_at_length(name: str, dtype: str) -> None:
    hammered(name, dtype, 900, seed=1)  # 18 losses × 4 dtypes × 2 × 900 × 8: a million samples


def every_score(dtype: str) -> Any:
    """All finite numbers of a format of 16 bits, twice."""
    scores = np.arange(1 << 16, dtype=np.uint16).view(NUMPY_DTYPES[dtype])
    with np.errstate(invalid="ignore"):  # a signalling NaN
        scores = scores[np.isfinite(scores.astype(np.float64))]
    return np.concatenate([scores, scores]), np.repeat([-1, 1], len(scores))


def beside(answers: Any, rng: np.random.Generator) -> Any:
    """Three in four right; else a place beside, the other sign, another piece, NaN or infinity."""
    bits = answers.view(np.uint16) + rng.choice(np.array([0, 0, 0, 1, 65535, 2], np.uint16), answers.shape)
    moved = bits.view(answers.dtype)
    with np.errstate(invalid="ignore"):  # beside an infinity are signalling NaNs
        moved = np.where(np.isnan(moved), np.array(np.nan, answers.dtype), moved)
    silly = rng.choice(np.array([0.0, -0.0, -1.0, 1.0, np.nan, np.inf], answers.dtype), answers.shape)
    return np.where(rng.random(answers.shape) < 0.1, silly, moved)


@pytest.mark.parametrize("share", [64, pytest.param(1, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", SCALAR)
def test_all_scores_of_16_bits(name: str, dtype: str, share: int) -> None:
    """Every score is judged, next to none by the oracle; of the wrong answers a part (nightly all) is compared."""
    scores, labels = every_score(dtype)
    upstream = np.resize([1.0, -0.5, 3.0, 0.75], len(scores)).astype(scores.dtype)  # 0 times an infinite slope is NaN
    batch = made(name, dtype, (scores,), labels, cotangent=upstream)
    answers, slopes = right(batch)
    found = judge.judge(batch, answers, slopes)
    assert found.good, str(found)
    # where −4 z is formed from d = 1 − z an intermediate may overflow and the result not
    assert found.values.unjudged <= {"modified_huber": 4098, "smooth_hinge": 2}.get(name, 0)
    assert found.values.decided + found.gradients.decided <= 300
    rng = np.random.default_rng(0)
    places = rng.permutation(len(scores))[: len(scores) // (16 * share if share > 1 else 1)]
    for start in range(0, len(places), 4096):
        part = batch.take(places[start : start + 4096].tolist())
        answers, slopes = right(part)
        seen = compared(Answered(part, "none", beside(answers, rng), tuple(beside(g, rng) for g in slopes)))
        assert seen["value", "bad", "open"] > 0
        assert seen["gradient", "bad", "open"] > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_right_answers_stay_with_the_screen(name: str, dtype: str) -> None:
    batch = drawn(name, dtype, 4000, 4, np.random.default_rng(3))
    found = judge.judge(batch, *right(batch))
    assert found.good, str(found)
    assert found.values.screened > 3000
    assert found.values.decided <= 40  # a hundredth
    assert found.gradients.decided <= 40


@pytest.mark.parametrize("name", ROWS)
def test_any_number_of_classes(name: str) -> None:
    """Right answers are accepted, and one coordinate or value a place or a piece beside is found, at every K."""
    for width in WIDTHS if name == "crammer_singer" else WIDTHS[1::3]:
        batch = drawn(name, "float32", 64 if width < 100 else 8, width, np.random.default_rng(width))
        answers, (slopes,) = right(batch)
        found = judge.judge(batch, answers, (slopes,))
        assert found.good, (width, str(found))
        assert found.values.decided + found.gradients.decided <= 2, width
        row = int(np.argmax(answers))
        answers[row] *= np.float32(1.5)
        slopes[0 if row else 1, width // 2] += np.float32(0.125)
        found = judge.judge(batch, answers, (slopes,))
        want = {row} if answers[row] else set()
        assert {r.sample for r in found.rejections} == want | {0 if row else 1}, (width, str(found))


@pytest.mark.parametrize("name", ["hinge", "epsilon_insensitive", "weston_watkins", "triplet_margin"])
def test_the_selection_at_kinks_is_counted_over_right_and_wrong_answers(name: str) -> None:
    rng, want, seen = np.random.default_rng(5), Counter[str](), Counter[str]()
    for batch in strata(name, "float32", False, 12, seed=2):
        a = answered(batch, "none", rng)
        for i, e in enumerate(batch.evaluations):
            row, by = rows_of(a.gradients, i), a.multiplier(i)
            if exact.of_gradient(batch.format, batch.rows[i], e, by, a.products, row).judged:
                want += exact.selection(e, by, row)
        seen += judge.judge(batch, None, a.gradients).selection
    assert sum(want.values()) > 5
    assert seen == want


def test_after_enough_rejections_the_rest_is_left() -> None:
    batch = drawn("hinge", "float32", 5000, 1, np.random.default_rng(0))
    answers, slopes = right(batch)
    found = judge.judge(batch, answers + np.float32(1), slopes, most=7)
    assert [len(found.rejections), found.left, found.good] == [7, 4993, False]
    assert str(found).startswith("at least 7 wrong of 5000, first sample 0: ")


@pytest.mark.parametrize("law", ["value", "gradient"])
@pytest.mark.parametrize("says", ["accepts", "opens"])
def test_a_screen_that_accepts_or_opens_everything_is_seen(monkeypatch: Any, law: str, says: str) -> None:
    name = f"judge_{law}s"

    def lying(block: Any, got: Any, **_: Any) -> Any:
        return np.full(len(block), says == "accepts"), np.zeros(len(block), bool)

    monkeypatch.setattr(screening, name, lying)
    accepts = says == "accepts"
    test = test_it_says_nothing_that_the_oracle_does_not_say if accepts else test_right_answers_stay_with_the_screen
    with pytest.raises(AssertionError):
        test("hinge", "float32")


def test_scores_that_are_not_finite_and_masked_classes() -> None:
    batch = made("hinge", "float32", (np.array([np.nan, np.inf, np.inf, -np.inf]),), np.array([1, 1, -1, 1]))
    good = np.array([np.nan, 0, np.inf, np.inf], np.float32)
    slopes = (np.zeros(4, np.float32),)
    assert judge.judge(batch, good, slopes).good
    found = judge.judge(batch, good[[1, 0, 3, 1]], slopes)
    assert [r.kind for r in found.rejections] == ["nan", "value", "infinity"]
    row = np.array([[0.5, -np.inf, 0.25], [0.5, 0.25, -np.inf]])
    batch = made("weston_watkins", "float32", (row,), np.array([0, 0]), cotangent=np.ones(2, np.float32))
    answers, (g,) = right(batch)
    assert judge.judge(batch, answers, (g,)).good
    g[0, 1] = 1e-30
    assert [r.kind for r in judge.judge(batch, answers, (g,)).rejections] == ["masked"]


def test_what_overflows_on_the_way_to_an_infinite_result_is_judged() -> None:
    """In float16 (1 − s)² is infinite from s = −256 on: finite beyond, or infinite before, is wrong."""
    scores = np.array([-250.0, -260.0, -300.0, -60000.0])
    batch = made("squared_hinge", "float16", (scores,), np.ones(4, int))
    answers, _ = right(batch)
    assert judge.judge(batch, answers).values.unjudged == 0
    assert judge.judge(batch, answers).good
    wrong = np.where(np.isinf(answers), np.float16(65504), np.float16(np.inf))
    assert len(judge.judge(batch, wrong).rejections) == 4


def test_a_wider_answer_is_held_to_the_unrounded_bound() -> None:
    batch = made("hinge", "bfloat16", (np.array([1 / 512, 0.5]),), np.ones(2, int))
    assert judge.judge(batch, np.array([1 - 1 / 512, 0.5])).good
    assert not judge.judge(batch, np.array([1 + 1 / 512, 0.5])).good


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "margin_ranking", "weston_watkins"])
def test_sums_and_means(name: str, reduction: str) -> None:
    for n in (2, 65, 1000, 65_537):
        batch = drawn(name, "float32", n, 3, np.random.default_rng(n))
        answer, slopes = right(batch, reduction)
        assert judge_reduced(batch, float(answer), reduction).kind is None
        assert judge_reduced(batch, float(answer), reduction).judged
        assert judge.judge(batch, None, slopes, reduction=reduction).good
        tail = float(right(batch.take(range(n // 2)), reduction)[0])
        far = tail if reduction == "sum" and n > 2 else float(answer) * 1.25
        assert judge_reduced(batch, far, reduction).kind == "value", (n, far, answer)


def test_a_sum_is_judged_as_the_laws_judge_it() -> None:
    """Around the end of the bound, place by place: rationals decide what the sums leave open."""
    from hingeproof.properties.laws.reductions import reduced_interval

    for name in ("hinge", "squared_hinge", "crammer_singer"):
        batch = drawn(name, "float32", 40, 3, np.random.default_rng(1))
        interval = reduced_interval(batch, "mean")
        assert interval is not None
        for end in (interval.low, interval.high, interval.center):
            for ulps in range(-3, 4):
                got = FORMATS["float32"].step(to_float(end), ulps)
                assert (judge_reduced(batch, got, "mean").kind is None) == interval.allows(rational(got))


def test_a_thread_that_flushes_is_refused() -> None:
    torch = pytest.importorskip("torch")
    batch = drawn("hinge", "float32", 8, 1, np.random.default_rng(0))
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush")
    try:
        with pytest.raises(FlushedThread, match=r"undo torch\.set_flush_denormal"):
            judge.judge(batch, *right(batch))
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_rounding_is_that_of_the_format(dtype: str) -> None:
    """Midpoints, their neighbours in float64, subnormals and the threshold of overflow."""
    fmt, rng = FORMATS[dtype], np.random.default_rng(0)
    steps = rng.integers(0, 1 << fmt.precision, 400) * 2 + 1
    exponents = rng.integers(fmt.emin - fmt.precision - 2, fmt.emax - fmt.precision + 2, 400)
    middle = np.ldexp(steps.astype(float), exponents)
    middle = np.concatenate([middle, [to_float(fmt.overflow), to_float(fmt.largest), to_float(fmt.subnormal) / 2, 0]])
    for x in (middle, np.nextafter(middle, np.inf), np.nextafter(middle, 0), -middle):
        with np.errstate(over="ignore"):
            assert rounded(x, fmt).tolist() == [to_float(fmt.round(rational(v))) for v in x.tolist()]


@pytest.mark.parametrize("name", SCALAR)
def test_runs_of_scores_inside_one_piece(name: str) -> None:
    """Right answers are all right by one polynomial, a planted wrong one is not; torch judges its own arrays."""
    torch = pytest.importorskip("torch")
    rng, kept = np.random.default_rng(0), 0
    params = {k: FORMATS["float32"].round(v) for k, v in LOSSES[name].defaults.items()}
    for i in range(60):
        start = int(rng.integers(0, (1 << 32) - 2048))
        scores = np.sort(np.arange(start, start + 512).astype(np.uint32).view(np.float32))
        label = int(rng.choice([-1, 1]))
        flush = i % 3 == 0
        arithmetic = Arithmetic(FORMATS["float32"], flush)
        piece = run(LOSSES[name], params, arithmetic, label, scores[0], scores[-1], upstream=1.25)
        if piece is None:
            continue
        kept += 1
        batch = made(name, "float32", (scores,), np.full(512, label), arithmetic=arithmetic,
                     cotangent=np.full(512, 1.25, np.float32))  # fmt: skip
        answers, (slopes,) = right(batch)
        at = int(rng.integers(512))
        with np.errstate(over="ignore"):
            answers[at] += np.spacing(answers[at]) * 8
            slopes[-at] += np.spacing(slopes[-at]) * 8
        wide = [x.astype(np.float64) for x in (scores, answers, slopes)]
        fine = piece.values_right(*wide[:2]), piece.gradients_right(wide[0], wide[2])
        assert [np.flatnonzero(~f).tolist() for f in fine] == [[at], [(512 - at) % 512]]
        assert {r.sample for r in judge.judge(batch, answers, (slopes,)).rejections} == {at, (512 - at) % 512}
        tensors = [torch.tensor(x) for x in wide]
        assert piece.values_right(*tensors[:2]).numpy().tolist() == fine[0].tolist()
    assert kept > 40


def test_no_run_crosses_a_break() -> None:
    for first, last in ((0.5, 1.5), (0.5, 1.0), (1.0, 1.5)):
        assert run(LOSSES["hinge"], {"margin": fmpq(1)}, Arithmetic(FORMATS["float32"]), 1, first, last) is None
