"""The end of VCRNet's decoder as the CPU library computes it fastest: see `iqa_cli.networks.packing`.

Its last two maps are the largest of the network, and the quality network reads them by reductions at stride 8
alone. So the last one is computed at a seventh of its positions (by 0.56 times the products, of which two in
three are with zeros), and none of the two is joined in memory.
Licence of this file: that of the project.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.packed_conv import PackedConv, conv_of
from iqa_cli.networks.packed_vcrnet import PackedUp
from iqa_cli.networks.vcrnet import DECODER_STRIDE, VCRNet
from iqa_cli.networks.vcrnet_quality import BRANCH_WIDTH, Reduction
from iqa_cli.networks.vcrnet_restoration import Up

#: Two maps [N, C, H, W] and [N, S, H, W] that the network joins along their channels.
Pair: TypeAlias = "tuple[Tensor, Tensor]"


class PairConv(nn.Module):
    """A convolution of two joined maps as the sum of two convolutions, and the activation behind it.

    Args:
        first: Of the first map, without a bias.
        second: Of the second map.
        activation: Of one slope.
    """

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, activation: nn.PReLU) -> None:
        super().__init__()
        self.first, self.second = PackedConv(first), PackedConv(second, activation)

    def forward(self, pair: Pair) -> Tensor:
        """[N, out, h, w] of maps of the channels that the two convolutions take."""
        first, second = pair
        return self.second.added_to(self.first(first), second)


class UpToPair(nn.Module):
    """`Up`, folded, its two maps not joined."""

    def __init__(self, up: Up, activation: nn.PReLU) -> None:
        super().__init__()
        self.up = PackedUp(up, activation)

    def forward(self, x: Tensor, skip: Tensor, _: nn.Module) -> Pair:
        """Of x [N, in, ceil(H / 2), ceil(W / 2)] and the skip [N, S, H, W]."""
        return self.up.upward(x, skip), skip


class UpToPositions(nn.Module):
    """The last `Up`, folded, at those positions alone that a 3x3 kernel at stride 8 sees.

    These are the rows 8 i - 1, 8 i and 8 i + 1, and such columns: nine positions a step, each of which comes
    of at most 2x2 positions of the map before the transposed convolution, all of 3x3. So they are the
    channels of a plain convolution at stride 4.

    Args:
        up: Folded, 3x3 at stride 2; its input is a pair.
        width: Channels of the pair's first map.
        activation: Of one slope.
    """

    def __init__(self, up: Up, width: int, activation: nn.PReLU) -> None:
        super().__init__()
        weight, bias = up.conv.weight.detach(), up.conv.bias
        # Row and column of the result, its channels, those of the input, row and column of the kernel.
        kernel = weight.new_zeros(3, 3, weight.shape[1], weight.shape[0], 3, 3)
        # Row 8 i + d - 1 of the result comes of row 4 i + e - 1 of the input by row k of the kernel.
        taps = [(d, e, k) for d in range(3) for e in range(3) if 0 <= (k := d + 2 - 2 * e) < 3]
        for row, above, y in taps:
            for column, before, x in taps:
                kernel[row, column, :, :, above, before] = weight[:, :, y, x].T
        kernel = kernel.flatten(0, 2)
        several = None if bias is None else bias.detach().repeat(9)
        self.conv = PairConv(
            conv_of(kernel[:, :width], None, DECODER_STRIDE // 2, 1),
            conv_of(kernel[:, width:], several, DECODER_STRIDE // 2, 1),
            activation,
        )

    def forward(self, pair: Pair, skip: Tensor, _: nn.Module) -> Pair:
        """The nine positions as channels, row by row, [N, 9 C, ceil(H / 8), ceil(W / 8)]; the skip
        [N, S, H, W] as it is."""
        found = self.conv(pair)
        rows = found.unflatten(1, (3, 3, -1))
        # Beyond its edges a reduction sees zeros.
        height, width = skip.shape[2:]
        rows[:, 0, :, :, 0] = 0
        rows[:, :, 0, :, :, 0] = 0
        if height % DECODER_STRIDE == 1:
            rows[:, 2, :, :, -1] = 0
        if width % DECODER_STRIDE == 1:
            rows[:, :, 2, :, :, -1] = 0
        return found, skip


class PairReduction(nn.Module):
    """`Reduction` of a pair, folded: its first three convolutions, which see the same, as one.

    Args:
        reduction: The third branch has its stride in its first convolution.
        width: Channels of the pair's first map.
        at_positions: Whether that map is given as `UpToPositions` gives it.
    """

    def __init__(self, reduction: Reduction, width: int, at_positions: bool) -> None:
        super().__init__()
        twice: Any = reduction.twice
        three: Any = (reduction.point, reduction.single, twice[0])
        # A 1x1 convolution is a 3x3 one with zeros around.
        kernel = torch.cat([F.pad(three[0].weight, (1, 1, 1, 1)), three[1].weight, three[2].weight]).detach()
        bias = torch.cat([conv.bias for conv in three]).detach()
        first = conv_of(kernel[:, :width], None, DECODER_STRIDE, 1)
        if at_positions:
            by_position = kernel[:, :width].permute(0, 2, 3, 1).flatten(1)
            first = conv_of(by_position[:, :, None, None], None, 1, 0)
        second = conv_of(kernel[:, width:], bias, DECODER_STRIDE, 1)
        self.three = PairConv(first, second, reduction.activation)
        self.last = PackedConv(twice[1], reduction.activation)

    def forward(self, pair: Pair) -> Tensor:
        """[N, 72, ceil(H / 8), ceil(W / 8)]."""
        done, half_done = self.three(pair).split([2 * BRANCH_WIDTH, BRANCH_WIDTH], 1)
        return torch.cat([done, self.last(half_done)], 1)


def pack_decoder_ends(network: VCRNet) -> None:
    """Pack, in place, the last two steps of the decoder and what reads them.

    Where a batch norm is not folded, or a third branch of a reduction reads every position, they are left as
    they are. What is packed can only be read by those reductions: there is no restored picture any more.
    """
    net: Any = network
    ups, reductions, activation = net.restoration.ups, net.decoder_reductions, net.restoration.activation
    folded = all(isinstance(reduction.norm, nn.Identity) for reduction in reductions)
    if network.config.stride_in == "last" or not folded or not network.restoration.is_folded:
        return
    before, last = ups[-2], ups[-1]
    width, last_width = before.conv.out_channels, last.conv.out_channels
    ups[-2], ups[-1] = UpToPair(before, activation), UpToPositions(last, width, activation)
    reductions[0] = PairReduction(reductions[0], last_width, at_positions=True)
    reductions[1] = PairReduction(reductions[1], width, at_positions=False)
