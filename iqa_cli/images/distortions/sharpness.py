"""KADID-10k's distortions of sharpness and contrast: high sharpen and contrast change."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from iqa_cli.images.distortions.common import Image, as_uint8, to_uint8

_SHARPEN_SIGMA = 1.5
_SHARPEN_AMOUNT = (0.6, 1.2, 2.3, 4.4, 8.5)
_STEEPNESS_UP = (3.5, 5.0, 7.0, 10.0, 17.0)
_STEEPNESS_DOWN = (3.5, 5.0, 7.0, 10.0, 17.0)


def high_sharpen(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Sharpened too much by an unsharp mask: halos at edges, noise brought out."""
    amount = _SHARPEN_AMOUNT[level - 1]
    blurred = cv2.GaussianBlur(image, (0, 0), _SHARPEN_SIGMA)
    return as_uint8(cv2.addWeighted(image, 1 + amount, blurred, -amount, 0))


def contrast_change(image: Image, level: int, rng: np.random.Generator) -> Image:
    """A sigmoid curve over the values of all channels, or its inverse; black, middle grey and white stay.

    Ours: whether contrast is raised (sigmoid) or lowered (inverse) is drawn once from the generator, so that
    with one seed all levels go the same way, each further than the one before; in the ladders in use for
    KADID-10k the direction changes from level to level [S].
    """
    return as_uint8(cv2.LUT(image, _curve(level, raised=bool(rng.integers(2)))))


@lru_cache(maxsize=10)
def _curve(level: int, raised: bool) -> Image:
    """Table [256] of the sigmoid through (0, 0), (1/2, 1/2) and (1, 1), or of its inverse."""
    x = np.linspace(0, 1, 256)
    if raised:
        steepness = _STEEPNESS_UP[level - 1]
        low, high = (1 / (1 + np.exp(-steepness * (end - 0.5))) for end in (0, 1))
        y = (1 / (1 + np.exp(-steepness * (x - 0.5))) - low) / (high - low)
    else:
        steepness = _STEEPNESS_DOWN[level - 1]
        low, high = (1 / (1 + np.exp(-steepness * (end - 0.5))) for end in (0, 1))
        inner = low + x * (high - low)
        y = 0.5 - np.log(1 / inner - 1) / steepness
    table = to_uint8(255 * y[None])[0]
    table.setflags(write=False)
    return table
