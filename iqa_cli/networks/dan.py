"""DAN, the distortion-aware network: MFE-Net's first auxiliary branch, a frozen ResNet-50.

Published: ResNet-50, pre-trained with contrastive learning so that its features tell distortion types apart.
Our choice: it is frozen afterwards; the ablation "imagenet" freezes the ImageNet ResNet-50 that such
pre-training starts from. The network is that of `iqa_cli.networks.resnet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from iqa_cli.networks.resnet import ResNet

if TYPE_CHECKING:
    from iqa_cli.networks.distortion_head import DistortionHead
    from iqa_cli.networks.ordinal_head import OrdinalHead

#: Channels of D1 to D4.
DAN_WIDTHS = (256, 512, 1024, 2048)


def use_caffe_strides(first_blocks: Iterable[Any]) -> None:
    """Halve the resolution in the 1x1 convolution of bottlenecks, the first of each stage, instead of the
    3x3."""
    for block in first_blocks:
        block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)


class DAN(nn.Module):
    """ResNet-50 that offers its four stages.

    Args:
        strides: "torch" halves the resolution in the 3x3 convolution of a stage's first block (timm,
            torchvision), "caffe" in the 1x1 before it, as the network was first published and as some
            ImageNet weights need it.
    """

    def __init__(self, strides: Literal["torch", "caffe"] = "torch") -> None:
        super().__init__()
        self.resnet = ResNet()
        if strides == "caffe":
            net: Any = self.resnet
            use_caffe_strides(layer[0] for layer in (net.layer2, net.layer3, net.layer4))

    def forward(self, x: Tensor) -> list[Tensor]:
        """D1 to D4, [N, 256 .. 2048, ceil(H / s), ceil(W / s)] with s = 4, 8, 16, 32, from normalised RGB
        [N, 3, H, W]."""
        return self.resnet.stages(x)


class FrozenDAN(DAN):
    """The DAN as our MFE-Net uses it: no gradient, batch norms always in evaluation mode.

    Args:
        strides: See `DAN`.
        head: Names distortions from the stages; as frozen as the rest.
    """

    def __init__(
        self,
        strides: Literal["torch", "caffe"] = "torch",
        head: DistortionHead | OrdinalHead | None = None,
    ) -> None:
        super().__init__(strides)
        self.head = head
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FrozenDAN:
        super().train(False)
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return super().forward(x)


class Projection(nn.Sequential):
    """P = BN(1x1(D)): a DAN map brought to the width of the QEN's."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width))
