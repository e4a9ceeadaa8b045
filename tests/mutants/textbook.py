"""The confusions that the textbook chapter warns of."""

from __future__ import annotations

import torch
from tests.mutants._torch import pair, reduced, rivals


def multi_margin_divided_by_rivals(scores, targets, *, margin=1.0, p=1, class_weight=None, reduction="mean"):
    """1 / (K − 1), the mean over the other classes."""
    own, rival = rivals(scores, targets)
    each = torch.where(rival, torch.relu(margin - (own - scores)) ** p, 0).sum(-1) / (scores.shape[-1] - 1)
    return reduced(each if class_weight is None else each * class_weight[targets], reduction)


def hinge_embedding_is_the_hinge(scores, targets, *, margin=1.0, reduction="mean"):
    return reduced(torch.relu(margin - targets * scores), reduction)


def hinge_pushes_past_margin(scores, targets, *, margin=1.0, reduction="mean"):
    """Like cross-entropy, it never lets a correct sample go."""
    z = targets * scores
    loss = torch.relu(margin - z)
    return reduced(pair(loss, loss - 1e-6 * z), reduction)


def squared_hinge_with_a_kink(scores, targets, *, margin=1.0, reduction="mean"):
    """Right on both sides of the margin, and −y on it."""
    z = targets * scores
    d = torch.relu(margin - z)
    return reduced(pair(d * d, torch.where(z == margin, -z, d * d)), reduction)
