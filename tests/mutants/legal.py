"""Legal variants that no law may reject: other sub-gradients at the kink, orders of summation, spellings."""

from __future__ import annotations

import torch
from tests.mutants._torch import reduced, rivals

# -- hinge: the kink table ---------------------------------------------------------------------------------------------


def hinge_clamp(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """Gradient −y at the kink, in PyTorch 2.13."""
    return reduced(torch.clamp(margin - targets * scores, min=0), reduction, weight)


def hinge_relu(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    return reduced(torch.relu(margin - targets * scores), reduction, weight)


def hinge_maximum(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    d = margin - targets * scores
    return reduced(torch.maximum(d, torch.zeros_like(d)), reduction, weight)


def hinge_where(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    z = targets * scores
    return reduced(torch.where(z < margin, margin - z, 0.0), reduction, weight)


def hinge_minimum(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """−min(y s − Δ, 0): half the slope at the kink, and −0 past it."""
    d = targets * scores - margin
    return reduced(-torch.minimum(d, torch.zeros_like(d)), reduction, weight)


def hinge_of_labels_times_gap(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """y (y Δ − s), as y² = 1."""
    return reduced(torch.relu(targets * (targets * margin - scores)), reduction, weight)


# -- squared hinge -----------------------------------------------------------------------------------------------------


def squared_hinge_pow(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    return reduced((margin - targets * scores).clamp(0).pow(2), reduction, weight)


def squared_hinge_where(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    d = margin - targets * scores
    return reduced(torch.where(d > 0, d * d, 0), reduction, weight)


# -- Weston–Watkins: orders of summation and of the margin's own terms -------------------------------------------------


def weston_watkins_loop(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    own, rival = rivals(scores, targets)
    loss = torch.zeros_like(own[..., 0])
    for k in range(scores.shape[-1]):
        loss = loss + torch.where(rival[..., k], torch.relu(margin - (own[..., 0] - scores[..., k])), 0)
    return reduced(loss, reduction, weight)


def weston_watkins_sorted(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """(Δ − s_c) + s_k, added from the largest down."""
    own, rival = rivals(scores, targets)
    each = torch.where(rival, torch.clamp((margin - own) + scores, min=0), 0)
    return reduced(each.sort(-1, descending=True).values.sum(-1), reduction, weight)


def weston_watkins_matmul(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """(Δ + s_k) − s_c, added by a product with ones."""
    own, rival = rivals(scores, targets)
    each = torch.where(rival, torch.relu((margin + scores) - own), 0)
    return reduced(each @ each.new_ones(each.shape[-1]), reduction, weight)


def weston_watkins_target_taken_off(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """All classes, the target's gap made Δ − Δ."""
    own, rival = rivals(scores, targets)
    each = torch.where(rival, margin - (own - scores), -1.0)
    return reduced(torch.maximum(each, torch.zeros_like(each)).flip(-1).sum(-1), reduction, weight)


# -- Crammer–Singer: who gets the gradient among ties ------------------------------------------------------------------


def crammer_singer_shared(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """amax shares the gradient among tied classes."""
    own, rival = rivals(scores, targets)
    gap = torch.where(rival, margin - (own - scores), 0)
    return reduced(gap.amax(-1).clamp(min=0), reduction, weight)


def crammer_singer_first(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    own, rival = rivals(scores, targets)
    gap = torch.where(rival, (margin - own) + scores, -torch.inf)
    return reduced(torch.relu(gap.max(-1).values), reduction, weight)


def crammer_singer_last(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The highest rival's score first, the last of the tied ones."""
    own, rival = rivals(scores, targets)
    best = torch.where(rival, scores, -torch.inf).flip(-1).max(-1).values
    return reduced(torch.relu(margin + best - own[..., 0]), reduction, weight)
