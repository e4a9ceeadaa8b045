"""One case from arrays to a row: first call, blocks beside a frozen kernel, memory, the roof, the oracle's word."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hingeproof.bench.timing import surroundings
from hingeproof.bench.timing.case import too_large, unset
from hingeproof.bench.timing.check import (
    Checked,
    Strata,
    WrongAnswerError,
    handed,
    judge_strata,
    judge_timed,
    reason,
    strata,
)
from hingeproof.bench.timing.clock import (
    Answer,
    Block,
    CallSpec,
    CannotTimeError,
    Timed,
    block,
    calibrate,
    first_call,
    quiet,
)
from hingeproof.bench.timing.data import Data, domain_of, laid_out, make
from hingeproof.bench.timing.selfcheck import distrust
from hingeproof.bench.timing.work import bytes_moved, flops
from hingeproof.frameworks.binding import argument_names, parameters, source_of
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import COMPILED, FRAMEWORKS, kernel
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.runs.timings import BenchPlan, Timing, TimingCase


class FrozenKernel:
    """The unit of the history, version 1: max(0, 1 - y s) and its sum, float32, in NumPy's buffers.

    It must never change: another one is a new version, and a new segment of each series.
    """

    def __init__(self, size: int) -> None:
        random = np.random.default_rng(1)
        self.s = random.standard_normal(size, dtype=np.float32)
        self.y = np.where(random.random(size, dtype=np.float32) < 0.5, np.float32(-1), np.float32(1))
        self.t = np.empty_like(self.s)

    def call(self) -> Any:
        np.multiply(self.y, self.s, out=self.t)
        np.subtract(np.float32(1), self.t, out=self.t)
        np.maximum(self.t, np.float32(0), out=self.t)
        return self.t.sum()

    def wait(self, outputs: Any) -> None:
        """NumPy returns when it is done."""

    drain = wait

    def compilations(self) -> int:
        return 0


def spec_of(
    implementation: Implementation, case: TimingCase, *, phase: str | None = None, reduction: str = "mean"
) -> CallSpec:
    """How the case is called: the mean by the implementation where it offers one, else by the caller."""
    caller = reduction == "mean" and "mean" not in implementation.reductions
    asked = "none" if caller else reduction
    batch = strata(Strata(implementation.loss, Arithmetic(FORMATS[case.dtype])))
    assert not callable(implementation.gradient)  # a timed subject is loaded by its name, in another process
    settings = parameters(implementation, batch, asked)
    gradient = implementation.gradient if isinstance(implementation.gradient, str) else None
    named = gradient is not None and all(part.isidentifier() for part in gradient.replace(":", ".").split("."))
    formula = "" if gradient is None or named else gradient
    return CallSpec(
        framework=case.framework, target=implementation.target, style=implementation.style, settings=settings,
        targets_first=implementation.targets_first, caller_reduces=caller, gradient=gradient if named else None,
        phase=phase or ("both" if case.phase == "compile" else case.phase), mode=case.mode, device=case.device,
        dtype=case.dtype, threads=case.threads, source=_source(implementation, implementation.expression),
        gradient_source=_source(implementation, formula),
    )  # fmt: skip


def _source(implementation: Implementation, expression: str) -> str:
    """The text of an expression of a contract; nothing for nothing."""
    return source_of(expression, implementation.imports, argument_names(implementation)) if expression else ""


def asker(implementation: Implementation, case: TimingCase) -> Callable[[Data, str, str], Answer]:
    """One call of the implementation in the mode of the case, on other arrays, written as it takes them."""

    def ask(data: Data, phase: str, reduction: str) -> Answer:
        spec = spec_of(implementation, case, phase=phase, reduction=reduction)
        timed = Timed(kernel(case.framework), spec, data.inputs, data.targets)
        with timed.context():
            return timed.answer(first_call(timed)[1])

    return ask


_STRATA: dict[tuple[str, ...], Checked] = {}


def checked(case: TimingCase, implementation: Implementation, data: Data, answer: Answer) -> Checked:
    """The oracle's word on the implementation and on the timed answer. Raises: WrongAnswerError."""
    key = (case.implementation, case.dtype, case.mode, case.device)
    if key not in _STRATA:
        with np.errstate(all="ignore"):
            _STRATA[key] = judge_strata(case, implementation, asker(implementation, case))
    out = judge_timed(case, implementation, data, answer)
    out.add(_STRATA[key])
    return out


def time_case(case: TimingCase, implementation: Implementation, plan: BenchPlan) -> Timing:
    """Time one case and judge its answer. Whatever goes wrong with the implementation is a row, not an exception."""
    missing = unset(implementation, os.environ)
    nothing = too_large(case, surroundings.memory(case.device), implementation)
    if missing:
        nothing = f"needs a process that began with {missing}: hingeproof bench run starts one"
    if nothing:
        return row(case, status="not run", reason=nothing)
    domain = domain_of(implementation)
    data = make(case.loss, case.dtype, case.n, case.k, case.inside, seed=plan.seed, domain=domain)
    data = laid_out(data, case.layout)
    try:
        return _timed(case, implementation, plan, data)
    except CannotTimeError as error:
        return row(case, status="not run", reason=str(error))
    except WrongAnswerError as error:
        return row(case, status="invalid", reason=reason(error, implementation, case.dtype))
    except NotImplementedError as error:
        return row(case, status="not run", reason=f"not implemented: {(str(error).splitlines() or [''])[0][:200]}")
    except Exception as error:  # an implementation may raise anything; what it raised is the row
        text = (str(error).strip().splitlines() or [""])[0][:200]
        if case.mode in COMPILED and type(error).__name__ in FRAMEWORKS[case.framework].untraceable:
            return row(case, status="not run", reason=f"cannot be compiled as a whole: {text}")
        return row(case, status="crash", reason=f"raised {type(error).__name__}: {text}")


