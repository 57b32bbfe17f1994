"""Names distortions: linear maps from the DAN's pooled stage maps to type and level. Our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from iqa_cli.networks.dan import DAN_WIDTHS
from iqa_cli.networks.numbers import in_float32

Stages = Literal["all", "last"]

#: Levels that the head tells apart.
HEAD_LEVELS = 5


def pool_stages(maps: Sequence[Tensor], stages: Stages = "all") -> Tensor:
    """Global averages of D1 to D4 joined, [N, 3840], or of D4 alone, [N, 2048]; float32."""
    return torch.cat([d.float().mean((2, 3)) for d in (maps if stages == "all" else maps[-1:])], 1)


class DistortionHead(nn.Module):
    """Linear maps from pooled features to the type and, for each type, the level of a distortion.

    Args:
        names: Types, in the order of the weights.
        stages: Features it reads: of "all" stages or of the "last" one.
    """

    def __init__(self, names: Sequence[str], stages: Stages = "all") -> None:
        super().__init__()
        self.names, self.stages = tuple(names), stages
        features = sum(DAN_WIDTHS) if stages == "all" else DAN_WIDTHS[-1]
        self.types = nn.Linear(features, 1 + len(self.names))
        self.levels = nn.Linear(features, len(self.names) * HEAD_LEVELS)

    def forward(self, maps: Sequence[Tensor], rgb: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of type and level from D1 to D4; it does not look at the crops themselves.

        Returns:
            [N, 1 + T], the first column "pristine", then the types; and [N, T, 5], for each type the levels
            1 to 5, given that it is this type.
        """
        return self.from_pooled(pool_stages(maps, self.stages))

    def from_pooled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The same from features [N, F] as `pool_stages` gives them."""
        with in_float32(features):
            levels: Tensor = self.levels(features.float())
            return self.types(features.float()), levels.unflatten(1, (len(self.names), HEAD_LEVELS))
