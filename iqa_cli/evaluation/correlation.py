"""How well scores follow opinions: rank and linear correlations. Plain NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from iqa_cli.evaluation.logistic import Floats, Logistic, fit, fit_logistic, logistic4

__all__ = ["Agreement", "Floats", "agreement", "fit_logistic", "logistic4"]


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
        logistic: The logistic, converged or not; None where there are too few pictures for one.
    """

    n: int
    srcc: float
    krcc: float
    plcc: float
    plcc_fitted: float | None
    rmse: float | None
    logistic: Logistic | None = None


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
    logistic = fit(x, y)
    mapped = logistic(x) if logistic is not None and logistic.converged else None
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
        logistic=logistic,
    )


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
