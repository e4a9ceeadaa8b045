"""What honest PyTorch code around a mutant's one mistake looks like."""

from __future__ import annotations

import torch


class _Pair(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value, carrier):
        return value.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, upstream):
        return None, upstream

    @staticmethod
    def jvp(ctx, _, along):
        return along.clone()


def pair(value, carrier):
    """The value of one graph with the gradient of another."""
    return _Pair.apply(value.detach(), carrier)


class _Given(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, inner, rule):
        ctx.rule = rule
        return value.clone()

    @staticmethod
    def backward(ctx, upstream):
        return None, ctx.rule(upstream), None


def given(value, scores, rule):
    """A value whose gradient to the scores is `rule(upstream)`."""
    return _Given.apply(value.detach(), scores, rule)


def reduced(loss, reduction, weight=None):
    loss = loss if weight is None else loss * weight
    return {"none": lambda: loss, "sum": loss.sum, "mean": loss.mean}[reduction]()


def rivals(scores, targets):
    """(the target's score (N, 1), is this class a rival of the target? (N, K))"""
    index = targets.long().unsqueeze(-1)
    return scores.gather(-1, index), torch.arange(scores.shape[-1]) != index
