"""Intervals of the figures: a bootstrap of groups, and above `BOOTSTRAP_MAX` pictures an analytic one.

Pictures of one group (same reference, or near-duplicates) are not independent: resampling them one by one
would make intervals too narrow. A resample is a count for each group; the figures are computed from counts
directly, with the sorting done once, and are those of the pictures laid out (ties at their mean rank).

Percentile intervals of few groups are too narrow; they are widened as Hesterberg gives it (What Teachers
Should Know About the Bootstrap, The American Statistician 69, 2015, section 3.3: expanded percentiles).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from iqa_cli.evaluation.influence import (
    Floats,
    krcc_influence,
    plcc_influence,
    rmse_influence,
    srcc_influence,
)

#: The figures that have intervals.
FIGURES = ("srcc", "krcc", "plcc", "plcc_fitted", "rmse")
#: Above so many pictures intervals are analytic; below, the two agree (tests/evaluation/test_bootstrap.py).
BOOTSTRAP_MAX = 20_000
#: Above so many groups the resampled KRCC is its expansion; what that leaves out is of order 1 / groups.
_EXACT_KENDALL = 1000
#: Elements of the blocks that are worked on at once: 16 MiB of float64.
_BLOCK = 2**21

Method = Literal["bootstrap", "analytic"]


@dataclass(frozen=True)
class Sample:
    """What a figure is computed of.

    Attributes:
        x: [n] predictions.
        y: [n] opinions.
        groups: [n] codes of groups.
        mapped: [n] predictions after the fitted logistic; None where there is no fit, and then no figure of
            it.
    """

    x: Floats
    y: Floats
    groups: NDArray[np.int64]
    mapped: Floats | None = None

    def figures(self, what: Sequence[str] = FIGURES) -> list[str]:
        """Those of `what` that are defined."""
        return [name for name in what if self.mapped is not None or name not in ("plcc_fitted", "rmse")]

    def influence(self, name: str) -> Floats:
        """Influence values [n] of a figure."""
        mapped = self.x if self.mapped is None else self.mapped
        if name == "srcc":
            return srcc_influence(self.x, self.y)
        if name == "krcc":
            return krcc_influence(self.x, self.y)
        if name == "plcc":
            return plcc_influence(self.x, self.y)
        return plcc_influence(mapped, self.y) if name == "plcc_fitted" else rmse_influence(mapped, self.y)


def method_for(pictures: int) -> Method:
    """How the intervals of so many pictures are made."""
    return "bootstrap" if pictures <= BOOTSTRAP_MAX else "analytic"


def intervals(
    sample: Sample,
    values: dict[str, float],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    method: Method | None = None,
) -> dict[str, tuple[float, float]]:
    """Intervals of figures.

    Args:
        sample: What they are of.
        values: Name of a figure (`FIGURES`) -> its value on the sample.
        resamples: Bootstrap samples.
        level: Coverage.
        seed: Seed, so that the same table is printed again.
        method: By default as the number of pictures asks for (`method_for`).

    Returns:
        Lower and upper bound by name. One that is not defined (all its resamples constant) is left out.

    Raises:
        ValueError: There is only one group, of which nothing can be resampled.
    """
    groups = count_groups(sample.groups)
    if groups < 2:
        raise ValueError("an interval needs at least 2 groups of pictures")
    names = sample.figures(list(values))
    if (method or method_for(len(sample.x))) == "analytic":
        found = {name: _analytic(name, values[name], sample, groups, level) for name in names}
    else:
        drawn = resampled(sample, names, resamples=resamples, seed=seed)
        found = {name: percentiles(drawn[name], groups, level) for name in names}
    return {name: interval for name, interval in found.items() if interval is not None}


def resampled(sample: Sample, what: Sequence[str], *, resamples: int, seed: int) -> dict[str, Floats]:
    """Figures [resamples] of samples whose groups are drawn with replacement; NaN where one is not defined.

    The logistic stays the one of the whole sample: to first order the figures after it do not depend on its
    parameters there. The same seed and groups give the same draws, which makes differences of two scorers on
    the same pictures paired.
    """
    _, groups = np.unique(sample.groups, return_inverse=True)
    size = int(groups.max()) + 1
    found: dict[str, list[Floats]] = {name: [] for name in what}
    computed = {name: _resampler(name, sample, groups, size) for name in what}
    for counts in _draws(size, len(groups), resamples, seed):
        for name, of_counts in computed.items():
            with np.errstate(invalid="ignore", divide="ignore"):
                found[name].append(of_counts(counts))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def influence_error(influence: Floats, groups: NDArray[np.int64]) -> float:
    """The standard error of a figure from its influence values [n], those of a group taken together."""
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=influence)
    size = len(sums)
    return float(np.sqrt(size / (size - 1) * np.sum(sums**2))) / len(influence)


def percentiles(drawn: Floats, groups: int, level: float) -> tuple[float, float] | None:
    """The expanded percentile interval of resampled figures; None where none of them is defined."""
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return None
    tail = stats.norm.cdf(np.sqrt(groups / (groups - 1)) * stats.t.ppf((1 - level) / 2, groups - 1))
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)


def p_value(drawn: Floats, groups: int) -> float | None:
    """Two-sided p as `percentiles` gives it: 1 less the greatest level at which the interval leaves out 0.

    Never 0: with B resamples one tail holds at least 1 / (B + 1).
    """
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return None
    beyond = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    deviate = float(stats.norm.ppf((beyond + 1) / (len(defined) + 1)))
    return min(1.0, 2 * float(stats.t.cdf(deviate * np.sqrt((groups - 1) / groups), groups - 1)))


def count_groups(groups: NDArray[np.int64]) -> int:
    """How many groups there are."""
    return len(np.unique(groups))


def _analytic(
    name: str, value: float, sample: Sample, groups: int, level: float
) -> tuple[float, float] | None:
    """Student's interval on Fisher's z of a correlation, and on the logarithm of an error."""
    reach = float(stats.t.ppf((1 + level) / 2, groups - 1)) * influence_error(
        sample.influence(name), sample.groups
    )
    if name == "rmse":
        return (
            (value * float(np.exp(-reach / value)), value * float(np.exp(reach / value))) if value else None
        )
    if abs(value) >= 1:
        return value, value
    centre, reach = float(np.arctanh(value)), reach / (1 - value**2)
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))


def _draws(groups: int, pictures: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Counts [b, groups] of how often each group is drawn, in blocks of bounded size."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, step := max(1, _BLOCK // (4 * max(pictures, groups)))):
        size = min(step, resamples - start)
        chosen = rng.integers(groups, size=(size, groups)) + groups * np.arange(size)[:, None]
        yield np.bincount(chosen.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


class _Resampler:
    """Figures of counts [b, groups] -> [b]."""

    def __call__(self, counts: Floats) -> Floats:
        raise NotImplementedError


class _Moments(_Resampler):
    """Pearson's correlation, or the error, from the sums of each group."""

    def __init__(self, x: Floats, y: Floats, groups: NDArray[np.int64], *, error: bool = False) -> None:
        self.error = error
        if not error:
            x, y = (x - x.mean()) / np.std(x), (y - y.mean()) / np.std(y)
        columns = (np.ones(len(x)), (x - y) ** 2) if error else (np.ones(len(x)), x, y, x * x, y * y, x * y)
        self.sums = np.stack([np.bincount(groups, weights=column) for column in columns], axis=1)

    def __call__(self, counts: Floats) -> Floats:
        total, *sums = (counts @ self.sums).T
        means = [entry / total for entry in sums]
        if self.error:
            return np.asarray(np.sqrt(means[0]))
        mx, my, xx, yy, xy = means
        return _correlation(xy - mx * my, xx - mx**2, yy - my**2)


