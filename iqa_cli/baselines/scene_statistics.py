"""Statistics of natural scenes: what BRISQUE, NIQE and PIQE share.

Mean-subtracted, contrast-normalised (MSCN) luminance, and asymmetric generalised Gaussian distributions
(AGGD) fitted by moments: Mittal, Moorthy and Bovik, "No-Reference Image Quality Assessment in the Spatial
Domain", IEEE TIP 21(12), 2012, equations 1 to 3 and 6 to 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from iqa_cli.baselines.plane import Floats

#: Pixels that a normalised pixel looks at to each side: a Gaussian of 7x7, standard deviation 7/6.
REACH = 3
#: Luminance, in grey levels, below which a difference is rounding of a plain area: it has no sign.
_NOTHING = 1e-6
#: Shapes that are tried, and the ratio of moments that each has: equation 9, rising from 0 to 3/4.
_SHAPES = np.arange(200, 10_001) / 1000
_RATIOS = np.exp(2 * gammaln(2 / _SHAPES) - gammaln(1 / _SHAPES) - gammaln(3 / _SHAPES))


def normalised(luminance: Floats) -> tuple[Floats, Floats]:
    """MSCN coefficients, equations 1 to 3 with C = 1.

    Args:
        luminance: [h + 2 * REACH, w], 0 to 255, with `REACH` more rows above and below.

    Returns:
        [h, w] coefficients, without a unit, and [h, w] local standard deviations in grey levels; columns
        beyond the edges repeat the edge.
    """
    mean = _blurred(luminance)
    centre = luminance[REACH:-REACH]
    deviation = np.sqrt(np.maximum(_blurred(luminance * luminance) - mean * mean, 0))
    difference = centre - mean
    difference[np.abs(difference) < _NOTHING] = 0
    return difference / (deviation + 1), deviation


def _blurred(luminance: Floats) -> Floats:
    smooth = cv2.GaussianBlur(
        luminance, (2 * REACH + 1, 2 * REACH + 1), 7 / 6, borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(smooth[REACH:-REACH], dtype=np.float64)


@dataclass
class Moments:
    """Sums over the values that a distribution is fitted to, gathered in pieces.

    Each attribute is one number or an array of them, one for each patch.

    Attributes:
        below, above: Sums of the squares of the negative and of the positive values.
        n_below, n_above: How many there are of them.
        absolute: Sum of the magnitudes.
    """

    below: Floats | float = 0.0
    above: Floats | float = 0.0
    n_below: Floats | float = 0.0
    n_above: Floats | float = 0.0
    absolute: Floats | float = 0.0

    def add(self, values: Floats, axis: tuple[int, ...] | None = None) -> None:
        """Count more values, summed over `axis`."""
        negative = np.minimum(values, 0)
        positive = np.maximum(values, 0)
        self.below += np.square(negative).sum(axis=axis)
        self.above += np.square(positive).sum(axis=axis)
        self.n_below += np.count_nonzero(negative, axis=axis)
        self.n_above += np.count_nonzero(positive, axis=axis)
        self.absolute += positive.sum(axis=axis) - negative.sum(axis=axis)

    def fit(self, n: int) -> tuple[Floats, Floats, Floats]:
        """Shape and the two deviations of an AGGD, equations 8 to 11.

        Args:
            n: How many values there are with those that are 0.

        Returns:
            (shape, left, right), each of the form of the attributes; NaN where the values do not lie on both
            sides of 0.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.sqrt(np.divide(self.below, self.n_below))
            right = np.sqrt(np.divide(self.above, self.n_above))
            ratio = left / right
            magnitude = np.square(np.divide(self.absolute, n)) / (np.add(self.below, self.above) / n)
            ratio = magnitude * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
        return np.where(np.isfinite(ratio), _shape(ratio), np.nan), left, right


def scale_of(shape: Floats) -> Floats:
    """What the deviation of a side times this is the scale (beta) of it: equations 6 and 7 of the paper."""
    return np.asarray(np.exp(0.5 * (gammaln(1 / shape) - gammaln(3 / shape))))


def mean_of(shape: Floats, left: Floats, right: Floats) -> Floats:
    """Mean of an AGGD from its shape and deviations: eta of the paper."""
    return np.asarray((right - left) * scale_of(shape) * np.exp(gammaln(2 / shape) - gammaln(1 / shape)))


def _shape(ratio: Floats) -> NDArray[np.float64]:
    """The shape whose ratio is nearest."""
    above = np.clip(np.searchsorted(_RATIOS, ratio), 1, len(_RATIOS) - 1)
    nearer = ratio - _RATIOS[above - 1] < _RATIOS[above] - ratio
    return _SHAPES[np.where(nearer, above - 1, above)]
