"""Intervals of the figures: a bootstrap of groups, and above `BOOTSTRAP_MAX` pictures an analytic one.

Pictures of one group (same reference, or near-duplicates) are not independent: resampling them one by one
would make intervals too narrow.

Percentile intervals of few groups are too narrow as well; they are widened as Hesterberg gives it (What
Teachers Should Know About the Bootstrap, The American Statistician 69, 2015: expanded percentiles), so that
their tails are those of Student's distribution. tests/evaluation/test_coverage.py holds what they cover.

The error on the pictures of the fit is smaller than that of the best curve (`Logistic.flattery`), and the
correlation after it greater: both intervals are moved by as much, that of the correlation as R^2 is adjusted
in any regression. That of the error is made with the bootstrap's t; of 30 groups it still covers some 91 %
only, of 10 groups 87 %, where those of the correlations keep their level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy import stats

from iqa_cli.evaluation.influence import Floats
from iqa_cli.evaluation.resample import Ints, Sample, resampled, studentised_error

#: Above so many pictures intervals are analytic; below, the two agree (tests/evaluation/test_bootstrap.py).
BOOTSTRAP_MAX = 20_000
#: Where fewer resamples than these lie beyond 0, p is that of their mean and deviation: counts are too vague.
_COUNTED = 10

Method = Literal["bootstrap", "analytic"]


def method_for(pictures: int) -> Method:
    """How the intervals of so many pictures are made."""
    return "bootstrap" if pictures <= BOOTSTRAP_MAX else "analytic"


def intervals(
    sample: Sample,
    values: Mapping[str, float],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    method: Method | None = None,
) -> dict[str, tuple[float, float]]:
    """Intervals of figures.

    Args:
        sample: What they are of.
        values: Name of a figure (`iqa_cli.evaluation.resample.FIGURES`) -> its value on the sample.
        resamples: Bootstrap samples.
        level: Coverage.
        seed: Seed, so that the same table is printed again.
        method: By default as the number of pictures asks for (`method_for`).

    Returns:
        Lower and upper bound by name. One that is not defined (in all resamples one value) is left out.

    Raises:
        ValueError: There is only one group, of which nothing can be resampled; or a figure after the fit is
            given, and the sample has none.
    """
    groups = count_groups(sample.groups)
    if groups < 2:
        raise ValueError("an interval needs at least 2 groups of pictures")
    correlations = [name for name in values if name != "rmse"]
    analytic = (method or method_for(len(sample.x))) == "analytic"
    found = {}
    if analytic:
        for name in correlations:
            found[name] = _of_correlation(values[name], sample.influence(name), sample.groups, level)
    else:
        drawn = resampled(sample, correlations, resamples=resamples, seed=seed)
        for name in correlations:
            bounds = percentiles(drawn[name], groups, level)
            if bounds is not None:
                found[name] = bounds
    if "plcc_fitted" in found:
        found["plcc_fitted"] = _adjusted(found["plcc_fitted"], values["plcc_fitted"], _flattery(sample))
    if "rmse" in values:
        ts = None if analytic else studentised_error(sample, resamples=resamples, seed=seed)
        bounds = _of_error(values["rmse"], sample, groups, level, ts)
        # Two or three groups may leave the error without an upper bound; no figure is infinite.
        if np.isfinite(bounds[1]):
            found["rmse"] = bounds
    return found


def count_groups(groups: Ints) -> int:
    """How many groups there are."""
    return len(np.unique(groups))


def influence_error(influence: Floats, groups: Ints) -> float:
    """The standard error of a figure from its influence values [n], those of a group taken together."""
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=influence)
    size = len(sums)
    return float(np.sqrt(size / (size - 1) * np.sum(sums**2))) / len(influence)


def percentiles(drawn: Floats, groups: int, level: float) -> tuple[float, float] | None:
    """The expanded percentile interval of resampled figures; None where none of them is defined."""
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return None
    tail = stats.norm.cdf(_expansion(groups) * stats.t.ppf((1 - level) / 2, groups - 1))
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)


def p_value(drawn: Floats, groups: int) -> float | None:
    """Two-sided p of no difference, from resampled differences; None where none of them is defined.

    As `percentiles` gives it: 1 less the greatest level at which the interval leaves out 0. Where next to no
    resample lies beyond 0, their tail is taken to be normal: else no p could be less than 2 in the number of
    resamples, and none would be left after a correction for many comparisons.
    """
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return None
    beyond = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    if beyond >= _COUNTED:
        deviate = float(stats.norm.ppf((beyond + 1) / (len(defined) + 1)))
    else:
        with np.errstate(divide="ignore"):
            deviate = float(-np.abs(defined.mean()) / defined.std())
    return min(1.0, 2 * float(stats.t.cdf(deviate / _expansion(groups), groups - 1)))


def _expansion(groups: int) -> float:
    """What the bootstrap's deviation is too small by."""
    return float(np.sqrt(groups / (groups - 1)))


def _of_correlation(value: float, influence: Floats, groups: Ints, level: float) -> tuple[float, float]:
    """Student's interval on Fisher's z."""
    if abs(value) >= 1:
        return value, value
    size = count_groups(groups)
    reach = (
        float(stats.t.ppf((1 + level) / 2, size - 1)) * influence_error(influence, groups) / (1 - value**2)
    )
    return float(np.tanh(np.arctanh(value) - reach)), float(np.tanh(np.arctanh(value) + reach))


def _of_error(
    value: float, sample: Sample, groups: int, level: float, ts: Floats | None
) -> tuple[float, float]:
    """The interval of the RMSE, on its logarithm, with the bootstrap's t or, without one, Student's."""
    if value == 0:
        return value, value
    error = influence_error(sample.influence("rmse"), sample.groups) / value
    tails = np.array([(1 + level) / 2, (1 - level) / 2])
    defined = np.empty(0) if ts is None else ts[np.isfinite(ts)]
    quantiles = np.quantile(defined, tails) if len(defined) else stats.t.ppf(tails, groups - 1)
    with np.errstate(over="ignore"):
        low, high = value * _flattery(sample) * np.exp(-quantiles * error)
    return min(float(low), value), max(float(high), value)


def _adjusted(interval: tuple[float, float], value: float, factor: float) -> tuple[float, float]:
    """The interval of a correlation after the fit, had the curve not been fitted to the same pictures.

    The bounds are of a correlation that is not less than 0, and the value stays inside.
    """
    low, high = (np.sqrt(max(0.0, 1 - factor**2 * (1 - max(0.0, bound) ** 2))) for bound in interval)
    return float(low), max(float(high), value)


def _flattery(sample: Sample) -> float:
    return sample.curve().flattery(sample.x, sample.y, sample.groups)
