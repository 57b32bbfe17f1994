"""The 4-parameter logistic that maps predictions to opinions before they are compared: its one home here.

The mapping of the VQEG reports (Video Quality Experts Group, Final Report, Phase II, 2003). PLCC and RMSE are
customarily given after it, since a metric is free to choose its own scale.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]

#: Fewer pictures than one more than there are parameters, and the curve would go through each of them.
MIN_TO_FIT = 5


def logistic4(x: Floats, b1: float, b2: float, b3: float, b4: float) -> Floats:
    """(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2.

    Args:
        x: [n] predictions.
        b1, b2: The values far to the right and far to the left.
        b3: Where it is half-way between them.
        b4: Its width; the sign does not count.
    """
    return (b1 - b2) / (1 + np.exp(-np.clip((x - b3) / max(abs(b4), 1e-12), -500, 500))) + b2


def fit_logistic(x: Floats, y: Floats) -> Floats | None:
    """`x` mapped by the logistic fitted to `y` by least squares.

    Args:
        x: [n] predictions, not all the same.
        y: [n] opinions, not all the same.

    Returns:
        [n] mapped predictions on the scale of `y`; None under `MIN_TO_FIT` pictures, and where the fit fails
        or is constant.
    """
    if len(x) < MIN_TO_FIT:
        return None
    start = (float(y.max()), float(y.min()), float(np.median(x)), float(np.std(x)) or 1.0)
    if np.corrcoef(x, y)[0, 1] < 0:
        start = (start[1], start[0], *start[2:])
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            parameters, _ = optimize.curve_fit(logistic4, x, y, p0=start, maxfev=20_000)
            mapped = logistic4(x, *parameters)
    except (RuntimeError, ValueError):
        return None
    return mapped if np.all(np.isfinite(mapped)) and np.ptp(mapped) > 1e-9 * np.ptp(y) else None
