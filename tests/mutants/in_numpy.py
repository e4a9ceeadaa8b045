"""What only NumPy can show: negative strides, uninitialised memory, gradients written by hand."""

from __future__ import annotations

import numpy as np


def _reduced(loss, reduction):
    return {"none": lambda: loss, "sum": loss.sum, "mean": loss.mean}[reduction]()


def hinge(scores, targets, *, margin=1.0, reduction="mean"):
    """Legal: the mistakes are in the gradients below."""
    return _reduced(np.maximum(margin - targets * scores, 0).astype(scores.dtype), reduction)


def hinge_grad_ignores_cotangent(scores, targets, *, margin=1.0, reduction="mean", cotangent):
    scale = 1 / max(scores.size, 1) if reduction == "mean" else 1
    return (-targets * (targets * scores < margin) * scale).astype(scores.dtype)


def hinge_ignores_sign_of_stride(scores, targets, *, margin=1.0, reduction="mean"):
    """As C code does that takes |stride|."""
    if scores.ndim and scores.strides[0] < 0:
        scores = scores.base
    return hinge(scores, targets, margin=margin, reduction=reduction)


def hinge_mean_of_nothing_is_uninitialised(scores, targets, *, margin=1.0, reduction="mean"):
    """The buffer of the result is only written to when there is something to add."""
    out = np.empty((), scores.dtype)
    if reduction == "none" or scores.size:
        return hinge(scores, targets, margin=margin, reduction=reduction)
    return out[()]
