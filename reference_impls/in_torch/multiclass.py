"""Losses of K scores and a class index, or a set of labels."""

from __future__ import annotations

import math

import torch

from hingeproof.reference_impls.in_torch.policy import (
    check_parameters,
    classes,
    label_sets,
    number,
    reduce,
    rows,
)


def weston_watkins(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Σ_{k≠c} max(0, Δ − (s_c − s_k))

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Weston and Watkins 1999.
    """
    (s,) = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = number("margin", margin, scores) - (s.gather(-1, index) - s)
    loss = torch.relu(torch.where(own, 0.0, d)).sum(-1)
    return reduce(torch.where(known, loss, math.nan), scores.dtype, reduction, weight)


def multi_margin(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    p: int = 1,
    class_weight: torch.Tensor | None = None,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """class_weight_c / K · Σ_{k≠c} max(0, Δ − (s_c − s_k))^p, with p 1 or 2

    Shapes: scores (N, K), targets and weight (N,), class_weight (K,); or (K,) and (); the result (N,) or ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: torch.nn.MultiMarginLoss; Weston and Watkins 1999, divided by K.
    """
    check_parameters(p=p)
    (s,) = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = torch.relu(torch.where(own, 0.0, number("margin", margin, scores) - (s.gather(-1, index) - s)))
    loss = (d if p == 1 else d * d).sum(-1) / s.shape[-1]
    if class_weight is not None:
        if class_weight.shape != s.shape[-1:]:
            raise ValueError(f"class_weight has shape {tuple(class_weight.shape)}: pass ({s.shape[-1]},)")
        loss = loss * class_weight.to(s.dtype)[index.squeeze(-1)]
    return reduce(torch.where(known, loss, math.nan), scores.dtype, reduction, weight)


def crammer_singer(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, max_{k≠c} Δ − (s_c − s_k)); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Crammer and Singer 2001.
    """
    (s,) = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = torch.where(own, -math.inf, number("margin", margin, scores) - (s.gather(-1, index) - s))
    worst = d.gather(-1, d.argmax(-1, keepdim=True)).squeeze(-1)  # argmax: first of equals, or NaN
    return reduce(torch.where(known, torch.relu(worst), math.nan), scores.dtype, reduction, weight)


def one_vs_rest_hinge(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Σ_k max(0, Δ − y_k s_k), with y_k = 1 for k = c and −1 else

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Rifkin and Klautau 2004.
    """
    (s,) = rows(scores=scores)
    _, own, known = classes(targets, s)
    d = number("margin", margin, scores) - torch.where(own, s, -s)
    return reduce(torch.where(known, torch.relu(d).sum(-1), math.nan), scores.dtype, reduction, weight)


def multiclass_perceptron(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """max(0, max_{k≠c} s_k − s_c); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or an unknown reduction.
    Source: Rosenblatt 1958; Duda and Hart 1973.
    """
    (s,) = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = torch.where(own, -math.inf, s - s.gather(-1, index))
    worst = d.gather(-1, d.argmax(-1, keepdim=True)).squeeze(-1)  # argmax: first of equals, or NaN
    return reduce(torch.where(known, torch.relu(worst), math.nan), scores.dtype, reduction, weight)


def multilabel_margin(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """1/K · Σ_{j∈T} Σ_{k∉T} max(0, Δ − (s_j − s_k)); T are the labels before the first −1 of a row

    Shapes: scores and targets (N, K), weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1, padded with −1.
    Raises: ValueError for other shapes, a label out of range or twice in its row, or a senseless parameter.
    Source: torch.nn.MultiLabelMarginLoss; Zhang and Zhou 2014.
    """
    (s,) = rows(scores=scores)
    member, known = label_sets(targets, s)
    pair = member.unsqueeze(-1) & ~member.unsqueeze(-2)
    d = number("margin", margin, scores) - (s.unsqueeze(-1) - s.unsqueeze(-2))
    loss = torch.relu(torch.where(pair, d, 0.0)).sum((-2, -1)) / s.shape[-1]
    return reduce(torch.where(known, loss, math.nan), scores.dtype, reduction, weight)
