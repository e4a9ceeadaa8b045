"""What only JAX can show: a custom_jvp that disagrees with its function."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def _reduced(loss, reduction):
    return {"none": lambda: loss, "sum": loss.sum, "mean": loss.mean}[reduction]()


@jax.custom_jvp
def _positive(d):
    return jnp.maximum(d, 0)


@_positive.defjvp
def _positive_jvp(primals, tangents):
    (d,), (along,) = primals, tangents
    return _positive(d), jnp.where(d > -0.25, along, 0)


def hinge_custom_jvp_past_margin(scores, targets, *, margin=1.0, reduction="mean"):
    return _reduced(_positive(margin - targets * scores), reduction)
