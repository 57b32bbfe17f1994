"""Pairs of pictures that might be near-duplicates: neighbours by their thumbnails, whole or cropped.

A thumbnail is made independent of exposure (logarithm, band-pass, unit length) and compared with those of all
other pictures, and with 15 crops of each of them: a copy that was cropped by up to a fifth of its width or
height is near one of these crops. All of it is our own choice.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.fingerprint import THUMBNAIL

Vectors = NDArray[np.float32]


class Box(NamedTuple):
    """A rectangle as shares of width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Box(0, 0, 1, 1)
#: Share of a side that a crop leaves out: copies with a fifth left out are still near enough to such a crop.
CROPPED = 0.15

# Neighbours of each picture that are looked at, and the least correlation that they need; for thumbnails as
# a whole and for crops, which are many and meet by chance more often.
_WHOLE_NEIGHBOURS, _WHOLE_LEAST = 16, 0.35
_CROP_NEIGHBOURS, _CROP_LEAST = 6, 0.55
_SIDE = 32
_COARSE = 12
# A picture whose logarithm varies less than this is flat, and resembles nothing.
_FLAT = 0.01
_BLOCK_CELLS = 8_000_000


def crops() -> list[Box]:
    """The whole, then crops at nine places, of full height at three, of full width at three."""
    kept = 1 - CROPPED
    places = (0.0, CROPPED / 2, CROPPED)
    boxes = [WHOLE]
    boxes += [Box(x, y, x + kept, y + kept) for x in places for y in places]
    boxes += [Box(x, 0, x + kept, 1) for x in places]
    boxes += [Box(0, y, 1, y + kept) for y in places]
    return boxes


def coarse(thumbnails: NDArray[np.uint8], box: Box = WHOLE) -> Vectors:
    """Descriptors that find candidates.

    Args:
        thumbnails: [n, 64, 64].
        box: The part of each that is described.

    Returns:
        [n, 144], of length 1 (less for flat pictures), so that a product is a correlation.
    """
    return _described(thumbnails, box, 1.0, 4.0, _COARSE)


def fine(thumbnails: NDArray[np.uint8]) -> Vectors:
    """Descriptors of finer detail, [n, 1024]: hardly any two scenes have a high product."""
    return _described(thumbnails, WHOLE, 0.0, 3.0, _SIDE)


def candidate_pairs(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.int64], Vectors]:
    """Pairs worth a closer look.

    Args:
        thumbnails: [n, 64, 64].

    Returns:
        Pairs of places, int64 [m, 2], the smaller first, each pair once; and their correlations [m]. Those
        that are most alike come first.
    """
    whole = coarse(thumbnails)
    found: dict[tuple[int, int], float] = {}
    for box in crops():
        is_whole = box == WHOLE
        others = whole if is_whole else coarse(thumbnails, box)
        neighbours = _WHOLE_NEIGHBOURS if is_whole else _CROP_NEIGHBOURS
        _neighbours(whole, others, neighbours, _WHOLE_LEAST if is_whole else _CROP_LEAST, found)
    _identical(thumbnails, found)
    ordered = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    pairs = np.array([pair for pair, _ in ordered], np.int64).reshape(-1, 2)
    return pairs, np.array([value for _, value in ordered], np.float32)


def _described(
    thumbnails: NDArray[np.uint8], box: Box, inner: float, outer: float, side: int
) -> NDArray[np.float32]:
    """Crop, reduce, take the logarithm, keep what lies between two scales, and bring it to length 1."""
    left, top, right, bottom = (round(THUMBNAIL * share) for share in box)
    vectors = np.empty((len(thumbnails), side * side), np.float32)
    for place, thumbnail in enumerate(thumbnails):
        part = np.ascontiguousarray(thumbnail[top:bottom, left:right]).astype(np.float32)
        level = np.log(cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) + 8)
        detail = cv2.GaussianBlur(level, (0, 0), inner) if inner else level
        band = detail - cv2.GaussianBlur(level, (0, 0), outer)
        small = cv2.resize(band, (side, side), interpolation=cv2.INTER_AREA).ravel() if side < _SIDE else band
        vector = small.ravel() - small.mean()
        vectors[place] = vector / max(float(np.linalg.norm(vector)), _FLAT * side)
    return vectors


def _neighbours(
    whole: Vectors, others: Vectors, count: int, least: float, found: dict[tuple[int, int], float]
) -> None:
    """Add the nearest `count` of each picture to what was found, a block of rows at a time."""
    number = len(whole)
    count = min(count, number - 1)
    if count < 1:
        return
    rows = max(1, _BLOCK_CELLS // number)
    for start in range(0, number, rows):
        products = whole[start : start + rows] @ others.T
        own = np.arange(len(products))
        products[own, start + own] = -1
        nearest = np.argpartition(-products, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(products, nearest, axis=1)
        for row, column in zip(*np.nonzero(values > least), strict=True):
            one, other = start + int(row), int(nearest[row, column])
            pair = (min(one, other), max(one, other))
            found[pair] = max(found.get(pair, -1.0), float(values[row, column]))


def _identical(thumbnails: NDArray[np.uint8], found: dict[tuple[int, int], float]) -> None:
    """Join thumbnails that are equal to the last bit: more of them than neighbours are looked at."""
    first_of: dict[bytes, int] = {}
    for place, thumbnail in enumerate(thumbnails):
        first = first_of.setdefault(thumbnail.tobytes(), place)
        if first != place:
            found[first, place] = 1.0
