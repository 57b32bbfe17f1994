"""Synthetic distortions: each type is a true ladder, strictly growing, none of its levels the identity.

The types are the 25 of KADID-10k (Lin, Hosu and Saupe, QoMEX 2019), WebP and AVIF. What each does follows the
description of that database [S]; the levels are our own, from 1 (just visible) to 5 (severe), because the
ladders in use have signs in them for saturation, mean shift and contrast and nearly vanish at some level.

All are functions of (picture, level, generator) without state: the same seed gives the same picture. Where a
type has a random place, direction or pattern, one seed gives the same for all levels. No type can change
a picture that has nothing for it to work on: a blur a plain area, less saturation a grey picture.
"""

from __future__ import annotations

import numpy as np

from iqa_cli.images.distortions import blur, colour, compression, light, noise, sharpness, spatial
from iqa_cli.images.distortions.common import Distortion, Image
from iqa_cli.images.distortions.compression import CodecError

__all__ = ["DISTORTIONS", "KADID_TYPES", "LEVELS", "TYPES", "CodecError", "Distortion", "Image", "distort"]

LEVELS = 5

# In the order of KADID-10k, whose file names count the types from 1: I01_<type>_<level>.png
_KADID: dict[str, Distortion] = {
    "gaussian_blur": blur.gaussian_blur,
    "lens_blur": blur.lens_blur,
    "motion_blur": blur.motion_blur,
    "color_diffusion": colour.color_diffusion,
    "color_shift": colour.color_shift,
    "color_quantization": colour.color_quantization,
    "color_saturation_1": colour.color_saturation_1,
    "color_saturation_2": colour.color_saturation_2,
    "jpeg2000": compression.jpeg2000,
    "jpeg": compression.jpeg,
    "white_noise": noise.white_noise,
    "white_noise_ycbcr": noise.white_noise_ycbcr,
    "impulse_noise": noise.impulse_noise,
    "multiplicative_noise": noise.multiplicative_noise,
    "denoise": noise.denoise,
    "brighten": light.brighten,
    "darken": light.darken,
    "mean_shift": light.mean_shift,
    "jitter": spatial.jitter,
    "non_eccentricity_patch": spatial.non_eccentricity_patch,
    "pixelate": spatial.pixelate,
    "quantization": spatial.quantization,
    "color_block": spatial.color_block,
    "high_sharpen": sharpness.high_sharpen,
    "contrast_change": sharpness.contrast_change,
}

KADID_TYPES: dict[str, int] = {name: number for number, name in enumerate(_KADID, 1)}
"""Name to KADID-10k's number, 1 to 25."""

TYPES: tuple[str, ...] = (*_KADID, "webp", "avif")
"""The 27 types; their order is fixed, because weights that name a distortion count by it."""

DISTORTIONS: dict[str, Distortion] = {
    **_KADID,
    "webp": compression.webp,
    "avif": compression.avif,
    "down_up": spatial.down_up,
}
"""`TYPES` and our own `down_up`."""


def distort(image: Image, name: str, level: int, rng: np.random.Generator) -> Image:
    """Distort one picture.

    Args:
        image: RGB [H, W, 3], uint8, from 64 x 64; it is not changed.
        name: A key of `DISTORTIONS`.
        level: 1 to `LEVELS`.
        rng: Source of everything random in it.

    Returns:
        RGB of the same size.

    Raises:
        ValueError: Unknown name, a level outside of 1 to `LEVELS`, or no uint8 [H, W, 3].
        CodecError: The library that compresses was built without the format.
    """
    if name not in DISTORTIONS or not 1 <= level <= LEVELS:
        raise ValueError(f"no distortion {name!r} at level {level}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    return DISTORTIONS[name](np.ascontiguousarray(image), level, rng)
