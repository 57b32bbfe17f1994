"""EfficientNet-Lite, the backbone of all shipped weights, without timm: importing timm costs as much as
importing torch, which the first score of every process would pay (docs/performance.md, start-up).

Paper: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
arXiv 1905.11946; the Lite networks are those of https://github.com/tensorflow/tpu
(models/official/efficientnet/lite): no squeeze-and-excitation, ReLU6, stem and head not scaled, padding as
TensorFlow does it. Names and initial values of the parameters are those of timm (Apache-2.0), so that
published weights load unchanged; the tests compare both. Written anew; licence of this file: that of the
project.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor, nn

from iqa_cli.networks.same_padding import ParityPadded

#: Name in timm -> how many times the channels and the blocks of Lite0.
LITES = {
    "tf_efficientnet_lite0": (1.0, 1.0),
    "tf_efficientnet_lite1": (1.0, 1.1),
    "tf_efficientnet_lite2": (1.1, 1.2),
    "tf_efficientnet_lite3": (1.2, 1.4),
    "tf_efficientnet_lite4": (1.4, 1.8),
}
_STEM, _HEAD, _EXPANSION = 32, 1280, 6
_EPSILON = 1e-3  # of TensorFlow's batch norms


class _Group(NamedTuple):
    """Blocks of one width of Lite0; the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    channels: int


_GROUPS = (
    _Group(1, 3, 1, 16),
    _Group(2, 3, 2, 24),
    _Group(2, 5, 2, 40),
    _Group(3, 3, 2, 80),
    _Group(3, 5, 1, 112),
    _Group(4, 5, 2, 192),
    _Group(1, 3, 1, 320),
)


class NormAct(nn.BatchNorm2d):
    """Batch norm and ReLU6."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON)
        self.act = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))


class DepthwiseSeparable(nn.Module):
    """BN(1x1(ReLU6(BN(depthwise x)))), [N, C, H, W] to [N, out, H, W]: the first group."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = _conv(in_channels, in_channels, kernel, groups=in_channels)
        self.bn1 = NormAct(in_channels)
        self.conv_pw = _conv(in_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))


class InvertedResidual(nn.Module):
    """BN(1x1(ReLU6(BN(depthwise(ReLU6(BN(1x1 x))))))), and x added where the shape stays.

    [N, C, H, W] to [N, out, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        inside = _EXPANSION * in_channels
        self.has_skip = stride == 1 and in_channels == out_channels
        self.conv_pw = _conv(in_channels, inside)
        self.bn1 = NormAct(inside)
        self.conv_dw = _conv(inside, inside, kernel, stride, groups=inside)
        self.bn2 = NormAct(inside)
        self.conv_pwl = _conv(inside, out_channels)
        self.bn3 = nn.BatchNorm2d(out_channels, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))
        y = self.bn3(self.conv_pwl(y))
        return y + x if self.has_skip else y


class EfficientNetLite(nn.Module):
    """The network without its classifier, random weights; it offers what `timm_backbone` asks of timm's.

    Args:
        name: A key of `LITES`.

    Attributes:
        feature_info: Of each map that can be taken, finest first: `module`, `reduction` (pixels between
            neighbours), `num_chs` (channels).
    """

    #: What timm would say of itself.
    pretrained_cfg = MappingProxyType({"fixed_input_size": False})
    conv_head: nn.Module
    bn2: nn.Module

    def __init__(self, name: str) -> None:
        super().__init__()
        wider, deeper = LITES[name]
        self.conv_stem = _conv(3, _STEM, 3, 2)
        self.bn1 = NormAct(_STEM)
        groups: list[nn.Sequential] = []
        info: list[dict[str, Any]] = []
        before, reduction = _STEM, 2
        for i, group in enumerate(_GROUPS):
            width = _rounded(wider * group.channels)
            # The first and the last group have one block in every size.
            last = i in (0, len(_GROUPS) - 1)
            count = group.blocks if last else math.ceil(deeper * group.blocks)
            blocks: list[nn.Module] = []
            for j in range(count):
                stride = group.stride if j == 0 else 1
                block = (
                    DepthwiseSeparable(before, width, group.kernel)
                    if i == 0
                    else InvertedResidual(before, width, group.kernel, stride)
                )
                blocks.append(block)
                before = width
            groups.append(nn.Sequential(*blocks))
            reduction *= group.stride
            if info and info[-1]["reduction"] == reduction:  # of several maps at a stride the last
                info.pop()
            info.append({"module": f"blocks.{i}", "reduction": reduction, "num_chs": width})
        self.blocks = nn.Sequential(*groups)
        self.feature_info = info
        self.conv_head = _conv(before, _HEAD)
        self.bn2 = NormAct(_HEAD)
        self._initialise()

    def _initialise(self) -> None:
        """Normal values by the number of outputs of each input, as TensorFlow's."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                rows, columns = module.kernel_size
                outputs = rows * columns * module.out_channels // module.groups
                nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / outputs))

    def prune_intermediate_layers(self, indices: Sequence[int], **_: bool) -> None:
        """Cut off, in place, what lies behind the last of the maps given by their positions in
        `feature_info`."""
        self.blocks = self.blocks[: _end(self.feature_info[max(indices)]) + 1]
        self.conv_head = self.bn2 = nn.Identity()

    def forward_intermediates(self, x: Tensor, indices: Sequence[int], **_: Any) -> list[Tensor]:
        """Maps [N, C_i, ceil(H / s_i), ceil(W / s_i)] of normalised RGB [N, 3, H, W], finest first, by their
        positions in `feature_info`."""
        taken = {_end(self.feature_info[i]) for i in indices}
        maps = []
        x = self.bn1(self.conv_stem(x))
        for i, group in enumerate(self.blocks[: max(taken) + 1]):
            x = group(x)
            if i in taken:
                maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """The deepest map behind the head [N, 1280, ceil(H / 32), ceil(W / 32)] of normalised RGB."""
        return self.bn2(self.conv_head(self.blocks(self.bn1(self.conv_stem(x)))))


def _end(info: dict[str, Any]) -> int:
    return int(info["module"].rpartition(".")[2])


def _conv(
    in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Padded as TensorFlow does it, which for stride 1 is what torch does."""
    if stride == 2:
        return ParityPadded(in_channels, out_channels, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False)


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, the next one where that loses more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
