"""VCRNet's own parts as the CPU library computes them fastest: see `iqa_cli.networks.packing`.

The maps of its restoration network are large, so that every pass over them counts: PReLUs, of one slope, are
done inside of the convolutions before them. Licence of this file: that of the project.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from iqa_cli.networks.packed_conv import PackedConv
from iqa_cli.networks.points import every
from iqa_cli.networks.vcrnet_quality import Reduction
from iqa_cli.networks.vcrnet_restoration import ResidualLevel, RestorationNet, Up


class PackedLevel(nn.Module):
    """`ResidualLevel`, folded."""

    def __init__(self, level: ResidualLevel, activation: nn.PReLU) -> None:
        super().__init__()
        self.first = PackedConv(level.first.square, activation)
        self.second = PackedConv(level.second.square, activation)
        self.shortcut = PackedConv(level.shortcut) if isinstance(level.shortcut, nn.Conv2d) else None
        self.stride = level.stride

    def forward(self, x: Tensor, _: nn.Module) -> Tensor:
        y = self.first(x)
        # What comes in without a convolution of its own is the stem's map, which nobody else reads.
        shortcut = x if self.shortcut is None else self.shortcut(every(x, self.stride))
        return self.second.added_to(shortcut, y)


class PackedUp(nn.Module):
    """`Up`, folded."""

    def __init__(self, up: Up, activation: nn.PReLU) -> None:
        super().__init__()
        conv = up.conv
        self._shape = (list(conv.stride), list(conv.dilation), conv.groups)
        self._padding = [int(n) for n in conv.padding]
        self._weight = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            conv.weight.detach(), self._padding, [0, 0], *self._shape
        )
        self._bias = None if conv.bias is None else conv.bias.detach()
        self.slope = activation.weight.item()

    def forward(self, x: Tensor, skip: Tensor, _: nn.Module) -> Tensor:
        return torch.cat([self.upward(x, skip), skip], 1)

    def upward(self, x: Tensor, skip: Tensor) -> Tensor:
        """The first of the two maps that are joined."""
        # A map of side 2 n - 1 or 2 n comes of one of side n.
        more = [1 - side % 2 for side in skip.shape[-2:]]
        found: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, self._weight, self._bias, self._padding, more, *self._shape, "leaky_relu", [self.slope], ""
        )
        return found


class PackedReduction(nn.Module):
    """`Reduction`, folded."""

    def __init__(self, reduction: Reduction) -> None:
        super().__init__()
        activation = reduction.activation
        self.point = PackedConv(reduction.point, activation)
        self.single = PackedConv(reduction.single, activation)
        twice: Any = reduction.twice
        self.twice = nn.Sequential(*(PackedConv(conv, activation) for conv in twice))
        self.stride = reduction.stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.point(every(x, self.stride)), self.single(x), self.twice(x)], 1)


def pack_restoration(network: RestorationNet) -> RestorationNet:
    """Pack, in place, the parts that lead to its decoder maps, and are not yet packed; folded."""
    net: Any = network
    activation = net.activation
    net.stem = PackedConv(net.stem, activation)
    net.levels = nn.ModuleList(PackedLevel(level, activation) for level in net.levels)
    net.ups = nn.ModuleList(PackedUp(up, activation) if isinstance(up, Up) else up for up in net.ups)
    net.compensation.lifts = nn.ModuleList(PackedConv(lift) for lift in net.compensation.lifts)
    net.activation = nn.Identity()
    return network
