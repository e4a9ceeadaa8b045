"""The hinge as people write it in PyTorch: what a reference has to be as fast as."""

from __future__ import annotations

import torch


def clamp(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.clamp(1 - targets * scores, min=0).mean()


def relu(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.relu(1 - targets * scores).mean()


def maximum(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.maximum(1 - targets * scores, torch.zeros_like(scores)).mean()


def where(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    loss = 1 - targets * scores
    return torch.where(loss > 0, loss, 0.0).mean()