class _Ranked(_Resampler):
    """Spearman's correlation from the mean ranks that pictures have by their weights."""

    def __init__(self, x: Floats, y: Floats, groups: NDArray[np.int64]) -> None:
        self.groups = groups
        self.orders = [_blocks(values) for values in (x, y)]

    def __call__(self, counts: Floats) -> Floats:
        weights = counts.T[self.groups]
        total = weights.sum(axis=0)
        a, b = (self._ranks(weights, total, *order) for order in self.orders)
        weighted = weights * a
        cov = np.einsum("nb,nb->b", weighted, b)
        return _correlation(cov, np.einsum("nb,nb->b", weighted, a), np.einsum("nb,nb,nb->b", weights, b, b))

    def _ranks(
        self,
        weights: Floats,
        total: Floats,
        order: NDArray[np.int64],
        ends: NDArray[np.int64],
        block: NDArray[np.int64],
    ) -> Floats:
        """Mean ranks [n, b], less the mean of all."""
        upto = np.cumsum(weights[order], axis=0)[ends]
        middle = upto.copy()
        middle[1:] += upto[:-1]
        return np.asarray((middle / 2 - total / 2)[block])


class _Kendall(_Resampler):
    """Kendall's tau-b from the concordance of each group with each other."""

    def __init__(self, x: Floats, y: Floats, groups: NDArray[np.int64], size: int) -> None:
        self.signs, self.free_x, self.free_y = _between_groups(x, y, groups, size)

    def __call__(self, counts: Floats) -> Floats:
        over, free_x, free_y = (
            np.einsum("bg,bg->b", counts @ matrix, counts)
            for matrix in (self.signs, self.free_x, self.free_y)
        )
        return _correlation(over, free_x, free_y)


