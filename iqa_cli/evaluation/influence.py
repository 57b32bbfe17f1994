"""What one picture does to a figure: influence values, of which the analytic intervals are made.

A figure is a function of the weights of the pictures, all 1 in the sample. Its derivative by the weight of
picture i, times n, is the influence value of i (infinitesimal jackknife; Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 22). Sums of them over the groups give a standard error that
knows of groups, in O(n log n), where the bootstrap would take minutes.

The figures after the logistic fit need no derivative of its parameters: at the optimum of least squares the
error, and with it the correlation, do not change with them to first order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


def srcc_influence(x: Floats, y: Floats) -> Floats:
    """Influence values [n] of Spearman's correlation: directly, and through the ranks of all the others."""
    n = len(x)
    u, sa = _standard((stats.rankdata(x) - 0.5) / n)
    v, sb = _standard((stats.rankdata(y) - 0.5) / n)
    rho = float(np.mean(u * v))
    direct = u * v - rho / 2 * (u**2 + v**2)
    return direct + _through_ranks(x, (v - rho * u) / sa) + _through_ranks(y, (u - rho * v) / sb)


def plcc_influence(x: Floats, y: Floats) -> Floats:
    """Influence values [n] of Pearson's correlation."""
    u, v = _standard(x)[0], _standard(y)[0]
    rho = float(np.mean(u * v))
    return u * v - rho / 2 * (u**2 + v**2)


def krcc_influence(x: Floats, y: Floats) -> Floats:
    """Influence values [n] of Kendall's tau-b."""
    concordant = concordance(x, y)
    free_x, free_y = _not_tied(x), _not_tied(y)
    all_x, all_y = float(free_x.sum()), float(free_y.sum())
    scale = np.sqrt(all_x * all_y)
    tau = float(concordant.sum()) / scale
    return len(x) * (2 * concordant / scale - tau * (free_x / all_x + free_y / all_y))


def rmse_influence(mapped: Floats, y: Floats) -> Floats:
    """Influence values [n] of the root mean square error; zeros where there is none."""
    squares = (mapped - y) ** 2
    mse = float(squares.mean())
    return (squares - mse) / (2 * np.sqrt(mse)) if mse > 0 else np.zeros(len(y))


def concordance(x: Floats, y: Floats) -> Floats:
    """For each picture [n], how many others are concordant with it less how many are discordant.

    In O(n log n) time and O(n) memory: a merge sort that counts, its merges of one width all at once.
    """
    n = len(x)
    a, b = _codes(x), _codes(y)
    # Equal x with falling y: of them none comes before one with a greater y.
    order = np.lexsort((-b, a))
    below = np.empty(n, dtype=np.int64)
    below[order] = _smaller_before(b[order])
    # Half for each tie: 4 h - 2 hx - 2 hy + n is then the sum of the products of signs.
    both = below + 0.5 * (_smaller_within(b, a) + _smaller_within(a, b)) + 0.25 * _equal(a * n + b)
    half_x, half_y = stats.rankdata(x) - 0.5, stats.rankdata(y) - 0.5
    return np.asarray(4 * both - 2 * half_x - 2 * half_y + n, dtype=np.float64)


def _standard(values: Floats) -> tuple[Floats, float]:
    centred = values - values.mean()
    deviation = float(np.sqrt(np.mean(centred**2)))
    return centred / deviation, deviation


def _through_ranks(values: Floats, pull: Floats) -> Floats:
    """The mean over j of pull_j x (1 where value i lies below value j, 1/2 where equal, less j's rank)."""
    n = len(values)
    codes = _codes(values)
    by_code = np.bincount(codes, weights=pull)
    above = by_code.sum() - np.cumsum(by_code)
    ranks = (stats.rankdata(values) - 0.5) / n
    return np.asarray(((above + by_code / 2)[codes] - float(pull @ ranks)) / n, dtype=np.float64)


def _codes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _equal(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many have the same code, with itself."""
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse], dtype=np.int64)


def _not_tied(values: Floats) -> Floats:
    return (len(values) - _equal(_codes(values))).astype(np.float64)


def _smaller_within(block: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each, how many of the same block have a smaller value."""
    n = len(block)
    order = np.lexsort((values, block))
    places = np.arange(n)
    new_block = np.diff(block[order], prepend=-1) != 0
    new_pair = new_block | (np.diff(values[order], prepend=-1) != 0)
    found = np.empty(n, dtype=np.int64)
    first_pair = np.maximum.accumulate(np.where(new_pair, places, 0))
    found[order] = first_pair - np.maximum.accumulate(np.where(new_block, places, 0))
    return found


def _smaller_before(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each place, how many places before it hold a smaller value."""
    n = len(values)
    counts = np.zeros(n, dtype=np.int64)
    order = np.arange(n)
    width, bound = 1, int(values.max()) + 1
    while width < n:
        # The right half of a pair first where values are equal, so that only smaller ones are counted. The
        # runs are sorted already, which numpy's stable sort makes use of.
        right = (order // width) % 2 == 1
        keys = (order // (2 * width) * bound + values[order]) * 2 + ~right
        order = order[np.argsort(keys, kind="stable")]
        right = (order // width) % 2 == 1
        lefts = np.cumsum(~right) - order // (2 * width) * width
        counts[order[right]] += lefts[right]
        width *= 2
    return counts
