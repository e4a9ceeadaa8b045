"""Wrong values."""

from __future__ import annotations

import torch
from tests.mutants._torch import pair, reduced


def hinge_one_ulp_high(scores, targets, *, margin=1.0, reduction="mean"):
    loss = torch.relu(margin - targets * scores)
    return reduced(pair(loss.detach().nextafter(2 * loss.detach()), loss), reduction)


def hinge_negative_far_past_margin(scores, targets, *, margin=1.0, reduction="mean"):
    z = targets * scores
    return reduced(torch.where(z > margin + 2, -1e-30, torch.relu(margin - z)), reduction)


def squared_hinge_subnormal_past_margin(scores, targets, *, margin=1.0, reduction="mean"):
    """Too small for any bound that counts roundings: where the loss is 0 it is 0 exactly."""
    d = margin - targets * scores
    return reduced(torch.relu(d) ** 2 + 1e-45 * (d < 0), reduction)


def hinge_discounts_mistakes(scores, targets, *, margin=1.0, reduction="mean"):
    """By a millionth, which is enough to bound the 0–1 loss no more."""
    z = targets * scores
    return reduced(torch.relu(margin - z) * torch.where(z <= 0, 1 - 2**-20, 1.0), reduction)


def hinge_forgives_outliers(scores, targets, *, margin=1.0, reduction="mean"):
    """The farther on the wrong side, the cheaper."""
    z = targets * scores
    return reduced(torch.where(z < margin - 2, 3 + (z - margin) / 2, torch.relu(margin - z)), reduction)


def hinge_is_the_ramp(scores, targets, *, margin=1.0, reduction="mean"):
    return reduced(torch.clamp(margin - targets * scores, 0, 1), reduction)


def hinge_steeper_far_out(scores, targets, *, margin=1.0, reduction="mean"):
    """Convex and monotone, yet twice as steep from 1 inside the margin on."""
    d = margin - targets * scores
    return reduced(torch.relu(d) + torch.relu(d - 1), reduction)
