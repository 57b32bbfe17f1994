"""Figures of resamples: what each is of samples whose groups are drawn with replacement.

A resample is a count for each group, and the weight of a picture is the count of its group. The figures are
computed from the weights, with all sorting done once, and are exactly those of the drawn pictures laid out
(ties at their mean rank, as everywhere); only the KRCC of very many groups is expanded to first order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
from iqa_cli.evaluation.logistic import Logistic

#: The figures that can be resampled.
FIGURES = ("srcc", "krcc", "plcc", "plcc_fitted", "rmse")
#: Above so many groups the resampled KRCC is its expansion; what that leaves out is of order 1 / groups.
_EXACT_KENDALL = 1000
#: Elements of the blocks that are worked on at once: few enough for a processor's cache.
_BLOCK = 2**19
#: So many products of signs can be added up as signed bytes.
_BYTES = 127

Ints = NDArray[np.int64]
#: Counts [b, groups] -> figures [b].
Resampler = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Sample:
    """What a figure is computed of.

    Attributes:
        x: [n] predictions.
        y: [n] opinions.
        groups: [n] codes of groups.
        logistic: Fitted to them and converged; None where there is no fit, and then no figure of it.
    """

    x: Floats
    y: Floats
    groups: Ints
    logistic: Logistic | None = None

    def influence(self, name: str) -> Floats:
        """Influence values [n] of a figure."""
        if name == "srcc":
            return srcc_influence(self.x, self.y)
        if name == "krcc":
            return krcc_influence(self.x, self.y)
        if name == "plcc":
            return plcc_influence(self.x, self.y)
        mapped = self.after_fit()
        return plcc_influence(mapped, self.y) if name == "plcc_fitted" else rmse_influence(mapped, self.y)

    def after_fit(self) -> Floats:
        """The predictions [n] on the scale of the opinions.

        Raises:
            ValueError: There is no fit.
        """
        return self.curve()(self.x)

    def curve(self) -> Logistic:
        """The fitted logistic.

        Raises:
            ValueError: There is none.
        """
        if self.logistic is None:
            raise ValueError("there is no fitted logistic")
        return self.logistic


def resampled(sample: Sample, what: Sequence[str], *, resamples: int, seed: int) -> dict[str, Floats]:
    """Figures of resamples.

    The logistic stays the one of the whole sample: to first order the figures after it do not depend on its
    parameters there. The same seed and groups give the same draws, which makes differences of two scorers on
    the same pictures paired.

    Args:
        sample: What is resampled.
        what: Names of figures (`FIGURES`).
        resamples: How many.
        seed: Seed.

    Returns:
        Name -> [resamples]; NaN where a resample has no such figure, since all its values are the same.

    Raises:
        ValueError: A figure after the fit is asked for, and there is no fit.
    """
    _, groups = np.unique(sample.groups, return_inverse=True)
    size = int(groups.max()) + 1
    of = {name: _resampler(name, sample, groups, size) for name in what}
    found: dict[str, list[Floats]] = {name: [] for name in what}
    for counts in _draws(size, len(groups), resamples, seed):
        for name, figure in of.items():
            with np.errstate(invalid="ignore", divide="ignore"):
                found[name].append(figure(counts))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _draws(groups: int, pictures: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Counts [b, groups] of how often each group is drawn, in blocks of bounded size."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // pictures)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        chosen = rng.integers(groups, size=(size, groups)) + groups * np.arange(size)[:, None]
        yield np.bincount(chosen.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


def _resampler(name: str, sample: Sample, groups: Ints, size: int) -> Resampler:
    if name == "srcc":
        return _srcc(sample.x, sample.y, groups)
    if name == "krcc" and size <= _EXACT_KENDALL:
        return _krcc(sample.x, sample.y, groups, size)
    if name == "krcc":
        return _krcc_expanded(sample.x, sample.y, groups)
    if name == "rmse":
        return _rmse(sample.after_fit(), sample.y, groups)
    return _plcc(sample.x if name == "plcc" else sample.after_fit(), sample.y, groups)


def _plcc(x: Floats, y: Floats, groups: Ints) -> Resampler:
    """Pearson's correlation from the sums of each group."""
    x, y = (x - x.mean()) / np.std(x), (y - y.mean()) / np.std(y)
    sums = _sums(groups, np.ones(len(x)), x, y, x * x, y * y, x * y)

    def figure(counts: Floats) -> Floats:
        total, *entries = (counts @ sums).T
        mx, my, xx, yy, xy = (entry / total for entry in entries)
        return _ratio(xy - mx * my, xx - mx**2, yy - my**2)

    return figure


