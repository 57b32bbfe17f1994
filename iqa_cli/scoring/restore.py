"""Restoring a whole photograph with VCRNet's restoration network, in tiles whose borders cannot be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iqa_cli.errors import ImageError
from iqa_cli.images.photo import Photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.scoring.device import exact_arithmetic

#: The network halves four times: tiles begin at multiples of this, so that its grids lie as in the whole.
GRID = 16
#: What a restored pixel depends on reaches at most 79 pixels from it: per level, finest first, 1 (stem) + 2,
#: 1 + 2, 2 + 4, 4 + 8, 8 + 16 in the encoder, 16 + 8 + 4 + 2 + 1 in the decoder. A multiple of the grid.
MARGIN = 96
#: Side of what is kept of a tile.
TILE = 512


@dataclass(frozen=True)
class Tile:
    """A rectangle [y0, y1) x [x0, x1) to restore, and what the network sees for it, [top, bottom) x ..."""

    y0: int
    y1: int
    x0: int
    x1: int
    top: int
    bottom: int
    left: int
    right: int


def tiles(height: int, width: int, side: int = TILE, margin: int = MARGIN) -> Iterator[Tile]:
    """Tiles that cover a picture once, row by row.

    Args:
        height, width: Of the picture.
        side: Of a tile, a multiple of `GRID`.
        margin: Further pixels that the network sees on each side, where there are any; a multiple of `GRID`.

    Raises:
        ValueError: A figure is no multiple of the grid.
    """
    if side % GRID or margin % GRID or side < GRID or margin < 0:
        raise ValueError(f"side and margin should be multiples of {GRID}, not {side} and {margin}")
    for y0 in range(0, height, side):
        for x0 in range(0, width, side):
            y1, x1 = min(height, y0 + side), min(width, x0 + side)
            yield Tile(
                y0,
                y1,
                x0,
                x1,
                max(0, y0 - margin),
                min(height, y1 + margin),
                max(0, x0 - margin),
                min(width, x1 + margin),
            )


def restore_photo(
    network: RestorationNet,
    photo: Photo,
    device: torch.device,
    *,
    side: int = TILE,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """Restore a photograph at its full size.

    Each tile is computed with so much of its surroundings that its pixels are those of the whole picture, up
    to float32 rounding. Beside the decoded picture and the result, memory is that of one tile.

    Args:
        network: In evaluation mode.
        photo: Decoded; what is transparent lies on the light background of scoring.
        device: Where to compute.
        side: Of a tile.
        progress: Told how many tiles are done, of how many.

    Returns:
        uint8 [H, W, 3], sRGB.

    Raises:
        ImageError: A side is shorter than `GRID`.
    """
    height, width = photo.height, photo.width
    if min(height, width) < GRID:
        raise ImageError(f"{width}x{height} pixels is too small to restore: both sides need {GRID}")
    background = SizePolicy().backgrounds[1] if photo.has_alpha else None
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    restored = np.empty((height, width, 3), np.uint8)
    plan = list(tiles(height, width, side))
    for done, t in enumerate(plan, 1):
        pixels = photo.region(t.left, t.top, t.right - t.left, t.bottom - t.top, background)
        with torch.inference_mode(), exact_arithmetic(device):
            rgb = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(2, 0, 1)[None]
            found = network(rgb.float().div_(255))[0]
            kept = found[:, t.y0 - t.top : t.y1 - t.top, t.x0 - t.left : t.x1 - t.left]
            kept = (kept.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
        restored[t.y0 : t.y1, t.x0 : t.x1] = kept.cpu().numpy()
        if progress is not None:
            progress(done, len(plan))
    return restored
