"""BRISQUE: support vectors over 36 statistics of natural scenes.

Mittal, Moorthy and Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE TIP 21(12),
2012: 18 features (table I) at full and at half size, then support vector regression with a radial kernel.

The support vectors are those of the PyPI package `brisque` 0.2.0, from which `benchmarks/brisque_model.py`
has taken them; K. R. Shrimali's C++ program (LearnOpenCV, 2018, MIT) has the same. docs/evaluation.md tells
what is known of where these have them from: from the authors' release, trained on LIVE; its notice is in
`brisque-notice.txt`. Order and scaling of the features are those of that program and of OpenCV's
`cv2.quality`, with which and these vectors the tests compare: other than in the paper, an asymmetric
distribution is fitted to the MSCN coefficients too, so that scores are like the authors', and not the same.

Where a picture is compressed so strongly that parts of it are plain, programs differ by some points: in
theirs the sign of a rounding error counts, here it does not.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from iqa_cli.baselines.plane import Floats, Halved, Luminance, Plane, bands
from iqa_cli.baselines.scene_statistics import REACH, Moments, mean_of, normalised
from iqa_cli.errors import ImageError

MODEL = Path(__file__).with_name("brisque.safetensors")


def score(rgb: NDArray[np.uint8]) -> float:
    """BRISQUE, about 0 to 100 and not clamped, lower is better.

    Args:
        rgb: [H, W, 3] uint8.

    Raises:
        ImageError: A side is shorter than 16 pixels, or the picture is plain or a regular pattern.
    """
    return predicted(features(rgb))


def features(rgb: NDArray[np.uint8]) -> Floats:
    """[36] features: at full and at half size the shape and variance of the MSCN coefficients, then shape,
    mean, left and right variance of the products of neighbours (across, down, the two diagonals).

    Raises:
        ImageError: A side is shorter than 16 pixels, or the picture is plain or a regular pattern.
    """
    picture = Luminance(rgb)
    found = np.concatenate([_features(plane) for plane in (picture, Halved(picture))])
    if not np.isfinite(found).all():
        raise ImageError("is too plain or regular: BRISQUE is not defined on it")
    return found


def predicted(found: Floats) -> float:
    """The score for [36] features."""
    model = _model()
    scaled = 2 * (found - model["low"]) / (model["high"] - model["low"]) - 1
    distance = np.square(model["vectors"] - scaled).sum(axis=1)
    kernel = np.exp(-float(model["gamma"][0]) * distance)
    return float((model["coefficients"] * kernel).sum() - model["rho"][0])


@lru_cache(maxsize=1)
def _model() -> dict[str, Floats]:
    return {name: value.astype(np.float64) for name, value in load_file(MODEL).items()}


def _features(plane: Plane) -> Floats:
    """[18] features at one scale."""
    sums = [Moments() for _ in range(5)]
    for top, bottom in bands(plane):
        # One row more, for the products with the row below; at the lower edge there is none.
        more = int(bottom < plane.height)
        wide, _ = normalised(plane.rows(top - REACH, bottom + more + REACH))
        own = wide[: bottom - top]
        upper, lower = wide[: len(wide) - 1], wide[1:]
        pieces = (
            own,
            own[:, :-1] * own[:, 1:],
            upper * lower,
            upper[:, :-1] * lower[:, 1:],
            lower[:, :-1] * upper[:, 1:],
        )
        for moments, piece in zip(sums, pieces, strict=True):
            moments.add(piece)
    # A pixel without a neighbour counts as a product of 0.
    fits = [moments.fit(plane.height * plane.width) for moments in sums]
    shape, left, right = fits[0]
    found = [shape, (left**2 + right**2) / 2]
    for shape, left, right in fits[1:]:
        found += [shape, mean_of(shape, left, right), left**2, right**2]
    return np.array(found, dtype=np.float64)
