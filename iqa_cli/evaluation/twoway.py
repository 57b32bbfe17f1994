"""Intervals of figures of votes in which two things vary: who votes, and on what.

Votes of one observer are alike, so are votes on one pair. Both are drawn with replacement, a vote counting
as often as its observer times its pair (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1(2),
2007). That has the variation of observers and of pairs right, but counts what is of neither three times; so
the resampled figures are drawn together by the ratio of the deviation that clustering in two ways gives (as
Cameron, Gelbach and Miller add it up, Journal of Business and Economic Statistics 29(2), 2011) to that of the
bootstrap, both to first order.

Percentiles are expanded to the tails of Student's distribution, with the degrees of freedom of the observers
or of the pairs, whichever are fewer. Satterthwaite's, which weigh both, cover too little: with few observers
their share is estimated badly, and an interval that is too narrow is taken for sure as well. So they err on
the safe side: of 10 or more observers 95 % intervals cover 94 to 98 %, of 5 up to 99 %
(tests/evaluation/test_competition.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Cells:
    """Votes by cell (a cell is one model's attack on another).

    Attributes:
        votes: [..., cells] how many.
        shares: [..., cells, k] mean of each value of the votes; where a resample has no vote, of all votes.
    """

    votes: Floats
    shares: Floats


@dataclass(frozen=True)
class Crossed:
    """Votes, each of an observer on a pair.

    Attributes:
        observer: [n] codes.
        pair: [n] codes.
        cell: [n] 0 to cells - 1; all votes on a pair are in one cell.
        values: [n, k] what is averaged.
    """

    observer: Ints
    pair: Ints
    cell: Ints
    values: Floats

    @property
    def people(self) -> int:
        """How many observers there are."""
        return len(np.unique(self.observer))

    def whole(self) -> Cells:
        """All votes."""
        count = np.bincount(self.cell).astype(np.float64)
        sums = [np.bincount(self.cell, weights=value) for value in self.values.T]
        return Cells(count, np.stack(sums, 1) / count[:, None])

    def resampled(self, resamples: int, seed: int) -> Cells:
        """Resamples, along the first axis. A single observer, or a single pair of a cell, stays as it is."""
        rng = np.random.default_rng(seed)
        observers, observer = np.unique(self.observer, return_inverse=True)
        people = _drawn(rng, len(observers), resamples)
        whole = self.whole()
        votes = np.empty((resamples, len(whole.votes)))
        shares = np.empty((resamples, *whole.shares.shape))
        for place in range(len(whole.votes)):
            here = self.cell == place
            pairs, pair = np.unique(self.pair[here], return_inverse=True)
            of_pairs = _drawn(rng, len(pairs), resamples)
            tables = np.zeros((1 + self.values.shape[1], len(observers), len(pairs)))
            # Nobody votes on a pair twice.
            tables[0, observer[here], pair] = 1
            for table, value in zip(tables[1:], self.values[here].T, strict=True):
                table[observer[here], pair] = value
            sums = np.stack([((people @ table) * of_pairs).sum(1) for table in tables])
            votes[:, place] = sums[0]
            with np.errstate(invalid="ignore", divide="ignore"):
                shares[:, place] = np.where(sums[0] > 0, sums[1:] / sums[0], whole.shares[place][:, None]).T
        return Cells(votes, shares)


def intervals(
    crossed: Crossed, figures: Floats, drawn: Floats, gradient: Floats, level: float
) -> list[Interval | None]:
    """Intervals of figures.

    Args:
        crossed: The votes.
        figures: [f] of all votes.
        drawn: [b, f] of resamples.
        gradient: [f, cells, k] derivatives of the figures with respect to the shares.
        level: Coverage.

    Returns:
        [f] bounds; None where the votes behind a figure are unanimous, so that resamples say nothing. All are
        None where no cell has two pairs.
    """
    whole = crossed.whole()
    per_cell = np.array(
        [len(np.unique(crossed.pair[crossed.cell == place])) for place in range(len(whole.votes))]
    )
    if per_cell.max() < 2:
        return [None] * len(figures)
    residual = (crossed.values - whole.shares[crossed.cell]) / whole.votes[crossed.cell][:, None]
    # What each vote adds to each figure, to first order: [n, f].
    influence = np.einsum("nk,fnk->nf", residual, gradient[:, crossed.cell, :])
    people = crossed.people
    of_people = _squares(influence, crossed.observer) if people > 1 else np.zeros(len(figures))
    by_pair = _summed(influence, crossed.pair)
    cell_of_pair = crossed.cell[np.unique(crossed.pair, return_index=True)[1]]
    pairs = per_cell[cell_of_pair]
    of_pairs = (by_pair**2 * (pairs > 1)[:, None]).sum(0)
    widened = (by_pair**2 * np.where(pairs > 1, pairs / np.maximum(pairs - 1, 1), 0)[:, None]).sum(0)
    of_votes = (influence**2).sum(0) if people > 1 else np.zeros(len(figures))
    noise = _noise(crossed, gradient) if people > 1 else np.zeros(len(figures))
    by_people = of_people * people / max(people - 1, 1)
    # Noise is in both and counts once. A single observer has none to be told from that of the pairs.
    variance = np.maximum(by_people + widened - noise, noise)
    bootstrap = of_people + of_pairs + of_votes
    freedom = max(int((per_cell - 1).sum()), 1)
    if people > 1:
        freedom = min(freedom, people - 1)
    found: list[Interval | None] = []
    for at in range(len(figures)):
        spread = drawn[:, at].std()
        if bootstrap[at] <= 0 or spread == 0:
            found.append(None)
            continue
        ratio = np.sqrt(variance[at] / bootstrap[at])
        tail = stats.norm.cdf(stats.t.ppf((1 - level) / 2, freedom))
        low, high = figures[at] + ratio * (np.quantile(drawn[:, at], (tail, 1 - tail)) - figures[at])
        found.append((min(float(low), float(figures[at])), max(float(high), float(figures[at]))))
    return found


def _noise(crossed: Crossed, gradient: Floats) -> Floats:
    """The variance [f] that is of neither observers nor pairs, from votes without the means of both."""
    whole = crossed.whole()
    left = crossed.values - whole.shares[crossed.cell]
    rows = np.unique(np.stack([crossed.cell, crossed.observer]), axis=1, return_inverse=True)[1].ravel()
    columns = np.unique(crossed.pair, return_inverse=True)[1]
    # Both means in turn: with votes that are missing one pass is not enough.
    for codes in (rows, columns) * 10:
        left = left - _means(left, codes)[codes]
    used = [len(np.unique(codes)) for codes in (rows, columns)]
    free = max(len(left) - sum(used) + len(whole.votes), 1)
    influence = np.einsum(
        "nk,fnk->nf", left / whole.votes[crossed.cell][:, None], gradient[:, crossed.cell, :]
    )
    return np.asarray((influence**2).sum(0) * len(left) / free)


def _means(values: Floats, codes: Ints) -> Floats:
    return _summed(values, codes) / np.bincount(codes)[:, None]


def _drawn(rng: np.random.Generator, size: int, resamples: int) -> Floats:
    """Counts [resamples, size] of how often each is drawn."""
    if size == 1:
        return np.ones((resamples, 1))
    return rng.multinomial(size, np.full(size, 1 / size), size=resamples).astype(np.float64)


def _summed(influence: Floats, codes: Ints) -> Floats:
    """Sums [groups, f] of influence [n, f]."""
    groups, place = np.unique(codes, return_inverse=True)
    sums = np.zeros((len(groups), influence.shape[1]))
    np.add.at(sums, place, influence)
    return sums


def _squares(influence: Floats, codes: Ints) -> Floats:
    return np.asarray((_summed(influence, codes) ** 2).sum(0))
