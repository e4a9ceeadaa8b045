"""Right numbers, wrong manners."""

from __future__ import annotations

import torch
from tests.mutants._torch import reduced

from hingeproof.reference_impls import in_torch as honest


def hinge_squeezes(scores, targets, *, margin=1.0, reduction="mean"):
    """A batch of one sample loses its axis."""
    return reduced(torch.relu(margin - targets * scores).squeeze(), reduction)


def hinge_mean_in_double(scores, targets, *, margin=1.0, reduction="mean"):
    loss = torch.relu(margin - targets * scores)
    return loss.double().mean() if reduction == "mean" else reduced(loss, reduction)


def hinge_clamps_scores_in_place(scores, targets, *, margin=1.0, reduction="mean"):
    """After they were used, so the loss itself is right."""
    loss = reduced(torch.relu(margin - targets * scores), reduction)
    scores.detach().clamp_(max=0.5)
    return loss


def hinge_doubles_targets_in_place(scores, targets, *, margin=1.0, reduction="mean"):
    loss = reduced(torch.relu(margin - targets.clone() * scores), reduction)
    targets.mul_(2)
    return loss


def hinge_assumes_stride_one(scores, targets, *, margin=1.0, reduction="mean"):
    if scores.dim() == 1:
        scores = scores.as_strided(scores.shape, (1,))
    return reduced(torch.relu(margin - targets * scores), reduction)


def hinge_flattens(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, for one axis only."""
    return honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight).reshape(
        (-1,) if reduction == "none" else ()
    )


def hinge_empty_mean_is_zero(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, guarded against division by zero."""
    loss = honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)
    return loss if scores.numel() else torch.nan_to_num(loss)


def hinge_label_zero_is_negative(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, but 0 is taken for −1."""
    targets = torch.where(targets == 0, -1, targets)
    return honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)


def hinge_broadcasts(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, after broadcasting: (N, 1) against (N,) is N×N."""
    return honest.hinge(*torch.broadcast_tensors(scores, targets), margin=margin, reduction=reduction, weight=weight)


def hinge_negates_labels(scores, targets, *, margin=1.0, reduction="mean"):
    """−1 in uint8 is 255."""
    if targets.dtype in (torch.uint16, torch.uint32):
        targets = targets.to(torch.uint8)
    return reduced(torch.relu(margin + -targets * scores), reduction)


def hinge_float_labels_only(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, but integer labels are refused."""
    if not targets.is_floating_point():
        raise TypeError("floating-point labels, please")
    return honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)
