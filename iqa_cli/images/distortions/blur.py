"""KADID-10k's blurs: Gaussian, lens (a disk) and motion (a line)."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from iqa_cli.images.distortions.common import Image, as_uint8

_GAUSSIAN_SIGMA = (0.8, 1.3, 2.0, 3.2, 5.0)
_LENS_RADIUS = (1.3, 2.0, 3.2, 5.0, 8.0)
_MOTION_LENGTH = (3.5, 6.0, 10.0, 17.0, 29.0)


def gaussian_blur(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Isotropic Gaussian blur."""
    return as_uint8(cv2.GaussianBlur(image, (0, 0), _GAUSSIAN_SIGMA[level - 1]))


def lens_blur(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Blur of a lens out of focus: the mean over a disk."""
    return as_uint8(cv2.filter2D(image, -1, _disk(_LENS_RADIUS[level - 1])))


def motion_blur(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Blur of a straight, even movement in a random direction: the mean along a line."""
    return as_uint8(cv2.filter2D(image, -1, _line(_MOTION_LENGTH[level - 1], rng.uniform(0, math.pi))))


@lru_cache(maxsize=len(_LENS_RADIUS))
def _disk(radius: float, parts: int = 8) -> NDArray[np.float32]:
    """Share of every pixel that a disk covers, by `parts` x `parts` points in it; sums to 1."""
    reach = math.ceil(radius - 0.5)
    points = (np.arange((2 * reach + 1) * parts) + 0.5) / parts - reach - 0.5
    inside = points[:, None] ** 2 + points**2 <= radius**2
    kernel = inside.reshape(2 * reach + 1, parts, 2 * reach + 1, parts).mean((1, 3))
    kernel = (kernel / kernel.sum()).astype(np.float32)
    kernel.setflags(write=False)
    return kernel


def _line(length: float, angle: float, parts: int = 8) -> NDArray[np.float32]:
    """A line of `length` pixels, each of its points shared out to the four pixels around it; sums to 1."""
    reach = math.ceil((length - 1) / 2)
    steps = np.linspace(-(length - 1) / 2, (length - 1) / 2, max(2, round(length * parts)))
    x, y = steps * math.cos(angle) + reach, steps * math.sin(angle) + reach
    grid = np.arange(2 * reach + 1)
    across = np.maximum(0, 1 - np.abs(x[:, None] - grid))
    down = np.maximum(0, 1 - np.abs(y[:, None] - grid))
    kernel = down.T @ across
    return (kernel / kernel.sum()).astype(np.float32)