class _Expanded(_Resampler):
    """A figure's expansion to first order about the sample."""

    def __init__(self, value: float, influence: Floats, groups: NDArray[np.int64]) -> None:
        self.value = value
        self.sums = np.bincount(groups, weights=influence) / len(influence)

    def __call__(self, counts: Floats) -> Floats:
        return np.asarray(self.value + (counts - 1) @ self.sums)


def _resampler(name: str, sample: Sample, groups: NDArray[np.int64], size: int) -> _Resampler:
    x, y = sample.x, sample.y
    if name == "srcc":
        return _Ranked(x, y, groups)
    if name == "krcc" and size <= _EXACT_KENDALL:
        return _Kendall(x, y, groups, size)
    if name == "krcc":
        return _Expanded(float(stats.kendalltau(x, y).statistic), krcc_influence(x, y), groups)
    if name == "plcc":
        return _Moments(x, y, groups)
    assert sample.mapped is not None
    return _Moments(sample.mapped, y, groups, error=name == "rmse")


def _correlation(over: Floats, x: Floats, y: Floats) -> Floats:
    """over / sqrt(x y), NaN where a variance is none but for rounding."""
    power = np.sqrt(np.maximum(x, 0) * np.maximum(y, 0))
    return np.where(power > 1e-12 * np.abs(over).max(initial=0), np.clip(over / power, -1, 1), np.nan)


def _blocks(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The sorting order, the last place of each block of ties in it, and the block of each picture."""
    order = np.argsort(values, kind="stable")
    codes = np.unique(values, return_inverse=True)[1]
    ends = np.flatnonzero(np.diff(codes[order], append=-1))
    return order, ends, codes


def _between_groups(
    x: Floats, y: Floats, groups: NDArray[np.int64], size: int
) -> tuple[Floats, Floats, Floats]:
    """[G, G] sums over pairs of pictures of two groups: sign x sign, and whether x and y are not tied."""
    order = np.argsort(groups, kind="stable")
    x, y, groups = x[order], y[order], groups[order]
    starts = np.searchsorted(groups, np.arange(size))
    found = tuple(np.zeros((size, size)) for _ in range(3))
    step = max(1, _BLOCK // len(x))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        signs = [np.sign(v[rows, None] - v[None, :]).astype(np.float32) for v in (x, y)]
        for matrix, values in zip(found, (signs[0] * signs[1], signs[0] ** 2, signs[1] ** 2), strict=True):
            np.add.at(matrix, groups[rows], np.add.reduceat(values, starts, axis=1))
    return found[0], found[1], found[2]
