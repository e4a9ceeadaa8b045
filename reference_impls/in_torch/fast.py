"""Fused siblings of the losses that frameworks have, for eager PyTorch: value and gradient in one walk over memory.

Speed is paid for with policy: float32 and float64 only, labels are not looked at, no weight, first derivatives only.
They stand beside the references under names of their own and are verified like a stranger's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hingeproof.reference_impls.in_torch._fused import fused, where_positive


def _floating(*tensors: Tensor) -> None:
    first = tensors[0]
    for x in tensors:
        if x.dtype not in (torch.float32, torch.float64) or x.dtype != first.dtype or x.shape != first.shape:
            raise ValueError(
                f"a tensor has shape {tuple(x.shape)} and dtype {x.dtype}, the first {tuple(first.shape)} and "
                f"{first.dtype}: pass equal shapes, all float32 or all float64, or use the reference"
            )


def _rows(targets: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype, *inputs: Tensor) -> None:
    """Inputs (N, K), and targets of that shape and dtype."""
    _floating(*inputs)
    if inputs[0].dim() != 2 or inputs[0].shape[1] == 0:
        raise ValueError(f"an input has shape {tuple(inputs[0].shape)}: pass (N, K) with K >= 1, or use the reference")
    if targets is not None and (targets.shape != shape or targets.dtype != dtype):
        raise ValueError(
            f"targets have shape {tuple(targets.shape)} and dtype {targets.dtype}: pass {tuple(shape)} and {dtype}, "
            "or use the reference"
        )


def _over(x: Tensor, by: Tensor) -> Tensor:
    """x / by as a column, and 0 where that divides by 0."""
    return torch.where(by == 0, 0.0, x / by).unsqueeze(1)


# -- one score a sample --------------------------------------------------------------------------------------


def _each(kernel: Any, inputs: Sequence[Tensor], targets: Tensor, margin: float, reduction: str) -> Tensor:
    """A kernel over tensors of any shape."""
    _floating(*inputs, targets)
    out = fused(kernel, [x.reshape(-1) for x in inputs], targets.reshape(-1), margin, reduction)
    return out.reshape(targets.shape) if reduction == "none" else out


def _hinge(inputs: Sequence[Tensor], y: Tensor, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    (s,) = inputs
    loss = torch.addcmul(s.new_full((), margin), y, s, value=-1).clamp_(min=0)
    for out in slopes:
        where_positive(y * -unit, loss, out)
    return loss


def hinge(scores: Tensor, targets: Tensor, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """max(0, Δ − y s), fused

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes, unequal shapes or an unknown reduction.
    Source: Vapnik 1995.
    """
    return _each(_hinge, [scores], targets, margin, reduction)


def _ranking(inputs: Sequence[Tensor], y: Tensor, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    x1, x2 = inputs
    loss = torch.addcmul(x1.new_full((), margin), y, x1 - x2, value=-1).clamp_(min=0)
    if slopes:
        torch.neg(where_positive(y * -unit, loss, slopes[0]), out=slopes[1])
    return loss


def margin_ranking(x1: Tensor, x2: Tensor, targets: Tensor, *, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """max(0, Δ − y (x₁ − x₂)), fused

    Shapes: x1, x2 and targets equal, any; the result likewise for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes, unequal shapes or an unknown reduction.
    Source: Herbrich, Graepel and Obermayer 2000.
    """
    return _each(_ranking, [x1, x2], targets, margin, reduction)


def _embedding(inputs: Sequence[Tensor], y: Tensor, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    apart = (x.new_full((), margin) - x).clamp_(min=0)
    alike = y > 0
    for out in slopes:  # y is the slope, for y = 1 and inside the margin
        where_positive(y * unit, torch.where(alike, 1.0, apart), out)
    return torch.where(alike, x, apart)


def hinge_embedding(scores: Tensor, targets: Tensor, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """x for y = 1, max(0, Δ − x) for y = −1, fused; the scores x are distances

    Shapes: scores and targets equal, any; the result likewise for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes, unequal shapes or an unknown reduction.
    Source: Hadsell, Chopra and LeCun 2006, without the squares.
    """
    return _each(_embedding, [scores], targets, margin, reduction)


# -- a row of scores a sample --------------------------------------------------------------------------------


def _multi_margin(inputs: Sequence[Tensor], c: Tensor, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    (s,) = inputs
    index, k = c.unsqueeze(1), s.shape[1]
    loss = (s + (margin - s.gather(1, index))).scatter_(1, index, 0.0).clamp_(min=0)
    for out in slopes:
        where_positive(s.new_full((), unit / k), loss, out)
        out.scatter_(1, index, -out.sum(1, keepdim=True))
    return loss.sum(1).div_(k)


def multi_margin(scores: Tensor, targets: Tensor, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """1/K · Σ_{k≠c} max(0, Δ − (s_c − s_k)), fused

    Shapes: scores (N, K), targets (N,); the result (N,) for "none", else ().
    Dtypes: scores float32 or float64; targets int64 in 0..K−1.
    Raises: ValueError for other shapes or dtypes, or an unknown reduction.
    Source: torch.nn.MultiMarginLoss with p = 1; Weston and Watkins 1999, divided by K.
    """
    _rows(targets, scores.shape[:1], torch.int64, scores)
    return fused(_multi_margin, [scores], targets, margin, reduction)


def _multilabel(inputs: Sequence[Tensor], t: Tensor, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    (s,) = inputs
    k, count = s.shape[1], 0
    here = t[:, :1] >= 0
    alive = []  # for the j-th label of a row: is there one?
    while count < k and bool((here := here & (t[:, count : count + 1] >= 0)).any()):
        alive.append(here)
        count += 1
    loss = s.new_zeros(len(s))
    for out in slopes:
        out.zero_()
    if not alive:
        return loss
    # a label that is not there stands for the row's first one
    own = torch.where(torch.cat(alive, 1), t[:, :count], t[:, :1].clamp(min=0))
    shift = margin - s.gather(1, own)
    for j, here in enumerate(alive):
        short = (s + shift[:, j : j + 1]).scatter_(1, own, 0.0).clamp_(min=0)
        loss += torch.where(here[:, 0], short.sum(1), 0.0)
        for out in slopes:
            slope = where_positive(torch.where(here, unit / k, 0.0).to(s.dtype), short, torch.empty_like(short))
            out.add_(slope).scatter_add_(1, own[:, j : j + 1], -slope.sum(1, keepdim=True))
    return loss.div_(k)


_multilabel.loops = True  # type: ignore[attr-defined]


def multilabel_margin(scores: Tensor, targets: Tensor, *, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """1/K · Σ_{j∈T} Σ_{k∉T} max(0, Δ − (s_j − s_k)), fused; a pass for each label that the longest row has

    Shapes: scores and targets (N, K); the result (N,) for "none", else ().
    Dtypes: scores float32 or float64; targets int64, the classes of a row before the first −1, not checked.
    Raises: ValueError for other shapes or dtypes, or an unknown reduction.
    Source: torch.nn.MultiLabelMarginLoss, with Δ.
    """
    _rows(targets, scores.shape, torch.int64, scores)
    return fused(_multilabel, [scores], targets, margin, reduction)


# -- vectors -------------------------------------------------------------------------------------------------


def _triplet(inputs: Sequence[Tensor], _: None, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    a, near, far = inputs
    to_near, to_far = a - near, a - far
    n, f = (torch.linalg.vector_norm(x, dim=1) for x in (to_near, to_far))
    loss = (margin - (f - n)).clamp_(min=0)
    if slopes:
        slope = torch.where(loss > 0, unit, 0.0).to(a.dtype)
        of_a, of_near, of_far = slopes
        torch.mul(to_near, _over(slope, n), out=of_a)
        torch.neg(of_a, out=of_near)
        torch.mul(to_far, _over(slope, f), out=of_far)
        of_a.sub_(of_far)
    return loss


def triplet_margin(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """max(0, Δ − (‖a − n‖₂ − ‖a − p‖₂)), fused; at coincident points a norm has gradient 0

    Shapes: anchor, positive, negative (N, D); the result (N,) for "none", else ().
    Dtypes: all float32 or all float64.
    Raises: ValueError for other dtypes or shapes, or an unknown reduction.
    Source: Schroff, Kalenichenko and Philbin 2015, without the squares; Balntas et al. 2016.
    """
    _rows(None, (), torch.int64, anchor, positive, negative)
    return fused(_triplet, [anchor, positive, negative], None, margin, reduction)


def _cosine(inputs: Sequence[Tensor], y: Tensor, margin: float, unit: float, slopes: Sequence[Tensor]) -> Tensor:
    a, b = inputs
    of_a, of_b = (torch.linalg.vector_norm(x, dim=1) for x in inputs)
    dot, norms = torch.einsum("nd,nd->n", a, b), of_a * of_b
    cos = torch.where(norms == 0, dot * 0, dot / norms)
    alike = y > 0
    loss = torch.where(alike, 1 - cos, (cos - margin).clamp_(min=0))
    if slopes:
        slope = torch.where(alike, -unit, torch.where(loss > 0, unit, 0.0)).to(a.dtype)
        across = _over(slope, norms)
        for x, other, norm, out in ((a, b, of_a, slopes[0]), (b, a, of_b, slopes[1])):
            along = _over(_over(slope * cos, norm)[:, 0], norm)
            torch.mul(other, across, out=out).addcmul_(x, along, value=-1)
    return loss


def cosine_embedding(
    x1: Tensor, x2: Tensor, targets: Tensor, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 − cos for y = 1, max(0, cos − Δ) for y = −1, fused; a zero vector has cos 0 and gradient 0

    Shapes: x1 and x2 (N, D), targets (N,); the result (N,) for "none", else ().
    Dtypes: all float32 or all float64; targets −1 or +1, not checked.
    Raises: ValueError for other dtypes or shapes, or an unknown reduction.
    Source: torch.nn.CosineEmbeddingLoss.
    """
    _rows(targets, x1.shape[:1], x1.dtype, x1, x2)
    return fused(_cosine, [x1, x2], targets, margin, reduction)
