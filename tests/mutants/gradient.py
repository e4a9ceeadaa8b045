"""Right values with wrong gradients."""

from __future__ import annotations

import torch
from tests.mutants._torch import given, pair, reduced, rivals

from hingeproof.reference_impls import in_torch as honest


def hinge_kink_gradient_doubled(scores, targets, *, margin=1.0, reduction="mean"):
    """−2y at the kink alone, where finite differences cannot look."""
    z = targets * scores
    loss = torch.relu(margin - z)
    return reduced(pair(loss, torch.where(z == margin, -2 * z, loss)), reduction)


def hinge_kink_gradient_reversed(scores, targets, *, margin=1.0, reduction="mean"):
    z = targets * scores
    loss = torch.relu(margin - z)
    return reduced(pair(loss, torch.where(z == margin, z, loss)), reduction)


def squared_hinge_gradient_clipped(scores, targets, *, margin=1.0, reduction="mean"):
    """The value is squared to the end, the gradient is Huber's."""
    d = torch.relu(margin - targets * scores)
    return reduced(pair(d * d, torch.where(d > 1, 2 * d - 1, d * d)), reduction)


def squared_hinge_subnormal_gradient_past_margin(scores, targets, *, margin=1.0, reduction="mean"):
    """Below every bound that counts roundings: past the margin the gradient is 0 exactly."""
    z = targets * scores
    d = torch.relu(margin - z)
    return reduced(pair(d * d, torch.where(z > margin, -3e-45 * z, d * d)), reduction)


def hinge_dense_gradient(scores, targets, *, margin=1.0, reduction="mean"):
    """A little weight decay hidden in the loss."""
    loss = torch.relu(margin - targets * scores)
    return reduced(pair(loss, loss + 1e-12 * scores), reduction)


def weston_watkins_gradient_of_the_worst_rival(scores, targets, *, margin=1.0, reduction="mean"):
    """The sum's value, the maximum's gradient: it still sums to 0 over the classes."""
    own, rival = rivals(scores, targets)
    each = torch.where(rival, torch.relu(margin - (own - scores)), 0)
    return reduced(pair(each.sum(-1), each.max(-1).values), reduction)


def hinge_kink_depends_on_cotangent(scores, targets, *, margin=1.0, reduction="mean"):
    """Each answer is a legal sub-gradient; together they are not linear."""
    z = targets * scores
    loss = torch.relu(margin - z)
    each = given(loss, scores, lambda c: -targets * c * ((z < margin) | ((z == margin) & (c < 0))))
    return reduced(each, reduction)


def weston_watkins_target_share_forgotten_at_kink(scores, targets, *, margin=1.0, reduction="mean"):
    """At a kink the rival gets all its gradient, the target none: each legal, not both together."""
    own, rival = rivals(scores, targets)
    gap = margin - (own - scores)
    each = torch.where(rival, torch.relu(gap), 0).sum(-1)
    return reduced(pair(each, each + torch.where(rival & (gap == 0), scores, 0).sum(-1)), reduction)


def hinge_mean_gradient_over_violators(scores, targets, *, margin=1.0, reduction="mean"):
    loss = torch.relu(margin - targets * scores)
    if reduction == "mean":
        return pair(loss.mean(), loss.sum() / (loss > 0).sum().clamp(min=1))
    return reduced(loss, reduction)


def hinge_mean_gradient_unbiased(scores, targets, *, margin=1.0, reduction="mean"):
    """The mean divides by N, its gradient by N − 1."""
    loss = torch.relu(margin - targets * scores)
    if reduction == "mean":
        return pair(loss.mean(), loss.sum() / max(len(loss) - 1, 1))
    return reduced(loss, reduction)


def hinge_kink_gradient_of_clamp(scores, targets, *, margin=1.0, reduction="mean", weight=None):
    """The reference, but for the sub-gradient chosen at the kink: −y, as clamp has it."""
    loss = honest.hinge(scores, targets, margin=margin, reduction=reduction, weight=weight)
    if not loss.requires_grad:
        return loss
    each = torch.clamp(margin - targets * scores, min=0)
    return pair(loss, reduced(each, reduction, weight))
