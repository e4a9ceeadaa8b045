"""Losses that look right sample by sample, and have another optimum."""

from __future__ import annotations

import torch
from tests.mutants._torch import pair, reduced


def hinge_caps_outliers(scores, targets, *, margin=1.0, reduction="mean"):
    """No sample costs more than one and a half margins: the optimum of the convex problem looks too cheap."""
    return reduced(torch.relu(margin - targets * scores).clamp(max=1.5), reduction)


def hinge_forgives_a_little_everywhere(scores, targets, *, margin=1.0, reduction="mean"):
    """A discount that grows with the score: other points look better than the optimum."""
    return reduced(torch.relu(margin - targets * scores) * (1 - 0.25 * torch.tanh(scores.abs())), reduction)


def hinge_smoothed_gradient(scores, targets, *, margin=1.0, reduction="mean"):
    """The hinge's value with the slope of its smoothed sibling: gradients that are no multipliers of this problem."""
    d = torch.relu(margin - targets * scores)
    return reduced(pair(d, torch.where(d < 1, d * d / 2, d - 0.5)), reduction)


def hinge_everyone_a_support_vector(scores, targets, *, margin=1.0, reduction="mean"):
    """A trace of the perceptron's pull on every sample, however far past the margin."""
    z = targets * scores
    loss = torch.relu(margin - z)
    return reduced(pair(loss, loss - 1e-9 * z), reduction)


def squared_hinge_with_half_the_slope(scores, targets, *, margin=1.0, reduction="mean"):
    """(Δ − z)² with the gradient of ½(Δ − z)²."""
    d = torch.relu(margin - targets * scores)
    return reduced(pair(d * d, d * d / 2), reduction)
