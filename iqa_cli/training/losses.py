"""The losses of training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import Batch


def opinion_loss(scores: Tensor, mos: Tensor) -> Tensor:
    """L1 between scores [N] and MOS [N], both on the 0 to 1 scale."""
    return F.l1_loss(scores, mos)


def ranking_loss(better: Tensor, worse: Tensor, margin: Tensor) -> Tensor:
    """Hinge: mean of max(0, margin - (better - worse)) over pairs of scores [N]; 0 where there is no pair."""
    if better.numel() == 0:
        return better.new_zeros(())
    return torch.relu(margin - (better - worse)).mean()


def step_losses(
    config: TrainConfig, network: nn.Module, batch: Batch, mos: Tensor, precision: torch.dtype
) -> list[Tensor]:
    """Opinion, auxiliary and weighted ranking loss of one step."""
    rgb = batch.rgb.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        scores, auxiliary = network.forward_with_auxiliary(rgb)  # type: ignore[operator]
    scores = scores.float()
    distorted = torch.from_numpy(batch.pair >= 0)
    index, pair = torch.from_numpy(batch.index), torch.from_numpy(batch.pair)
    margin = config.rank_margin * torch.from_numpy(batch.level)[distorted]
    opinion = opinion_loss(scores[~distorted], mos[index[~distorted]])
    # The clean crop is held: pairs must not be told apart by praising the better one.
    ranking = ranking_loss(scores[pair[distorted]].detach(), scores[distorted], margin)
    return [opinion, auxiliary.float(), config.rank_weight * ranking]
