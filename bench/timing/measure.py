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
from hingeproof.bench.timing.case import COMPILED, too_large, unset
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
from hingeproof.bench.timing.data import Data, domain_of, laid_out, make
from hingeproof.bench.timing.kernel import (
    KERNELS,
    Answer,
    Block,
    CannotTimeError,
    Spec,
    block,
    calibrate,
    first_call,
    quiet,
)
from hingeproof.bench.timing.selfcheck import distrust
from hingeproof.bench.timing.work import bytes_moved, flops
from hingeproof.frameworks.binding import argument_names, parameters, source_of
from hingeproof.frameworks.implementation import Implementation
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.runs.timings import BenchPlan, Case, Timing

# what compilers raise for a callable that branches on its data: PyTorch, JAX, TensorFlow
REFUSALS = (
    "Unsupported", "TracerBoolConversionError", "ConcretizationTypeError", "TracerArrayConversionError",
    "OperatorNotAllowedInGraphError",
)  # fmt: skip
FROZEN = "max(0, 1 - y s) and its sum, float32, NumPy, buffers kept; version 1"


class FrozenKernel:
    """The unit of the history. It must never change: another one is a new version, and a new segment of each series."""

    device = "cpu"

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


def spec_of(implementation: Implementation, case: Case, *, phase: str | None = None, reduction: str = "mean") -> Spec:
    """How the case is called: the mean by the implementation where it offers one, else by the caller."""
    caller = reduction == "mean" and "mean" not in implementation.reductions
    asked = "none" if caller else reduction
    batch = strata(Strata(implementation.loss, Arithmetic(FORMATS[case.dtype])))
    assert not callable(implementation.gradient)  # a timed subject is loaded by its name, in another process
    settings = parameters(implementation, batch, asked)
    gradient = implementation.gradient if isinstance(implementation.gradient, str) else None
    named = gradient is not None and all(part.isidentifier() for part in gradient.replace(":", ".").split("."))
    formula = "" if gradient is None or named else gradient
    return Spec(
        framework=case.framework, target=implementation.target, style=implementation.style, settings=settings,
        targets_first=implementation.targets_first, caller_reduces=caller, gradient=gradient if named else None,
        phase=phase or ("both" if case.phase == "compile" else case.phase), mode=case.mode, device=case.device,
        dtype=case.dtype, threads=case.threads, source=_source(implementation, implementation.expression),
        gradient_source=_source(implementation, formula),
    )  # fmt: skip


def _source(implementation: Implementation, expression: str) -> str:
    """The text of an expression of a contract; nothing for nothing."""
    return source_of(expression, implementation.imports, argument_names(implementation)) if expression else ""


def asker(implementation: Implementation, case: Case) -> Callable[[Data, str, str], Answer]:
    """One call of the implementation in the mode of the case, on other arrays, written as it takes them."""

    def ask(data: Data, phase: str, reduction: str) -> Answer:
        spec = spec_of(implementation, case, phase=phase, reduction=reduction)
        kernel = KERNELS[case.framework](spec, data.inputs, data.targets)
        with kernel.context():
            return kernel.answer(first_call(kernel)[1])  # type: ignore[no-any-return]

    return ask


_STRATA: dict[tuple[str, ...], Checked] = {}


def checked(case: Case, implementation: Implementation, data: Data, answer: Answer) -> Checked:
    """The oracle's word on the implementation and on the timed answer. Raises: WrongAnswerError."""
    key = (case.implementation, case.dtype, case.mode, case.device)
    if key not in _STRATA:
        with np.errstate(all="ignore"):
            _STRATA[key] = judge_strata(case, implementation, asker(implementation, case))
    out = judge_timed(case, implementation, data, answer)
    out.add(_STRATA[key])
    return out


def time_case(case: Case, implementation: Implementation, plan: BenchPlan) -> Timing:
    """Time one case and judge its answer. Whatever goes wrong with the implementation is a row, not an exception."""
    missing = unset(implementation, os.environ)
    nothing = too_large(case, memory_of(case.device), implementation)
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
        if case.mode in COMPILED and type(error).__name__ in REFUSALS:
            return row(case, status="not run", reason=f"cannot be compiled as a whole: {text}")
        return row(case, status="crash", reason=f"raised {type(error).__name__}: {text}")


