"""KADID-10k's spatial distortions: jitter, non-eccentricity patch, pixelate, quantisation, colour block; and
our own, reduction and enlargement."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from iqa_cli.images.distortions.common import Image, as_uint8

_JITTER_SIGMA = (0.35, 0.6, 1.0, 1.8, 3.4)
_PATCH_SHARE = (0.04, 0.09, 0.18, 0.36, 0.8)
_PIXEL_SIDE = (2, 3, 5, 8, 13)
_VALUES = (12, 8, 5, 3, 2)
_BLOCKS = (2, 4, 8, 15, 28)
_DOWN_FACTOR = (1.6, 2.2, 3.0, 4.2, 6.0)


def jitter(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Every pixel taken from a random place near it, by bicubic interpolation.

    Ours: one Gaussian offset for each pixel; KADID-10k warps five times by smaller ones.
    """
    height, width = image.shape[:2]
    offset = rng.standard_normal((2, height, width), dtype=np.float32)
    offset *= np.float32(_JITTER_SIGMA[level - 1])
    offset[0] += np.arange(width, dtype=np.float32)
    offset[1] += np.arange(height, dtype=np.float32)[:, None]
    return as_uint8(
        cv2.remap(image, offset[0], offset[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    )


def non_eccentricity_patch(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Small square patches, each replaced by another from close by.

    The patches are 16 px wide (an eighth of the short side if that is less) and copied over 1 to 1.5 of their
    widths, as many for the area of the picture as the level says; a higher level has those of the lower and
    further ones.
    """
    height, width = image.shape[:2]
    side = max(1, min(16, min(height, width) // 8))
    tiles = height * width / side**2
    counts = [math.ceil(share * tiles) for share in _PATCH_SHARE]
    place, angle, far = rng.random((counts[-1], 2)), rng.random(counts[-1]), rng.random(counts[-1])
    room = np.array([height - side, width - side])
    target = np.rint(place * room).astype(int)
    angle *= 2 * math.pi
    offset = np.stack([np.sin(angle), np.cos(angle)], axis=1) * (side * (1 + far / 2))[:, None]
    source = np.rint(target + offset).astype(int)
    # Over the border the other way: clipping would leave patches where they are.
    source = np.where((source < 0) | (source > room), np.rint(target - offset).astype(int), source)
    source = np.clip(source, 0, room)
    out = image.copy()
    # The last ones first, so that no further patch undoes what the lower levels have.
    for patch in reversed(range(counts[level - 1])):
        (y, x), (v, u) = target[patch], source[patch]
        out[y : y + side, x : x + side] = image[v : v + side, u : u + side]
    return out


def pixelate(image: Image, level: int, rng: np.random.Generator) -> Image:
    """The mean over squares of pixels, shown as squares."""
    height, width = image.shape[:2]
    side = _PIXEL_SIDE[level - 1]
    down, across = -(-height // side), -(-width // side)
    padded = cv2.copyMakeBorder(
        image, 0, down * side - height, 0, across * side - width, cv2.BORDER_REFLECT_101
    )
    small = cv2.resize(padded, (across, down), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (across * side, down * side), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(as_uint8(large)[:height, :width])


def quantization(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Few values, the same for the three channels, set by the thresholds of Otsu's method.

    Otsu's thresholds are those of least variance within the classes; each class becomes its mean.
    """
    histogram = np.bincount(image.reshape(-1), minlength=256)
    table = _least_variance(histogram, _VALUES[level - 1])
    return as_uint8(cv2.LUT(image, table))


def color_block(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Squares of one random colour each, a twelfth of the short side wide, in random places.

    The numbers are for a square picture, and as many more as another is longer; a higher level has the
    squares of the lower and further ones.
    """
    height, width = image.shape[:2]
    short = min(height, width)
    side = max(1, round(short / 12))
    counts = [round(blocks * max(height, width) / short) for blocks in _BLOCKS]
    place = rng.random((counts[-1], 2))
    colour = rng.integers(0, 256, (counts[-1], 3), dtype=np.uint8)
    corner = np.rint(place * [height - side, width - side]).astype(int)
    out = image.copy()
    # The last ones first, so that no further square hides one that the lower levels have.
    for block in reversed(range(counts[level - 1])):
        y, x = corner[block]
        out[y : y + side, x : x + side] = colour[block]
    return out


def down_up(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Reduced and enlarged again, as an upscaled thumbnail is (ours, not one of KADID-10k)."""
    height, width = image.shape[:2]
    factor = _DOWN_FACTOR[level - 1]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return as_uint8(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC))


def _least_variance(histogram: NDArray[np.int64], classes: int) -> Image:
    """Table [256] from a value to the mean of its class, for the contiguous classes of least variance.

    Dynamic programming over the last value of each class: exact, where a search over all thresholds would
    take 255 choose (classes - 1) steps.
    """
    value = np.arange(256)
    count, total, square = (np.concatenate([[0], np.cumsum(histogram * value**p)]) for p in (0, 1, 2))
    # cost[i, j]: squared error of one class that holds the values i to j - 1.
    number = count[None] - count[:, None]
    sums = (total[None] - total[:, None]).astype(float)
    cost = (square[None] - square[:, None]) - sums**2 / np.maximum(number, 1)
    cost[_below_diagonal()] = np.inf
    best, came = cost[0], []
    for _ in range(classes - 1):
        way = best[:, None] + cost
        came.append(way.argmin(0))
        best = np.take_along_axis(way, came[-1][None], 0)[0]
    table, end = np.zeros(256, np.uint8), 256
    for step in reversed(came):
        start = int(step[end])
        _fill(table, start, end, count, total)
        end = start
    _fill(table, 0, end, count, total)
    return table


def _fill(table: Image, start: int, end: int, count: NDArray[np.int64], total: NDArray[np.int64]) -> None:
    number = int(count[end] - count[start])
    if number:
        table[start:end] = round(float(total[end] - total[start]) / number)


@lru_cache(maxsize=1)
def _below_diagonal() -> NDArray[np.bool_]:
    return np.tril(np.ones((257, 257), dtype=bool), -1)
