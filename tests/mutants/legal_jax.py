"""Legal variants in JAX: each spelling has its own gradient at the kink."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def _reduced(loss, reduction):
    return {"none": lambda: loss, "sum": loss.sum, "mean": loss.mean}[reduction]()


def hinge_maximum(scores, targets, *, margin=1.0, reduction="mean"):
    return _reduced(jnp.maximum(margin - targets * scores, 0), reduction)


def hinge_clip(scores, targets, *, margin=1.0, reduction="mean"):
    return _reduced(jnp.clip(margin - targets * scores, 0), reduction)


def hinge_where(scores, targets, *, margin=1.0, reduction="mean"):
    z = targets * scores
    return _reduced(jnp.where(z < margin, margin - z, 0), reduction)


def hinge_relu(scores, targets, *, margin=1.0, reduction="mean"):
    return _reduced(jax.nn.relu(margin - targets * scores), reduction)
