"""Losses of K scores and a class index, or a set of labels, each with its gradient from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof.reference_impls.in_numpy.policy import (
    Array,
    check_choices,
    classes,
    members,
    number,
    quiet,
    reduce,
    relu,
    rows,
    upstream,
)


@quiet
def weston_watkins(
    scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """Σ_{k≠c} max(0, Δ − (s_c − s_k))

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Weston and Watkins 1999.
    """
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = np.where(own, 0, number("margin", margin, dtype) - (np.take_along_axis(s, index, -1) - s))
    return reduce(relu(d).sum(-1), dtype, reduction, weight)


@quiet
def weston_watkins_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """1 for each k whose term is not 0, minus their number for c; times the cotangent."""
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = np.where(own, 0, number("margin", margin, dtype) - (np.take_along_axis(s, index, -1) - s))
    slope = np.where(d <= 0, s.dtype.type(0), s.dtype.type(1))
    up = upstream(cotangent, slope[..., 0], reduction, weight)
    return (up[..., None] * _against_own(slope, own)).astype(dtype)


@quiet
def multi_margin(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    p: int = 1,
    class_weight: Any = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """class_weight_c / K · Σ_{k≠c} max(0, Δ − (s_c − s_k))^p, with p 1 or 2

    Shapes: scores (N, K), targets and weight (N,), class_weight (K,); or (K,) and (); the result (N,) or ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: torch.nn.MultiMarginLoss; Weston and Watkins 1999, divided by K.
    """
    check_choices(p=p)
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = relu(np.where(own, 0, number("margin", margin, dtype) - (np.take_along_axis(s, index, -1) - s)))
    loss = (d if p == 1 else d * d).sum(-1) / s.dtype.type(s.shape[-1])
    return reduce(loss * _class_weight(class_weight, index, s), dtype, reduction, weight)


@quiet
def multi_margin_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    p: int = 1,
    class_weight: Any = None,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """class_weight_c / K · p d^(p−1) for each k with d > 0, minus their sum for c; times the cotangent."""
    check_choices(p=p)
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = relu(np.where(own, 0, number("margin", margin, dtype) - (np.take_along_axis(s, index, -1) - s)))
    slope = np.where(d <= 0, s.dtype.type(0), s.dtype.type(1)) if p == 1 else 2 * d
    scale = _class_weight(class_weight, index, s) / s.dtype.type(s.shape[-1])
    up = upstream(cotangent, slope[..., 0], reduction, weight) * scale
    return (up[..., None] * _against_own(slope, own)).astype(dtype)


@quiet
def crammer_singer(
    scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """max(0, max_{k≠c} Δ − (s_c − s_k)); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Crammer and Singer 2001.
    """
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = np.where(own, -np.inf, number("margin", margin, dtype) - (np.take_along_axis(s, index, -1) - s))
    return reduce(relu(d.max(-1)), dtype, reduction, weight)


@quiet
def crammer_singer_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """1 for the first k of the greatest term, if that is not 0, and −1 for c; times the cotangent."""
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = np.where(own, -np.inf, number("margin", margin, dtype) - (np.take_along_axis(s, index, -1) - s))
    slope = _first_of_greatest(d)
    up = upstream(cotangent, slope[..., 0], reduction, weight)
    return (up[..., None] * _against_own(slope, own)).astype(dtype)


@quiet
def one_vs_rest_hinge(
    scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """Σ_k max(0, Δ − y_k s_k), with y_k = 1 for k = c and −1 else

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Rifkin and Klautau 2004.
    """
    dtype, s = rows(scores=scores)
    _, own = classes(targets, s)
    d = number("margin", margin, dtype) - np.where(own, s, -s)
    return reduce(relu(d).sum(-1), dtype, reduction, weight)


@quiet
def one_vs_rest_hinge_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """−y_k for each k whose term is not 0; times the cotangent. The rest is as for `one_vs_rest_hinge`."""
    dtype, s = rows(scores=scores)
    _, own = classes(targets, s)
    d = number("margin", margin, dtype) - np.where(own, s, -s)
    slope = np.where(d <= 0, 0, np.where(own, -1, 1)).astype(s.dtype)
    return (upstream(cotangent, slope[..., 0], reduction, weight)[..., None] * slope).astype(dtype)


@quiet
def multiclass_perceptron(scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """max(0, max_{k≠c} s_k − s_c); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or an unknown reduction.
    Source: Rosenblatt 1958; Duda and Hart 1973.
    """
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    d = np.where(own, -np.inf, s - np.take_along_axis(s, index, -1))
    return reduce(relu(d.max(-1)), dtype, reduction, weight)


@quiet
def multiclass_perceptron_grad(
    scores: Any, targets: Any, *, reduction: str = "mean", weight: Any = None, cotangent: Any
) -> Any:
    """1 for the first k of the greatest score, if that is above s_c, and −1 for c; times the cotangent."""
    dtype, s = rows(scores=scores)
    index, own = classes(targets, s)
    slope = _first_of_greatest(np.where(own, -np.inf, s - np.take_along_axis(s, index, -1)))
    up = upstream(cotangent, slope[..., 0], reduction, weight)
    return (up[..., None] * _against_own(slope, own)).astype(dtype)


@quiet
def multilabel_margin(
    scores: Any, targets: Any, *, margin: float = 1.0, reduction: str = "mean", weight: Any = None
) -> Any:
    """1/K · Σ_{j∈T} Σ_{k∉T} max(0, Δ − (s_j − s_k)); T are the labels before the first −1 of a row

    Shapes: scores and targets (N, K), weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1, padded with −1.
    Raises: ValueError for other shapes, a label out of range or twice in its row, or a senseless parameter.
    Source: torch.nn.MultiLabelMarginLoss; Zhang and Zhou 2014.
    """
    dtype, s = rows(scores=scores)
    d = _pair_violations(s, members(targets, s), number("margin", margin, dtype))
    return reduce(relu(d).sum((-2, -1)) / s.dtype.type(s.shape[-1]), dtype, reduction, weight)


@quiet
def multilabel_margin_grad(
    scores: Any,
    targets: Any,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Any = None,
    cotangent: Any,
) -> Any:
    """1/K for k and −1/K for j from each pair (j, k) whose term is not 0; times the cotangent."""
    dtype, s = rows(scores=scores)
    d = _pair_violations(s, members(targets, s), number("margin", margin, dtype))
    active = np.where(d <= 0, s.dtype.type(0), s.dtype.type(1))
    slope = active.sum(-2) - active.sum(-1)
    up = upstream(cotangent, slope[..., 0], reduction, weight) / s.dtype.type(s.shape[-1])
    return (up[..., None] * slope).astype(dtype)


def _against_own(slope: Array, own: Array) -> Array:
    """The slopes of the other classes, and minus their sum for the sample's own class."""
    return np.where(own, -slope.sum(-1, keepdims=True), slope)


def _first_of_greatest(d: Array) -> Array:
    """1 for the first of the greatest terms of a row, if it is not past the kink, else 0."""
    first = np.arange(d.shape[-1]) == d.argmax(-1)[..., None]
    return np.where(first & ~(d <= 0), 1, 0).astype(d.dtype)


def _class_weight(class_weight: Any, index: Array, s: Array) -> Array:
    """The weight of each sample's class."""
    if class_weight is None:
        return np.ones(index.shape[:-1], s.dtype)
    if np.shape(class_weight) != s.shape[-1:]:
        raise ValueError(f"class_weight has shape {np.shape(class_weight)}: pass ({s.shape[-1]},)")
    return np.asarray(class_weight).astype(s.dtype)[index[..., 0]]


def _pair_violations(s: Array, member: Array, margin: Any) -> Array:
    """Δ − (s_j − s_k) at [j, k] for each label j and each other class k, 0 elsewhere."""
    pair = member[..., :, None] & ~member[..., None, :]
    return np.asarray(np.where(pair, margin - (s[..., :, None] - s[..., None, :]), 0))
