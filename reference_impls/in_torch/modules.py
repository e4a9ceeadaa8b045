"""The losses as nn.Modules: parameters in the constructor, `reduction` keyword-only, `weight` in the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from hingeproof.reference_impls.in_torch import binary, metric, multiclass, regression
from hingeproof.reference_impls.in_torch._policy import check_parameters


class _Loss(nn.Module):
    """A loss function with its parameters held; they are attributes under their own names."""

    function: ClassVar[Callable[..., Any]]
    names: tuple[str, ...]

    def __init__(self, *, reduction: str = "mean", **numbers: float) -> None:
        super().__init__()
        check_parameters(reduction=reduction, **numbers)
        self.names = (*numbers, "reduction")
        for name, value in numbers.items():
            setattr(self, name, value)
        self.reduction = reduction

    def forward(self, *inputs: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """The loss of scores and targets, positional as in the function of the same name."""
        return type(self).function(*inputs, weight=weight, **{name: getattr(self, name) for name in self.names})

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.names)


class _MarginLoss(_Loss):
    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, margin=margin)


class _PlainLoss(_Loss):
    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class _TubeLoss(_Loss):
    def __init__(self, epsilon: float = 0.1, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, epsilon=epsilon)


class HingeLoss(_MarginLoss):
    """`hinge`: max(0, Δ − y s)"""

    function = staticmethod(binary.hinge)


class SquaredHingeLoss(_MarginLoss):
    """`squared_hinge`: max(0, Δ − y s)²"""

    function = staticmethod(binary.squared_hinge)


class PerceptronLoss(_PlainLoss):
    """`perceptron`: max(0, −y s)"""

    function = staticmethod(binary.perceptron)


class SmoothHingeLoss(_Loss):
    """`smooth_hinge`: the hinge, smoothed by a parabola over a width of γ"""

    function = staticmethod(binary.smooth_hinge)

    def __init__(self, margin: float = 1.0, gamma: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, margin=margin, gamma=gamma)


class ModifiedHuberLoss(_PlainLoss):
    """`modified_huber`: 0 from y s = 1 on, (1 − y s)² down to −1, −4 y s below"""

    function = staticmethod(binary.modified_huber)


class RampLoss(_PlainLoss):
    """`ramp`: min(1, max(0, 1 − y s))"""

    function = staticmethod(binary.ramp)


class HingeEmbeddingLoss(_MarginLoss):
    """`hinge_embedding`: x for y = 1, max(0, Δ − x) for y = −1"""

    function = staticmethod(binary.hinge_embedding)


class MarginRankingLoss(_MarginLoss):
    """`margin_ranking`: max(0, Δ − y (x₁ − x₂))"""

    function = staticmethod(binary.margin_ranking)

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)


class EpsilonInsensitiveLoss(_TubeLoss):
    """`epsilon_insensitive`: max(0, |s − t| − ε)"""

    function = staticmethod(regression.epsilon_insensitive)


class SquaredEpsilonInsensitiveLoss(_TubeLoss):
    """`squared_epsilon_insensitive`: max(0, |s − t| − ε)²"""

    function = staticmethod(regression.squared_epsilon_insensitive)


class WestonWatkinsLoss(_MarginLoss):
    """`weston_watkins`: Σ_{k≠c} max(0, Δ − (s_c − s_k))"""

    function = staticmethod(multiclass.weston_watkins)


class MultiMarginLoss(_Loss):
    """`multi_margin`: class_weight_c / K · Σ_{k≠c} max(0, Δ − (s_c − s_k))^p; class_weight is a buffer"""

    function = staticmethod(multiclass.multi_margin)

    def __init__(
        self,
        margin: float = 1.0,
        p: int = 1,
        *,
        class_weight: torch.Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction, margin=margin, p=p)
        if class_weight is not None and class_weight.dim() != 1:
            raise ValueError(f"class_weight has shape {tuple(class_weight.shape)}: pass (K,)")
        self.register_buffer("class_weight", class_weight)
        self.names = (*self.names, "class_weight")


class CrammerSingerLoss(_MarginLoss):
    """`crammer_singer`: max(0, max_{k≠c} Δ − (s_c − s_k))"""

    function = staticmethod(multiclass.crammer_singer)


class OneVsRestHingeLoss(_MarginLoss):
    """`one_vs_rest_hinge`: Σ_k max(0, Δ − y_k s_k), with y_k = 1 for k = c and −1 else"""

    function = staticmethod(multiclass.one_vs_rest_hinge)


class MulticlassPerceptronLoss(_PlainLoss):
    """`multiclass_perceptron`: max(0, max_{k≠c} s_k − s_c)"""

    function = staticmethod(multiclass.multiclass_perceptron)


class MultilabelMarginLoss(_MarginLoss):
    """`multilabel_margin`: 1/K · Σ_{j∈T} Σ_{k∉T} max(0, Δ − (s_j − s_k))"""

    function = staticmethod(multiclass.multilabel_margin)


class TripletMarginLoss(_Loss):
    """`triplet_margin`: max(0, Δ − (‖a − n‖_p − ‖a − p‖_p))"""

    function = staticmethod(metric.triplet_margin)

    def __init__(self, margin: float = 1.0, p: int = 2, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction, margin=margin, p=p)


class CosineEmbeddingLoss(_MarginLoss):
    """`cosine_embedding`: 1 − cos for y = 1, max(0, cos − Δ) for y = −1"""

    function = staticmethod(metric.cosine_embedding)

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)
