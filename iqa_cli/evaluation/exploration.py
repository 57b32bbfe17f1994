"""The D-, L- and P-test of Ma et al., "Waterloo Exploration Database: New Challenges for Image Quality
Assessment Models", IEEE TIP 26, 2017 (section IV). Plain NumPy and SciPy.

They need no opinions: a photograph, with each of several distortions at growing levels, is in an order that
nobody doubts. What we do as the paper does [S], and what we had to choose [O]:

    D  can pristine and distorted pictures be told apart by one threshold on the score [S];
    L  are the levels of a distortion of a photograph in order: mean rank correlation over all ladders [S];
       a ladder that got one score throughout has no order and counts 0 [O];
    P  of pairs of pictures of clearly different quality, how many are in order [S]. The paper takes pairs
       that three full-reference metrics agree on; here they are all pairs with the same type of distortion,
       of one photograph or of two, whose levels differ by at least `GAP`, level 0 being pristine [O]: of
       pairs that are just `GAP` apart, five metrics agree on 99.9 % (benchmarks/exploration_gap.py on the
       six photographs of examples/; 95 % at a gap of 2). Equal scores are not in order [S].

Intervals resample photographs, since the pictures of one are not independent [O].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product

import numpy as np
from scipy import stats

from iqa_cli.evaluation.bootstrap import MIN_GROUPS, p_value, percentiles
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.significance import holm

#: Levels that a pair of the P-test is apart, at least.
GAP = 3
#: Name of the row of all types.
WHOLE = "all"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Ladders:
    """Scores of photographs and of their distorted versions; of complete photographs only.

    Attributes:
        types: T types of distortion.
        levels: K levels, growing, from 1.
        pristine: [M] scores of the photographs, higher is better.
        distorted: [M, T, K] scores.

    Raises:
        ValueError: The shapes do not fit, there is nothing, levels do not grow, or a score is not finite.
    """

    types: tuple[str, ...]
    levels: tuple[int, ...]
    pristine: Floats
    distorted: Floats

    def __post_init__(self) -> None:
        expected = (len(self.pristine), len(self.types), len(self.levels))
        if self.pristine.ndim != 1 or self.distorted.shape != expected:
            raise ValueError(
                f"scores of shape {list(self.distorted.shape)} where {list(expected)} are needed"
            )
        if not self.distorted.size:
            raise ValueError("there are no distorted pictures")
        if self.levels[0] < 1 or any(b <= a for a, b in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError("levels must grow, from 1")
        if not (np.isfinite(self.pristine).all() and np.isfinite(self.distorted).all()):
            raise ValueError("scores must be finite numbers")

    def of_type(self, index: int) -> Ladders:
        """Those of one type."""
        return replace(self, types=self.types[index : index + 1], distorted=self.distorted[:, [index]])


@dataclass(frozen=True)
class Explored:
    """The figures of one scorer: of all types, or of one.

    Attributes:
        row: The type; `WHOLE` for all.
        n_photographs: M.
        n_pictures: Photographs and distorted pictures.
        d: 0.5 (chance) to 1: mean of the shares of pristine and of distorted pictures on their side of the
            best threshold.
        threshold: That threshold: pristine ones score above it. None where none is better than chance.
        l_srcc, l_krcc: -1 to 1, chance 0: mean SRCC and KRCC (tau-b) of scores with falling level; None where
            there is only one level.
        p: 0 to 1, chance 0.5: share of pairs in order; None where no levels are `GAP` apart.
        n_pairs: Pairs of the P-test.
        d_ci, l_srcc_ci, l_krcc_ci, p_ci: 95 % intervals; None of fewer than `MIN_GROUPS` photographs. That
            of `d` is of its threshold.
        resampled: Name of a figure -> [resamples] its values, of the same resamples for every scorer.
    """

    row: str
    n_photographs: int
    n_pictures: int
    d: float
    threshold: float | None
    l_srcc: float | None
    l_krcc: float | None
    p: float | None
    n_pairs: int
    d_ci: Interval | None = None
    l_srcc_ci: Interval | None = None
    l_krcc_ci: Interval | None = None
    p_ci: Interval | None = None
    resampled: Mapping[str, Floats] = field(default_factory=dict, repr=False, compare=False)


def explore(
    ladders: Ladders, *, gap: int = GAP, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[Explored, list[Explored]]:
    """All three tests.

    Args:
        ladders: Scores of one scorer.
        gap: Levels that pairs of the P-test are apart, at least.
        resamples: Bootstrap samples of photographs; 0 for no intervals.
        level: Coverage of the intervals.
        seed: The same for scorers that are compared.

    Returns:
        The row `WHOLE`, and a row for each type where there are several.
    """
    m = len(ladders.pristine)
    counts = np.zeros((0, m))
    if m >= MIN_GROUPS and resamples:
        counts = (
            np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=resamples).astype(np.float64)
        )
    whole = _figures(WHOLE, ladders, gap, counts, level)
    if len(ladders.types) == 1:
        return whole, []
    alone = (ladders.of_type(index) for index in range(len(ladders.types)))
    return whole, [_figures(one.types[0], one, gap, counts, level) for one in alone]


@dataclass(frozen=True)
class Difference:
    """Two scorers on the same photographs.

    Attributes:
        figure: "d", "l_srcc", "l_krcc" or "p".
        first, second: Names of the scorers.
        difference: Figure of the first less that of the second.
        interval: Of the difference, 95 %; of one comparison by itself.
        p: Two-sided, of the paired bootstrap of photographs.
        p_holm: `p` after Holm's correction over all differences made together.
    """

    figure: str
    first: str
    second: str
    difference: float
    interval: Interval
    p: float
    p_holm: float


def differences(
    found: Mapping[str, Explored], figures: Sequence[str] = ("d", "l_srcc", "p"), *, level: float = 0.95
) -> list[Difference]:
    """Compare every pair of scorers.

    Args:
        found: Name of a scorer -> its figures, of the same photographs and with the same seed.
        figures: Which of them are compared.
        level: Coverage of the intervals.

    Returns:
        A difference for each figure and pair; none where a figure is not defined, or photographs are fewer
        than `MIN_GROUPS`.
    """
    made: list[Difference] = []
    for figure, (one, other) in product(figures, combinations(found, 2)):
        a, b = found[one].resampled.get(figure), found[other].resampled.get(figure)
        if a is None or b is None or not len(a):
            continue
        n = found[one].n_photographs
        value = getattr(found[one], figure) - getattr(found[other], figure)
        interval = percentiles(a - b, n, level)
        # Where all resamples agree that there is no difference, no test is needed.
        p = 1.0 if not np.ptp(a - b) and not value else p_value(a - b, n)
        if interval is not None and p is not None:
            made.append(Difference(figure, one, other, value, interval, p, p))
    corrected = holm([entry.p for entry in made])
    return [
        replace(entry, p_holm=entry.p if p is None else p) for entry, p in zip(made, corrected, strict=True)
    ]


def discriminability(ladders: Ladders) -> tuple[float, float | None]:
    """D-test: equation (2) of the paper, maximised over the threshold T.

        R(T) = (|pristine above T| / |pristine| + |distorted not above T| / |distorted|) / 2

    Returns:
        D; and the threshold, half-way between two scores, None where none is better than chance.
    """
    m, n = len(ladders.pristine), ladders.distorted.size
    scores = np.concatenate([ladders.pristine, ladders.distorted.ravel()])
    order = np.argsort(scores, kind="stable")
    scores, distorted = scores[order], np.cumsum(order >= m)
    ends = np.flatnonzero(np.append(np.diff(scores) > 0, True))
    # 2 R(T) - 1 with T at each score.
    excess = distorted[ends] / n - (ends + 1 - distorted[ends]) / m
    best = int(excess.argmax())
    # The last end is T above all scores, where nothing is told apart.
    if best == len(ends) - 1 or excess[best] <= 1e-12:
        return 0.5, None
    return 0.5 + float(excess[best]) / 2, float(scores[ends[best]] / 2 + scores[ends[best] + 1] / 2)


def listwise(ladders: Ladders) -> tuple[Floats, Floats]:
    """L-test: SRCC and KRCC of each ladder, [M, T] both; 1 where scores fall from level to level.

    Raises:
        ValueError: There is only one level.
    """
    q, k = ladders.distorted, len(ladders.levels)
    if k < 2:
        raise ValueError("one level has no order")
    ranks = stats.rankdata(q, axis=-1) - (k + 1) / 2
    falling = np.arange(k, 0, -1) - (k + 1) / 2
    lengths = np.sqrt(np.square(ranks).sum(-1) * np.square(falling).sum())
    srcc = np.divide(ranks @ falling, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    signs = np.stack([np.sign(q[..., a] - q[..., b]) for a, b in combinations(range(k), 2)], axis=-1)
    lengths = np.sqrt(np.abs(signs).sum(-1) * signs.shape[-1])
    krcc = np.divide(signs.sum(-1), lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return srcc, krcc


def pairwise(ladders: Ladders, gap: int = GAP) -> tuple[Floats, int]:
    """P-test: pairs in order, counted by photographs.

    Args:
        ladders: Scores.
        gap: Levels that a pair is apart, at least.

    Returns:
        [M, M] pairs in order whose better picture is of photograph i and whose worse is of j; and how many
        pairs there are for each i and j.
    """
    m = len(ladders.pristine)
    levels = (0, *ladders.levels)
    pairs = [(a, b) for a, b in combinations(range(len(levels)), 2) if levels[b] - levels[a] >= gap]
    in_order = np.zeros((m, m))
    for index in range(len(ladders.types)):
        column = np.concatenate([ladders.pristine[:, None], ladders.distorted[:, index]], axis=1)
        for a, b in pairs:
            in_order += column[:, a, None] > column[None, :, b]
    return in_order, len(pairs) * len(ladders.types)


def _figures(row: str, ladders: Ladders, gap: int, counts: Floats, level: float) -> Explored:
    m = len(ladders.pristine)
    d, threshold = discriminability(ladders)
    figures: dict[str, float | None] = {"d": d, "l_srcc": None, "l_krcc": None, "p": None}
    resampled = {"d": np.full(len(counts), d)}
    if threshold is not None:
        # At the threshold found: the best one of each resample would lift every D of them above ours.
        below = (ladders.distorted <= threshold).mean(axis=(1, 2))
        resampled["d"] = counts @ ((ladders.pristine > threshold) + below) / (2 * m)
    if len(ladders.levels) > 1:
        for name, found in zip(("l_srcc", "l_krcc"), listwise(ladders), strict=True):
            means = found.mean(axis=1)
            figures[name], resampled[name] = float(means.mean()), counts @ means / m
    in_order, each = pairwise(ladders, gap)
    if each:
        figures["p"] = float(in_order.sum() / (each * m * m))
        resampled["p"] = _pairs_of(counts, in_order) / (each * _pairs_of(counts, np.ones((m, m))))
    bounds = {name: percentiles(values, m, level) for name, values in resampled.items() if len(values)}
    intervals = {f"{name}_ci": found for name, found in bounds.items()}
    return Explored(
        row,
        m,
        m + ladders.distorted.size,
        d=d,
        threshold=threshold,
        l_srcc=figures["l_srcc"],
        l_krcc=figures["l_krcc"],
        p=figures["p"],
        n_pairs=each * m * m,
        **intervals,
        resampled=resampled,
    )


def _pairs_of(counts: Floats, pairs: Floats) -> Floats:
    """Sums of [M, M] `pairs` over the photographs of resamples [B, M]. One that was drawn twice is not paired
    with its copy, which would count pairs within photographs too often."""
    own = np.diagonal(pairs)
    return ((counts @ pairs) * counts).sum(axis=1) - np.square(counts) @ own + counts @ own
