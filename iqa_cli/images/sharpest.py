"""Where a large photograph is sharp: which few of many places its crops at full resolution are taken at.

Most of a close-up is out of focus on purpose, and most of a landscape may be sky. What the photographer cared
for is what is in focus, and a fault of the whole, shake, noise or compression, is there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

# Rows that are looked at, one of so many: enough to tell which of several places is the sharper.
_ROWS = 4


def sharpness(pixels: npt.NDArray[np.uint8]) -> float:
    """Mean square of the discrete Laplacian of the sum of the channels, at every fourth row.

    Whole numbers all along, so that every machine chooses the same places. It grows with contrast and with
    noise too; between places of one picture it mostly tells what is in focus.

    Args:
        pixels: uint8 [h, w, 3].

    Returns:
        0 where nothing varies, and for what has fewer than 3 rows or columns.
    """
    h, w, _ = pixels.shape
    if h < 3 or w < 3:
        return 0.0
    middles = np.arange(1, h - 1, _ROWS)
    above, here, below = (_summed(pixels[middles + step]) for step in (-1, 0, 1))
    curved = 4 * here[:, 1:-1] - here[:, :-2] - here[:, 2:] - above[:, 1:-1] - below[:, 1:-1]
    return float(np.square(curved, dtype=np.int64).sum()) / curved.size


def sharpest(
    cut: Callable[[int, int, int, int], npt.NDArray[np.uint8]],
    places: Sequence[tuple[int, int]],
    size: tuple[int, int],
    number: int,
) -> list[tuple[int, int]]:
    """The sharpest of several places of a picture, in the order in which they were given.

    Args:
        cut: Gives the rectangle x, y, w, h of the picture as uint8 [h, w, 3].
        places: Upper left corners of rectangles inside of the picture.
        size: Width and height of the rectangles.
        number: How many to keep, at least 1; of equally sharp ones the first.
    """
    found = [sharpness(cut(x, y, *size)) for x, y in places]
    kept = sorted(range(len(places)), key=lambda index: (-found[index], index))[:number]
    return [places[index] for index in sorted(kept)]


def _summed(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    total = rows[..., 0].astype(np.int32)
    total += rows[..., 1]
    total += rows[..., 2]
    return total
