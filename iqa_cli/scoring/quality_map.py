"""Where in a picture the quality is good and where not: scores of overlapping tiles, blended into a map.

Each tile is one crop of the network, and its raw score goes through the weight's calibration by itself. That
map was fitted to whole pictures, so that differences inside of a picture mean more than the points as such:
a tile of sky is no photograph. Our own; no paper is followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqa_cli.errors import ImageError
from iqa_cli.images.crops import cutter, mirrored
from iqa_cli.images.photo import Photo
from iqa_cli.images.policy import SizePolicy, reduced_size
from iqa_cli.scoring.scorer import Scorer

#: Geometric-mean side that a larger picture is reduced to, unless its full resolution is asked for.
SIDE = 1024
#: Share of a tile's side between the beginnings of neighbours.
STEP = 0.25
#: Pixels (of the size looked at) that a cell of the map stands for, each way.
CELL = 8
#: Tiles computed at once; more only take memory.
_BATCH = 64


@dataclass(frozen=True)
class QualityMap:
    """A map of quality.

    Attributes:
        values: float32 [rows, columns], points (0 to 100, higher is better); a cell stands for CELL x CELL
            pixels of the size looked at, those of the last row and column perhaps for fewer.
        tiles: float32 [n], points of the tiles, row by row.
        width, height: Of the picture as displayed, pixels.
        seen: (width, height) at which it was looked at.
    """

    values: NDArray[np.float32]
    tiles: NDArray[np.float32]
    width: int
    height: int
    seen: tuple[int, int]


def quality_map(
    scorer: Scorer,
    photo: Photo,
    *,
    side: int | None = SIDE,
    step: float = STEP,
    progress: Callable[[int, int], None] | None = None,
) -> QualityMap:
    """Score tiles that cover a picture, and blend what overlaps.

    A cell is the mean of the tiles above it, each weighted by a hat that falls from 1 at its middle towards 0
    at its edges, so that the map has no seams. Memory is that of the picture, a batch of tiles and the map.

    Args:
        scorer: Its crops are the tiles.
        photo: Open at full size; what is transparent lies on the light background of scoring.
        side: Geometric-mean side in pixels that a larger picture is reduced to (its shorter side not under
            one tile); None for its full resolution.
        step: Distance of neighbouring tiles in sides of a tile, above 0 and at most 1.
        progress: Told how many tiles are done, of how many.

    Raises:
        ValueError: `step` is out of its range.
        ImageError: A side is under `SizePolicy.min_side`.
    """
    if not 0 < step <= 1:
        raise ValueError(f"step should be above 0 and at most 1, not {step}")
    policy = scorer.policy
    if min(photo.width, photo.height) < policy.min_side:
        raise ImageError(f"{photo.width}x{photo.height} pixels is too small for a map")
    size = (photo.width, photo.height)
    seen = size if side is None else reduced_size(*size, side, policy.crop)
    columns, rows = (_starts(length, policy.crop, step) for length in seen)
    places = [(x, y) for y in rows for x in columns]
    shape = (-(-seen[1] // CELL), -(-seen[0] // CELL))
    total, weight = np.zeros(shape), np.zeros(shape)
    hat_x, hat_y = (_hat(min(length, policy.crop)) for length in seen)
    tiles: list[NDArray[np.float32]] = []
    cut = _pixels(photo, seen, policy, places, quick=scorer.engine == "torch")
    for first in range(0, len(places), _BATCH):
        some = places[first : first + _BATCH]
        raw = scorer.predict_crops(np.stack([next(cut) for _ in some]))
        points = scorer.calibration(raw).astype(np.float32)
        tiles.append(points)
        for (x, y), value in zip(some, points, strict=True):
            top, left = y // CELL, x // CELL
            hat = hat_y[: shape[0] - top, None] * hat_x[None, : shape[1] - left]
            area = np.s_[top : top + hat.shape[0], left : left + hat.shape[1]]
            total[area] += hat * value
            weight[area] += hat
        if progress is not None:
            progress(min(first + _BATCH, len(places)), len(places))
    return QualityMap((total / weight).astype(np.float32), np.concatenate(tiles), *size, seen)


def _starts(length: int, crop: int, step: float) -> list[int]:
    """Starts of tiles at most `step` sides apart that cover a length; on whole cells but for the last."""
    if length <= crop:
        return [0]
    count = max(2, 1 + math.ceil((length - crop) / (crop * step)))
    return [round(i * (length - crop) / (count - 1)) for i in range(count)]


def _hat(length: int) -> NDArray[np.float64]:
    """Weight of a tile's cells along one side: 1 in the middle, low but never 0 at the edges."""
    cells = -(-length // CELL) + 1  # a tile that begins inside of a cell reaches into one more
    return 1.02 - np.abs(np.linspace(-1, 1, cells))


def _pixels(
    photo: Photo, seen: tuple[int, int], policy: SizePolicy, places: list[tuple[int, int]], *, quick: bool
) -> Iterator[NDArray[np.uint8]]:
    """The tiles, uint8 [crop, crop, 3], mirrored where the picture is smaller."""
    cut = cutter(photo, seen, policy.kernel, policy.backgrounds[1] if photo.has_alpha else None, quick)
    width, height = (min(policy.crop, length) for length in seen)
    return (mirrored(cut(x, y, width, height), policy.crop) for x, y in places)
