"""The losses of training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def opinion_loss(scores: Tensor, mos: Tensor) -> Tensor:
    """L1 between scores [N] and MOS [N], both on the 0 to 1 scale."""
    return F.l1_loss(scores, mos)


def ranking_loss(better: Tensor, worse: Tensor, margin: Tensor) -> Tensor:
    """Hinge: mean of max(0, margin - (better - worse)) over pairs of scores [N]; 0 where there is no pair."""
    if better.numel() == 0:
        return better.new_zeros(())
    return torch.relu(margin - (better - worse)).mean()
