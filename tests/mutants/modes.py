"""Right when called plainly, wrong in one way of running."""

from __future__ import annotations

import torch
from tests.mutants._torch import pair, reduced


class _Hinge(torch.autograd.Function):
    @staticmethod
    def forward(d):
        return torch.relu(d)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.active = inputs[0] > 0
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx, upstream):
        return upstream * ctx.active

    @staticmethod
    def jvp(ctx, along):
        (d,) = ctx.saved_tensors
        return along * (d > -0.5)


def hinge_forward_slope_past_margin(scores, targets, *, margin=1.0, reduction="mean"):
    """Its jvp rule has the hinge half a unit farther out than its function."""
    return reduced(_Hinge.apply(margin - targets * scores), reduction)


def squared_hinge_detached_backward(scores, targets, *, margin=1.0, reduction="mean"):
    """The right first derivative, with nothing to differentiate in it."""
    d = torch.relu(margin - targets * scores)
    return reduced(pair(d * d, 2 * d.detach() * d), reduction)


def hinge_default_margin_when_compiled(scores, targets, *, margin=1.0, reduction="mean"):
    if torch.compiler.is_compiling():
        margin = 1.0
    return reduced(torch.relu(margin - targets * scores), reduction)
