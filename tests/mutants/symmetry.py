"""Losses that are not as symmetric as they should be."""

from __future__ import annotations

import torch
from tests.mutants._torch import pair, reduced, rivals


def hinge_negative_class_has_margin_one(scores, targets, *, margin=1.0, reduction="mean"):
    return reduced(torch.relu(torch.where(targets > 0, margin, 1.0) - targets * scores), reduction)


def hinge_kink_depends_on_position(scores, targets, *, margin=1.0, reduction="mean"):
    """A vector loop and its remainder that choose different (legal) sub-gradients."""
    d = margin - targets * scores
    tail = torch.arange(len(scores)) >= len(scores) - len(scores) // 2
    return reduced(torch.where(tail, torch.clamp(d, min=0), torch.relu(d)), reduction)


def hinge_of_the_hardest_half(scores, targets, *, margin=1.0, reduction="mean"):
    """Hard-example mining inside the loss: what a sample costs depends on the others."""
    loss = torch.relu(margin - targets * scores)
    return reduced(torch.where(loss >= loss.detach().median(), loss, 0) if len(loss) else loss, reduction)


def crammer_singer_last_class_is_no_rival(scores, targets, *, margin=1.0, reduction="mean"):
    own, rival = rivals(scores, targets)
    rival[:, -1] &= scores.shape[-1] == 2
    gap = torch.where(rival, margin - (own - scores), 0)
    return reduced(torch.relu(gap.amax(-1)), reduction)


def hinge_with_an_epsilon(scores, targets, *, margin=1.0, reduction="mean"):
    """A length that nobody passed, so it does not scale with the others."""
    return reduced(torch.relu(margin - targets * scores + 1e-6), reduction)


def weston_watkins_zero_score_is_padding(scores, targets, *, margin=1.0, reduction="mean"):
    own, rival = rivals(scores, targets)
    each = torch.where(rival & (scores != 0), torch.relu(margin - (own - scores)), 0)
    return reduced(each.sum(-1), reduction)


def perceptron_kink_depends_on_sign_of_zero(scores, targets, *, reduction="mean"):
    """Legal at +0 and legal at −0, but −0 is +0."""
    z = targets * scores
    loss = torch.relu(-z)
    return reduced(pair(loss, torch.where((z == 0) & torch.signbit(scores), -z, loss)), reduction)
