"""The textbook's own code, as printed there. It is loaded in workers only."""

from __future__ import annotations

import torch
from torch import nn


def hinge_loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.clamp(1 - targets * scores, min=0).mean()


class HingeLoss(nn.Module):
    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.clamp(self.margin - targets * scores, min=0).mean()
