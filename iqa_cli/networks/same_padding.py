"""Padding as TensorFlow does it, said so that an exporter with free sizes can follow.

TensorFlow pads a strided convolution by what its last window lacks: nothing before the first pixel of an even
side and one of an odd one, for a 3x3 at stride 2. timm computes that by rounding up and a maximum, which the
exporter carries through every later layer; by the parity of the side it is the same number.
"""

from __future__ import annotations

import sys
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class ParityPadded(nn.Conv2d):
    """A convolution at stride 2 with an odd kernel from 3 up, padded as TensorFlow does."""

    def margins(self, height: int, width: int) -> list[int]:
        """Zeros to the left, to the right, above and below a map of that size."""
        rows, columns = self.kernel_size
        sides = (columns, width), (rows, height)
        return [n for k, side in sides for n in ((k - 3) // 2 + side % 2, (k - 1) // 2)]

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, self.margins(*x.shape[2:]))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def pad_by_parity(net: nn.Module) -> None:
    """Let timm's convolutions with TensorFlow's padding compute it by parity, in place; the same function.

    Those of other strides or kernels than this holds for stay as they are.
    """
    timm: Any = sys.modules.get("timm")
    if timm is None:  # then nothing of the network is timm's
        return
    module: Any
    for module in net.modules():
        if (
            type(module) is timm.layers.Conv2dSame
            and module.stride == (2, 2)
            and module.dilation == (1, 1)
            and all(k % 2 and k >= 3 for k in module.kernel_size)
        ):
            module.__class__ = ParityPadded
