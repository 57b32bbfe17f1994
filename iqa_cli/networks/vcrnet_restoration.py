"""The restoration network of VCRNet: a U-Net that takes a distortion back, and whose decoder quality is read
from.

Paper: Pan, Yuan, Lei, Fang, Shao and Kwong, "VCRNet: Visual Compensation Restoration Network for No-Reference
Image Quality Assessment", IEEE Transactions on Image Processing 31:1613, 2022; its text could not be read.
Published: a restoration network with a visual compensation module and asymmetric residual blocks, whose
features a quality network reads. Second-hand, from names and shapes of the published parameters and a
description of the code: five levels of 16, 32, 64, 256 and 512 channels, each one residual block of two
asymmetric convolutions; stride 2 from the second on; the compensation at levels 1 to 3; four transposed
convolutions back, each joined with its encoder map; one PReLU slope for all. Our choice: where the
activations stand inside a block, no activation behind stem and lifts but the stem's, normalisation by mean
and deviation of ImageNet, and that the last layer gives a correction that is added to the picture
(`residual`), not the picture itself.

The published code has no licence; this is written anew. Licence of this file: that of the project.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from iqa_cli.networks.numbers import IMAGENET_MEAN, IMAGENET_STD, register_channels
from iqa_cli.networks.points import every

#: Channels of the five levels: "full" is the published network, "tiny" serves tests.
RESTORATION_WIDTHS = {"full": (16, 32, 64, 256, 512), "tiny": (4, 8, 8, 12, 16)}
#: Levels whose map is joined by the picture itself.
COMPENSATED = 3


class AsymmetricConv(nn.Module):
    """BN(3x3 + 3x1 + 1x3): three convolutions of one input, summed.

    They are linear, so their kernels are summed instead of their maps: 9 products in place of 15.

    Args:
        in_channels, out_channels: Channels.
        stride: 1 or 2.
    """

    square: nn.Conv2d
    vertical: nn.Conv2d | None
    horizontal: nn.Conv2d | None
    norm: nn.Module

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.square = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)
        self.vertical = nn.Conv2d(in_channels, out_channels, (3, 1), stride, padding=(1, 0), bias=False)
        self.horizontal = nn.Conv2d(in_channels, out_channels, (1, 3), stride, padding=(0, 1), bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def kernel(self) -> Tensor:
        """The sum of the three kernels, [out, in, 3, 3]."""
        if self.vertical is None or self.horizontal is None:
            return self.square.weight
        upright = F.pad(self.vertical.weight, (1, 1, 0, 0))
        return self.square.weight + upright + F.pad(self.horizontal.weight, (0, 0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] to [N, out, ceil(H / stride), ceil(W / stride)]."""
        stride = self.square.stride
        return self.norm(F.conv2d(x, self.kernel(), self.square.bias, stride, padding=1))

    @torch.no_grad()
    def fold(self) -> None:
        """Make it one plain convolution, for evaluation: the same function, a state of its own."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.square.weight.copy_(self.kernel())
            self.vertical = self.horizontal = None
            self.square, self.norm = fuse_conv_bn_eval(self.square, self.norm), nn.Identity()


class ResidualLevel(nn.Module):
    """PReLU(A2(PReLU(A1 x)) + shortcut x): one level of the encoder, A1 with the stride.

    The shortcut is a 1x1 convolution, or nothing where the shape stays.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = AsymmetricConv(in_channels, out_channels, stride)
        self.second = AsymmetricConv(out_channels, out_channels)
        self.stride = stride
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, activation: nn.Module) -> Tensor:
        y = self.second(activation(self.first(x)))
        return activation(y + self.shortcut(every(x, self.stride)))


