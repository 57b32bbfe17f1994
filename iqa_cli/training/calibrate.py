"""The calibration of a finished network: fitted where there are pictures enough, and told where not.

The curve of a weight is the logistic, unless a free one (isotonic) is better on pictures that neither was
fitted to.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import optimize

from iqa_cli.calibration import HIGHEST, LOWEST, Calibration
from iqa_cli.evaluation.correlation import Floats, logistic4
from iqa_cli.evaluation.folds import FOLDS, Ints, group_folds

#: Fewer pictures than these fit no curve. Simulated (opinions spread 0.17, outputs off by 0.06 to 0.1 and on
#: a scale of their own): from 6 to 30 pictures the fitted logistic often ends in a larger error on new
#: pictures than 100 x raw and in a lower PLCC; from 50 on in neither.
MIN_TO_FIT = 50
#: A logistic whose width is below this share of the spread of the outputs has nearly all of them at its ends.
LEAST_WIDTH = 0.25
#: A map whose points (5th to 95th percentile) spread less than this share of the opinions' is flat.
LEAST_SPREAD = 0.1
#: Bootstrap samples of an isotonic map, its points (two ends, the others at quantiles of the outputs), and
#: how far apart these are at least.
RESAMPLES, KNOTS, LEAST_STEP = 100, 43, 1e-6

_PLAIN: dict[str, Any] = {"kind": "linear", "slope": 100.0, "intercept": 0.0}
_MOVED = "a line through the mean output and the mean opinion"


@dataclass(frozen=True)
class Chosen:
    """A calibration, and why it is this one.

    Attributes:
        values: The map, for the card.
        remark: A sentence where no curve was fitted; None where one was.
        rmse: Curve -> its error in points on left-out folds of groups; empty where none was fitted.
    """

    values: dict[str, Any]
    remark: str | None
    rmse: dict[str, float] = field(default_factory=dict)


def choose_calibration(
    raw: Floats, mos: Floats, groups: Ints, start: Mapping[str, Any] | None = None
) -> Chosen:
    """The map from pooled outputs to points: `fit_calibration`'s, or an isotonic one where that is better.

    Where the logistic could be fitted, it is compared with `fit_isotonic` on ten folds of whole groups: the
    isotonic map is taken where its mean squared error is the lower one by more than one standard error of
    the difference over groups.

    Args:
        raw, mos, start: As of `fit_calibration`.
        groups: [n] codes; pictures of one group are not independent.
    """
    values, remark = fit_calibration(raw, mos, start)
    if remark is not None:
        return Chosen(values, remark)
    if len(np.unique(groups)) < MIN_TO_FIT:
        return Chosen(values, None)
    logistic = _left_out(lambda x, y: fit_calibration(x, y, start)[0], raw, mos, groups)
    isotonic = _left_out(fit_isotonic, raw, mos, groups)
    rmse = {
        name: round(float(np.sqrt(np.mean(errors))), 3)
        for name, errors in (("logistic", logistic), ("isotonic", isotonic))
    }
    gained = np.bincount(np.unique(groups, return_inverse=True)[1], weights=logistic - isotonic)
    if gained.sum() <= np.sqrt(np.sum((gained - gained.mean()) ** 2)):
        return Chosen(values, None, rmse)
    free = fit_isotonic(raw, mos)
    return Chosen(free if _sensible(free, raw, mos) else values, None, rmse)


def fit_isotonic(raw: Floats, mos: Floats) -> dict[str, Any]:
    """A rising map: the mean of the isotonic regressions of `RESAMPLES` bootstrap samples of the pictures.

    One regression alone is a staircase: where opinions happen to fall it is level, which gives a score to
    many pictures, and beside it steep. The mean of many has neither, and fits left-out pictures no worse.

    Args:
        raw: [n] pooled outputs, not all the same.
        mos: [n] MOS, 0 to 1.
    """
    rng = np.random.default_rng(0)
    fits = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(raw), size=len(raw))
        if np.ptp(raw[drawn]) > 0:
            fits.append(_regression(raw[drawn], mos[drawn]))
    ends = [min(x[0] for x, _ in fits), max(x[-1] for x, _ in fits)]
    knots = np.sort(np.append(np.quantile(raw, np.linspace(0, 1, KNOTS - 2)), ends))
    knots = knots[np.append(True, np.diff(knots) > LEAST_STEP)]
    points = np.mean([np.interp(knots, x, y) for x, y in fits], axis=0)
    return {"kind": "isotonic", "x": knots.tolist(), "y": np.clip(points, LOWEST, HIGHEST).tolist()}


def _regression(raw: Floats, mos: Floats) -> tuple[Floats, Floats]:
    """The rising map of least squares, by straight lines through the middles of its steps (centred isotonic
    regression: Oron and Flournoy, Statistics in Biopharmaceutical Research 9, 2017), so that it tells apart
    what the steps would not. Beyond the first and last it goes on with the slope of the straight line of
    least squares, down to 0 and up to 100. Points (x, y)."""
    outputs, place, counts = np.unique(raw, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=100 * mos) / counts
    found = optimize.isotonic_regression(means, weights=counts)
    steps = np.repeat(np.arange(len(found.blocks) - 1), np.diff(found.blocks))
    x = np.bincount(steps, weights=counts * outputs) / np.bincount(steps, weights=counts)
    y = np.clip(found.x[found.blocks[:-1]], LOWEST, HIGHEST)
    slope = max(float(np.polyfit(raw, 100 * mos, 1)[0]), 1.0)
    before, behind = x[0] - (y[0] - LOWEST) / slope, x[-1] + (HIGHEST - y[-1]) / slope
    if before < x[0]:
        x, y = np.append(before, x), np.append(LOWEST, y)
    if behind > x[-1]:
        x, y = np.append(x, behind), np.append(y, HIGHEST)
    return x, y


def _left_out(
    fit: Callable[[Floats, Floats], dict[str, Any]], raw: Floats, mos: Floats, groups: Ints
) -> Floats:
    """[n] squared errors in points, of each picture by the map fitted without its fold."""
    folds, errors = group_folds(groups), np.empty(len(raw))
    for fold in range(FOLDS):
        left = folds == fold
        points = Calibration.from_dict(fit(raw[~left], mos[~left]))(raw[left])
        errors[left] = (points - 100 * mos[left]) ** 2
    return errors


def fit_calibration(
    raw: Floats, mos: Floats, start: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], str | None]:
    """The map from pooled outputs to points.

    From `MIN_TO_FIT` pictures on it is the 4-parameter logistic of least squares to 100 x MOS, its ends held
    within 0 to 100. With fewer pictures, and where that curve is a step (`LEAST_WIDTH`), flat
    (`LEAST_SPREAD`) or cannot be fitted, no curve is: what is taken is 100 x raw, which is what a network is
    trained to give, or the calibration of the weight that the run started from, whichever has the smaller
    error on these pictures. A start's that is a step or flat here is not taken. Where 100 x raw is flat here
    or cuts off more than half of the outputs (those of a network hardly trained may all lie below 0 or above
    1), its place has a line through the mean output and the mean opinion, with a slope of at most 100. None
    of these falls.

    Args:
        raw: [n] pooled outputs.
        mos: [n] MOS, 0 to 1.
        start: Calibration on the card of the weight that the run started from.

    Returns:
        The map, for the card; and a sentence where no curve was fitted, None where the logistic was.
    """
    if len(raw) < MIN_TO_FIT:
        why = f"{len(raw)} pictures are too few to fit a curve to ({MIN_TO_FIT} would do)"
    else:
        fitted = _fit_logistic(raw, mos)
        if fitted is not None and _sensible(fitted, raw, mos):
            return fitted, None
        why = f"the curve fitted to {len(raw)} pictures is a step or flat, or none could be fitted"
    chosen, name = (dict(_PLAIN), "100 x raw") if _sensible(_PLAIN, raw, mos) else (_moved(raw, mos), _MOVED)
    if (
        start is not None
        and _sensible(start, raw, mos)
        and _error(start, raw, mos) <= _error(chosen, raw, mos)
    ):
        chosen, name = dict(start), "that of the start"
    return chosen, f"calibration: {why}; taken is {name}"


def _moved(raw: Floats, mos: Floats) -> dict[str, Any]:
    """A line through both means, of a slope of 100 or, where the outputs spread more than the opinions, of
    what makes them spread as much."""
    spread = float(np.std(raw))
    slope = 100 * min(1.0, float(np.std(mos)) / spread) if spread > 0 else 100.0
    # Opinions that are all the same leave a slope of 0, which is none.
    slope = max(slope, 1.0)
    return {"kind": "linear", "slope": slope, "intercept": float(100 * mos.mean() - slope * raw.mean())}


def _fit_logistic(raw: Floats, mos: Floats) -> dict[str, Any] | None:
    low, high = np.array([60.0, 0.0, -1.0, 1e-3]), np.array([100.0, 40.0, 2.0, 10.0])
    start = np.clip([95.0, 5.0, np.median(raw), np.std(raw)], low + 1e-6, high - 1e-6)
    try:
        with warnings.catch_warnings():
            # That the spread of the parameters is unknown: nobody asked.
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            found, _ = optimize.curve_fit(
                logistic4, raw, 100 * mos, p0=start, bounds=(low, high), maxfev=20_000
            )
    except (RuntimeError, ValueError):
        return None
    names = ("b1", "b2", "b3", "b4")
    return {"kind": "logistic", **{name: float(v) for name, v in zip(names, found, strict=True)}}


def _sensible(values: Mapping[str, Any], raw: Floats, mos: Floats) -> bool:
    """Whether a map tells these outputs apart: neither a step among them nor flat."""
    if values["kind"] == "logistic" and abs(values["b4"]) < LEAST_WIDTH * float(np.std(raw)):
        return False
    points = Calibration.from_dict(dict(values))(raw)
    if np.mean((points > LOWEST) & (points < HIGHEST)) < 0.5:  # the others are cut off
        return False
    return _reach(points) >= LEAST_SPREAD * _reach(100 * mos)


def _reach(values: Floats) -> float:
    low, high = np.percentile(values, (5, 95))
    return float(high - low)


def _error(values: Mapping[str, Any], raw: Floats, mos: Floats) -> float:
    return float(np.mean((Calibration.from_dict(dict(values))(raw) - 100 * mos) ** 2))
