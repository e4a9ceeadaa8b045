"""Every timing case as a pytest-benchmark test: `pytest bench`, or as the worker of `hingeproof bench run`.

The seconds are those of our own clock (clock.py), which knows the device. pytest-benchmark reads them from a timer
that advances by exactly what our clock measured, so its tables, JSON and comparisons are of the same numbers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hingeproof.bench.timing.case import chosen
from hingeproof.bench.timing.measure import row, time_case
from hingeproof.bench.timing.selfcheck import examine
from hingeproof.bench.timing.session import Session, new_info
from hingeproof.runs.directory import new_directory
from hingeproof.runs.kinds import BENCH
from hingeproof.runs.timings import BenchPlan, SelfCheck, TimingCase

_SESSION = pytest.StashKey[Session]()


class Playback:
    """A timer that stands still until it is told what was measured."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


TIMER = Playback()


def session(config: pytest.Config) -> Session:
    """The run of `hingeproof bench run`; without one, a new run of the quick profile in the default place."""
    if _SESSION not in config.stash:
        given = config.getoption("hingeproof_bench")
        found = Session(Path(given) if given else new_directory(None, BENCH))
        if not given:
            found.begin(new_info("bench", BenchPlan(), ["pytest", "bench"]))
        config.stash[_SESSION] = found
    return config.stash[_SESSION]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item a case that has no row yet."""
    if "case" in metafunc.fixturenames:
        config = metafunc.config
        framework = config.getoption("hingeproof_bench_framework")
        # without one this is `pytest bench`: a case that this process cannot time has a row that says so
        todo = session(config).todo(framework, os.environ if framework else None)
        metafunc.parametrize("case", todo, ids=[c.id for c in todo])


@pytest.fixture(scope="module")
def bench_run(pytestconfig: pytest.Config) -> Any:
    """The run; one that no `hingeproof bench run` will finish is finished here."""
    found = session(pytestconfig)
    yield found
    if not pytestconfig.getoption("hingeproof_bench"):
        found.finish(found.info(), complete=True)


@pytest.fixture(scope="module")
def clocks(bench_run: Session) -> dict[tuple[str, str], SelfCheck]:
    return {}


@pytest.mark.filterwarnings("default")  # what is timed may warn: that is no error here, whatever the configuration
@pytest.mark.benchmark(timer=TIMER, warmup=False)
def test_case(
    case: TimingCase, benchmark: Any, bench_run: Session, clocks: dict[tuple[str, str], SelfCheck], pytestconfig: Any
) -> None:
    """One row: its blocks, checked by the oracle."""
    bench_run.starting(case)
    where = (case.framework, case.device)
    if where not in clocks:
        try:
            clocks[where] = examine(*where)
        except Exception as error:  # a device that is not here: the case itself will say so
            clocks[where] = SelfCheck(
                framework=case.framework, unsynchronised=False, compile_in_round=False, asynchronous=True,
                note=f"{case.device}: {type(error).__name__}",
            )  # fmt: skip
        bench_run.append_self_check(clocks[where])
    info = bench_run.info()
    found = time_case(case, chosen(info.plan)[case.implementation], info.plan)
    if found.status == "measured" and not clocks[where].passed:
        found = row(case, status="invalid", reason="the clock did not catch a planted mistake (self-check)")
    bench_run.append(found)
    if found.status == "not run":
        pytest.skip(found.reason)
    if found.status != "measured":
        pytest.fail(found.reason, pytrace=False)
    seconds = iter([b / found.loops for b in found.blocks])
    benchmark.extra_info |= {
        "case": found.case, "loops": found.loops, "ratio_to_frozen_kernel": found.ratio, "of_roof": found.of_roof,
        "first_call": found.first_call, "bytes": found.bytes, "flops": found.flops, "peak_memory": found.peak_memory,
    }  # fmt: skip
    benchmark.pedantic(lambda: TIMER.advance(next(seconds)), rounds=len(found.blocks), iterations=1)
