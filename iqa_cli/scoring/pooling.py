"""From crop scores to the score of a picture: plain NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Calibrate = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class CropScores:
    """What the network said of each crop of one picture.

    Attributes:
        raw: float64 [N], output of the network (MOS in 0 to 1, not bounded).
        weight: float64 [N], share of each crop among those of its background.
        background: int [N], index of the background the crop was taken over; 0 for opaque pictures.
        said: float64 [N, K], what else the network says of each crop; K is 0 where it says no more. See
            `iqa_cli.scoring.naming`.
        full_resolution: bool [N], whether a crop shows the picture's own pixels.
        best: float64 [N], share of the crops of its view that count (`iqa_cli.images.crops.Crop`). Those
            under 1 are of one view. Empty where all crops count.
    """

    raw: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    background: npt.NDArray[np.int64]
    said: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    full_resolution: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    best: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Pooled:
    """The score of one picture. `score` and `spread` are in points (0 to 100), `raw` is MOS in 0 to 1."""

    score: float
    spread: float
    raw: float
    crops: int


def pool(scores: CropScores, calibrate: Calibrate) -> Pooled:
    """Pool the crops of a picture: a weighted mean for each background, of which the worst is kept.

        raw_b   = sum(v_i raw_i) / sum(v_i)            over the crops i of background b
        score   = calibrate(raw_b)                     of the background with the lowest score
        spread  = sqrt(sum(w_i (c_i - mean c)^2))      with c_i = calibrate(raw_i), in points

    v_i is w_i but where of a view only the best crops count: these share the weight of all of them.

    A picture with transparent parts looks as bad as it does on the background that suits it least.

    Raises:
        ValueError: There are no crops, or the network gave a value that is no finite number.
    """
    if scores.raw.size == 0:
        raise ValueError("the picture gave no crops")
    if not np.isfinite(scores.raw).all():
        raise ValueError("the network gave a value that is not a finite number")
    candidates = [_one(scores, index, calibrate) for index in np.unique(scores.background)]
    return min(candidates, key=lambda pooled: (pooled.score, pooled.raw))


def counted(
    raw: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], best: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Weights [N] of the crops of one background where of a view only the best count.

    Args:
        raw, weight, best: As of `CropScores`.
    """
    of_view = np.flatnonzero(best < 1)
    if not len(of_view):
        return weight
    kept = of_view[np.argsort(-raw[of_view], kind="stable")[: math.ceil(best[of_view[0]] * len(of_view))]]
    weights = weight.copy()
    weights[of_view] = 0
    weights[kept] = weight[of_view].sum() / len(kept)
    return weights


def _one(scores: CropScores, background: int, calibrate: Calibrate) -> Pooled:
    chosen = scores.background == background
    raws = scores.raw[chosen]
    weights = scores.weight[chosen] / scores.weight[chosen].sum()
    counting = counted(raws, weights, scores.best[chosen]) if scores.best.size else weights
    pooled = float(counting @ raws)
    points = np.asarray(calibrate(raws), dtype=np.float64)
    variance = float(weights @ np.square(points - weights @ points))
    return Pooled(
        score=float(np.asarray(calibrate(np.array([pooled])))[0]),
        spread=max(variance, 0.0) ** 0.5,
        raw=pooled,
        crops=int(chosen.sum()),
    )