def _timed(case: Case, implementation: Implementation, plan: BenchPlan, data: Data) -> Timing:
    make_kernel = KERNELS[case.framework]
    spec, given = spec_of(implementation, case), handed(case, implementation, data)
    kernel = make_kernel(spec, given.inputs, given.targets)
    with kernel.context():
        first, out = first_call(kernel)
        answer = kernel.answer(out)
        del out
        verdict = checked(case, implementation, data, answer)
        peak = peak_memory(kernel)
        if case.phase == "compile":
            seconds = [first, *(_compile_again(make_kernel, spec, given, case) for _ in range(2))]
            return _row(case, implementation, verdict, blocks=seconds, loops=1, first_call=first, peak_memory=peak)
        first_call(kernel)  # PyTorch's check dropped what was compiled before it
        loops = 1 if case.cache == "cold" else calibrate(kernel, plan.block_seconds)
        frozen = FrozenKernel(min(max(case.n * case.k, 1 << 10), 1 << 24))
        frozen_loops = calibrate(frozen, plan.block_seconds)
        blocks, beside = blocks_of(kernel, loops, frozen, frozen_loops, plan.blocks, cold=case.cache == "cold")
    trouble = distrust(blocks)
    if trouble:
        return row(case, status="invalid", reason=trouble, blocks=[b.seconds for b in blocks], loops=loops)
    roof = copy_bandwidth(case.framework, case.device, case.threads)
    return _row(
        case, implementation, verdict, blocks=[b.seconds for b in blocks], loops=loops, first_call=first,
        peak_memory=peak, roof=roof,
        reference_blocks=[b.seconds for b in beside], reference_loops=frozen_loops,
        timer="cuda events" if case.device == "cuda" and case.framework == "torch" else "perf_counter_ns",
    )  # fmt: skip


def blocks_of(
    kernel: Any, loops: int, frozen: Any, frozen_loops: int, count: int, *, cold: bool
) -> tuple[list[Block], list[Block]]:
    """Blocks of the kernel and of the frozen one in turn; before a cold block the caches are filled with other data."""
    mine, beside = [], []
    with quiet():
        for _ in range(2):
            block(kernel, loops)
        for _ in range(count):
            if cold:
                flush(kernel)
            mine.append(block(kernel, loops))
            beside.append(block(frozen, frozen_loops))
    return mine, beside


def _compile_again(make_kernel: Any, spec: Spec, data: Data, case: Case) -> float:
    """Seconds of a first call with nothing compiled in this process (a compiler's cache on disk stays)."""
    if case.framework == "jax":
        import jax

        jax.clear_caches()
    kernel = make_kernel(spec, data.inputs, data.targets)  # PyTorch's drops what was compiled
    return first_call(kernel)[0]


def row(case: Case, **fields: Any) -> Timing:
    return Timing(case=case.id, fields=case, **fields)


def _row(case: Case, implementation: Implementation, verdict: Checked, **fields: Any) -> Timing:
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


def memory_of(device: str) -> int:
    if device != "cuda":
        return surroundings.memory()
    try:
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else 1 << 62
    except ImportError:
        return 1 << 62  # no device: the row says so later


def peak_memory(kernel: Any) -> int | None:
    """Bytes that one call adds at its peak: by the allocator on a device and for MLX, else by the resident set."""
    if kernel.device == "cuda":
        if not hasattr(kernel, "torch"):
            stats = kernel.jax.devices("gpu")[0].memory_stats() or {}
            return stats.get("peak_bytes_in_use")
        before = kernel.torch.cuda.memory_allocated()
        kernel.torch.cuda.reset_peak_memory_stats()
        first_call(kernel)
        return int(kernel.torch.cuda.max_memory_allocated() - before)
    if hasattr(kernel, "mx"):
        before = kernel.mx.get_active_memory()
        kernel.mx.reset_peak_memory()
        first_call(kernel)
        return int(kernel.mx.get_peak_memory() - before)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak of the resident set begins anew
        before = _status("VmRSS")
        out = first_call(kernel)
        del out
        return max(0, _status("VmHWM") - before)
    except (OSError, StopIteration):
        return None


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(x for x in lines if x.startswith(name)).split()[1]) * 1024


