"""What is kept of a picture to find its near-duplicates: a small grey thumbnail and local features.

The thumbnail finds candidates among thousands of pictures, since comparing two of them is one product of
vectors; the local features tell whether two candidates show the same scene. SIFT: D. Lowe, Distinctive image
features from scale-invariant keypoints, International Journal of Computer Vision 60(2), 2004, as in OpenCV;
the square root of its histograms: R. Arandjelovic and A. Zisserman, Three things everyone should know to
improve object retrieval, CVPR 2012. Sizes and thresholds are our own choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from iqa_cli.images.decode import open_photo

#: Side of the thumbnail; the picture is squeezed to a square.
THUMBNAIL = 64
#: Longer side of the picture in which local features are looked for. Copies of all sizes are brought to it.
SIDE = 256
#: Most local features of a picture that are kept.
FEATURES = 200
#: Length of the descriptor of a feature.
DESCRIPTOR = 128
# Raises contrast in dark and in bright regions alike, so that another exposure has the same features.
_CLIP, _GRID = 3.0, (4, 4)
_CONTRAST = 0.01


@dataclass(frozen=True)
class Fingerprint:
    """A picture for comparisons.

    Attributes:
        thumbnail: Grey, uint8 [64, 64].
        points: Places of the features, float32 [n, 2] of x and y in pixels of a picture whose longer side
            is `SIDE`.
        descriptors: uint8 [n, 128]; the square root of SIFT's histograms, 255 for 1.
    """

    thumbnail: NDArray[np.uint8]
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def fingerprint(path: Path) -> Fingerprint:
    """The fingerprint of a picture; transparent pixels lie over white.

    Raises:
        ImageError: It cannot be read.
    """
    with open_photo(path, draft_side=SIDE, min_side=1) as photo:
        factor = SIDE / max(photo.width, photo.height)
        size = max(8, round(photo.width * factor)), max(8, round(photo.height * factor))
        pixels = photo.resized(*size, "bilinear", 255 if photo.has_alpha else None)
    return fingerprint_of(pixels)


def fingerprint_of(pixels: NDArray[np.uint8]) -> Fingerprint:
    """The fingerprint of sRGB pixels, uint8 [H, W, 3], whose longer side is `SIDE`."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    thumbnail = np.asarray(small, np.uint8)
    even = cv2.createCLAHE(_CLIP, _GRID).apply(grey)
    keypoints, found = cv2.SIFT.create(nfeatures=FEATURES, contrastThreshold=_CONTRAST).detectAndCompute(
        even, None
    )
    if found is None or not len(keypoints):
        empty = np.zeros((0, DESCRIPTOR), np.uint8)
        return Fingerprint(thumbnail, np.zeros((0, 2), np.float32), empty)
    # OpenCV may give more than it was asked for, where features are equally strong.
    points = np.array([keypoint.pt for keypoint in keypoints[:FEATURES]], np.float32)
    histograms = found[:FEATURES]
    roots = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1e-6))
    return Fingerprint(thumbnail, points, np.rint(255 * roots).astype(np.uint8))


@dataclass(frozen=True)
class Match:
    """How well two pictures fit on each other by their local features.

    Attributes:
        points: Number of different places that a similarity (shift, rotation, scale) brings together.
        spread: Of these places the smallest standard deviation over the two axes and the two pictures, in
            pixels: a logo in a corner, or a line of text, has a small one.
    """

    points: int
    spread: float


NO_MATCH = Match(0, 0.0)
_RATIO = 0.85
_REACH = 5.0
_CELL = 4.0
_SCALE = (0.5, 2.0)


def match(
    points: NDArray[np.float32],
    descriptors: NDArray[np.uint8],
    other_points: NDArray[np.float32],
    other_descriptors: NDArray[np.uint8],
) -> Match:
    """Fit the local features of two pictures on each other; the same whichever of the two comes first.

    A feature counts where its nearest neighbour in the other picture is clearly nearer than the second
    (Lowe's ratio), which is looked at in both directions; the better one counts. The similarity is found by
    RANSAC, which OpenCV starts from the same seed each time.

    Args:
        points, descriptors: Of one picture, as in `Fingerprint`.
        other_points, other_descriptors: Of the other.
    """
    if len(points) < 4 or len(other_points) < 4:
        return NO_MATCH
    one, other = descriptors.astype(np.float32), other_descriptors.astype(np.float32)
    squares = (one * one).sum(1)[:, None] + (other * other).sum(1)[None] - 2 * one @ other.T
    there = _fit(points, other_points, squares)
    back = _fit(other_points, points, np.ascontiguousarray(squares.T))
    return max(there, back, key=lambda fit: (fit.points, fit.spread))


def _fit(
    points: NDArray[np.float32], other_points: NDArray[np.float32], squares: NDArray[np.float32]
) -> Match:
    """Fit in one direction; `squares` [n, m] are the squared distances of the descriptors."""
    nearest = squares.argmin(axis=1)
    rows = np.arange(len(points))
    # Rounding may leave a distance of equal descriptors below 0.
    first = np.maximum(squares[rows, nearest], 0)
    others = squares.copy()
    others[rows, nearest] = np.inf
    sure = first < _RATIO**2 * others.min(axis=1)
    if sure.sum() < 4:
        return NO_MATCH
    here, there = points[sure], other_points[nearest[sure]]
    similarity, inside = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=500
    )
    if similarity is None:
        return NO_MATCH
    scale = float(np.hypot(similarity[0, 0], similarity[1, 0]))
    if not _SCALE[0] < scale < _SCALE[1]:
        return NO_MATCH
    kept = inside.ravel() > 0
    fitted = here[kept], there[kept]
    # SIFT gives some places twice, with two directions, and clusters on textures: places count, not features.
    places = min(len(np.unique(np.rint(part / _CELL), axis=0)) for part in fitted)
    return Match(places, float(min(part.std(axis=0).min() for part in fitted)))
