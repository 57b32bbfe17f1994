"""KADID-10k's noises: white in RGB and in YCbCr, impulse, multiplicative, and what a denoiser leaves."""

from __future__ import annotations

import cv2
import numpy as np

from iqa_cli.images.distortions.common import Image, as_uint8, to_uint8

_WHITE_SIGMA = (6.0, 11.0, 18.0, 30.0, 48.0)
_YCBCR_SIGMA = (4.5, 8.0, 13.0, 22.0, 36.0)
_IMPULSE_SHARE = (0.003, 0.01, 0.03, 0.08, 0.2)
_MULTIPLICATIVE_SIGMA = (0.06, 0.1, 0.17, 0.29, 0.5)
_DENOISE_SIGMA = (12.0, 20.0, 32.0, 48.0, 72.0)
_DENOISE_STRENGTH = 1.0
_DENOISE_PATCH, _DENOISE_SEARCH = 5, 9
# BT.601: R = Y + 1.402 Cr, G = Y - 0.344136 Cb - 0.714136 Cr, B = Y + 1.772 Cb
_YCBCR_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], dtype=np.float32)


def white_noise(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Additive white Gaussian noise, independent in the three channels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(_WHITE_SIGMA[level - 1])
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)


def white_noise_ycbcr(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Additive white Gaussian noise, independent and equal in Y, Cb and Cr of BT.601."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    # The transform is linear, so the noise is brought to RGB and the picture need not go to YCbCr and back.
    return to_uint8(image + cv2.transform(noise, _YCBCR_TO_RGB * np.float32(_YCBCR_SIGMA[level - 1])))


def impulse_noise(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Salt and pepper: a share of all values, each channel for itself, becomes 0 or 255."""
    draw = rng.integers(0, 65536, image.shape, dtype=np.uint16)
    half = round(_IMPULSE_SHARE[level - 1] * 32768)
    out = image.copy()
    out[draw < half] = 0
    out[draw >= 65536 - half] = 255
    return out


def multiplicative_noise(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Speckle: every value times 1 + Gaussian noise, each channel for itself."""
    gain = rng.standard_normal(image.shape, dtype=np.float32)
    gain *= np.float32(_MULTIPLICATIVE_SIGMA[level - 1])
    gain += 1
    gain *= image
    return to_uint8(gain)


def denoise(image: Image, level: int, rng: np.random.Generator) -> Image:
    """White noise, then removed by non-local means: texture gone, the strong edges left, patches of noise.

    KADID-10k denoises by DnCNN, a trained network; ours is non-local means (Buades, Coll and Morel, 2005),
    which needs no weights.
    """
    sigma = _DENOISE_SIGMA[level - 1]
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    noisy = to_uint8(image + noise)
    return as_uint8(
        cv2.fastNlMeansDenoising(noisy, None, sigma * _DENOISE_STRENGTH, _DENOISE_PATCH, _DENOISE_SEARCH)
    )