def _rmse(mapped: Floats, y: Floats, groups: Ints) -> Resampler:
    """The error from the sums of each group."""
    sums = _sums(groups, np.ones(len(y)), (mapped - y) ** 2)

    def figure(counts: Floats) -> Floats:
        total, squares = (counts @ sums).T
        return np.asarray(np.sqrt(squares / total))

    return figure


def _srcc(x: Floats, y: Floats, groups: Ints) -> Resampler:
    """Spearman's correlation from the mean ranks that pictures have by their weights."""
    ties = _Ties.of(x), _Ties.of(y)

    def figure(counts: Floats) -> Floats:
        weights = np.ascontiguousarray(counts.T)[groups]
        total = weights.sum(axis=0)
        a, b = (tie.ranks(weights, total) for tie in ties)
        over = np.einsum("nb,nb,nb->b", weights, a, b)
        return _ratio(over, np.einsum("nb,nb,nb->b", weights, a, a), np.einsum("nb,nb,nb->b", weights, b, b))

    return figure


def _krcc(x: Floats, y: Floats, groups: Ints, size: int) -> Resampler:
    """Kendall's tau-b from the concordance of each group with each other."""
    signs = _concordance_of_groups(x, y, groups, size).astype(np.float32)
    ties = _Ties.of(x), _Ties.of(y)

    def figure(counts: Floats) -> Floats:
        over = np.einsum("bg,bg->b", counts.astype(np.float32) @ signs, counts)
        weights = np.ascontiguousarray(counts.T)[groups]
        total = weights.sum(axis=0)
        return _ratio(over, *(total**2 - np.sum(tie.weights(weights) ** 2, axis=0) for tie in ties))

    return figure


def _krcc_expanded(x: Floats, y: Floats, groups: Ints) -> Resampler:
    """Kendall's tau-b, expanded to first order about the sample."""
    tau = float(stats.kendalltau(x, y).statistic)
    sums = np.bincount(groups, weights=krcc_influence(x, y)) / len(x)

    def figure(counts: Floats) -> Floats:
        return np.clip(tau + (counts - 1) @ sums, -1, 1)

    return figure


@dataclass(frozen=True)
class _Ties:
    """Values [n] in blocks of equal ones: the order that sorts them, the last place of each block in it, and
    the block of each value."""

    order: Ints
    ends: Ints
    block: Ints

    @classmethod
    def of(cls, values: Floats) -> _Ties:
        order = np.argsort(values, kind="stable")
        block = np.unique(values, return_inverse=True)[1]
        return cls(order, np.flatnonzero(np.diff(block[order], append=-1)), block)

    def weights(self, weights: Floats) -> Floats:
        """Weights [n, b] to those of the blocks."""
        if len(self.ends) == len(self.order):
            return weights
        upto = np.cumsum(weights[self.order], axis=0)[self.ends]
        return np.diff(upto, axis=0, prepend=0)

    def ranks(self, weights: Floats, total: Floats) -> Floats:
        """Mean ranks [n, b] of weighted values, less the mean of all."""
        upto = np.cumsum(weights[self.order], axis=0)[self.ends]
        middle = upto.copy()
        middle[1:] += upto[:-1]
        return np.asarray((middle / 2 - total / 2)[self.block])


def _sums(groups: Ints, *columns: Floats) -> Floats:
    return np.stack([np.bincount(groups, weights=column) for column in columns], axis=1)


def _ratio(over: Floats, x: Floats, y: Floats) -> Floats:
    """over / sqrt(x y); NaN where one of them is 0 but for rounding, beside the greatest of the block."""
    power = np.sqrt(np.maximum(x, 0) * np.maximum(y, 0))
    least = 1e-10 * np.max(power, initial=0)
    return np.where(power > least, np.clip(over / power, -1, 1), np.nan)


def _concordance_of_groups(x: Floats, y: Floats, groups: Ints, size: int) -> Floats:
    """[G, G] sums of sign(x_i - x_j) sign(y_i - y_j) over the pictures i of one group and j of another."""
    # Codes of 32 bits, and signs of 8: what is compared n^2 times should be small.
    a, b = (np.unique(values, return_inverse=True)[1].astype(np.int32) for values in (x, y))
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(size + 1))
    found = np.zeros((size, size))
    for group in range(size):
        members = order[bounds[group] : bounds[group + 1]]
        for start in range(0, len(members), _BYTES):
            some = members[start : start + _BYTES, None]
            signs = _signs(a[some], a) * _signs(b[some], b)
            found[group] += np.bincount(groups, weights=signs.sum(axis=0, dtype=np.int8), minlength=size)
    return found


def _signs(some: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.int8]:
    return (some > codes).view(np.int8) - (some < codes).view(np.int8)
