"""Right samples, wrongly added up."""

from __future__ import annotations

import functools

import torch
from tests.mutants._torch import reduced, rivals

from hingeproof.reference_impls import in_torch as honest


def hinge_sum_in_pairs(scores, targets, *, margin=1.0, reduction="mean"):
    """An odd sample at the end is dropped."""
    loss = torch.relu(margin - targets * scores)
    return loss[: len(loss) // 2 * 2].sum() if reduction == "sum" else reduced(loss, reduction)


def hinge_mean_over_violators(scores, targets, *, margin=1.0, reduction="mean"):
    loss = torch.relu(margin - targets * scores)
    return loss.sum() / (loss > 0).sum().clamp(min=1) if reduction == "mean" else reduced(loss, reduction)


def hinge_mean_over_weights(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    loss = torch.relu(margin - targets * scores)
    if reduction == "mean" and weight is not None:
        return (loss * weight).sum() / weight.sum()
    return reduced(loss, reduction, weight)


def multi_margin_class_weight_of_the_rival(scores, targets, *, margin=1.0, p=1, class_weight=None, reduction="mean"):
    """Each rival is weighted by its own class, not by the target's."""
    own, rival = rivals(scores, targets)
    each = torch.where(rival, torch.relu(margin - (own - scores)) ** p, 0)
    each = each if class_weight is None else each * class_weight
    return reduced(each.sum(-1) / scores.shape[-1], reduction)


def hinge_mean_sums_first(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, but for a sum that overflows before it is divided."""
    if reduction == "mean":
        total = honest.hinge(scores, targets, margin=margin, reduction="sum", weight=weight)
        return total / scores.numel() if scores.numel() else total * float("nan")
    return honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)


def hinge_sum_in_half_precision(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, but for a running sum in the dtype of the scores."""
    if reduction == "sum" and scores.numel() > 8:
        loss = honest.hinge(scores, targets, margin=margin, reduction="none", weight=weight)
        return functools.reduce(torch.add, loss.ravel().unbind())
    return honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)
