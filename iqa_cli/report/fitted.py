"""What a report draws of a result, as numbers: the fitted logistic, its residuals and their band, the worst
misses, and which pictures stand for all where there are too many to draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from iqa_cli.evaluation.logistic import Floats, Logistic, fit
from iqa_cli.evaluation.part import Result

#: Share of the residuals that the band holds.
BAND = 0.95

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """The pictures of a result that have a score.

    Attributes:
        places: [n] their places in the part.
        scores: [n] in the scorer's own units, higher is better.
        opinions: [n] points.
        curve: The logistic of the figures; None where it did not converge or there are no figures.
        fitted: [n] the scores mapped by it, in points; None likewise.
        residuals: [n] opinions less `fitted`; None likewise.
        band: The quantiles of the residuals that leave out as many below as above, and hold `BAND` of them;
            None likewise.
        met: [n] whether the scorer was trained on the picture or one that resembles it; None where that is
            not known.
    """

    places: Ints
    scores: Floats
    opinions: Floats
    curve: Logistic | None = None
    fitted: Floats | None = None
    residuals: Floats | None = None
    band: tuple[float, float] | None = None
    met: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.places)


def view_of(result: Result) -> View:
    """The numbers of a result; the curve only where its figures stand on one."""
    column = result.column
    places = np.flatnonzero(np.isfinite(column.scores))
    scores, opinions = column.scores[places], result.part.opinions[places]
    met = None
    if column.met is not None:
        met = (column.met if column.near is None else column.met | column.near)[places]
    curve = fit(scores, opinions) if result.measured.whole.fit_converged else None
    if curve is None or not curve.converged:
        return View(places, scores, opinions, met=met)
    fitted = curve(scores)
    residuals = opinions - fitted
    low, high = np.quantile(residuals, ((1 - BAND) / 2, (1 + BAND) / 2))
    return View(places, scores, opinions, curve, fitted, residuals, (float(low), float(high)), met)


def spread(view: View, limit: int) -> Ints:
    """At most `limit` of the pictures of a view, evenly over the order of their scores, first and last among
    them; places in the view, ascending."""
    if len(view) <= limit:
        return np.arange(len(view))
    order = np.argsort(view.scores, kind="stable")
    return np.sort(order[np.linspace(0, len(view) - 1, limit).astype(np.int64)])


def worst(result: Result, view: View, limit: int) -> Ints:
    """Places in the view of the pictures that a scorer misses by most, the worst first.

    By the residual; where there is no fit by the difference of the ranks that score and opinion have. None
    where there are no figures either, as of scores that are all the same.
    """
    if result.measured.whole.srcc is None:
        return np.empty(0, dtype=np.int64)
    missed = rank_differences(view) if view.residuals is None else view.residuals
    return np.argsort(-np.abs(missed), kind="stable")[:limit]


def rank_differences(view: View) -> Floats:
    """[n] rank of the opinion less rank of the score, in percent of the pictures."""
    differences = stats.rankdata(view.opinions) - stats.rankdata(view.scores)
    return np.asarray(100 * differences / len(view))


def tenths(view: View) -> list[tuple[float, float, float]]:
    """Mean residual of each tenth of the pictures in the order of their scores: least and greatest score of
    the tenth, and the mean. Nothing under 50 pictures, of which tenths say little."""
    if view.residuals is None or len(view) < 50:
        return []
    order = np.argsort(view.scores, kind="stable")
    return [
        (float(view.scores[some[0]]), float(view.scores[some[-1]]), float(view.residuals[some].mean()))
        for some in np.array_split(order, 10)
    ]
