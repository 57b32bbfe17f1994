"""How well scores follow opinions: rank and linear correlations with intervals. Plain NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from iqa_cli.evaluation.logistic import Floats, fit_logistic, logistic4

__all__ = ["Agreement", "Floats", "agreement", "fit_logistic", "logistic4", "srcc_interval"]


@dataclass(frozen=True)
class Agreement:
    """Agreement of predictions with opinions, both oriented so that higher is better; signs are kept.

    Attributes:
        n: Pictures.
        srcc: Spearman's rank correlation, ties at their mean rank.
        krcc: Kendall's tau-b.
        plcc: Pearson's correlation of the raw predictions.
        plcc_fitted: Pearson's correlation after the 4-parameter logistic; None where the fit did not
            converge, or there are too few pictures for one.
        rmse: Root mean square error after the same logistic, in units of the opinions; None likewise.
    """

    n: int
    srcc: float
    krcc: float
    plcc: float
    plcc_fitted: float | None
    rmse: float | None


def agreement(predictions: Sequence[float] | Floats, opinions: Sequence[float] | Floats) -> Agreement:
    """Compare predictions with opinions.

    Args:
        predictions: [n] scores of a network, higher is better.
        opinions: [n] MOS, oriented so that higher is better.

    Raises:
        ValueError: Fewer than three pictures, different lengths, values that are not finite, or constant
            values, for which a correlation is not defined.
    """
    x, y = _checked(predictions, opinions)
    mapped = fit_logistic(x, y)
    plcc = float(stats.pearsonr(x, y).statistic)
    if not np.isfinite(plcc):
        raise ValueError("the values are too nearly the same: a correlation is not defined")
    return Agreement(
        n=len(x),
        srcc=float(stats.spearmanr(x, y).statistic),
        krcc=float(stats.kendalltau(x, y).statistic),
        plcc=plcc,
        plcc_fitted=None if mapped is None else float(stats.pearsonr(mapped, y).statistic),
        rmse=None if mapped is None else float(np.sqrt(np.mean((mapped - y) ** 2))),
    )


def srcc_interval(
    predictions: Sequence[float] | Floats,
    opinions: Sequence[float] | Floats,
    groups: Sequence[str],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the SRCC that resamples groups, not pictures.

    Pictures of one group (same reference or near-duplicates) are not independent; resampling them one by one
    would make the interval too narrow.

    Args:
        predictions: [n] scores.
        opinions: [n] MOS.
        groups: [n] names of groups.
        resamples: Bootstrap samples.
        level: Coverage.
        seed: Seed, so that the same table is printed again.

    Returns:
        Lower and upper bound.

    Raises:
        ValueError: As for `agreement`; or there is only one group, of which nothing can be resampled.
    """
    x, y = _checked(predictions, opinions)
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ValueError("an interval needs at least 2 groups of pictures")
    order = np.argsort(member, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(member))[:-1])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        chosen = np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])
        ranks = stats.rankdata(x[chosen]), stats.rankdata(y[chosen])
        if np.ptp(ranks[0]) > 0 and np.ptp(ranks[1]) > 0:
            values.append(np.corrcoef(*ranks)[0, 1])
    if not values:
        raise ValueError("too few groups differ for an interval")
    tail = (1 - level) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def _checked(
    predictions: Sequence[float] | Floats, opinions: Sequence[float] | Floats
) -> tuple[Floats, Floats]:
    x, y = np.asarray(predictions, dtype=np.float64), np.asarray(opinions, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"{x.size} predictions for {y.size} opinions")
    if len(x) < 3:
        raise ValueError(f"a correlation needs at least 3 pictures, there are {len(x)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("predictions and opinions must be finite numbers")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError("all values are the same: a correlation is not defined")
    return x, y
