"""Names distortions: linear maps from the DAN's pooled stage maps and statistics of the pixels to the type
and, for each type, to a place along its levels. Our own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iqa_cli.networks.dan import DAN_WIDTHS
from iqa_cli.networks.distortion_head import HEAD_LEVELS, pool_stages
from iqa_cli.networks.numbers import CUT_OFF, in_float32
from iqa_cli.networks.picture_stats import STATISTICS, picture_statistics

#: How many numbers `seen_of` gives.
SEEN = sum(DAN_WIDTHS) + STATISTICS


def seen_of(maps: Sequence[Tensor], rgb: Tensor) -> Tensor:
    """What the head reads of crops, [N, SEEN], float32.

    Args:
        maps: D1 to D4.
        rgb: The crops they are of, [N, 3, H, W] in 0 to 1.
    """
    return torch.cat([pool_stages(maps), picture_statistics(rgb)], 1)


class OrdinalHead(nn.Module):
    """Logistic regressions on standardised features: multinomial for the type, of proportional odds for the
    levels of each type.

    Against `DistortionHead`, which has a class for every level, a fifth of the numbers.

    Args:
        names: Types, in the order of the weights.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.register_buffer("mean", torch.zeros(SEEN))
        self.register_buffer("scale", torch.ones(SEEN))
        self.types = nn.Linear(SEEN, 1 + len(self.names))
        self.levels = nn.Linear(SEEN, len(self.names), bias=False)
        #: [T, 4], ascending: where a level goes over into the next.
        self.thresholds = nn.Parameter(torch.zeros(len(self.names), HEAD_LEVELS - 1))

    def forward(self, maps: Sequence[Tensor], rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of type [N, 1 + T] and of level [N, T, 5], as of `DistortionHead`; the latter are logarithms
        of probabilities. Arguments as of `seen_of`."""
        with in_float32(rgb):
            return self.from_seen(seen_of(maps, rgb))

    def standard(self, seen: Tensor) -> Tensor:
        """Features [N, SEEN], standardised."""
        return ((seen - self.mean) / self.scale).clamp(-CUT_OFF, CUT_OFF)

    def from_seen(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The same from features [N, SEEN]."""
        with in_float32(seen):
            standard = self.standard(seen)
            above = (self.levels(standard)[:, :, None] - self.thresholds).sigmoid()
            certain = torch.ones_like(above[:, :, :1])
            shares = torch.cat([certain, above], 2) - torch.cat([above, 0 * certain], 2)
            return self.types(standard), shares.clamp(min=1e-9).log()
