"""Fused siblings of the losses that frameworks have, for eager PyTorch: few passes over memory, own backward.

Speed is paid for with policy: float32 and float64 only, labels are not looked at, no weight, first derivatives only.
They stand beside the references under names of their own and are verified like a stranger's code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable


def _reduce(loss: torch.Tensor, reduction: str, per: int = 1) -> torch.Tensor:
    """Mean or sum of what each sample (or each of `per` parts of one) costs."""
    if reduction == "mean":
        return loss.sum() / (loss.numel() // per)
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")


def _upstream(up: torch.Tensor, reduction: str, n: int) -> torch.Tensor:
    return up / n if reduction == "mean" else up


def _where_positive(gradient: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
    """The gradient where the loss is positive, else 0, in one pass."""
    out: torch.Tensor = torch.ops.aten.threshold_backward(gradient, loss, 0)
    return out


def _floating(*tensors: torch.Tensor) -> None:
    first = tensors[0]
    for x in tensors:
        if x.dtype not in (torch.float32, torch.float64) or x.dtype != first.dtype or x.shape != first.shape:
            raise ValueError(
                f"a tensor has shape {tuple(x.shape)} and dtype {x.dtype}, the first {tuple(first.shape)} and "
                f"{first.dtype}: pass equal shapes, all float32 or all float64, or use the reference"
            )


class _Hinge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: torch.Tensor, y: torch.Tensor, margin: float, reduction: str) -> torch.Tensor:
        loss = torch.addcmul(s.new_full((), margin), y, s, value=-1).clamp_(min=0)
        ctx.save_for_backward(loss if reduction != "none" else loss.clone(), y)
        ctx.reduction = reduction
        return _reduce(loss, reduction)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, up: torch.Tensor) -> tuple[Any, ...]:
        loss, y = ctx.saved_tensors
        return _where_positive(y * -_upstream(up, ctx.reduction, y.numel()), loss), None, None, None


def hinge(scores: torch.Tensor, targets: torch.Tensor, *, margin: float = 1.0, reduction: str = "mean") -> torch.Tensor:
    """max(0, Δ − y s), fused

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes, unequal shapes or an unknown reduction.
    Source: Vapnik 1995.
    """
    _floating(scores, targets)
    return _Hinge.apply(scores, targets, margin, reduction)


class _Ranking(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x1: torch.Tensor, x2: torch.Tensor, y: torch.Tensor, margin: float, reduction: str
    ) -> torch.Tensor:
        loss = torch.addcmul(x1.new_full((), margin), y, x1 - x2, value=-1).clamp_(min=0)
        ctx.save_for_backward(loss if reduction != "none" else loss.clone(), y)
        ctx.reduction = reduction
        return _reduce(loss, reduction)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, up: torch.Tensor) -> tuple[Any, ...]:
        loss, y = ctx.saved_tensors
        first = _where_positive(y * -_upstream(up, ctx.reduction, y.numel()), loss)
        return first, -first, None, None, None


def margin_ranking(
    x1: torch.Tensor, x2: torch.Tensor, targets: torch.Tensor, *, margin: float = 0.0, reduction: str = "mean"
) -> torch.Tensor:
    """max(0, Δ − y (x₁ − x₂)), fused

    Shapes: x1, x2 and targets equal, any; the result likewise for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes, unequal shapes or an unknown reduction.
    Source: Herbrich, Graepel and Obermayer 2000.
    """
    _floating(x1, x2, targets)
    return _Ranking.apply(x1, x2, targets, margin, reduction)


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor, margin: float, reduction: str) -> torch.Tensor:
        ctx.save_for_backward(x, y)
        ctx.margin, ctx.reduction = margin, reduction
        return _reduce(torch.where(y > 0, x, (x.new_full((), margin) - x).clamp_(min=0)), reduction)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, up: torch.Tensor) -> tuple[Any, ...]:
        x, y = ctx.saved_tensors
        up = _upstream(up, ctx.reduction, x.numel())
        # y for y = 1 and inside the margin: +1 and −1 are the slopes
        return torch.where((y > 0) | (x < x.new_full((), ctx.margin)), y * up, 0.0), None, None, None


def hinge_embedding(
    scores: torch.Tensor, targets: torch.Tensor, *, margin: float = 1.0, reduction: str = "mean"
) -> torch.Tensor:
    """x for y = 1, max(0, Δ − x) for y = −1, fused; the scores x are distances

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes, unequal shapes or an unknown reduction.
    Source: Hadsell, Chopra and LeCun 2006, without the squares.
    """
    _floating(scores, targets)
    return _Embedding.apply(scores, targets, margin, reduction)


class _MultiMargin(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: torch.Tensor, c: torch.Tensor, margin: float, reduction: str) -> torch.Tensor:
        index = c.unsqueeze(-1)
        loss = s + (margin - s.gather(1, index))
        loss.scatter_(1, index, 0.0).clamp_(min=0)
        ctx.save_for_backward(loss, index)
        ctx.reduction = reduction
        if reduction == "none":
            return loss.sum(1) / s.shape[1]
        return _reduce(loss, reduction, s.shape[1]) / s.shape[1]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, up: torch.Tensor) -> tuple[Any, ...]:
        loss, index = ctx.saved_tensors
        n, k = loss.shape
        each = _upstream(up, ctx.reduction, n) / k
        each = each.unsqueeze(-1) if ctx.reduction == "none" else each
        out = _where_positive(each.expand(n, k), loss)
        return out.scatter_(1, index, -out.sum(1, keepdim=True)), None, None, None


def multi_margin(
    scores: torch.Tensor, targets: torch.Tensor, *, margin: float = 1.0, reduction: str = "mean"
) -> torch.Tensor:
    """1/K · Σ_{k≠c} max(0, Δ − (s_c − s_k)), fused

    Shapes: scores (N, K), targets (N,); the result (N,) for "none", else ().
    Dtypes: scores float32 or float64; targets int64 in 0..K−1.
    Raises: ValueError for other shapes or dtypes, or an unknown reduction.
    Source: torch.nn.MultiMarginLoss with p = 1; Weston and Watkins 1999, divided by K.
    """
    _floating(scores)
    if scores.dim() != 2 or targets.shape != scores.shape[:1] or targets.dtype != torch.int64:
        raise ValueError(
            f"scores have shape {tuple(scores.shape)}, targets {tuple(targets.shape)} and dtype {targets.dtype}: pass "
            "(N, K) and (N,) int64, or use the reference"
        )
    return _MultiMargin.apply(scores, targets, margin, reduction)
