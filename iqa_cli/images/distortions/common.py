"""What the distortions share: the type of a picture, rounding, and CIE Lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Distortion = Callable[[Image, int, np.random.Generator], Image]


def as_uint8(image: object) -> Image:
    """What OpenCV returned, which is uint8 already, under that type."""
    return np.asarray(image, dtype=np.uint8)


def to_uint8(values: NDArray[Any]) -> Image:
    """Round to the nearest of 0 to 255 and clip.

    Args:
        values: Floats [H, W, 3] on the scale 0 to 255.
    """
    return as_uint8(cv2.convertScaleAbs(np.maximum(values, 0)))


def to_lab(image: Image) -> NDArray[np.float32]:
    """RGB to CIE Lab (D65): float32 [H, W, 3], L in 0 to 100, a and b about -100 to 100."""
    scaled = image.astype(np.float32)
    scaled *= np.float32(1 / 255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), dtype=np.float32)


def from_lab(lab: NDArray[np.float32]) -> Image:
    """CIE Lab to RGB; what lies outside of sRGB is clipped per channel."""
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return to_uint8(np.asarray(rgb, dtype=np.float32) * np.float32(255))
