"""HFEN, the high-frequency extraction network: MFE-Net's second auxiliary branch.

Published: vanilla convolutions and high-frequency modules. Second-hand: the module is built on octave
convolution and throws its low-frequency half away. Our choice: everything else here (widths, order, the
auxiliary objective).

Octave convolution: Chen et al., "Drop an Octave", arXiv 1904.05049. A map is split along its channels into a
high part at full resolution and a low part at half of it; four convolutions carry high->high, high->low
(after 2x2 average pooling), low->high (before nearest upsampling) and low->low.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: Standard deviation, in pixels, of the Gaussian whose residue is the auxiliary target.
HIGHPASS_SIGMA = 1.5
#: Convolutions of a module's second octave convolution whose output is thrown away.
DROPPED = ("high_to_low", "low_to_low")


class OctaveConv(nn.Module):
    """3x3 octave convolution.

    Args:
        in_channels: Channels of the high and low inputs together.
        out_channels: Channels of the high and low outputs together.
        alpha_in: Share of the input channels that is low-frequency, 0 (none) up to, not including, 1.
        alpha_out: The same of the output.
    """

    def __init__(self, in_channels: int, out_channels: int, alpha_in: float, alpha_out: float) -> None:
        super().__init__()
        low_in, low_out = int(in_channels * alpha_in), int(out_channels * alpha_out)
        high_in, high_out = in_channels - low_in, out_channels - low_out
        self.high_to_high = nn.Conv2d(high_in, high_out, 3, padding=1, bias=False)
        self.high_to_low = nn.Conv2d(high_in, low_out, 3, padding=1, bias=False) if low_out else None
        self.low_to_high = nn.Conv2d(low_in, high_out, 3, padding=1, bias=False) if low_in else None
        self.low_to_low = nn.Conv2d(low_in, low_out, 3, padding=1, bias=False) if low_in and low_out else None

    def forward(
        self, high: Tensor, low: Tensor | None = None, drop_low: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Map (high [N, Ch, H, W], low [N, Cl, ceil(H/2), ceil(W/2)] or None) to the same form.

        With `drop_low` the low output is not computed and None takes its place.
        """
        out_high = self.high_to_high(high)
        out_low = None
        if self.high_to_low is not None and not drop_low:
            # Ceil mode: an odd row or column still reaches the low part.
            out_low = self.high_to_low(F.avg_pool2d(high, 2, ceil_mode=True))
        if self.low_to_high is not None:
            assert low is not None
            lifted = F.interpolate(self.low_to_high(low), size=high.shape[-2:], mode="nearest")
            out_high = out_high + lifted
        if self.low_to_low is not None and out_low is not None:
            assert low is not None
            out_low = out_low + self.low_to_low(low)
        return out_high, out_low


class HighFrequencyModule(nn.Module):
    """Octave 0 -> 0.5, octave 0.5 -> 0.5 with its low half dropped, 1x1, residual; [N, C, H, W] to the same
    shape.

    The second convolution is a whole one, as specified, so that parameter counts and names are the
    specification's; what it throws away is neither computed nor trained, nor in a shipped weight.
    """

    norm_high: nn.Module
    norm_low: nn.Module
    norm: nn.Module

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.first = OctaveConv(width, width, 0.0, 0.5)
        self.norm_high = nn.BatchNorm2d(width - half)
        self.norm_low = nn.BatchNorm2d(half)
        self.second = OctaveConv(width, width, 0.5, 0.5)
        for name in DROPPED:
            self.second.get_submodule(name).requires_grad_(False)
        self.norm = nn.BatchNorm2d(width - half)
        self.project = nn.Conv2d(width - half, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        high, low = self.first(x)
        high, low = F.relu(self.norm_high(high)), F.relu(self.norm_low(low))
        high, _ = self.second(high, low, drop_low=True)
        return x + self.project(F.relu(self.norm(high)))

    @torch.no_grad()
    def fold(self) -> None:
        """Take the batch norms into the convolutions before them, for evaluation."""
        norm, norm_high, norm_low = self.norm, self.norm_high, self.norm_low
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert isinstance(norm_high, nn.BatchNorm2d)
        assert isinstance(norm_low, nn.BatchNorm2d)
        assert self.first.high_to_low is not None
        assert self.second.low_to_high is not None
        assert norm.running_var is not None
        self.first.high_to_high = fuse_conv_bn_eval(self.first.high_to_high, norm_high)
        self.first.high_to_low = fuse_conv_bn_eval(self.first.high_to_low, norm_low)
        # Behind a sum of two convolutions: both are scaled, one brings the shift.
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.second.low_to_high.weight *= scale[:, None, None, None]
        self.second.high_to_high = fuse_conv_bn_eval(self.second.high_to_high, norm)
        self.norm_high, self.norm_low, self.norm = nn.Identity(), nn.Identity(), nn.Identity()


class LaplacianModule(nn.Module):
    """The ablation: a fixed 3x3 Laplacian in place of the octave convolutions, then 1x1 and residual."""

    kernel: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
        self.register_buffer("kernel", kernel.repeat(width, 1, 1, 1), persistent=False)
        self.norm = nn.BatchNorm2d(width)
        self.project = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        high = F.conv2d(x, self.kernel, padding=1, groups=x.shape[1])
        return x + self.project(F.relu(self.norm(high)))


class HFEN(nn.Module):
    """Four high-frequency maps at the resolutions and widths of the QEN, and the auxiliary high-pass
    prediction.

    Args:
        widths: Channels of H1 to H4.
        kind: "octave" (the specification) or "laplacian" (the ablation).
        stem_width: Channels after the first stride-2 convolution.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        kind: Literal["octave", "laplacian"] = "octave",
        stem_width: int = 32,
    ) -> None:
        super().__init__()
        self.stem = _conv_bn_relu(3, stem_width)
        self.down = nn.ModuleList()
        self.modules_high = nn.ModuleList()
        previous = stem_width
        for width in widths:
            self.down.append(_conv_bn_relu(previous, width))
            self.modules_high.append(
                HighFrequencyModule(width) if kind == "octave" else LaplacianModule(width)
            )
            previous = width
        self.auxiliary_head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """H1 to H4, [N, width_i, ceil(H / s), ceil(W / s)] with s = 4, 8, 16, 32, from normalised RGB [N, 3,
        H, W]."""
        maps = []
        x = self.stem(x)
        for down, module in zip(self.down, self.modules_high, strict=True):
            x = module(down(x))
            maps.append(x)
        return maps

    def predict_highpass(self, h1: Tensor) -> Tensor:
        """The auxiliary prediction [N, 1, h, w] from H1."""
        return self.auxiliary_head(h1)


def highpass_target(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """|Y - Gauss(Y)|, area-reduced: what the auxiliary head learns to predict.

    Args:
        rgb: [N, 3, H, W] in 0 to 1 (not normalised).
        size: Height and width of H1.

    Returns:
        [N, 1, h, w], 0 to 1; Y is the BT.601 luminance, the Gaussian has `HIGHPASS_SIGMA` and radius 4 sigma.
    """
    weights = rgb.new_tensor([0.299, 0.587, 0.114])
    luma = (rgb * weights[:, None, None]).sum(1, keepdim=True)
    radius = int(4 * HIGHPASS_SIGMA + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=rgb.device, dtype=rgb.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * HIGHPASS_SIGMA**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(luma, (radius,) * 4, mode="reflect")
    smooth = F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return F.adaptive_avg_pool2d((luma - smooth).abs(), size)


def _conv_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
