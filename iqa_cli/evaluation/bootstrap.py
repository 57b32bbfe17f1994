"""Intervals of the figures: a bootstrap of groups, and above `BOOTSTRAP_MAX` pictures an analytic one.

Pictures of one group (same reference, or near-duplicates) are not independent: resampling them one by one
would make intervals too narrow.

Percentile intervals of few groups are too narrow as well; they are widened as Hesterberg gives it (What
Teachers Should Know About the Bootstrap, The American Statistician 69, 2015: expanded percentiles), so that
their tails are those of Student's distribution. tests/evaluation/test_coverage.py holds what they cover.

The correlation after the fit is greater on the pictures of the fit than that of the best curve on all
(`Logistic.flattery`); its interval is moved by as much, as R^2 is adjusted in any regression. The error has
an interval of its own (`iqa_cli.evaluation.error_interval`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy import stats

from iqa_cli.evaluation.error_interval import error_interval
from iqa_cli.evaluation.influence import Floats
from iqa_cli.evaluation.resample import Ints, Sample, resampled

#: Above so many pictures intervals are analytic; below, the two agree (tests/evaluation/test_bootstrap.py).
BOOTSTRAP_MAX = 20_000
#: Of two groups a resample is one of them or both: what such intervals cover is 60 to 70 %, not 95.
MIN_GROUPS = 3
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
        Lower and upper bound by name. One that is not defined (in all resamples one value; an error of too
        few groups) is left out.

    Raises:
        ValueError: There are fewer than `MIN_GROUPS` groups; or a figure after the fit is given, and the
            sample has none.
    """
    groups = count_groups(sample.groups)
    if groups < MIN_GROUPS:
        raise ValueError(f"an interval needs at least {MIN_GROUPS} groups of pictures")
    correlations = [name for name in values if name != "rmse"]
    found = {}
    if (method or method_for(len(sample.x))) == "analytic":
        for name in correlations:
            found[name] = _of_correlation(values[name], sample.influence(name), sample.groups, level)
    else:
        drawn = resampled(sample, correlations, resamples=resamples, seed=seed)
        for name in correlations:
            bounds = percentiles(drawn[name], groups, level)
            if bounds is not None:
                found[name] = bounds
    if "plcc_fitted" in found:
        flattery = sample.curve().flattery(sample.x, sample.y, sample.groups)
        found["plcc_fitted"] = _adjusted(found["plcc_fitted"], values["plcc_fitted"], flattery)
    if "rmse" in values:
        bounds = error_interval(sample, level)
        if bounds is not None:
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


def _adjusted(interval: tuple[float, float], value: float, factor: float) -> tuple[float, float]:
    """The interval of a correlation after the fit, had the curve not been fitted to the same pictures.

    The bounds are of a correlation that is not less than 0, and the value stays inside.
    """
    low, high = (np.sqrt(max(0.0, 1 - factor**2 * (1 - max(0.0, bound) ** 2))) for bound in interval)
    return float(low), max(float(high), value)
