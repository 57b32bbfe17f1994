"""The luminance of a picture, band by band: what all baselines look at.

A picture may have 250 million pixels, and as floating-point numbers it would take many times its memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from iqa_cli.baselines import MIN_SIDE
from iqa_cli.errors import ImageError

Floats: TypeAlias = NDArray[np.float64]

#: Pixels of a band, about; its arrays take a few dozen MiB.
BAND_PIXELS = 500_000
#: Keys' cubic (a = -0.75) between every second pair of pixels: halving as OpenCV does it.
CUBIC = (-3 / 32, 19 / 32, 19 / 32, -3 / 32)


class Plane(Protocol):
    """Luminance at some scale, 0 to 255, whose rows are computed when they are asked for."""

    height: int
    width: int

    def rows(self, first: int, last: int) -> Floats:
        """[last - first, width] rows; beyond the upper and lower edge the edge is repeated."""
        ...


class Luminance:
    """The luminance of BT.601, rounded to whole levels as in the code of the papers.

    Args:
        rgb: [H, W, 3] uint8.

    Raises:
        ImageError: A side is shorter than `min_side`.
        ValueError: `rgb` is no such array.
    """

    def __init__(self, rgb: NDArray[np.uint8], min_side: int = MIN_SIDE) -> None:
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {list(rgb.shape)}")
        self._rgb = rgb
        self.height, self.width = rgb.shape[:2]
        if min(self.height, self.width) < min_side:
            raise ImageError(
                f"{self.width}x{self.height} pixels is too small: both sides must have at least {min_side}"
            )

    def levels(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """[n, W] whole rows of given numbers."""
        first, last = int(indices.min()), int(indices.max()) + 1
        band = cv2.cvtColor(np.ascontiguousarray(self._rgb[first:last]), cv2.COLOR_RGB2GRAY)
        return np.asarray(band[indices - first], dtype=np.uint8)

    def rows(self, first: int, last: int) -> Floats:
        return self.levels(np.clip(np.arange(first, last), 0, self.height - 1)).astype(np.float64)


class Halved:
    """Another plane at half its size; of an odd number of rows or columns the last one is left out.

    Args:
        source: The larger plane.
        taps: Weights of neighbouring pixels, an even number of them, symmetric.
    """

    def __init__(self, source: Plane, taps: tuple[float, ...] = CUBIC) -> None:
        self._source = source
        self._taps = taps
        self.height = source.height // 2
        self.width = source.width // 2

    def rows(self, first: int, last: int) -> Floats:
        inside = np.clip(np.arange(first, last), 0, self.height - 1)
        top, bottom = int(inside.min()), int(inside.max()) + 1
        reach = len(self._taps) // 2 - 1
        wide = self._source.rows(2 * top - reach, 2 * bottom + reach)[:, : 2 * self.width]
        low = _halved(wide, self._taps)
        sides = np.pad(low, ((0, 0), (reach, reach)), mode="edge")
        return _halved(sides.T, self._taps).T[inside - top]


def bands(plane: Plane, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """(first row, row after the last) of bands of about `BAND_PIXELS`, of `multiple` rows or a multiple of
    it, but for the last."""
    step = max(1, BAND_PIXELS // plane.width // multiple) * multiple
    for top in range(0, plane.height, step):
        yield top, min(plane.height, top + step)


def _halved(padded: Floats, taps: tuple[float, ...]) -> Floats:
    """[2 n + len(taps) - 2, k] to [n, k]."""
    n = (padded.shape[0] - len(taps)) // 2 + 1
    result = np.zeros((n, padded.shape[1]))
    for at, tap in enumerate(taps):
        result += tap * padded[at : at + 2 * n - 1 : 2]
    return result
