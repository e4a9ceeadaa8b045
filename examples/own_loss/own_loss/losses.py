"""Two losses of our own. The mean is wrong on purpose, unless OWN_LOSS_MENDED is set."""

from __future__ import annotations

import os

import torch


def _reduced(loss: torch.Tensor, reduction: str) -> torch.Tensor:
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if os.environ.get("OWN_LOSS_MENDED"):
        return loss.mean()
    return loss.sum() / (loss > 0).sum().clamp(min=1)  # the mistake: N is meant, not the violated samples


def hinge_01(
    scores: torch.Tensor, targets: torch.Tensor, *, margin: float = 1.0, reduction: str = "mean"
) -> torch.Tensor:
    """max(0, Δ − z) with z = (2y − 1) s for labels y in {0, 1}; gradient 0 at the kink."""
    return _reduced(torch.relu(margin - (2 * targets - 1) * scores), reduction)


def weston_watkins_mean(
    scores: torch.Tensor, targets: torch.Tensor, *, margin: float = 1.0, reduction: str = "mean"
) -> torch.Tensor:
    """Σ over the other classes of max(0, Δ + s_k − s_c), divided by their number K − 1."""
    gaps = margin + scores - scores.gather(1, targets[:, None])
    others = torch.arange(scores.shape[1], device=scores.device) != targets[:, None]
    return _reduced(torch.where(others, torch.relu(gaps), 0).sum(1) / (scores.shape[1] - 1), reduction)
