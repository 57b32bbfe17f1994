"""NIQE: how far the statistics of a picture are from those of undistorted photographs. No opinions in it.

Mittal, Soundararajan and Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal Processing
Letters 20(3), 2013. For each patch of 96x96 pixels 18 statistics at full and at half size; a multivariate
Gaussian over the patches of a picture, and its distance from one over the patches of pristine photographs.

The pristine model is one of our own [O], of photographs with a free licence (`benchmarks/niqe_model.py`):
scores are like those printed for NIQE elsewhere, and not the same.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from iqa_cli.baselines.plane import Floats, Halved, Luminance, Plane, bands
from iqa_cli.baselines.scene_statistics import REACH, Moments, mean_of, normalised, scale_of
from iqa_cli.errors import ImageError

MODEL = Path(__file__).with_name("niqe.safetensors")
PATCH = 96
#: Four patches: fewer have no spread to speak of.
MIN_SIDE = 2 * PATCH
# Keys' cubic (a = -0.5) stretched over eight pixels: halving as MATLAB's imresize does it.
_ANTIALIASED = (-3 / 256, -9 / 256, 29 / 256, 111 / 256, 111 / 256, 29 / 256, -9 / 256, -3 / 256)
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


def score(rgb: NDArray[np.uint8]) -> float:
    """NIQE, from 0 up, mostly 2 to 15; lower is better.

    Args:
        rgb: [H, W, 3] uint8.

    Raises:
        ImageError: A side is shorter than 192 pixels, or fewer than two patches of the picture have
            statistics, because the others are plain.
    """
    found, _ = patches(rgb)
    model = _model()
    return distance(found, model["mean"], model["covariance"])


def distance(found: Floats, mean: Floats, covariance: Floats) -> float:
    """Distance of the patches of a picture from a pristine model, equation 10.

    Args:
        found: [n, 36] features.
        mean: [36], of the model.
        covariance: [36, 36], of the model.

    Raises:
        ImageError: Fewer than two patches have features.
    """
    found = found[np.isfinite(found).all(axis=1)]
    if len(found) < 2:
        raise ImageError("is too plain or regular: NIQE is not defined on it")
    apart = mean - found.mean(axis=0)
    pooled = (covariance + np.cov(found, rowvar=False)) / 2
    # A handful of patches may lie in a plane: the pseudo-inverse, as in the authors' program.
    return float(np.sqrt(max(0.0, apart @ np.linalg.pinv(pooled) @ apart)))


def patches(rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Statistics of the patches of a picture; what is left of whole patches at its right and lower edge is
    cut off.

    Returns:
        [n, 36] features, NaN for a plain patch (at full and at half size the shape and scale of the MSCN
        coefficients, then shape, mean, left and right scale of the products of neighbours), and [n]
        sharpness: the mean local deviation in grey levels at full size.

    Raises:
        ImageError: A side is shorter than 192 pixels.
    """
    Luminance(rgb, MIN_SIDE)  # refuses
    height, width = (side // PATCH * PATCH for side in rgb.shape[:2])
    picture = Luminance(rgb[:height, :width], MIN_SIDE)
    full, sharpness = _patches(picture, PATCH)
    half, _ = _patches(Halved(picture, _ANTIALIASED), PATCH // 2)
    return np.hstack([full, half]), sharpness


@lru_cache(maxsize=1)
def _model() -> dict[str, Floats]:
    return load_file(MODEL)


def _patches(plane: Plane, side: int) -> tuple[Floats, Floats]:
    """[n, 18] features of patches at one scale and [n] their mean local deviations."""
    features, sharpness = [], []
    for top, bottom in bands(plane, side):
        coefficients, deviations = normalised(plane.rows(top - REACH, bottom + REACH))
        tiles = _tiles(coefficients, side)
        features.append(_features(tiles))
        sharpness.append(_tiles(deviations, side).mean(axis=(1, 2)))
    return np.concatenate(features), np.concatenate(sharpness)


def _tiles(values: Floats, side: int) -> Floats:
    """[h, w] to [n, side, side], row by row."""
    tiles = values.reshape(-1, side, values.shape[1] // side, side).swapaxes(1, 2)
    return tiles.reshape(-1, side, side)


def _features(tiles: Floats) -> Floats:
    """[n, side, side] MSCN coefficients to [n, 18] features."""
    shape, left, right = _fit(tiles)
    found = [shape, scale_of(shape) * (left + right) / 2]
    for shift in _SHIFTS:
        # The neighbour of the last row is the first one, as in the authors' program.
        shape, left, right = _fit(tiles * np.roll(tiles, shift, axis=(1, 2)))
        scale = scale_of(shape)
        found += [shape, mean_of(shape, left, right), scale * left, scale * right]
    return np.stack(found, axis=1)


def _fit(tiles: Floats) -> tuple[Floats, Floats, Floats]:
    moments = Moments()
    moments.add(tiles, axis=(1, 2))
    return moments.fit(tiles.shape[1] * tiles.shape[2])
