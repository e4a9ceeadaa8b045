"""PyTorch's kernel: eager, or torch.compile. CUDA is timed by events on the current stream.

Loaded by its path in any environment: it imports the standard library, NumPy and PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

BACKENDS = {"compile": "aot_eager", "inductor": "inductor"}


def tensor(x: Any) -> Any:
    """A NumPy array as a tensor over the same memory, bfloat16 too."""
    if x.dtype.name == "bfloat16":
        return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(x)


class Kernel:
    """See bench/timing/clock.py."""

    modes = ("eager", *BACKENDS)
    devices = ("cpu", "cuda")
    mean = staticmethod(torch.mean)

    @staticmethod
    def here(device: str) -> bool:
        return device == "cpu" or torch.cuda.is_available()

    @staticmethod
    def back(x: Any) -> Any:
        return x.detach().double().cpu().numpy()

    def __init__(self, spec: Any, inputs: list[Any], targets: Any, bound: Any) -> None:
        torch.set_num_threads(spec.threads)
        if spec.device == "cuda":
            self.timer, self.seconds, self.peak, self.flush = "cuda events", self._events, self._allocated, self._flush
            self.wait = self._wait
        xs = [tensor(x).to(spec.device) for x in inputs]
        y = None if targets is None else tensor(targets).to(spec.device)
        call = _compiled(bound.call, BACKENDS[spec.mode]) if spec.mode in BACKENDS else bound.call
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

    @staticmethod
    def compilations() -> int:
        if not hasattr(torch, "compile"):  # PyTorch 1
            return 0
        counters = torch._dynamo.utils.counters
        return int(sum(counters["stats"].values()) + sum(counters["frames"].values()))

    # -- on a CUDA device --------------------------------------------------------------------------------------

    def _wait(self, outputs: Any) -> None:
        torch.cuda.synchronize()

    def _events(self, run: Callable[[], None]) -> float:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def _allocated(self, run: Callable[[], Any]) -> int:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return int(torch.cuda.max_memory_allocated() - before)

    def _flush(self) -> None:
        if not _FLUSHED:
            _FLUSHED.append(torch.empty(torch.cuda.get_device_properties(0).L2_cache_size // 2, device="cuda"))
        _FLUSHED[0].zero_()  # twice the cache
        torch.cuda.synchronize()

    # -- the roof, and planted mistakes ------------------------------------------------------------------------

    @staticmethod
    def copy(source: Any, device: str, threads: int) -> Callable[[], Any]:
        torch.set_num_threads(threads)
        a = torch.from_numpy(source).to(device)
        b = torch.empty_like(a)

        def copy() -> None:
            b.copy_(a)
            if device == "cuda":
                torch.cuda.synchronize()

        return copy

    @staticmethod
    def late(device: str) -> tuple[Callable[[], Any], Callable[[Any], None]] | None:
        if device != "cuda":
            return None
        big = torch.ones((4096, 4096), device=device)
        return (lambda: [big @ big for _ in range(20)]), lambda kept: torch.cuda.synchronize()

    @staticmethod
    def recompiling(device: str, counted: Any) -> Callable[[], Any]:
        x = torch.ones(8, device=device)
        torch.compile(lambda a: a - 1, backend="eager")(x)
        return lambda: torch.compile(lambda a: a + 1, backend="eager")(x)


_FLUSHED: list[Any] = []


def _compiled(call: Any, backend: str) -> Any:
    import torch._functorch.config as functorch

    functorch.donated_buffer = False  # a backward that is run again keeps what it needs
    torch._dynamo.reset()
    return torch.compile(call, backend=backend, fullgraph=True, dynamic=False)
