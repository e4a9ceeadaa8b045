"""Losses of K scores and a class index, or a set of labels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hingeproof.reference_impls.in_jax.policy import (
    check_choices,
    classes,
    label_sets,
    number,
    reduce,
    rows,
)


def weston_watkins(
    scores: Array,
    targets: Array,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """Σ_{k≠c} max(0, Δ − (s_c − s_k))

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Weston and Watkins 1999.
    """
    dtype, s = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = number("margin", margin, dtype) - (jnp.take_along_axis(s, index, -1) - s)
    loss = jax.nn.relu(jnp.where(own, 0.0, d)).sum(-1)
    return reduce(jnp.where(known, loss, jnp.nan), dtype, reduction, weight)


def multi_margin(
    scores: Array,
    targets: Array,
    *,
    margin: float = 1.0,
    p: int = 1,
    class_weight: Array | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """class_weight_c / K · Σ_{k≠c} max(0, Δ − (s_c − s_k))^p, with p 1 or 2

    Shapes: scores (N, K), targets and weight (N,), class_weight (K,); or (K,) and (); the result (N,) or ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: torch.nn.MultiMarginLoss; Weston and Watkins 1999, divided by K.
    """
    check_choices(p=p)
    dtype, s = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = jax.nn.relu(jnp.where(own, 0.0, number("margin", margin, dtype) - (jnp.take_along_axis(s, index, -1) - s)))
    loss = (d if p == 1 else d * d).sum(-1) / s.shape[-1]
    if class_weight is not None:
        if np.shape(class_weight) != s.shape[-1:]:
            raise ValueError(f"class_weight has shape {np.shape(class_weight)}: pass ({s.shape[-1]},)")
        loss = loss * jnp.asarray(class_weight).astype(s.dtype)[index[..., 0]]
    return reduce(jnp.where(known, loss, jnp.nan), dtype, reduction, weight)


def crammer_singer(
    scores: Array,
    targets: Array,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """max(0, max_{k≠c} Δ − (s_c − s_k)); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Crammer and Singer 2001.
    """
    dtype, s = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = jnp.where(own, -jnp.inf, number("margin", margin, dtype) - (jnp.take_along_axis(s, index, -1) - s))
    worst = jnp.take_along_axis(d, d.argmax(-1, keepdims=True), -1)[..., 0]  # argmax: first of equals, or NaN
    return reduce(jnp.where(known, jax.nn.relu(worst), jnp.nan), dtype, reduction, weight)


def one_vs_rest_hinge(
    scores: Array,
    targets: Array,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """Σ_k max(0, Δ − y_k s_k), with y_k = 1 for k = c and −1 else

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or a parameter without meaning.
    Source: Rifkin and Klautau 2004.
    """
    dtype, s = rows(scores=scores)
    _, own, known = classes(targets, s)
    d = number("margin", margin, dtype) - jnp.where(own, s, -s)
    return reduce(jnp.where(known, jax.nn.relu(d).sum(-1), jnp.nan), dtype, reduction, weight)


def multiclass_perceptron(
    scores: Array,
    targets: Array,
    *,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """max(0, max_{k≠c} s_k − s_c); among tied classes the lowest has the whole sub-gradient

    Shapes: scores (N, K), targets and weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1.
    Raises: ValueError for other shapes, a label that is not a class index, or an unknown reduction.
    Source: Rosenblatt 1958; Duda and Hart 1973.
    """
    dtype, s = rows(scores=scores)
    index, own, known = classes(targets, s)
    d = jnp.where(own, -jnp.inf, s - jnp.take_along_axis(s, index, -1))
    worst = jnp.take_along_axis(d, d.argmax(-1, keepdims=True), -1)[..., 0]  # argmax: first of equals, or NaN
    return reduce(jnp.where(known, jax.nn.relu(worst), jnp.nan), dtype, reduction, weight)


def multilabel_margin(
    scores: Array,
    targets: Array,
    *,
    margin: float = 1.0,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """1/K · Σ_{j∈T} Σ_{k∉T} max(0, Δ − (s_j − s_k)); T are the labels before the first −1 of a row

    Shapes: scores and targets (N, K), weight (N,); or (K,) and (); the result (N,) for "none", else ().
    Dtypes: scores floating, kept; targets any integer dtype, in 0..K−1, padded with −1.
    Raises: ValueError for other shapes, a label out of range or twice in its row, or a senseless parameter.
    Source: torch.nn.MultiLabelMarginLoss; Zhang and Zhou 2014.
    """
    dtype, s = rows(scores=scores)
    member, known = label_sets(targets, s)
    pair = member[..., :, None] & ~member[..., None, :]
    d = number("margin", margin, dtype) - (s[..., :, None] - s[..., None, :])
    loss = jax.nn.relu(jnp.where(pair, d, 0.0)).sum((-2, -1)) / s.shape[-1]
    return reduce(jnp.where(known, loss, jnp.nan), dtype, reduction, weight)
