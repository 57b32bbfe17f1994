"""ResNet-50 without its classifier, under the parameter names of torchvision and timm, so that published
weights load unchanged.

Source: He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1. Written from the
paper; the start (fan-out normal convolutions, the last norm of a block at zero) is timm's. It is here, and
not taken from timm, because importing timm takes as long as importing torch, and the default weight needs
nothing else of it.

Licence of this file: that of the project.
"""

from __future__ import annotations

from torch import Tensor, nn

#: Blocks of the four stages of a ResNet-50.
DEPTHS_50 = (3, 4, 6, 3)
#: Inner width of the first stage.
_WIDTH = 64
#: Outer over inner width of a block.
_EXPANSION = 4


class Bottleneck(nn.Module):
    """ReLU(BN(1x1(ReLU(BN(3x3(ReLU(BN(1x1 x))))))) + shortcut), the stride in the 3x3.

    Args:
        in_channels: Channels of the input.
        width: Inner width; the output has four times as many channels.
        stride: 1 or 2.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = _EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, 4 width, ceil(H / stride), ceil(W / stride)]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act(self.bn1(self.conv1(x)))
        x = self.act(self.bn2(self.conv2(x)))
        return self.act(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """Stem and four stages; what is asked for is computed by `stages`.

    Args:
        depths: Blocks of each stage.
    """

    def __init__(self, depths: tuple[int, int, int, int] = DEPTHS_50) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTH, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTH)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels = _WIDTH
        for stage, depth in enumerate(depths):
            width = _WIDTH * 2**stage
            blocks = []
            for place in range(depth):
                blocks.append(Bottleneck(channels, width, 2 if stage and not place else 1))
                channels = _EXPANSION * width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    def stages(self, x: Tensor, first: int = 0, last: int = 4) -> list[Tensor]:
        """Maps of the stages `first` + 1 to `last`.

        Args:
            x: Normalised RGB [N, 3, H, W] where `first` is 0, else the map of stage `first`.
            first, last: 0 <= first <= last <= 4.

        Returns:
            [N, 256 | 512 | 1024 | 2048, ceil(H / s), ceil(W / s)] with s = 4, 8, 16, 32, of the stages asked
            for.
        """
        maps: list[Tensor] = []
        for stage in range(first, last):
            if stage == 0:
                x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
            x = self.get_submodule(f"layer{stage + 1}")(x)
            maps.append(x)
        return maps
