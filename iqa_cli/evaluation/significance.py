"""Whether one scorer is better than another: paired bootstrap of groups, and tests of dependent correlations.

Two correlations with the same opinions are themselves correlated, since the scorers are; intervals that
overlap say little of the difference. The bootstrap draws the same groups for both. Beside it stands, for
SRCC and PLCC, the test of Meng, Rosenthal and Rubin (`iqa_cli.evaluation.dependent`), which knows nothing of
groups. Something is significant here only if both say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from iqa_cli.evaluation.bootstrap import (
    MIN_GROUPS,
    Method,
    count_groups,
    influence_error,
    method_for,
    p_value,
    percentiles,
)
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.evaluation.dependent import holm, meng_rosenthal_rubin
from iqa_cli.evaluation.logistic import Floats
from iqa_cli.evaluation.part import Column, Part
from iqa_cli.evaluation.resample import Sample, resampled


@dataclass(frozen=True)
class Comparison:
    """Two scorers on the pictures that both have scored.

    Attributes:
        first, second: Names of the scorers.
        what: The figure compared.
        n: Pictures.
        n_groups: Their groups.
        difference: Figure of the first less that of the second; None where one of them is not defined.
        interval: Of the difference; None where there are fewer than `MIN_GROUPS` groups.
        p: Two-sided, of the paired bootstrap of groups (above `BOOTSTRAP_MAX` pictures: Student's test of the
            influence values, summed by group); None likewise.
        p_holm: `p` after Holm's correction over all comparisons made together.
        z: Meng, Rosenthal and Rubin's statistic, for SRCC (with the variance of ranks) and PLCC (raw, or of
            the fitted scores); None for others.
        p_mrr: Its two-sided p.
        p_mrr_holm: That after Holm's correction.
        method: How interval and `p` were made.
        why_not: Why there is no difference, where there is none.
    """

    first: str
    second: str
    what: str
    n: int
    n_groups: int = 0
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    z: float | None = None
    p_mrr: float | None = None
    p_mrr_holm: float | None = None
    method: Method | None = None
    why_not: str | None = None

    def significant(self, alpha: float = 0.05) -> bool:
        """Whether all tests that there are, after correction, find a difference."""
        ps = [p for p in (self.p_holm, self.p_mrr_holm) if p is not None]
        return self.p_holm is not None and all(p < alpha for p in ps)


def compare(
    part: Part,
    columns: Sequence[Column],
    *,
    what: str = "srcc",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Comparison]:
    """Compare every pair of scorers on the pictures that both have scored.

    Args:
        part: The opinions.
        columns: The scorers, each with a score (or NaN) for each picture of the part.
        what: The figure: one of `iqa_cli.evaluation.resample.FIGURES`.
        resamples: Bootstrap samples.
        level: Coverage of the intervals, which are not corrected for their number.
        seed: Of the bootstrap.

    Returns:
        One comparison for each pair, in the order of `itertools.combinations`; p corrected over all of them.

    Raises:
        ValueError: A column has not as many scores as the part has pictures.
    """
    for column in columns:
        if len(column.scores) != len(part):
            raise ValueError(f"{len(column.scores)} scores for {len(part)} pictures")
    return _Engine(part, columns, what, resamples, level, seed).pairs()


@dataclass(frozen=True)
class Contest:
    """Which scorers have a figure that deserves to be printed bold, and why.

    Attributes:
        winners: Their names; none where nobody is worse than the best.
        comparisons: Every pair of scorers, in the order of `itertools.combinations`. Pairs of which one does
            not compete are told apart by their `why_not`, and are no part of Holm's correction.
    """

    winners: set[str]
    comparisons: list[Comparison]


def competes(column: Column) -> bool:
    """Whether a scorer may win: it has scores, and was trained on no picture of the part, for which a good
    figure would be no merit."""
    return bool(np.isfinite(column.scores).any()) and (column.met is None or not column.met.any())


def contest(
    part: Part,
    columns: Sequence[Column],
    *,
    what: str = "srcc",
    alpha: float = 0.05,
    resamples: int = 2000,
    seed: int = 0,
) -> Contest:
    """Find the scorers whose figure deserves to be printed bold.

    All is done on the pictures that every contestant has scored. The best is the one with the best figure
    there (the least RMSE, the greatest of all others). A scorer is worse than the best when all tests of
    `Comparison.significant` say so, Holm's correction being over all pairs of contestants. Winners are the
    best and all that are not worse than it; but where nobody is worse, there is no winner. A scorer without a
    figure does not compete, nor one that `competes` leaves out.

    Args:
        part: The opinions.
        columns: The scorers, with names that differ.
        what: The figure.
        alpha: Level of the tests.
        resamples: Bootstrap samples.
        seed: Of the bootstrap.
    """
    contestants = [column for column in columns if competes(column)]
    made: dict[tuple[str, str], Comparison] = {}
    figures: dict[str, float] = {}
    if len(contestants) > 1:
        common = np.all([np.isfinite(column.scores) for column in contestants], axis=0)
        shared, contestants = part.only(common), [column.only(common) for column in contestants]
        engine = _Engine(shared, contestants, what, resamples, 1 - alpha, seed)
        made = {(pair.first, pair.second): pair for pair in engine.pairs()}
        figures = engine.figures()
    winners = set(figures)
    if figures:
        best = max(figures, key=lambda name: figures[name])
        for pair in made.values():
            if best in (pair.first, pair.second) and pair.significant(alpha):
                winners.discard(pair.second if pair.first == best else pair.first)
    return Contest(
        winners if len(winners) < len(figures) else set(),
        [made.get((a.scorer, b.scorer)) or _not_made(a, b, what) for a, b in combinations(columns, 2)],
    )


def _not_made(first: Column, second: Column, what: str) -> Comparison:
    """A pair of which one does not compete."""
    out = first if not competes(first) else second
    reason = "has met pictures of the part in training" if np.isfinite(out.scores).any() else "has no scores"
    both = np.isfinite(first.scores) & np.isfinite(second.scores)
    return Comparison(
        first.scorer, second.scorer, what, int(both.sum()), why_not=f"{out.scorer} {reason}: not compared"
    )


@dataclass
class _Scores:
    """A scorer on some pictures: its figure, what is resampled or expanded of it, and the scores themselves,
    after the fit where the figure is."""

    value: float | None
    why_not: str | None
    spread: Floats | None = None
    scores: Floats | None = None


class _Engine:
    """Compares pairs; what it has computed of a scorer on the same pictures it does not compute again."""

    def __init__(
        self, part: Part, columns: Sequence[Column], what: str, resamples: int, level: float, seed: int
    ) -> None:
        self.part, self.columns, self.what = part, columns, what
        self.resamples, self.level, self.seed = resamples, level, seed
        self.scored = [np.isfinite(column.scores) for column in columns]
        self.known: dict[tuple[int, bytes], _Scores] = {}

    def pairs(self) -> list[Comparison]:
        """Every pair, p corrected over all of them."""
        found = [self.compare(i, j) for i, j in combinations(range(len(self.columns)), 2)]
        corrected = holm([pair.p for pair in found])
        corrected_mrr = holm([pair.p_mrr for pair in found])
        return [
            replace(pair, p_holm=p, p_mrr_holm=p_mrr)
            for pair, p, p_mrr in zip(found, corrected, corrected_mrr, strict=True)
        ]

    def figures(self) -> dict[str, float]:
        """Scorer -> its figure on the pictures that it has scored, turned so that more is better; without
        those that have none."""
        values = {
            column.scorer: self._of(place, self.scored[place]).value
            for place, column in enumerate(self.columns)
        }
        sign = -1 if self.what == "rmse" else 1
        return {name: sign * value for name, value in values.items() if value is not None}

    def compare(self, i: int, j: int) -> Comparison:
        both = self.scored[i] & self.scored[j]
        groups = self.part.groups[both]
        n, size = int(both.sum()), count_groups(groups)
        made = Comparison(self.columns[i].scorer, self.columns[j].scorer, self.what, n, size)
        a, b = self._of(i, both), self._of(j, both)
        if a.value is None or b.value is None:
            return replace(made, why_not=a.why_not or b.why_not)
        made = replace(made, difference=a.value - b.value, **self._mrr(a, b))
        if a.spread is None or b.spread is None:
            return made
        method = method_for(n)
        if method == "bootstrap":
            drawn = a.spread - b.spread
            return replace(
                made, interval=percentiles(drawn, size, self.level), p=p_value(drawn, size), method=method
            )
        error = influence_error(a.spread - b.spread, groups)
        reach = error * float(stats.t.ppf((1 + self.level) / 2, size - 1))
        difference = a.value - b.value
        p = 2 * float(stats.t.sf(abs(difference) / error, size - 1)) if error else 1.0
        return replace(made, interval=(difference - reach, difference + reach), p=p, method=method)

    def _of(self, place: int, both: NDArray[np.bool_]) -> _Scores:
        key = (place, np.packbits(both).tobytes())
        if key not in self.known:
            self.known[key] = self._compute(self.columns[place].scores[both], both)
        return self.known[key]

    def _compute(self, scores: Floats, both: NDArray[np.bool_]) -> _Scores:
        opinions, groups = self.part.opinions[both], self.part.groups[both]
        try:
            found = agreement(scores, opinions)
        except ValueError as error:
            return _Scores(None, str(error))
        value = getattr(found, self.what)
        if value is None:
            return _Scores(None, "the logistic fit did not converge")
        sample = Sample(scores, opinions, groups, found.logistic if found.plcc_fitted is not None else None)
        made = _Scores(value, None, scores=sample.after_fit() if self.what == "plcc_fitted" else scores)
        if count_groups(groups) < MIN_GROUPS:
            return made
        if method_for(len(scores)) == "analytic":
            return replace(made, spread=sample.influence(self.what))
        drawn = resampled(sample, [self.what], resamples=self.resamples, seed=self.seed)
        return replace(made, spread=drawn[self.what])

    def _mrr(self, a: _Scores, b: _Scores) -> dict[str, Any]:
        if self.what not in ("srcc", "plcc", "plcc_fitted") or a.value is None or b.value is None:
            return {}
        ranks = self.what == "srcc"
        between = (stats.spearmanr if ranks else stats.pearsonr)(a.scores, b.scores).statistic
        n = 0 if a.scores is None else len(a.scores)
        z, p = meng_rosenthal_rubin(a.value, b.value, float(between), n, ranks=ranks)
        return {"z": z, "p_mrr": p} if np.isfinite(z) else {}
