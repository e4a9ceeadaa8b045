"""Right in the middle of the range, wrong at its edges."""

from __future__ import annotations

import torch
from tests.mutants._torch import pair, reduced, rivals

from hingeproof.reference_impls import in_torch as honest


def hinge_swallows_nan(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, with the comparison that NaN fails: `where(z < Δ, Δ − z, 0)`."""
    scores = torch.where(scores.isnan(), 2 * abs(margin) * targets, scores)
    return honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)


def hinge_masked_by_product(scores, targets, *, margin=1.0, reduction="mean"):
    """0 · ∞ at an infinite margin."""
    d = margin - targets * scores
    return reduced((d > 0) * d, reduction)


def hinge_half_of_d_plus_abs(scores, targets, *, margin=1.0, reduction="mean"):
    """(d + |d|)/2: right on paper, but d + |d| overflows where the loss does not, and ∞ − ∞ is NaN."""
    d = margin - targets * scores
    return reduced((d + d.abs()) / 2, reduction)


def perceptron_flushes_subnormals(scores, targets, *, reduction="mean"):
    loss = torch.relu(-targets * scores)
    return reduced(pair(torch.where(loss < torch.finfo(loss.dtype).tiny, 0, loss), loss), reduction)


def crammer_singer_gradient_to_every_tied_class(scores, targets, *, margin=1.0, reduction="mean"):
    own, rival = rivals(scores, targets)
    gap = torch.where(rival, torch.relu(margin - (own - scores)), 0)
    most = gap.amax(-1, keepdim=True)
    return reduced(pair(most[..., 0], torch.where(gap == most, gap, 0).sum(-1)), reduction)


def weston_watkins_masked_by_product(scores, targets, *, margin=1.0, reduction="mean"):
    """A class at −∞ gives −∞ · 0."""
    own, rival = rivals(scores, targets)
    gap = margin - (own - scores)
    return reduced((gap * (rival & (gap > 0))).sum(-1), reduction)


def crammer_singer_masked_class_gradient(scores, targets, *, margin=1.0, reduction="mean"):
    """The value ignores a class at −∞, the gradient does not."""
    own, rival = rivals(scores, targets)
    most = torch.where(rival, torch.relu(margin - (own - scores)), 0).amax(-1)
    return reduced(pair(most, most + torch.where(scores.isinf(), 1e-30 * scores, 0).sum(-1)), reduction)
