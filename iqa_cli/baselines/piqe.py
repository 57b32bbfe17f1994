"""PIQE: how distorted the blocks are that catch the eye. Nothing in it is learned.

Venkatanath N, Praneeth D, Maruthi Chandrasekhar Bh, Channappayya and Medasani, "Blind image quality
evaluation using perception based features", NCC 2015. Constants and order of steps are those of the authors'
program as it is used in the field (MATLAB's `piqe`; PyPI has it as `pypiqe`, which the tests compare with).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iqa_cli.baselines.plane import Floats, Luminance, bands
from iqa_cli.baselines.scene_statistics import REACH, normalised

_BLOCK = 16
# A block catches the eye from this variance on; an edge segment is unnaturally even below this deviation.
_ACTIVE = 0.1
_EVEN = 0.1
_SEGMENT = 6
# Of 16 columns the two in the middle; and the other ones as the program has them, which leaves out the
# eighth and the tenth, not the eighth and the ninth. Scores in the literature are made with that.
_CENTRE = [7, 8]
_SURROUND = [column for column in range(_BLOCK) if column not in (7, 9)]


def score(rgb: NDArray[np.uint8]) -> float:
    """PIQE, about 0 to 100, lower is better; 100 where no block catches the eye.

    Args:
        rgb: [H, W, 3] uint8.

    Raises:
        ImageError: A side is shorter than 16 pixels.
    """
    picture = Luminance(rgb)
    height = -(-picture.height // _BLOCK) * _BLOCK
    right = -picture.width % _BLOCK
    brightest = max(int(picture.levels(np.arange(*band)).max()) for band in bands(picture))
    distortion, n_active = 0.0, 0
    for top, bottom in bands(picture, _BLOCK):
        # Filled up to whole blocks by a mirror image; beyond that the edge is repeated.
        wanted = np.clip(np.arange(top - REACH, -(-bottom // _BLOCK) * _BLOCK + REACH), 0, height - 1)
        wanted = np.where(wanted < picture.height, wanted, 2 * picture.height - 1 - wanted)
        levels = np.pad(picture.levels(wanted), ((0, 0), (0, right)), mode="symmetric")
        stretched = np.round(255 * (levels / max(1, brightest)))
        coefficients, _ = normalised(stretched)
        blocks = coefficients.reshape(-1, _BLOCK, coefficients.shape[1] // _BLOCK, _BLOCK).swapaxes(1, 2)
        found, active = _distortion(blocks.reshape(-1, _BLOCK, _BLOCK))
        distortion += found
        n_active += active
    return 100 * (distortion + 1) / (n_active + 1)


def _distortion(blocks: Floats) -> tuple[float, int]:
    """[n, 16, 16] MSCN blocks to the sum of their distortions, and how many of them catch the eye."""
    variance = blocks.var(axis=(1, 2), ddof=1)
    blocks, variance = blocks[variance > _ACTIVE], variance[variance > _ACTIVE]
    return float(((1 - variance) * _uneven(blocks) + variance * _noisy(blocks, variance)).sum()), len(blocks)


def _uneven(blocks: Floats) -> NDArray[np.bool_]:
    """[n] whether some stretch of an edge of the block is too even: a seam of blocks, or something sudden."""
    edges = np.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], axis=1)
    segments = np.lib.stride_tricks.sliding_window_view(edges, _SEGMENT, axis=2)
    return np.asarray((segments.std(axis=3, ddof=1) < _EVEN).any(axis=(1, 2)))


def _noisy(blocks: Floats, variance: Floats) -> NDArray[np.bool_]:
    """[n] whether the middle of the block varies as what is around it: noise is the same everywhere."""
    deviation = np.sqrt(variance)
    middle = blocks[:, :, _CENTRE].std(axis=(1, 2), ddof=1)
    around = blocks[:, :, _SURROUND].std(axis=(1, 2), ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(middle / around, nan=0.0, posinf=np.inf)
        unlike = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
    return np.asarray(deviation > 2 * unlike)
