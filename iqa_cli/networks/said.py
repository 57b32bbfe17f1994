"""What a network says of crops, as scoring reads it and `iqa export` writes it: one definition for both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Said(nn.Module):
    """A network and what is made of its outputs.

    Args:
        network: Module from float32 [N, 3, H, W] RGB in 0 to 1 to [N], MOS in 0 to 1 (not bounded). Where its
            config has `distortions`, it also has `forward_with_distortions`, as MFE-Net.

    Attributes:
        names: Types of distortion that it names; () for none.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.names: tuple[str, ...] = tuple(getattr(getattr(network, "config", None), "distortions", ()))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` gives."""
        return ("raw", "types", "levels") if self.names else ("raw",)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """What the network says.

        Args:
            rgb: [N, 3, H, W] in 0 to 1.

        Returns:
            Float32: the raw score [N] (MOS in 0 to 1 before calibration, not bounded); where it names
            distortions also the probabilities of "pristine" and of each type [N, 1 + T], and the expected
            level of each type, 1 to 5, [N, T].
        """
        network: Any = self.network
        if not self.names:
            return (network(rgb).float(),)
        raw, types, levels = network.forward_with_distortions(rgb)
        steps = torch.arange(1, levels.shape[2] + 1, dtype=torch.float32, device=rgb.device)
        return raw.float(), types.float().softmax(1), (levels.float().softmax(2) * steps).sum(2)
