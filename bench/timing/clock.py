"""What is timed: one call of one implementation on arrays that are already there, and the clock that times it.

How a framework is called stands in its kernel file, loaded by its path. That file, this one and bench/gate/agent.py
import the standard library, NumPy and the framework concerned, and nothing of hingeproof: together they are the whole
of what runs inside a side of the paired gate, in whatever environment that is.

A kernel file has one class, `Kernel` (what is marked * is static):

    modes, devices *      what it can be made for
    mean(x) *             the mean, where an implementation has none of its own
    back(x) *             an array as a NumPy array of float64
    Kernel(spec, inputs, targets, bound)    of NumPy arrays; `bound.call(inputs, targets)` is the loss of its own arrays
    call()                what is timed, by `spec.phase`: the loss, its gradients (a list or tuple), or both as a pair

and where it is not so that a call returns when it is done, that nothing is compiled and one clock is everybody's:

    here(device) *        is there one
    wait(outputs)         until all of them are done
    context()             in which calls are made
    compilations() *      so far, in this process; without it, the calls of what was handed to `bound.counted`
    forget() *            what was compiled, where making another Kernel does not
    seconds(run), timer   what running it took by the device's own clock, and the name of that
    peak(run)             bytes that it adds, by the framework's own allocator
    flush()               the device's caches
    copy(source, device, threads) *    a plain copy of an array, to be called again and again: the roof
    transfers *           how often that reads or writes the array [2]
    late(device) *        a mistake to be caught: a call that returns too early and what waits for it; or None
    recompiling(device, counted) *     another: a call that compiles each time
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


class CallSpec(NamedTuple):
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


class Bound:
    """call: (inputs, targets) → loss, with everything that is no array filled in. traced: calls of what is counted."""

    def __init__(self, spec: CallSpec, mean: Callable[[Any], Any]) -> None:
        self._spec, self.traced = spec, 0
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

        self.call: Callable[[Any, Any], Any] = call

    def gradient(self) -> Callable[..., Any]:
        """The gradient function that was given with it. Raises: CannotTimeError where there is none."""
        if self._spec.gradient_source:
            return written(self._spec.gradient_source)  # type: ignore[no-any-return]
        if self._spec.gradient is None:
            raise CannotTimeError("without autograd or a gradient function there is no backward")
        return load(self._spec.gradient)  # type: ignore[no-any-return]

    def counted(self, program: Callable[..., Any]) -> Callable[..., Any]:
        """The same; handed to a compiler that traces, its calls are the compilations."""

        def once(*arrays: Any) -> Any:
            self.traced += 1
            return program(*arrays)

        return once


def _nothing(outputs: Any) -> None:
    """Nothing is pending."""


class Timed:
    """A call that can be timed: what its framework's Kernel has, and the plain case for what that leaves out."""

    def __init__(self, make: Any, spec: CallSpec, inputs: list[Any], targets: Any) -> None:
        """Raises: CannotTimeError."""
        if spec.mode not in make.modes:
            raise CannotTimeError(f"{spec.framework} has no mode {spec.mode} here")
        if spec.device not in make.devices:
            raise CannotTimeError(f"{spec.framework} is timed on {' and '.join(make.devices)} only")
        if not getattr(make, "here", lambda device: True)(spec.device):
            raise CannotTimeError(f"no {spec.device} device is here")
        bound = Bound(spec, make.mean)
        kernel = make(spec, inputs, targets, bound)
        self.call: Callable[[], Any] = kernel.call
        self.device, self.phase, self._back = spec.device, spec.phase, make.back
        self.wait: Callable[[Any], None] = getattr(kernel, "wait", _nothing)
        self.drain = self.wait
        self.compilations: Callable[[], int] = getattr(make, "compilations", lambda: bound.traced)
        self.context: Callable[[], contextlib.AbstractContextManager[Any]] = getattr(
            kernel, "context", contextlib.nullcontext
        )
        self.seconds: Callable[[Callable[[], None]], float] | None = getattr(kernel, "seconds", None)
        self.timer: str = getattr(kernel, "timer", "perf_counter_ns")
        self.peak: Callable[[Callable[[], Any]], int | None] | None = getattr(kernel, "peak", None)
        self.flush: Callable[[], None] | None = getattr(kernel, "flush", None)

    def answer(self, out: Any) -> Answer:
        if self.phase == "forward":
            return Answer(self._back(out), None)
        value, gradients = (None, out) if self.phase == "backward" else out
        gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
        return Answer(None if value is None else self._back(value), tuple(map(self._back, gradients)))


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

    The clock waits for the device before it is read (or the device's own is read). Then everything pending is waited
    for once more: if that takes time, the block was read too early.
    """
    kept: list[Any] = [None] * loops
    before = kernel.compilations()
    own = getattr(kernel, "seconds", None)
    if own is not None:

        def run() -> None:
            for i in range(loops):
                kept[i] = kernel.call()

        seconds = own(run)
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
