"""How fast the screen judges: samples/s, value, gradient and selection at kinks included, beside what else there is.

Beside it in one run: the bare evaluation of the same batch, `torch.autograd.gradcheck`, and one pass of the engine.
OnePiece by `tox -e bench`. Nothing here asserts a time: figures of processor time go into the benchmark's `extra_info`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from hingeproof.judge.screen.judge import judge
from hingeproof.judge.screen.pieces import run
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.strategies import NUMPY_DTYPES
from hingeproof.reference_impls import in_numpy
from hingeproof.reference_impls.formats import FORMATS, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic

pytestmark = pytest.mark.benchmark(timer=time.process_time)  # the ratios hold on a busy machine, too
SAMPLES = 1 << 20


def _batch(name: str, dtype: str, coordinates: int, width: int) -> Batch:
    """Normal scores, a quarter of them rounded to halves: on kinks and tied."""
    rng, kind, loss = np.random.default_rng(0), NUMPY_DTYPES[dtype], LOSSES[name]
    n = coordinates // width
    scores = rng.standard_normal((n, width) if width > 1 else n) * 2
    scores = np.where(rng.random(scores.shape) < 0.25, np.round(scores * 2) / 2, scores)
    targets = rng.integers(0, width, n) if width > 1 else rng.choice([-1, 1], n)
    cotangent = rng.choice([1.0, -0.5, 3.0, 0.0, 0.75], n)
    return Batch(
        loss=loss, arithmetic=Arithmetic(FORMATS[dtype]), inputs=(scores.astype(kind),), targets=targets,
        params=loss.defaults, cotangent=cotangent.astype(kind),
    )  # fmt: skip


def _evaluate(batch: Batch) -> tuple[Array, tuple[Array, ...]]:
    name, settings = batch.loss.name, {k: to_float(v) for k, v in batch.params.items()}
    given = (*batch.inputs, batch.targets)
    value = getattr(in_numpy, name)(*given, reduction="none", **settings)
    slope = getattr(in_numpy, f"{name}_grad")(*given, cotangent=batch.cotangent, reduction="none", **settings)
    return value, (slope,)


CASES = [
    *((name, dtype, 1) for name in ("hinge", "squared_hinge") for dtype in FORMATS),
    *(
        (name, "float32", k)
        for name in ("weston_watkins", "crammer_singer", "one_vs_rest_hinge")
        for k in (4, 33, 1024)
    ),
]


@pytest.mark.parametrize(("name", "dtype", "width"), CASES, ids=["-".join(map(str, c)) for c in CASES])
def test_judging_a_batch(benchmark: Any, name: str, dtype: str, width: int) -> None:
    """Everything that the laws say of values, gradients and kinks, for a million coordinates."""
    batch = _batch(name, dtype, SAMPLES, width)
    answers = _evaluate(batch)
    found = benchmark.pedantic(judge, args=(batch, *answers), rounds=5, iterations=1, warmup_rounds=1)
    assert found.good
    _rate(benchmark, SAMPLES)
    benchmark.extra_info |= {"decided_by_the_oracle": found.values.decided + found.gradients.decided}


@pytest.mark.parametrize(("name", "dtype", "width"), CASES, ids=["-".join(map(str, c)) for c in CASES])
def test_bare_evaluation(benchmark: Any, name: str, dtype: str, width: int) -> None:
    """Value and gradient by the NumPy reference, of the same batch."""
    benchmark.pedantic(_evaluate, args=(_batch(name, dtype, SAMPLES, width),), rounds=5, iterations=1, warmup_rounds=1)
    _rate(benchmark, SAMPLES)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_a_run_inside_one_piece(benchmark: Any, name: str) -> None:
    """The short path of proofs: 2¹⁶ consecutive float32 scores."""
    scores = np.sort(np.arange(0xBF200000, 0xBF210000).astype(np.uint32).view(np.float32))
    batch = _batch(name, "float32", len(scores), 1)
    ones = {"targets": np.ones(len(scores), int), "cotangent": np.ones(len(scores), np.float32)}
    value, (slope,) = _evaluate(batch.change(inputs=(scores,), **ones))
    piece = run(batch.loss, batch.params, batch.arithmetic, 1, float(scores[0]), float(scores[-1]))
    assert piece is not None

    def judged() -> bool:
        wide = [x.astype(np.float64) for x in (scores, value, slope)]
        return bool((piece.values_right(*wide[:2]) & piece.gradients_right(wide[0], wide[2])).all())

    assert benchmark.pedantic(judged, rounds=20, iterations=4, warmup_rounds=1)
    _rate(benchmark, len(scores))


def test_gradcheck(benchmark: Any) -> None:
    """torch.autograd.gradcheck on the same loss, off the kinks (where it can be right)."""
    import torch

    from hingeproof.reference_impls.in_torch import hinge

    torch.manual_seed(0)
    scores = (torch.rand(512, dtype=torch.float64) * 0.5).requires_grad_()
    targets = torch.where(torch.rand(512) < 0.5, -1.0, 1.0).double()

    def check() -> bool:
        return bool(torch.autograd.gradcheck(lambda s: hinge(s, targets, reduction="none"), (scores,)))

    assert benchmark.pedantic(check, rounds=5, warmup_rounds=1)
    _rate(benchmark, 512)


def test_one_pass_of_the_engine(benchmark: Any) -> None:
    """The laws `value` and `gradient` of numpy.hinge in float32, drawn and judged sample by sample."""
    from hingeproof.judge.engine import run_pass
    from hingeproof.plan.checks import build
    from hingeproof.runs.records import Plan

    plan = Plan(patterns=("numpy.hinge",), dtypes=("float32",), modes=("eager",), laws=("value", "gradient"))
    checks = build(plan).checks
    records = benchmark.pedantic(
        lambda: list(run_pass(checks, plan, lambda given: None)), rounds=3, iterations=1, warmup_rounds=1
    )
    _rate(benchmark, max(r.samples for r in records))


def _rate(benchmark: Any, samples: int) -> None:
    seconds = benchmark.stats.stats.median
    benchmark.extra_info |= {"samples": samples, "samples_per_second": round(samples / seconds)}
