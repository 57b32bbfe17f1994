"""Synthetic distortions for training: each type is a true ladder, strictly growing, none of its levels the
identity.

Levels run from 1 (just visible) to 5 (severe); they are our own.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

LEVELS = 5
_BLUR_SIGMA = (0.8, 1.3, 2.0, 3.2, 5.0)
_NOISE_SIGMA = (6.0, 11.0, 18.0, 30.0, 48.0)
_JPEG_QUALITY = (43, 28, 18, 10, 5)
_WEBP_QUALITY = (40, 25, 14, 6, 1)
_DOWN_FACTOR = (1.6, 2.2, 3.0, 4.2, 6.0)


def gaussian_blur(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Isotropic Gaussian blur."""
    return _uint8(cv2.GaussianBlur(image, (0, 0), _BLUR_SIGMA[level - 1]))


def white_noise(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Additive white Gaussian noise, independent in the three channels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(_NOISE_SIGMA[level - 1])
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)


def jpeg(image: Image, level: int, rng: np.random.Generator) -> Image:
    """JPEG compression, 4:2:0."""
    return _recode(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY[level - 1])


def webp(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Lossy WebP compression."""
    return _recode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY[level - 1])


def down_up(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Reduced and enlarged again, as an upscaled thumbnail is."""
    height, width = image.shape[:2]
    factor = _DOWN_FACTOR[level - 1]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return _uint8(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC))


DISTORTIONS: dict[str, Callable[[Image, int, np.random.Generator], Image]] = {
    "gaussian_blur": gaussian_blur,
    "white_noise": white_noise,
    "jpeg": jpeg,
    "webp": webp,
    "down_up": down_up,
}


def distort(image: Image, name: str, level: int, rng: np.random.Generator) -> Image:
    """Distort one picture.

    Args:
        image: RGB [H, W, 3], uint8.
        name: A key of `DISTORTIONS`.
        level: 1 to `LEVELS`.
        rng: Source of randomness of the noise.

    Returns:
        RGB of the same size.

    Raises:
        ValueError: Unknown name, or a level outside of 1 to `LEVELS`.
    """
    if name not in DISTORTIONS or not 1 <= level <= LEVELS:
        raise ValueError(f"no distortion {name!r} at level {level}")
    return DISTORTIONS[name](image, level, rng)


def _recode(image: Image, extension: str, key: int, quality: int) -> Image:
    ok, data = cv2.imencode(extension, np.ascontiguousarray(image[:, :, ::-1]), [key, quality])
    if not ok:
        raise ValueError(f"OpenCV cannot encode {extension}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return _uint8(np.ascontiguousarray(decoded[:, :, ::-1]))


def _uint8(image: object) -> Image:
    return np.asarray(image, dtype=np.uint8)
