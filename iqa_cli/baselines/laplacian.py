"""Sharpness as the variance of the Laplacian: the simplest baseline that says anything.

Pech-Pacheco, Cristobal, Chamorro-Martinez and Fernandez-Valdivia, "Diatom autofocusing in brightfield
microscopy: a comparative study", ICPR 2000, measure LAP4: the variance of the response to

    0  1  0
    1 -4  1
    0  1  0

which is `cv2.Laplacian(grey, cv2.CV_64F).var()`. It takes noise for sharpness.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from iqa_cli.baselines.plane import Luminance, bands


def score(rgb: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the luminance, in grey levels squared; higher is sharper.

    Args:
        rgb: [H, W, 3] uint8.

    Raises:
        ImageError: A side is shorter than 16 pixels.
    """
    picture = Luminance(rgb)
    last = picture.height - 1
    total = squares = 0
    for top, bottom in bands(picture):
        # The row beyond an edge mirrors the one inside of it; `cv2.Laplacian` does so with the columns.
        wanted = np.abs(np.arange(top - 1, bottom + 1))
        wanted = last - np.abs(last - wanted)
        response = cv2.Laplacian(picture.levels(wanted), cv2.CV_16S)[1:-1].astype(np.int64)
        total += int(response.sum())
        squares += int((response * response).sum())
    # In whole numbers up to here: exact, whatever the bands.
    count = picture.height * picture.width
    return (squares * count - total * total) / (count * count)
