"""The parts of VCRNet's quality network: an ImageNet trunk that offers four maps, what reduces a map to 72
channels, the head.

Second-hand, as the head of `iqa_cli.networks.vcrnet` says: EfficientNet-B0, its maps of 24, 40, 112 and 1280
channels, and the three branches. Our choice: EfficientNet-Lite0 beside it (the same widths; a package brings
its weights, Apache-2.0), padding as TensorFlow does it (both trunks were trained so), and the order
concatenate, BN, PReLU. timm supplies the trunks (Apache-2.0). Licence of this file: that of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from iqa_cli.networks.efficientnet_lite import LITES, EfficientNetLite
from iqa_cli.networks.numbers import IMAGENET_MEAN, IMAGENET_STD, register_channels
from iqa_cli.networks.points import every

#: Channels of each of the three branches.
BRANCH_WIDTH = 24


@dataclass(frozen=True)
class TrunkSpec:
    """Facts about a trunk: its name in timm, channels of its four maps, and what its input is normalised
    by."""

    timm_name: str
    widths: tuple[int, int, int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


TRUNKS: dict[str, TrunkSpec] = {
    "b0": TrunkSpec("tf_efficientnet_b0", (24, 40, 112, 1280), IMAGENET_MEAN, IMAGENET_STD),
    "lite0": TrunkSpec("tf_efficientnet_lite0", (24, 40, 112, 1280), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "tiny": TrunkSpec("mobilenetv2_035", (8, 16, 32, 1280), IMAGENET_MEAN, IMAGENET_STD),
}
#: Groups of blocks behind which the first three maps are taken; the fourth is that of the head.
_TAPS = (1, 2, 4)
_STAGES = 4


class Trunk(nn.Module):
    """An EfficientNet without its classifier. Input RGB [N, 3, H, W] in 0 to 1.

    Args:
        name: A key of `TRUNKS`.
    """

    mean: Tensor
    std: Tensor
    net: nn.Module

    def __init__(self, name: str) -> None:
        super().__init__()
        self.spec = TRUNKS[name]
        self.widths = self.spec.widths
        # The classifier would be 1.3 million parameters that no score depends on.
        self.net = _without_classifier(self.spec.timm_name)
        self._frozen = 0
        register_channels(self, mean=self.spec.mean, std=self.spec.std)

    def stage_modules(self, stage: int) -> list[nn.Module]:
        """What lies between the map before and that of a stage, 1 to 4; the first has the stem too."""
        net: Any = self.net
        ends = (-1, *_TAPS, len(net.blocks) - 1)
        blocks = [net.blocks[i] for i in range(ends[stage - 1] + 1, ends[stage] + 1)]
        first = [net.conv_stem, net.bn1] if stage == 1 else []
        last = [net.conv_head, net.bn2] if stage == _STAGES else []
        return [*first, *blocks, *last]

    def freeze(self, stages: int) -> None:
        """Keep the first stages, 0 to 4, as they are: no gradient, batch norms in evaluation mode."""
        if not 0 <= stages <= _STAGES:
            raise ValueError(f"a trunk has {_STAGES} stages, of which {stages} cannot be frozen")
        self._frozen = stages
        for module in self._frozen_modules():
            module.requires_grad_(False).eval()

    def _frozen_modules(self) -> list[nn.Module]:
        return [module for stage in range(1, self._frozen + 1) for module in self.stage_modules(stage)]

    def train(self, mode: bool = True) -> Trunk:
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Four maps [N, 24 | 40 | 112 | 1280, ceil(H / s), ceil(W / s)] with s = 4, 8, 16, 32."""
        x = (rgb - self.mean) / self.std
        maps = []
        for stage in range(1, _STAGES + 1):
            for module in self.stage_modules(stage):
                x = module(x)
            maps.append(x)
        return maps


def _without_classifier(name: str) -> nn.Module:
    if name in LITES:
        return EfficientNetLite(name)
    import timm

    return timm.create_model(name, pretrained=False, num_classes=0)


class Reduction(nn.Module):
    """PReLU(BN([1x1 | 3x3 | 3x3-3x3])): a map reduced to 72 channels by three parallel branches of 24.

    Args:
        in_channels: Channels of the map.
        stride: Of every branch.
        stride_in: Convolution of the third branch that has the stride.
    """

    norm: nn.Module

    def __init__(self, in_channels: int, stride: int, stride_in: Literal["first", "last"]) -> None:
        super().__init__()
        steps = (stride, 1) if stride_in == "first" else (1, stride)
        self.stride = stride
        self.point = nn.Conv2d(in_channels, BRANCH_WIDTH, 1)
        self.single = nn.Conv2d(in_channels, BRANCH_WIDTH, 3, stride, padding=1)
        self.twice = nn.ModuleList(
            nn.Conv2d(before, BRANCH_WIDTH, 3, step, padding=1)
            for before, step in zip((in_channels, BRANCH_WIDTH), steps, strict=True)
        )
        self.norm = nn.BatchNorm2d(3 * BRANCH_WIDTH)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, 72, ceil(H / stride), ceil(W / stride)]."""
        twice = self.twice[1](self.activation(self.twice[0](x)))
        branches = [self.point(every(x, self.stride)), self.single(x), twice]
        return self.activation(self.norm(torch.cat(branches, 1)))

    @torch.no_grad()
    def fold(self) -> None:
        """Take the batch norm into the convolutions before it, for evaluation."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        for i, conv in enumerate((self.point, self.single, cast("nn.Conv2d", self.twice[1]))):
            part = slice(i * BRANCH_WIDTH, (i + 1) * BRANCH_WIDTH)
            mean, var = norm.running_mean, norm.running_var
            assert mean is not None
            assert var is not None
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, mean[part], var[part], norm.eps, norm.weight[part], norm.bias[part]
            )
        self.norm = nn.Identity()


class QualityHead(nn.Module):
    """Linear, PReLU, Dropout, Linear, PReLU, Linear: pooled maps [N, C] to scores [N, 1]; one PReLU slope for
    both."""

    def __init__(self, in_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_features, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)
        self.activation = nn.PReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.activation(self.fc1(x)))
        return self.fc3(self.activation(self.fc2(x)))