_FLUSH: dict[str, Any] = {}


def flush(kernel: Any) -> None:
    """Fill the caches with other data: write twice the last level."""
    if kernel.device == "cuda":
        if hasattr(kernel, "torch"):
            size = 2 * kernel.torch.cuda.get_device_properties(0).L2_cache_size
            key = "cuda"
            if key not in _FLUSH:
                _FLUSH[key] = kernel.torch.empty(size // 4, device="cuda")
            _FLUSH[key].zero_()
            kernel.torch.cuda.synchronize()
        return
    if "cpu" not in _FLUSH:
        _FLUSH["cpu"] = np.zeros(2 * surroundings.last_level_cache() // 8)
    _FLUSH["cpu"] += 1.0


@lru_cache(maxsize=16)
def copy_bandwidth(framework: str, device: str, threads: int) -> float:
    """Bytes a second of a plain copy (read once, written once) that is four times the last level cache.

    The roof of everything here: no loss does more arithmetic than a copy hides. JAX and MLX have no copy into a given
    buffer: they negate one in place, so that fresh pages are not part of it. TensorFlow adds another to one in place.
    """
    size = 4 * surroundings.last_level_cache() // 4
    source = np.ones(size, np.float32)
    copy = _COPIES[framework](source, device, threads)
    copy()
    taken = []
    for _ in range(7):
        began = time.perf_counter_ns()
        copy()
        taken.append((time.perf_counter_ns() - began) / 1e9)
    return TRANSFERS.get(framework, 2) * source.nbytes / statistics.median(taken)


Copy = Callable[[], Any]
TRANSFERS = {"tensorflow": 3}  # reads and writes of the array in one of its copies, where they are not two


def _numpy_copy(source: Any, device: str, threads: int) -> Copy:
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


def _torch_copy(source: Any, device: str, threads: int) -> Copy:
    import torch

    torch.set_num_threads(threads)
    a = torch.from_numpy(source).to(device)
    b = torch.empty_like(a)

    def copy() -> None:
        b.copy_(a)
        if device == "cuda":
            torch.cuda.synchronize()

    return copy


def _jax_copy(source: Any, device: str, threads: int) -> Copy:
    import jax

    negate = jax.jit(lambda x: -x, donate_argnums=0)
    kept = [jax.device_put(source, jax.devices({"cuda": "gpu"}.get(device, device))[0])]

    def copy() -> None:
        kept[0] = jax.block_until_ready(negate(kept[0]))

    return copy


def _mlx_copy(source: Any, device: str, threads: int) -> Copy:
    import mlx.core as mx

    kept = [mx.array(source)]

    def copy() -> None:
        kept[0] = -kept[0]  # nobody else holds it, so that its buffer is used again
        mx.eval(kept)

    return copy


def _tensorflow_copy(source: Any, device: str, threads: int) -> Copy:
    import tensorflow as tf

    with tf.device("GPU:0" if device == "cuda" else "CPU:0"):
        a, one = tf.Variable(source), tf.constant(source)

    def copy() -> None:
        a.assign_add(one)
        tf.test.experimental.sync_devices()

    return copy


def _paddle_copy(source: Any, device: str, threads: int) -> Copy:
    import paddle

    a = paddle.to_tensor(source, place=paddle.CPUPlace())
    b = paddle.empty_like(a)
    return lambda: paddle.assign(a, output=b)


_COPIES: dict[str, Callable[[Any, str, int], Copy]] = {
    "numpy": _numpy_copy, "torch": _torch_copy, "jax": _jax_copy, "mlx": _mlx_copy, "tensorflow": _tensorflow_copy,
    "paddle": _paddle_copy,
}  # fmt: skip