def _timed(case: TimingCase, implementation: Implementation, plan: BenchPlan, data: Data) -> Timing:
    spec, given = spec_of(implementation, case), handed(case, implementation, data)

    def made() -> Timed:
        return Timed(kernel(case.framework), spec, given.inputs, given.targets)

    timed = made()
    with timed.context():
        first, out = first_call(timed)
        answer = timed.answer(out)
        del out
        verdict = checked(case, implementation, data, answer)
        peak = peak_memory(timed)
        if case.phase == "compile":
            seconds = [first, *(_compile_again(case.framework, made) for _ in range(2))]
            return _row(case, implementation, verdict, blocks=seconds, loops=1, first_call=first, peak_memory=peak)
        first_call(timed)  # PyTorch's check dropped what was compiled before it
        loops = 1 if case.cache == "cold" else calibrate(timed, plan.block_seconds)
        frozen = FrozenKernel(min(max(case.n * case.k, 1 << 10), 1 << 24))
        frozen_loops = calibrate(frozen, plan.block_seconds)
        blocks, beside = blocks_of(timed, loops, frozen, frozen_loops, plan.blocks, cold=case.cache == "cold")
    trouble = distrust(blocks)
    if trouble:
        return row(case, status="invalid", reason=trouble, blocks=[b.seconds for b in blocks], loops=loops)
    return _row(
        case, implementation, verdict, blocks=[b.seconds for b in blocks], loops=loops, first_call=first,
        peak_memory=peak, roof=copy_bandwidth(case.framework, case.device, case.threads),
        reference_blocks=[b.seconds for b in beside], reference_loops=frozen_loops, timer=timed.timer,
    )  # fmt: skip


def blocks_of(
    timed: Any, loops: int, frozen: Any, frozen_loops: int, count: int, *, cold: bool
) -> tuple[list[Block], list[Block]]:
    """Blocks of the kernel and of the frozen one in turn; before a cold block the caches are filled with other data."""
    mine, beside = [], []
    with quiet():
        for _ in range(2):
            block(timed, loops)
        for _ in range(count):
            if cold:
                flush(timed)
            mine.append(block(timed, loops))
            beside.append(block(frozen, frozen_loops))
    return mine, beside


def _compile_again(framework: str, made: Callable[[], Timed]) -> float:
    """Seconds of a first call with nothing compiled in this process (a compiler's cache on disk stays)."""
    forget = getattr(kernel(framework), "forget", None)  # or making a kernel drops what was compiled, as PyTorch's does
    if forget is not None:
        forget()
    return first_call(made())[0]


def row(case: TimingCase, **fields: Any) -> Timing:
    return Timing(case=case.id, fields=case, **fields)


def _row(case: TimingCase, implementation: Implementation, verdict: Checked, **fields: Any) -> Timing:
    blocks, loops = fields["blocks"], fields["loops"]
    beside = fields.get("reference_blocks")
    ratio = None
    if beside:
        unit = fields["reference_loops"]
        ratio = statistics.median((b / loops) / (r / unit) for b, r in zip(blocks, beside, strict=True))
    return row(
        case, status="measured", seconds=statistics.median(blocks) / loops, ratio=ratio,
        bytes=bytes_moved(case.loss, case.dtype, case.framework, case.n, case.k, case.phase, implementation),
        flops=flops(case.loss, case.n, case.k, case.phase), checked_values=verdict.values,
        checked_gradients=verdict.gradients, worst_bound=verdict.worst, reduction_error=verdict.reduction_error,
        note=f"called as {implementation.expression}" if implementation.expression else "",
        **fields,
    )  # fmt: skip


# -- memory and the roof ---------------------------------------------------------------------------------------


def peak_memory(timed: Timed) -> int | None:
    """Bytes that one call adds at its peak: as the framework's allocator says, else by the resident set."""
    if timed.peak is not None:
        return timed.peak(lambda: first_call(timed))
    if timed.device != "cpu":
        return None
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak of the resident set begins anew
        before = _status("VmRSS")
        out = first_call(timed)
        del out
        return max(0, _status("VmHWM") - before)
    except (OSError, StopIteration):
        return None


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(x for x in lines if x.startswith(name)).split()[1]) * 1024


_FILLED: list[Any] = []


def flush(timed: Timed) -> None:
    """Fill the caches with other data: write twice the last level."""
    if timed.device == "cpu":
        if not _FILLED:
            _FILLED.append(np.zeros(2 * surroundings.last_level_cache() // 8))
        _FILLED[0] += 1.0
    elif timed.flush is not None:
        timed.flush()


@lru_cache(maxsize=16)
def copy_bandwidth(framework: str, device: str, threads: int) -> float | None:
    """Bytes a second of a framework's plain copy of an array that is four times the last level cache, if it has one.

    The roof of everything here: no loss does more arithmetic than a copy hides.
    """
    make = kernel(framework)
    if not hasattr(make, "copy"):
        return None
    source = np.ones(surroundings.last_level_cache(), np.float32)
    copy = make.copy(source, device, threads)
    copy()
    taken = []
    for _ in range(7):
        began = time.perf_counter_ns()
        copy()
        taken.append((time.perf_counter_ns() - began) / 1e9)
    return float(getattr(make, "transfers", 2) * source.nbytes / statistics.median(taken))
