"""What is timed: one call of one implementation on arrays that are already there, in one phase and mode.

This file and side.py are the whole of what runs inside a side of the paired gate, in whatever environment that is: they
import the standard library, NumPy and the framework concerned, and nothing of hingeproof.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np


class Spec(NamedTuple):
    """How a callable is called. `target` is `module:attribute`; `settings` are all arguments that are no arrays.

    style: `function`, `module_class` or `module`. caller_reduces: the callable has no mean of its own, so that the
    caller takes it (a framework's mean over what it returns). gradient: NumPy's `<loss>_grad`. source, gradient_source:
    Python text that defines `call`, in place of target and gradient.
    """

    framework: str
    target: str
    style: str
    settings: dict[str, Any]
    targets_first: bool
    caller_reduces: bool
    gradient: str | None
    phase: str
    mode: str
    device: str
    dtype: str
    threads: int
    source: str = ""
    gradient_source: str = ""


class Answer(NamedTuple):
    """What a call gave, as float64 NumPy arrays: the loss, and its gradients by input where the phase has them."""

    value: Any
    gradients: tuple[Any, ...] | None


class CannotTimeError(Exception):
    """Such a phase, mode or device does not exist here. The message says why."""


def load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def written(source: str) -> Any:
    """The function `call` that a text defines, in a module: torch.compile imports that of a function's globals."""
    module = ModuleType(f"_hingeproof_written_{zlib.crc32(source.encode()):08x}")
    sys.modules[module.__name__] = module
    exec(source, module.__dict__)
    return module.call


def bound(spec: Spec, mean: Callable[[Any], Any]) -> Callable[..., Any]:
    """(inputs, targets) → loss, with everything that is no array filled in."""
    subject = written(spec.source) if spec.source else load(spec.target)
    settings = dict(spec.settings)
    if spec.style == "module_class":
        subject, settings = subject(**settings), {}
    elif spec.style == "module":
        settings = {}

    def call(inputs: Any, targets: Any) -> Any:
        if targets is None:
            out = subject(*inputs, **settings)
        elif spec.targets_first:
            out = subject(targets, *inputs, **settings)
        else:
            out = subject(*inputs, targets, **settings)
        return mean(out) if spec.caller_reduces else out

    return call


class Synchronous:
    """A call returns when it is done, and nothing is compiled."""

    def wait(self, outputs: Any) -> None:
        """Nothing is pending."""

    drain = wait

    def compilations(self) -> int:
        return 0

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()


class NumpyKernel(Synchronous):
    """NumPy has no autograd: `backward` is the sibling gradient function alone, `both` is it after the value."""

    def __init__(self, spec: Spec, inputs: list[Any], targets: Any) -> None:
        call = bound(spec, lambda x: np.mean(x))
        gradient = None if spec.gradient is None else load(spec.gradient)
        gradient = written(spec.gradient_source) if spec.gradient_source else gradient
        if spec.phase != "forward" and gradient is None:
            raise CannotTimeError("a NumPy callable without a gradient function has no backward")
        if spec.mode != "eager":
            raise CannotTimeError("NumPy is eager only")
        if spec.device != "cpu":
            raise CannotTimeError("NumPy runs on the CPU only")
        # the cotangent of a mean, or of each sample's loss where the caller takes the mean
        one = np.full(len(inputs[0]), 1 / len(inputs[0]), inputs[0].dtype) if spec.caller_reduces else np.ones(())
        one = one.astype(inputs[0].dtype)
        rest = () if targets is None else (targets,)
        self.phase, self.device = spec.phase, "cpu"

        def back() -> Any:
            return gradient(*inputs, *rest, cotangent=one, **spec.settings)  # type: ignore[misc]

        if spec.phase == "forward":
            self.call: Callable[[], Any] = lambda: call(inputs, targets)
        elif spec.phase == "backward":
            self.call = back
        else:
            self.call = lambda: (call(inputs, targets), back())

    def answer(self, out: Any) -> Answer:
        return _answer(out, self.phase, lambda x: np.asarray(x, dtype=np.float64))


class TorchKernel:
    """Eager, or torch.compile (inductor). CUDA is timed by events on the current stream."""

    def __init__(self, spec: Spec, inputs: list[Any], targets: Any) -> None:
        import torch

        if spec.device == "cuda" and not torch.cuda.is_available():
            raise CannotTimeError("no CUDA device is here")
        torch.set_num_threads(spec.threads)
        self.torch, self.phase, self.device = torch, spec.phase, spec.device
        xs = [torch_array(torch, x).to(spec.device) for x in inputs]
        y = None if targets is None else torch_array(torch, targets).to(spec.device)
        call = bound(spec, torch.mean)
        if spec.mode in ("inductor", "compile"):
            import torch._functorch.config as functorch

            functorch.donated_buffer = False  # a backward that is run again keeps what it needs
            torch._dynamo.reset()
            backend = "inductor" if spec.mode == "inductor" else "aot_eager"
            call = torch.compile(call, backend=backend, fullgraph=True, dynamic=False)
        elif spec.mode != "eager":
            raise CannotTimeError(f"PyTorch has no mode {spec.mode}")
        leaves = [x.detach().requires_grad_(spec.phase != "forward") for x in xs]
        if spec.phase == "forward":

            def forward() -> Any:
                with torch.no_grad():
                    return call(leaves, y)

            self.call: Callable[[], Any] = forward
        elif spec.phase == "backward":
            value = call(leaves, y)
            self.call = lambda: torch.autograd.grad(value, leaves, retain_graph=True)
        else:

            def both() -> Any:
                value = call(leaves, y)
                return value, torch.autograd.grad(value, leaves)

            self.call = both

    def wait(self, outputs: Any) -> None:
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    drain = wait

    def compilations(self) -> int:
        if not hasattr(self.torch, "compile"):  # PyTorch 1
            return 0
        counters = self.torch._dynamo.utils.counters
        return int(sum(counters["stats"].values()) + sum(counters["frames"].values()))

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    def answer(self, out: Any) -> Answer:
        return _answer(out, self.phase, lambda x: x.detach().double().cpu().numpy())


class JaxKernel:
    """Eager or jit. Calls return before they are done: a block ends with block_until_ready on all its outputs."""

    def __init__(self, spec: Spec, inputs: list[Any], targets: Any) -> None:
        import jax

        self.jax, self.phase, self.device, self.x64 = jax, spec.phase, spec.device, spec.dtype == "float64"
        count_compilations()
        platform = {"cuda": "gpu"}.get(spec.device, spec.device)
        try:
            device = jax.devices(platform)[0]
        except RuntimeError:
            raise CannotTimeError(f"no {spec.device} device is here") from None
        if spec.mode not in ("eager", "jit"):
            raise CannotTimeError(f"JAX has no mode {spec.mode}")
        jit = jax.jit if spec.mode == "jit" else lambda f: f
        with self.context():
            xs = tuple(jax.device_put(x, device) for x in inputs)
            y = None if targets is None else jax.device_put(jax_labels(targets, spec.dtype), device)
            call = bound(spec, jax.numpy.mean)
            if spec.phase == "forward":
                forward = jit(lambda xs, y: call(xs, y))
                self.call: Callable[[], Any] = lambda: forward(xs, y)
            elif spec.phase == "backward":
                value, pull = jit(lambda xs, y: jax.vjp(lambda *x: call(x, y), *xs))(xs, y)
                one, back = jax.numpy.ones_like(value), jit(lambda pull, one: pull(one))
                self.call = lambda: back(pull, one)
            else:
                both = jit(lambda xs, y: jax.value_and_grad(lambda *x: call(x, y), argnums=tuple(range(len(xs))))(*xs))
                self.call = lambda: both(xs, y)

    def wait(self, outputs: Any) -> None:
        self.jax.block_until_ready(outputs)

    drain = wait

    def compilations(self) -> int:
        return _COMPILED[0]

    def context(self) -> contextlib.AbstractContextManager[Any]:
        jax = self.jax
        enable = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64  # before JAX 0.8
        return enable(self.x64)  # type: ignore[no-any-return]

    def answer(self, out: Any) -> Answer:
        return _answer(out, self.phase, lambda x: np.asarray(x).astype(np.float64))


class MlxKernel:
    """Eager, or mx.compile. MLX is lazy: a call starts the evaluation of its answer, a block ends with mx.eval of all.

    `backward` is mx.grad alone, with as much of the value as the gradient needs: MLX cannot pull back a value that is
    there. It counts no compilations; a function that is compiled is called when it is traced, so those of this kernel
    are counted, and those inside the callable itself are not seen.
    """

    def __init__(self, spec: Spec, inputs: list[Any], targets: Any) -> None:
        mx: Any = importlib.import_module("mlx.core")
        if spec.device != "cpu":
            raise CannotTimeError("MLX is timed on the CPU only")
        if spec.mode not in ("eager", "compile"):
            raise CannotTimeError(f"MLX has no mode {spec.mode}")
        self.mx, self.phase, self.device, self.traced = mx, spec.phase, "cpu", [0]
        with self.context():
            arrays = [mlx_array(mx, x) for x in [*inputs, *([] if targets is None else [targets])]]
            mx.eval(arrays)
            count, call = len(inputs), bound(spec, mx.mean)

            def value(*arrays: Any) -> Any:
                return call(arrays[:count], None if targets is None else arrays[count])

            where = tuple(range(count))
            programs: dict[str, Callable[[], Any]] = {
                "forward": lambda: value,
                "backward": lambda: mx.grad(value, argnums=where),
                "both": lambda: mx.value_and_grad(value, argnums=where),
            }
            program = programs[spec.phase]()
            if spec.mode == "compile":
                program = mx.compile(counted(program, self.traced))

        def started() -> Any:
            out = program(*arrays)
            mx.async_eval(out)
            return out

        self.call: Callable[[], Any] = started

    def wait(self, outputs: Any) -> None:
        self.mx.eval(outputs)

    drain = wait

    def compilations(self) -> int:
        return self.traced[0]

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return self.mx.stream(self.mx.cpu)  # type: ignore[no-any-return]

    def answer(self, out: Any) -> Answer:
        wide = self.mx.float32
        return _answer(
            out, self.phase,
            lambda x: np.array(x.astype(wide) if x.dtype == self.mx.bfloat16 else x).astype(np.float64),
        )  # fmt: skip


class TensorflowKernel:
    """Eager, or tf.function. A function is called when it is traced: that is what is counted as a compilation."""

    def __init__(self, spec: Spec, inputs: list[Any], targets: Any) -> None:
        import tensorflow as tf

        if spec.mode not in ("eager", "compile"):
            raise CannotTimeError(f"TensorFlow has no mode {spec.mode}")
        if spec.device == "cuda" and not tf.config.list_physical_devices("GPU"):
            raise CannotTimeError("no cuda device is here")
        self.tf, self.phase, self.device, self.traced = tf, spec.phase, spec.device, [0]
        with self.context():
            xs = [tf.constant(np.ascontiguousarray(x)) for x in inputs]
            y = None if targets is None else tf.constant(targets)
        call = bound(spec, tf.reduce_mean)

        def compiled(program: Any) -> Any:
            if spec.mode == "eager":
                return program
            return tf.function(counted(program, self.traced), autograph=False)

        def slopes(tape: Any, value: Any, xs: Any) -> Any:
            found = tape.gradient(value, xs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return [tf.convert_to_tensor(g) for g in found]

        def forward(xs: Any, y: Any) -> Any:
            return call(xs, y)

        def both(xs: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(xs)
                value = call(xs, y)
            return value, slopes(tape, value, xs)

        if spec.phase == "backward":
            with self.context(), tf.GradientTape(persistent=True) as tape:
                tape.watch(xs)
                value = compiled(forward)(xs, y)
            self.call: Callable[[], Any] = lambda: slopes(tape, value, xs)
        else:
            program = compiled(forward if spec.phase == "forward" else both)
            self.call = lambda: program(xs, y)

    def wait(self, outputs: Any) -> None:
        self.tf.test.experimental.sync_devices()

    drain = wait

    def compilations(self) -> int:
        return self.traced[0]

    def context(self) -> contextlib.AbstractContextManager[Any]:
        return self.tf.device("GPU:0" if self.device == "cuda" else "CPU:0")  # type: ignore[no-any-return]

    def answer(self, out: Any) -> Answer:
        return _answer(out, self.phase, lambda x: np.asarray(x.numpy()).astype(np.float64))


class PaddleKernel(Synchronous):
    """Eager, on the CPU, where a call returns when it is done."""

    def __init__(self, spec: Spec, inputs: list[Any], targets: Any) -> None:
        import paddle

        if spec.device != "cpu":
            raise CannotTimeError("Paddle is timed on the CPU only")
        if spec.mode != "eager":
            raise CannotTimeError(f"Paddle has no mode {spec.mode} here")
        self.phase, self.device = spec.phase, "cpu"

        def array(x: Any, *, leaf: bool = False) -> Any:
            return paddle.to_tensor(np.ascontiguousarray(x), place=paddle.CPUPlace(), stop_gradient=not leaf)

        xs = [array(x, leaf=spec.phase != "forward") for x in inputs]
        y = None if targets is None else array(targets)
        call = bound(spec, paddle.mean)
        if spec.phase == "backward":
            value = call(xs, y)
            self.call: Callable[[], Any] = lambda: paddle.grad([value], xs, retain_graph=True)
        elif spec.phase == "both":

            def both() -> Any:
                value = call(xs, y)
                return value, paddle.grad([value], xs)

            self.call = both
        else:
            self.call = lambda: call(xs, y)

    def answer(self, out: Any) -> Answer:
        return _answer(out, self.phase, lambda x: x.astype("float64").numpy())


KERNELS: dict[str, Any] = {
    "numpy": NumpyKernel, "torch": TorchKernel, "jax": JaxKernel, "mlx": MlxKernel, "tensorflow": TensorflowKernel,
    "paddle": PaddleKernel,
}  # fmt: skip
_COMPILED: list[int] = [0]
_LISTENING: list[bool] = []


def count_compilations() -> None:
    """Count every program that XLA compiles in this process, those of eager operations among them."""
    if _LISTENING:
        return
    import jax

    def heard(event: str, seconds: float, **more: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            _COMPILED[0] += 1

    jax.monitoring.register_event_duration_secs_listener(heard)
    _LISTENING.append(True)


def counted(program: Callable[..., Any], count: list[int]) -> Callable[..., Any]:
    """A function that counts its calls: of one that is handed to a tracing compiler these are the compilations."""

    def once(*arrays: Any) -> Any:
        count[0] += 1
        return program(*arrays)

    return once


def mlx_array(mx: Any, x: Any) -> Any:
    """A copy of a NumPy array; bfloat16 and float64 keep their dtype."""
    if x.dtype.name == "bfloat16":
        return mx.array(x.astype(np.float32)).astype(mx.bfloat16)
    return mx.array(x, dtype=mx.float64) if x.dtype == np.float64 else mx.array(x)


def torch_array(torch: Any, x: Any) -> Any:
    """A NumPy array as a tensor over the same memory, bfloat16 too."""
    if x.dtype.name == "bfloat16":
        return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(x)


def jax_labels(targets: Any, dtype: str) -> Any:
    """Outside x64 JAX holds no 64-bit labels: what it would make of them, said here."""
    return targets.astype(np.int32) if targets.dtype == np.int64 and dtype != "float64" else targets


def _answer(out: Any, phase: str, back: Callable[[Any], Any]) -> Answer:
    if phase == "forward":
        return Answer(back(out), None)
    value, gradients = (None, out) if phase == "backward" else out
    gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
    return Answer(None if value is None else back(value), tuple(back(g) for g in gradients))


# -- the clock -----------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """seconds: of all its calls, work on the device included. left: seconds that a drain after the end still took."""

    seconds: float
    left: float
    compiled: int


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection inside."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def block(kernel: Any, loops: int) -> Block:
    """Time `loops` calls. Their outputs live until the clock has stopped, so that freeing them is not timed.

    The clock waits for the device before it is read (CUDA: events on the stream). Then everything pending is waited
    for once more: if that takes time, the block was read too early.
    """
    kept: list[Any] = [None] * loops
    before = kernel.compilations()
    if kernel.device == "cuda" and isinstance(kernel, TorchKernel):
        torch = kernel.torch
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        for i in range(loops):
            kept[i] = kernel.call()
        end.record()
        end.synchronize()
        seconds = start.elapsed_time(end) / 1e3
    else:
        began = time.perf_counter_ns()
        for i in range(loops):
            kept[i] = kernel.call()
        kernel.wait(kept)
        seconds = (time.perf_counter_ns() - began) / 1e9
    ended = time.perf_counter_ns()
    kernel.drain(kept)
    left = (time.perf_counter_ns() - ended) / 1e9
    return Block(seconds, left, kernel.compilations() - before)


def first_call(kernel: Any) -> tuple[float, Any]:
    """Seconds of the first call, compilation included, and what it answered."""
    began = time.perf_counter_ns()
    out = kernel.call()
    kernel.wait([out])
    return (time.perf_counter_ns() - began) / 1e9, out


def calibrate(kernel: Any, seconds: float) -> int:
    """How many calls make a block of about so many seconds; 1 if a call is longer."""
    loops = 1
    while True:
        took = min(block(kernel, loops).seconds for _ in range(3))
        if took >= seconds / 4 or loops >= 1 << 16:
            return max(1, min(1 << 16, round(loops * seconds / max(took, 1e-9))))
        loops *= 4
