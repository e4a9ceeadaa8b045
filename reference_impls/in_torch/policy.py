"""What every reference does around its formula: checks, labels, the arithmetic dtype, reductions.

float16 and bfloat16 are computed in float32 and rounded once, at the end. A label outside its set raises
where labels can be looked at without waiting (eager, on the CPU); elsewhere it makes its sample NaN.
"""

from __future__ import annotations

import math
from typing import Any

import torch

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# uint16 and wider came with PyTorch 2.3
UNSIGNED = tuple(getattr(torch, n) for n in ("uint8", "uint16", "uint32", "uint64") if hasattr(torch, n))
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, *UNSIGNED)
REDUCTIONS = ("mean", "sum", "none")
# A PyTorch before 2.1 has no torch.compiler, and traces nothing.
is_compiling = torch.compiler.is_compiling if hasattr(torch, "compiler") else lambda: False


def wide(x: torch.Tensor) -> torch.Tensor:
    """The tensor in the dtype that is computed in."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


# -- parameters ----------------------------------------------------------------------------------------------


def check_parameters(*, reduction: str = "mean", **numbers: Any) -> None:
    """Raise ValueError for a parameter that no call could use."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is unknown: pass 'mean', 'sum' or 'none'")
    for name, value in numbers.items():
        _check_number(name, value, torch.float64)


def _check_number(name: str, value: Any, dtype: torch.dtype) -> None:
    if name == "p":
        if value not in (1, 2):
            raise ValueError(f"p={value!r} is not supported: pass 1 or 2")
    elif not abs(value) <= torch.finfo(dtype).max:
        raise ValueError(f"{name}={value!r} is not finite in {dtype}: pass a finite number")
    elif name == "gamma" and value <= torch.finfo(dtype).tiny * torch.finfo(dtype).eps / 2:
        raise ValueError(f"gamma={value!r} is not positive in {dtype}: pass a number > 0, or use hinge")
    elif name == "epsilon" and value < 0:
        raise ValueError(f"epsilon={value!r} is negative: pass a number >= 0")


def number(name: str, value: Any, scores: torch.Tensor) -> torch.Tensor:
    """A parameter, rounded to the dtype of the scores. Under torch.compile it may be symbolic."""
    if not is_compiling():
        _check_number(name, value, scores.dtype)
    return wide(scores.new_full((), value))


# -- inputs --------------------------------------------------------------------------------------------------


def same_shape(first: str, x: torch.Tensor, second: str, y: torch.Tensor) -> None:
    """Raise ValueError where two shapes differ: nothing is broadcast."""
    if x.shape != y.shape:
        raise ValueError(
            f"{first} have shape {tuple(x.shape)} but {second} have shape {tuple(y.shape)}: "
            "nothing is broadcast; reshape one so that they are equal"
        )


def floating(**inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The inputs in the dtype that is computed in; they must be floating, of one shape and one dtype."""
    (first, x), *others = inputs.items()
    if x.dtype not in FLOATS:
        raise ValueError(f"{first} have dtype {x.dtype}: pass float16, bfloat16, float32 or float64")
    for name, other in others:
        same_shape(first, x, name, other)
        if other.dtype != x.dtype:
            raise ValueError(f"{first} have dtype {x.dtype} but {name} have {other.dtype}: convert one of them")
    return tuple(wide(x) for x in inputs.values())


def rows(**inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """As `floating`, for inputs of shape (N, K) or (K,)."""
    name, x = next(iter(inputs.items()))
    if x.dim() not in (1, 2) or x.shape[-1] == 0:
        raise ValueError(f"{name} have shape {tuple(x.shape)}: pass (N, K) or (K,) with K >= 1")
    return floating(**inputs)


# -- labels --------------------------------------------------------------------------------------------------


def signs(targets: torch.Tensor, scores: torch.Tensor, name: str = "scores") -> torch.Tensor:
    """Labels as −1 and +1 in the dtype that is computed in; any other label is NaN, or raises."""
    same_shape(name, scores, "targets", targets)
    if targets.is_complex():
        raise ValueError(f"targets have dtype {targets.dtype}: pass real labels, -1 or +1")
    y = targets if targets.is_floating_point() else targets.to(scores.dtype)
    known = y.abs() == 1
    insist(known, targets, "is not in {-1, +1}")
    return torch.where(known, y, math.nan).to(scores.dtype)


def classes(targets: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(index (…, 1), own (…, K): is this column the sample's class?, known (…): is the label a class?)"""
    integers(targets)
    k = scores.shape[-1]
    same_shape("scores without their last dimension", scores[..., 0], "targets", targets)
    index = targets.long()
    known = (index >= 0) & (index < k)
    insist(known, targets, f"is not a class index in 0..{k - 1} (scores have {k} columns)")
    index = torch.where(known, index, 0).unsqueeze(-1)
    return index, index == torch.arange(k, device=scores.device), known


def label_sets(targets: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(member (…, K): is this class among the labels before −1?, known (…): is the row a set of classes?)"""
    integers(targets)
    k = scores.shape[-1]
    same_shape("scores", scores, "targets", targets)
    index = targets.long()
    padding = torch.zeros_like(index) if targets.dtype in UNSIGNED else (index == -1).long()
    before = padding.cumsum(-1) == 0
    known = ~before | ((index >= 0) & (index < k))
    insist(known, targets, f"is neither -1 nor a class index in 0..{k - 1} (scores have {k} columns)")
    named = (index.unsqueeze(-1) == torch.arange(k, device=scores.device)) & before.unsqueeze(-1)
    again = (named & (named.long().cumsum(-2) > 1)).any(-1)
    insist(~again, targets, "stands twice in its row: labels are a set, remove the duplicate")
    return named.any(-2), (known & ~again).all(-1)


def integers(targets: torch.Tensor) -> None:
    """Raise ValueError for labels that are no integers."""
    if targets.dtype not in INTEGERS:
        raise ValueError(f"targets have dtype {targets.dtype}: pass integers, e.g. targets.long()")


def insist(known: torch.Tensor, targets: torch.Tensor, complaint: str) -> None:
    """Raise for the first label that is not known, where that can be seen without waiting for a device."""
    if is_compiling() or known.device.type != "cpu":
        return
    try:
        if bool(known.all()):
            return
        at = (~known).nonzero()[0].tolist()
        label = targets[tuple(at)].item()
    except RuntimeError:  # inside vmap: values cannot be looked at
        return
    where = f"targets{at}" if at else "targets"
    shown = int(label) if float(label).is_integer() else label
    raise ValueError(f"{where} = {shown} {complaint}")


# -- the end of every loss -----------------------------------------------------------------------------------


def reduce(loss: torch.Tensor, dtype: torch.dtype, reduction: str, weight: torch.Tensor | None) -> torch.Tensor:
    """Weigh the losses of the samples, reduce them, and round to the dtype of the scores."""
    check_parameters(reduction=reduction)
    if weight is not None:
        same_shape("the losses of the samples", loss, "weight", weight)
        loss = loss * weight.to(loss.dtype)
    if reduction == "mean":
        # each loss is divided before adding: a finite mean never overflows on the way
        n = loss.numel()
        loss = (loss / n).sum() if n else loss.sum() * math.nan
    elif reduction == "sum":
        loss = loss.sum()
    return loss.to(dtype)
