"""KADID-10k's distortions of brightness: brighten, darken and mean shift."""

from __future__ import annotations

import numpy as np

from iqa_cli.images.distortions.common import Image, from_lab, to_lab, to_uint8

_CURVE = (1.2, 1.45, 1.8, 2.4, 3.5)
_MEAN_SHIFT = (14.0, 26.0, 43.0, 66.0, 100.0)


def brighten(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Lightness L of Lab raised by 1 - (1 - L)^g: black and white stay, what lies between grows lighter."""
    lab = to_lab(image)
    dark = np.clip(1 - lab[:, :, 0] / 100, 0, 1)
    lab[:, :, 0] = 100 - 100 * dark ** np.float32(_CURVE[level - 1])
    return from_lab(lab)


def darken(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Lightness L of Lab lowered to L^g: black and white stay, what lies between grows darker."""
    lab = to_lab(image)
    light = np.clip(lab[:, :, 0] / 100, 0, 1)
    lab[:, :, 0] = 100 * light ** np.float32(_CURVE[level - 1])
    return from_lab(lab)


def mean_shift(image: Image, level: int, rng: np.random.Generator) -> Image:
    """One constant added to all values, or taken from them, and clipped.

    Ours: the direction is that with more room, up for a picture darker than the middle and down for a lighter
    one, so that every level moves further than the one before it; in the ladders in use for KADID-10k it
    changes from level to level [S].
    """
    sign = 1 if image.mean() < 127.5 else -1
    return to_uint8(image + np.float32(sign * _MEAN_SHIFT[level - 1]))
