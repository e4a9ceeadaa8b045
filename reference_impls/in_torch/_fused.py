"""The value of a loss and its gradients in one walk over the data, in parts small enough for a cache.

A kernel answers the losses of some samples and, where it is handed arrays for them, writes the gradients. On a GPU
there is one part, and torch.compile makes one pass over it of the kernel and the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# (inputs, targets, margin, what one unit of loss is worth, where gradients go) → losses (N,)
Kernel = Callable[[Sequence[Tensor], Any, float, float, Sequence[Tensor]], Tensor]
# Scores in a part: half a megabyte in float32. So much a cache holds and the heap uses again; a large array is fresh
# memory from the system, page by page. Threads have to wait for each other at each step: for them parts are larger.
PART = 1 << 17
VARIANTS = 64  # of kernel, dtype, reduction and gradients that torch.compile may make; its default is 8


def fused(kernel: Kernel, inputs: Sequence[Tensor], targets: Tensor | None, margin: float, reduction: str) -> Tensor:
    """The reduced loss. Gradients are computed with it, where grad mode is on and an input wants one.

    Raises: ValueError for an unknown reduction.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    out: Tensor = _Fused.apply(kernel, margin, reduction, wanted, targets, *inputs)
    return out


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, margin: float, reduction: str, wanted: bool, targets: Tensor | None, *inputs: Tensor
    ) -> Tensor:
        ctx.call = kernel, margin, reduction
        ctx.save_for_backward(targets, *inputs)
        value, ctx.gradients = _walk(kernel, inputs, targets, margin, reduction, wanted)
        return value

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, up: Tensor) -> tuple[Any, ...]:
        targets, *inputs = ctx.saved_tensors
        kernel, margin, reduction = ctx.call
        # the first backward gives away what came with the value; one more, of a retained graph, computes it again
        gradients, ctx.gradients = ctx.gradients, ()
        gradients = gradients or _walk(kernel, inputs, targets, margin, reduction, True)[1]
        if up.dim() or up.is_cuda or up != 1:  # on a GPU looking at it would wait for the device
            for g in gradients:
                g.mul_(up.reshape(up.shape + (1,) * (g.dim() - up.dim())))
        return None, None, None, None, None, *gradients


def compiles(kernel: Kernel, x: Tensor) -> bool:
    """Is the kernel compiled for such a tensor? One that loops while labels last is not."""
    return x.device.type != "cpu" and not getattr(kernel, "loops", False)


def _part(
    kernel: Kernel, inputs: Sequence[Tensor], labels: Any, margin: float, unit: float, slopes: Any, each: bool
) -> Tensor:
    loss = kernel(inputs, labels, margin, unit, slopes)
    return loss if each else loss.sum()


@cache
def _compiled() -> Callable[..., Tensor]:
    compiled = torch.compile(_part, fullgraph=True, dynamic=True)
    return torch._dynamo.config.patch(recompile_limit=VARIANTS)(compiled)  # type: ignore[no-any-return]


def _walk(
    kernel: Kernel, inputs: Sequence[Tensor], targets: Tensor | None, margin: float, reduction: str, wanted: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    n, each = len(inputs[0]), reduction == "none"
    compiled = compiles(kernel, inputs[0])
    part = _compiled() if compiled else _part
    threads = torch.get_num_threads()
    size = PART if threads == 1 else 2 * threads * PART
    step = max(1, n if compiled else size // max(1, inputs[0][:1].numel()))
    unit = 1 / n if n and reduction == "mean" else 1.0
    gradients = tuple(torch.empty_like(x, memory_format=torch.contiguous_format) for x in inputs) if wanted else ()
    losses = []
    for at in range(0, max(n, 1), step):
        cut = slice(at, at + step)
        labels = None if targets is None else targets[cut]
        losses.append(part(kernel, [x[cut] for x in inputs], labels, margin, unit, [g[cut] for g in gradients], each))
    if each:
        return torch.cat(losses), gradients
    total = torch.stack(losses).sum()
    return total / n if reduction == "mean" else total, gradients


def where_positive(gradient: Tensor, loss: Tensor, out: Tensor) -> Tensor:
    """The gradient where the loss is positive, else 0, in one pass."""
    torch.ops.aten.threshold_backward.grad_input(gradient.expand_as(loss), loss, 0, grad_input=out)
    return out
