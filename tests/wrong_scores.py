"""Losses that are wrong at one score, or in one mode, and nowhere else: for `hingeproof prove`."""

from __future__ import annotations

import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch

SCORE = -1.75  # exact in every format; its margin is 2.75 from the break at label +1


def _hinge(scores, targets):
    return np.maximum(0, 1 - targets * scores)


def right_array(scores, targets):
    return _hinge(scores, targets)


def _there(scores, targets, at=SCORE):
    return (targets > 0) & (scores == scores.dtype.type(at))


def right(scores, targets):
    return torch.relu(1 - targets * scores)


def value_off(scores, targets):
    out = _hinge(scores, targets)
    there = _there(scores, targets)
    out[there] = np.nextafter(out[there], out.dtype.type(9))
    return out


def ulp_off(scores, targets):
    out = _hinge(scores, targets)
    there = _there(scores, targets, float.fromhex("0x1.765432p-9"))
    out[there] = np.nextafter(out[there], out.dtype.type(9))
    return out


def hinge_grad(scores, targets, cotangent):
    return np.where(targets * scores < 1, -targets * cotangent, 0 * cotangent)


def gradient_off(scores, targets):
    @jax.custom_vjp
    def f(s):
        return jnp.maximum(0, 1 - targets * s)

    def backward(s, upstream):
        slope = jnp.where(targets * s < 1, -targets, 0)
        slope = jnp.where((targets > 0) & (s == SCORE), slope * 1.0625, slope)
        return ((upstream * slope).astype(s.dtype),)

    f.defvjp(lambda s: (f(s), s), backward)
    return f(scores)


class _Ignores(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, targets):
        ctx.save_for_backward(scores, targets)
        return right(scores, targets)

    @staticmethod
    def backward(ctx, upstream):
        scores, targets = ctx.saved_tensors
        return torch.where(targets * scores < 1, -targets, torch.zeros_like(targets)), None


def upstream_ignored(scores, targets):
    return _Ignores.apply(scores, targets)


def selects_when_compiled(scores, targets):
    if torch.compiler.is_compiling():
        return torch.clamp(1 - targets * scores, min=0)
    return right(scores, targets)


def swallows(scores, targets):
    return torch.where(targets * scores < 1, 1 - targets * scores, 0)


def dies(scores, targets):
    if ((scores == SCORE) & (targets > 0)).any():
        os.abort()
    return right(scores, targets)


def hangs(scores, targets):
    while _there(scores, targets).any():
        time.sleep(0.01)
    return _hinge(scores, targets)


def slow(scores, targets):
    time.sleep(0.5)
    return _hinge(scores, targets)


def only_finite(scores, targets):
    if not torch.isfinite(scores).all():
        raise ValueError("scores must be finite")
    return right(scores, targets)


def raises(scores, targets):
    raise TypeError("no such thing")
