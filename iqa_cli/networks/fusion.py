"""The two fusions of MFE-Net: AFF brings in the distortion-aware maps, FFM the high-frequency maps.

AFF, attentional feature fusion: Dai et al., "Attentional Feature Fusion", WACV 2021, equations 2 to 4
(published). FFM, feature fusion module: the paper names it; its form here is that of BiSeNet (Yu et al.,
ECCV 2018), our choice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """M(u) = sigmoid(local(u) + global(u)), the multi-scale channel attention of AFF.

    Args:
        width: Channels C.
        reduction: r; the bottleneck has C / r channels (at least 1).
    """

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(1, width // reduction)
        self.local_attention = self._branch(width, hidden)
        self.global_attention = self._branch(width, hidden)

    @staticmethod
    def _branch(width: int, hidden: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(width, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, width, 1),
            nn.BatchNorm2d(width),
        )

    def forward(self, u: Tensor) -> Tensor:
        pooled = u.mean((2, 3), keepdim=True)
        return torch.sigmoid(self.local_attention(u) + self.global_attention(pooled))


class AFF(nn.Module):
    """AFF(x, y) = 2 x w + 2 y (1 - w) with w = M(x + y); [N, C, H, W] twice to [N, C, H, W].

    Raises:
        ValueError: In training with a batch of one: the pooled branch normalises over the batch alone, so
            that its output would not depend on the picture.
    """

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        self.attention = ChannelAttention(width, reduction)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if self.training and x.shape[0] < 2:
            raise ValueError(
                "AFF cannot train on a batch of one: its pooled branch normalises over the batch"
            )
        w = self.attention(x + y)
        return 2 * (x * w + y * (1 - w))


class AddFusion(nn.Module):
    """The ablation "add": x + y."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class ConcatFusion(nn.Module):
    """The ablation "concat": ReLU(BN(1x1 [x, y]))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(2 * width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.mix(torch.cat([x, y], 1))


class FFM(nn.Module):
    """Z = ReLU(BN(1x1 [a, h])), G = Z + Z * sigmoid(1x1(ReLU(1x1(pool Z)))); [N, C, H, W] twice to the same
    shape.

    The two 1x1 of the gate have a bottleneck of C / reduction channels (at least 1).
    """

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(1, width // reduction)
        self.mix = nn.Sequential(
            nn.Conv2d(2 * width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.squeeze = nn.Conv2d(width, hidden, 1)
        self.excite = nn.Conv2d(hidden, width, 1)

    def forward(self, a: Tensor, h: Tensor) -> Tensor:
        z = self.mix(torch.cat([a, h], 1))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(z.mean((2, 3), keepdim=True)))))
        return z + z * gate
