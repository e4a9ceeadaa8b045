"""Losses that are not what their siblings say they are."""

from __future__ import annotations

import torch
from tests.mutants._torch import reduced, rivals


def weston_watkins_halved_for_two_classes(scores, targets, *, margin=1.0, reduction="mean"):
    own, rival = rivals(scores, targets)
    each = torch.where(rival, torch.relu(margin - (own - scores)), 0).sum(-1)
    return reduced(each / 2 if scores.shape[-1] == 2 else each, reduction)


def squared_hinge_with_a_half(scores, targets, *, margin=1.0, reduction="mean"):
    """½ max(0, Δ − z)², the other convention."""
    return reduced(torch.relu(margin - targets * scores) ** 2 / 2, reduction)


def hinge_negative_margin_clipped(scores, targets, *, margin=1.0, reduction="mean"):
    return reduced(torch.relu(max(margin, 0.0) - targets * scores), reduction)