class VisualCompensation(nn.Module):
    """What pooling and strides have lost is given back: the picture, max-pooled by 1, 2 and 4, lifted by 1x1
    to the width of a level and concatenated with its map."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.lifts = nn.ModuleList(nn.Conv2d(3, width, 1) for width in widths)

    def forward(self, level: int, features: Tensor, picture: Tensor) -> Tensor:
        """Join a level's map with the picture.

        Args:
            level: 0 for the first.
            features: [N, C, ceil(H / 2^level), ceil(W / 2^level)].
            picture: Normalised RGB [N, 3, H, W].

        Returns:
            [N, C + width, ...], the map first.
        """
        factor = 2**level
        pooled = picture if factor == 1 else F.max_pool2d(picture, factor, ceil_mode=True)
        return torch.cat([features, self.lifts[level](pooled)], 1)


class Up(nn.Module):
    """[PReLU(BN(transposed 3x3 of x, stride 2)), skip]: one step of the decoder."""

    conv: nn.ConvTranspose2d
    norm: nn.Module

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, skip: Tensor, activation: nn.Module) -> Tensor:
        # The size is the skip's: of an odd map only its larger half is known here.
        y = self.conv(x, output_size=list(skip.shape[-2:]))
        return torch.cat([activation(self.norm(y)), skip], 1)

    def fold(self) -> None:
        """Take the batch norm into the convolution, for evaluation."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm, transpose=True), nn.Identity()


class RestorationNet(nn.Module):
    """Distorted RGB in, restored RGB out. Input [N, 3, H, W] in 0 to 1, any H, W from 16 up.

    Args:
        size: A key of `RESTORATION_WIDTHS`.
        residual: Whether the last layer gives what is added to the picture; else the picture.

    Attributes:
        decoder_widths: Channels of the four decoder maps, coarsest first: 512, 256, 128, 64.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: str = "full", residual: bool = True) -> None:
        super().__init__()
        self.size, self.residual = size, residual
        widths = RESTORATION_WIDTHS[size]
        self.activation = nn.PReLU()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.compensation = VisualCompensation(widths[:COMPENSATED])
        # What a level hands on: its map, twice as wide where the picture is joined to it.
        handed = [width * (2 if i < COMPENSATED else 1) for i, width in enumerate(widths)]
        inputs = (widths[0], *handed[:-1])
        self.levels = nn.ModuleList(
            ResidualLevel(before, width, 1 if i == 0 else 2)
            for i, (before, width) in enumerate(zip(inputs, widths, strict=True))
        )
        skips = handed[-2::-1]
        self.decoder_widths = tuple(2 * width for width in skips)
        self.ups = nn.ModuleList(
            Up(before, width)
            for before, width in zip((widths[-1], *self.decoder_widths), skips, strict=False)
        )
        self.last = nn.ConvTranspose2d(self.decoder_widths[-1], 3, 3, padding=1)
        register_channels(self, mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self._initialise()

    def _initialise(self) -> None:
        """He's normal values for a PReLU; each part of a sum of three kernels gets its share of the
        variance."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=0.25)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, AsymmetricConv):
                for part in (module.square, module.vertical, module.horizontal):
                    assert part is not None
                    part.weight.data.mul_(3**-0.5)
        if self.residual:  # the first guess is nearly the picture as it came
            nn.init.normal_(self.last.weight, std=1e-3)

    @property
    def is_folded(self) -> bool:
        """Whether every batch norm has been taken into a convolution."""
        return not any(isinstance(module, nn.BatchNorm2d) for module in self.modules())

    def stage_modules(self, stage: int) -> list[nn.Module]:
        """Modules of the encoder by stage, 1 to 4, for learning rates by stage; the decoder is left out."""
        if stage == 1:
            return [self.stem, self.compensation, *self.levels[:2]]
        return [self.levels[stage]]

    def encode(self, x: Tensor) -> list[Tensor]:
        """The five maps that are handed on, finest first, of normalised RGB [N, 3, H, W]."""
        maps = []
        y = self.activation(self.stem(x))
        for i, level in enumerate(self.levels):
            y = level(y, self.activation)
            if i < COMPENSATED:
                y = self.compensation(i, y, x)
            maps.append(y)
        return maps

    def decode(self, rgb: Tensor) -> list[Tensor]:
        """Decoder maps of RGB in 0 to 1.

        Returns:
            Four maps [N, 512, H/8, W/8], [N, 256, H/4, W/4], [N, 128, H/2, W/2], [N, 64, H, W]; sides of
            odd maps are rounded up.
        """
        skips = self.encode((rgb - self.mean) / self.std)
        y = skips.pop()
        maps = []
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            y = up(y, skip, self.activation)
            maps.append(y)
        return maps

    def forward(self, rgb: Tensor) -> Tensor:
        """Restored RGB [N, 3, H, W], not bounded, of distorted RGB in 0 to 1."""
        found = self.last(self.decode(rgb)[-1])
        return rgb + found if self.residual else found
