"""How far a picture is from the photographs that the shipped weights were trained on, by simple statistics of
a small view of it.

Fourteen statistics of light, edges and colour; their mean and covariance over the part `train` of BIQ2021 are
in `scene_distance.json`, and the distance is that of Mahalanobis. That photographs have such statistics in
common, whatever they show, is what NIQE and its kin rest on (Mittal, Soundararajan and Bovik, IEEE SPL 2013,
doi 10.1109/LSP.2012.2227726); the choice of these fourteen and the limit are our own. A distance beyond the
limit says that next to no photograph of the training looks like this, not that a score is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Plane = NDArray[Any]

#: Shorter side of the smallest view that has these statistics, pixels.
LEAST = 32
#: What is added before logarithms and divisors, on a scale of 1.
_SLOPE, _SPREAD = 0.002, 0.02
_LEVELS = 64
_FILE = Path(__file__).with_name("scene_distance.json")


@dataclass(frozen=True)
class Scenes:
    """What the photographs are like.

    Attributes:
        mean: [14] of the statistics.
        precision: [14, 14] inverse of their covariance.
        limit: Distance that hardly any of the photographs goes beyond.
    """

    mean: Floats
    precision: Floats
    limit: float

    def distance(self, view: NDArray[np.uint8]) -> float:
        """Of one view, as of `statistics`."""
        return float(self.distances(statistics(view)[None])[0])

    def distances(self, found: Floats) -> Floats:
        """[n] of the statistics [n, 14] of views."""
        apart = found - self.mean
        return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", apart, self.precision, apart)))


@cache
def scenes() -> Scenes:
    """Those of the file that comes with the program."""
    found = json.loads(_FILE.read_text(encoding="utf-8"))
    return Scenes(np.array(found["mean"]), np.array(found["precision"]), float(found["limit"]))


def statistics(view: NDArray[np.uint8]) -> Floats:
    """The statistics [14] of a view.

    Args:
        view: sRGB uint8 [height, width, 3], its longer side 256 pixels (what was smaller, as it is), both at
            least `LEAST`.

    Returns:
        Mean of luma and log of its deviation; logs of the mean slope at full size, and of how it changes from
        full size to a half and from that to a quarter; log of curvature against slope; logs of the kurtosis
        of slopes and of locally normalised luma; log of horizontal against vertical slopes; logs of mean and
        deviation of opponent colours; entropy of luma in bits; share of neighbours that are exactly alike;
        evenness of the local contrast.
    """
    rgb = view.astype(np.float32) / 255
    luma = rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    red_green, yellow_blue = rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    across, down = np.diff(luma, axis=1), np.diff(luma, axis=0)
    slopes = [_log_slope(luma), _log_slope(_reduced(luma, 0.5)), _log_slope(_reduced(luma, 0.25))]
    curvature = float(np.abs(cv2.Laplacian(luma, cv2.CV_32F)).mean()) / 4
    mean = cv2.GaussianBlur(luma, (7, 7), 7 / 6)
    contrast = np.sqrt(np.maximum(cv2.GaussianBlur(luma * luma, (7, 7), 7 / 6) - mean * mean, 0))
    shares = np.bincount((luma * (_LEVELS - 0.001)).astype(np.int64).ravel(), minlength=_LEVELS) / luma.size
    shares = shares[shares > 0]
    return np.array(
        [
            luma.mean(),
            np.log(luma.std() + _SPREAD),
            slopes[0],
            slopes[1] - slopes[0],
            slopes[2] - slopes[1],
            np.log(curvature + _SLOPE) - slopes[0],
            _log_kurtosis(np.concatenate([across.ravel(), down.ravel()])),
            _log_kurtosis((luma - mean) / (contrast + 1 / 255)),
            np.log(np.abs(across).mean() + _SLOPE) - np.log(np.abs(down).mean() + _SLOPE),
            np.log(np.hypot(red_green, yellow_blue).mean() + _SPREAD),
            np.log(np.sqrt(red_green.var() + yellow_blue.var()) + _SPREAD),
            -(shares * np.log2(shares)).sum(),
            (view[:, 1:] == view[:, :-1]).all(axis=2).mean(),
            contrast.mean() / (contrast.std() + _SLOPE),
        ],
        dtype=np.float64,
    )


def fit_scenes(found: Floats, beyond: float) -> Scenes:
    """Mean, precision and limit of photographs.

    Args:
        found: [n, 14] statistics of each.
        beyond: Share of them, 0 to 1, that lies beyond the limit.
    """
    # A handful of odd photographs must not stretch what counts as usual: they are drawn in before the fit.
    usual = np.clip(found, *np.percentile(found, (0.5, 99.5), axis=0))
    mean = np.asarray(usual.mean(axis=0), dtype=np.float64)
    precision = np.linalg.inv(np.cov(usual.T) + 1e-6 * np.eye(len(mean))).astype(np.float64)
    boundless = Scenes(mean, precision, np.inf)
    return replace(boundless, limit=float(np.percentile(boundless.distances(found), 100 * (1 - beyond))))


def write_scenes(fitted: Scenes, command: str, photographs: int) -> None:
    """Replace the file that comes with the program, with what made it."""
    text = json.dumps(
        {
            "made by": command,
            "photographs": photographs,
            "limit": round(fitted.limit, 4),
            "mean": [float(f"{value:.6g}") for value in fitted.mean],
            "precision": [[float(f"{value:.6g}") for value in row] for row in fitted.precision],
        },
        indent=1,
    )
    _FILE.write_text(text + "\n", encoding="utf-8")


def _reduced(luma: Plane, factor: float) -> Plane:
    return np.asarray(cv2.resize(luma, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def _log_slope(luma: Plane) -> float:
    mean = np.abs(np.diff(luma, axis=1)).mean() + np.abs(np.diff(luma, axis=0)).mean()
    return float(np.log(mean / 2 + _SLOPE))


def _log_kurtosis(values: Plane) -> float:
    squares = values.astype(np.float64) ** 2
    return float(np.log((squares**2).mean() / (squares.mean() ** 2 + 1e-12) + 1))
