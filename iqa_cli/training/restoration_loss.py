"""The loss of the restoration network: L1 weighted by an error map, and SSIM.

Published: a non-adversarial loss weighted by an error map. Ours: the map, its window and its scale, and the
SSIM.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Window and deviation of the error map's Gaussian, in pixels.
ERROR_WINDOW, ERROR_SIGMA = 21, 3.0
#: Those of SSIM, and its constants for values of 0 to 1 (Wang et al., IEEE TIP 13, 2004).
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def gaussian(window: int, sigma: float) -> Tensor:
    """A normalised Gaussian of odd length, [window]."""
    x = torch.arange(window, dtype=torch.float64) - window // 2
    values = torch.exp(-0.5 * (x / sigma) ** 2)
    return (values / values.sum()).float()


def smoothed(x: Tensor, window: int, sigma: float) -> Tensor:
    """Each channel under a Gaussian, where the window lies inside: [N, C, H, W] to [N, C, H-w+1, W-w+1]."""
    n, c, h, w = x.shape
    kernel = gaussian(window, sigma).to(x)
    x = F.conv2d(x.reshape(n * c, 1, h, w), kernel[None, None, :, None])
    x = F.conv2d(x, kernel[None, None, None, :])
    return x.reshape(n, c, h - window + 1, w - window + 1)


@torch.no_grad()
def error_map(restored: Tensor, pristine: Tensor) -> Tensor:
    """Where a restored picture is wrong: |restored - pristine|, mean of the channels, smoothed by a Gaussian
    (the border mirrored), over its maximum in each picture.

    Args:
        restored, pristine: RGB [N, 3, H, W], sides above 10.

    Returns:
        [N, 1, H, W], 0 to 1; without gradient. 0 where the two are the same everywhere.
    """
    border = ERROR_WINDOW // 2
    error = (restored - pristine).abs().mean(1, keepdim=True)
    error = smoothed(F.pad(error, 4 * (border,), mode="reflect"), ERROR_WINDOW, ERROR_SIGMA)
    return error / error.amax((2, 3), keepdim=True).clamp_min(1e-8)


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity [N] of pictures [N, C, H, W] of 0 to 1, sides above 10: the mean over channels
    and over all places where the 11x11 window (Gaussian, deviation 1.5) lies inside."""
    mean_one, mean_other, square_one, square_other, product = smoothed(
        torch.cat([one, other, one * one, other * other, one * other], 1), SSIM_WINDOW, SSIM_SIGMA
    ).chunk(5, 1)
    variance = square_one - mean_one**2 + square_other - mean_other**2
    covariance = product - mean_one * mean_other
    luminance = (2 * mean_one * mean_other + _C1) / (mean_one**2 + mean_other**2 + _C1)
    structure = (2 * covariance + _C2) / (variance + _C2)
    return (luminance * structure).mean((1, 2, 3))


def restoration_loss(
    restored: Tensor, pristine: Tensor, error_weight: float = 1.0, ssim_weight: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Mean of (1 + error_weight * error map) * |restored - pristine|, and ssim_weight * (1 - SSIM).

    Args:
        restored: RGB [N, 3, H, W], not bounded.
        pristine: RGB of 0 to 1.
        error_weight: What the map adds at the worst place of a picture to the 1 of every pixel.
        ssim_weight: Weight of the second term; at 0 it is not computed.

    Returns:
        The two terms, scalars.
    """
    difference = (restored - pristine).abs()
    weight = 1 + error_weight * error_map(restored, pristine) if error_weight else 1.0
    first = (weight * difference).mean()
    if not ssim_weight:
        return first, first.new_zeros(())
    return first, ssim_weight * (1 - ssim(restored, pristine)).mean()
