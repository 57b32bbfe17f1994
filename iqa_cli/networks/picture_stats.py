"""Statistics of a crop's own pixels that a network made to see objects does not keep: brightness, colour,
gradients by octave, and how a blur correlates neighbours. Our own choice.

Histograms and moments are of every fourth pixel each way: 5,184 of a crop of 288 are enough for them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Distances in pixels at which gradients are correlated with themselves.
LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
OCTAVES = 4
#: Bins of the histograms of luma, and of the others.
LUMA_BINS, BINS = 17, 9
_STRIDE = 4
#: Half a step of 8 bits: what differs by less is the same.
_SAME = 0.5 / 255


def picture_statistics(rgb: Tensor) -> Tensor:
    """Statistics [N, STATISTICS], float32, of RGB [N, 3, H, W] in 0 to 1 with H, W from 64 up.

    In this order: histograms of luma, maximum, minimum, saturation (their difference), Cb and Cr, soft so
    that no value lies on an edge; means and deviations of R, G, B, luma, Cb, Cr and saturation; the shares of
    each channel that are clipped above and below; correlations of the channels; extremes of luma and of all
    channels; gradients of luma, and of luma, Cb and Cr in each lower octave; autocorrelations of the luma's
    first and second derivatives along rows and columns.
    """
    rgb = rgb.float()
    luma = _luma(rgb)
    parts = [*_tones(rgb[:, :, 1::_STRIDE, 1::_STRIDE]), _extremes(luma), _extremes(rgb)]
    parts += _gradients(luma)
    halved = rgb
    for _ in range(1, OCTAVES):
        halved = F.avg_pool2d(halved, 2)
        parts += _gradients(_planes(halved))
    for lines in (luma[:, 0], luma[:, 0].transpose(1, 2)):
        first = lines[:, :, 1:] - lines[:, :, :-1]
        parts += [_correlations(first), _correlations(first[:, :, 1:] - first[:, :, :-1])]
    return torch.cat(parts, 1)


def _luma(rgb: Tensor) -> Tensor:
    """[N, 1, H, W], 0 to 1."""
    return 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]


def _planes(rgb: Tensor) -> Tensor:
    """Luma, Cb and Cr, [N, 3, H, W]; the first in 0 to 1, the others around 0."""
    luma = _luma(rgb)
    return torch.cat([luma, 0.564 * (rgb[:, 2:] - luma), 0.713 * (rgb[:, :1] - luma)], 1)


def _tones(rgb: Tensor) -> list[Tensor]:
    luma, cb, cr = _planes(rgb).unbind(1)
    most, least = rgb.amax(1), rgb.amin(1)
    parts = [_histogram(luma, LUMA_BINS)]
    parts += [_histogram(x, BINS) for x in (most, least, most - least, cb + 0.5, cr + 0.5)]
    channels = torch.stack([*rgb.unbind(1), luma, cb, cr, most - least], 1).flatten(2)
    parts += [channels.mean(2), _deviation(channels)]
    flat = rgb.flatten(2)
    parts += [(flat > 1 - _SAME).float().mean(2), (flat < _SAME).float().mean(2)]
    centred = flat - flat.mean(2, keepdim=True)
    r, g, b = (centred / _deviation(flat)[:, :, None]).unbind(1)
    parts.append(torch.stack([(r * g).mean(1), (r * b).mean(1), (g * b).mean(1)], 1))
    return parts


def _histogram(x: Tensor, bins: int) -> Tensor:
    """Shares [N, bins]; a value between two centres counts for both."""
    places = torch.arange(bins, device=x.device, dtype=x.dtype)[:, None]
    return (1 - (x.flatten(1)[:, None] * (bins - 1) - places).abs()).clamp(min=0).mean(2)


def _deviation(x: Tensor) -> Tensor:
    return (x.var(2, unbiased=False) + 1e-6).sqrt()


def _extremes(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    return torch.stack([flat.amin(1), flat.amax(1)], 1)


def _gradients(planes: Tensor) -> list[Tensor]:
    """Of each plane: logarithms of the mean and root-mean-square steps along rows and columns and of the
    Laplacian, and the shares of the steps that are none."""
    parts = []
    for step in (planes[..., 1:] - planes[..., :-1], planes[..., 1:, :] - planes[..., :-1, :]):
        size = step.abs()
        parts += [_log(size.mean((2, 3))), _log(step.square().mean((2, 3)).sqrt())]
        parts.append((size < _SAME).float().mean((2, 3)))
    middle = planes[..., 1:-1, 1:-1]
    around = planes[..., 1:-1, :-2] + planes[..., 1:-1, 2:] + planes[..., :-2, 1:-1] + planes[..., 2:, 1:-1]
    parts.append(_log((4 * middle - around).abs().mean((2, 3))))
    return parts


def _log(x: Tensor) -> Tensor:
    return (x + 1e-4).log()


def _correlations(x: Tensor) -> Tensor:
    """Autocorrelations [N, LAGS] along the last axis of [N, H, W]."""
    power = x.square().mean((1, 2)).clamp(min=1e-8)
    return torch.stack([(x[:, :, lag:] * x[:, :, :-lag]).mean((1, 2)) / power for lag in LAGS], 1)


#: How many numbers that is.
STATISTICS = LUMA_BINS + 5 * BINS + 2 * 7 + 2 * 3 + 3 + 2 * 2 + (3 * OCTAVES - 2) * 7 + 4 * len(LAGS)
