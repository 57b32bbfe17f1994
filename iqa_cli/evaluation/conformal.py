"""Intervals that hold the opinion of a new picture with a stated coverage, whatever its error looks like.

How far opinions typically are from scores is regressed on what is known of a picture: the scale of a
Laplace distribution by maximum likelihood, its logarithm piecewise linear in the score. The interval is the
score less and plus multiples of that scale, and these multiples are conformal (split conformal prediction
with locally weighted residuals: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, JASA 113, 2018), so that the
coverage does not hang on the distribution, only the width does. They come from pictures that neither the
scale nor the calibration map nor the proportion of the two sides has seen: all are fitted again without each
of ten folds of whole groups (cross-conformal: Vovk, Annals of Mathematics and Artificial Intelligence 74,
2015). Pictures of a group are not independent: the multiples are quantiles over groups, each of which counts
as one (Lee, Barber and Willett, Distribution-free inference with hierarchical data, 2023).

How many pieces the scale has, and what else counts, is chosen by the interval score (Gneiting and Raftery,
JASA 102, 2007), which rewards what is narrow and covers: the simplest whose score on the left-out folds is
within one standard error of the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.folds import FOLDS, Ints, conformal_quantile, group_folds, group_weights
from iqa_cli.interval import FEATURES, Interval, Power, strength

#: Fewer groups than these give no interval: at 90 % it would be that of their largest errors.
LEAST_GROUPS = 20
#: A scale needs so many groups for each number that is fitted.
_GROUPS_EACH = 15
#: Numbers of scores, evenly spread from low to high ones, at which a scale is given.
_KNOTS = (1, 2, 3, 4, 6, 8)
_COUNTING: tuple[tuple[str, ...], ...] = ((), ("spread",), ("spread", "side"), ("spread", "crops"))
#: The shorter side of an interval is at least this share of the longer.
_LEAST_SIDE = 0.1
#: In points. What is predicted better than so is predicted exactly.
_SMALLEST = 0.01

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """What is known of pictures when they are scored.

    Attributes:
        score: [n] points.
        features: Of `iqa_cli.interval.FEATURES`: [n].
    """

    score: Floats
    features: Mapping[str, Floats]

    def only(self, kept: Mask) -> Known:
        """The pictures of a mask [n]."""
        return Known(self.score[kept], {name: values[kept] for name, values in self.features.items()})


@dataclass(frozen=True)
class _Shape:
    """A candidate: the scores at which the scale is given, and what else counts."""

    scores: tuple[float, ...]
    counting: tuple[str, ...]

    @property
    def numbers(self) -> int:
        return len(self.scores) + len(self.counting)


def fit_interval(
    known: Callable[[Mask], Known], opinions: Floats, groups: Ints, *, coverage: float = 0.9
) -> Interval | None:
    """Fit an interval to labelled pictures.

    Args:
        known: What is known of all pictures [n] when the calibration map is fitted to those of a mask [n];
            where the map is given, the same for every mask.
        opinions: [n] opinion scores in points.
        groups: [n] codes; pictures of one group are not independent.
        coverage: Wanted share of new pictures, of groups not met here, whose opinion is within.

    Returns:
        The interval. Its `about` has the "images" and "groups" it is fitted to, and "cross_validated": the
        "coverage" of each fold by what the others give, and the mean "width" there, in points. None where
        there are fewer than `LEAST_GROUPS` groups, or too few to tell that coverage.
    """
    number = len(np.unique(groups))
    # Those of nine folds in ten are asked for it too.
    if number < LEAST_GROUPS or (1 - coverage) * (number - math.ceil(number / FOLDS) + 1) < 1:
        return None
    folds = group_folds(groups)
    unseen = _unseen(known, folds)
    errors = opinions - unseen.score
    found = [(shape, _left_out(shape, unseen, errors, groups, folds)) for shape in _shapes(unseen, number)]
    shape, scale = _simplest_near_best(found, unseen.score, opinions, groups, folds, coverage)
    ratio = errors / scale
    beyond = _beyond(ratio, *_left_out_sides(ratio, groups, folds, coverage))
    below, above = (
        side * conformal_quantile(beyond, groups, coverage) for side in _sides(ratio, groups, coverage)
    )
    fitted, powers = _fit_scale(shape, unseen, errors, groups)
    about = {
        "images": len(groups),
        "groups": number,
        "cross_validated": _cross_validated(unseen.score, scale, opinions, groups, folds, coverage),
    }
    return Interval(coverage, shape.scores, fitted, below, above, powers, about)


def interval_score(low: Floats, high: Floats, opinions: Floats, coverage: float) -> Floats:
    """[n] width plus 2 / (1 - coverage) points for each point by which an opinion lies outside."""
    outside = np.maximum(low - opinions, 0) + np.maximum(opinions - high, 0)
    return np.asarray(high - low + 2 / (1 - coverage) * outside)


def _shapes(known: Known, groups: int) -> list[_Shape]:
    """What so many groups can bear, the fewest numbers first."""
    differing = {name for name in FEATURES if name in known.features and np.ptp(known.features[name]) > 0}
    low, high = np.percentile(known.score, (2, 98))
    shapes = []
    for knots, counting in product(_KNOTS, _COUNTING):
        scores = np.linspace(low, high, knots) if knots > 1 else np.percentile(known.score, [50])
        shape = _Shape(tuple(map(float, scores)), counting)
        rises = knots == 1 or high > low
        if (
            rises
            and differing >= set(counting)
            and (shape.numbers == 1 or _GROUPS_EACH * shape.numbers <= groups)
        ):
            shapes.append(shape)
    return sorted(shapes, key=lambda shape: shape.numbers)


def _unseen(known: Callable[[Mask], Known], folds: Ints) -> Known:
    """What is known of every picture by a map that has not seen its fold."""
    score, features = np.empty(len(folds)), dict[str, Floats]()
    for fold in range(FOLDS):
        left = folds == fold
        part = known(~left).only(left)
        score[left] = part.score
        for name, values in part.features.items():
            features.setdefault(name, np.empty(len(folds)))[left] = values
    return Known(score, features)


def _left_out(shape: _Shape, known: Known, errors: Floats, groups: Ints, folds: Ints) -> Floats:
    """[n] the scale of every picture as it is fitted without its fold."""
    scale = np.empty(len(errors))
    for fold in range(FOLDS):
        left = folds == fold
        fitted, powers = _fit_scale(shape, known.only(~left), errors[~left], groups[~left])
        made = Interval(0.5, shape.scores, fitted, 1.0, 1.0, powers)
        scale[left] = made.scale_of(known.score[left], known.only(left).features)
    return scale


def _fit_scale(
    shape: _Shape, known: Known, errors: Floats, groups: Ints
) -> tuple[tuple[float, ...], dict[str, Power]]:
    """The scale at the scores of a shape, and the powers: maximum likelihood of Laplace errors [n].

    With e = log scale, linear in the coefficients, the mean of e + |error| exp(-e) is convex.
    """
    weights, errors = group_weights(groups), np.maximum(np.abs(errors), _SMALLEST)
    ranges = {}
    for name in shape.counting:
        least, middle, most = np.percentile(known.features[name], (0, 50, 100))
        ranges[name] = (float(least), float(middle), float(most))
    columns = [np.interp(known.score, shape.scores, hat) for hat in np.eye(len(shape.scores))]
    columns += [strength(known.features[name], *ranges[name]) for name in shape.counting]
    design = np.stack(columns, axis=1)
    cut = len(shape.scores)
    centre = np.concatenate(
        [np.full(cut, np.log(np.average(errors, weights=weights))), np.zeros(len(columns) - cut)]
    )

    def objective(coefficients: Floats) -> tuple[float, Floats]:
        logarithm = design @ coefficients
        ratio = errors * np.exp(-logarithm)
        apart = coefficients - centre
        # As strong as one picture: what no picture speaks of stays at the centre.
        return (
            float(weights @ (logarithm + ratio) + 0.5 * apart @ apart),
            design.T @ (weights * (1 - ratio)) + apart,
        )

    found = optimize.minimize(objective, centre, jac=True, method="L-BFGS-B").x
    powers = {
        name: Power(*ranges[name], float(value))
        for name, value in zip(shape.counting, found[cut:], strict=True)
    }
    return tuple(float(value) for value in np.exp(found[:cut])), powers


def _sides(ratio: Floats, groups: Ints, coverage: float) -> tuple[float, float]:
    """Relative lengths of both sides, their mean 1, with equal shares of the errors (in scales) beyond each,
    as far as these show."""
    weights = group_weights(groups)
    order = np.argsort(ratio, kind="stable")
    reached = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
    tail = (1 - coverage) / 2
    below = -float(np.interp(tail, reached, ratio[order]))
    above = float(np.interp(1 - tail, reached, ratio[order]))
    longer = max(below, above, _SMALLEST)
    below, above = max(below, _LEAST_SIDE * longer), max(above, _LEAST_SIDE * longer)
    return 2 * below / (below + above), 2 * above / (below + above)


def _left_out_sides(ratio: Floats, groups: Ints, folds: Ints, coverage: float) -> tuple[Floats, Floats]:
    """[n] both sides for every picture as they are without its fold: those that its own error has helped to
    lengthen would hold it too easily."""
    below, above = np.empty(len(ratio)), np.empty(len(ratio))
    for fold in range(FOLDS):
        left = folds == fold
        below[left], above[left] = _sides(ratio[~left], groups[~left], coverage)
    return below, above


def _beyond(ratio: Floats, below: Floats, above: Floats) -> Floats:
    """[n] by how much both sides must be multiplied to hold an error (in scales)."""
    return np.asarray(np.maximum(-ratio / below, ratio / above))


def _bounds(score: Floats, scale: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
    return np.clip(score - below * scale, 0, 100), np.clip(score + above * scale, 0, 100)


def _simplest_near_best(
    found: Sequence[tuple[_Shape, Floats]],
    score: Floats,
    opinions: Floats,
    groups: Ints,
    folds: Ints,
    coverage: float,
) -> tuple[_Shape, Floats]:
    """Of shapes with their scales, the first that is not worse than the best by more than one standard error
    over groups."""
    weights, codes = group_weights(groups), np.unique(groups, return_inverse=True)[1]
    points = []
    for _, scale in found:
        ratio = (opinions - score) / scale
        below, above = _left_out_sides(ratio, groups, folds, coverage)
        factor = conformal_quantile(_beyond(ratio, below, above), groups, coverage)
        bounds = _bounds(score, factor * scale, below, above)
        points.append(interval_score(*bounds, opinions, coverage))
    means = [float(np.average(each, weights=weights)) for each in points]
    best = int(np.argmin(means))
    for place, mean in enumerate(means):
        difference = points[place] - points[best] - (mean - means[best])
        sums = np.bincount(codes, weights=weights * difference)
        if mean - means[best] <= math.sqrt(float(sums @ sums)) / len(sums):
            return found[place]
    return found[best]


def _cross_validated(
    score: Floats, scale: Floats, opinions: Floats, groups: Ints, folds: Ints, coverage: float
) -> dict[str, float]:
    """Coverage and mean width of folds whose multiples are those of the others."""
    ratio, factor = (opinions - score) / scale, np.empty(len(folds))
    below, above = _left_out_sides(ratio, groups, folds, coverage)
    beyond = _beyond(ratio, below, above)
    for fold in range(FOLDS):
        left = folds == fold
        factor[left] = conformal_quantile(beyond[~left], groups[~left], coverage)
    low, high = _bounds(score, factor * scale, below, above)
    weights = group_weights(groups)
    inside = (low <= opinions) & (opinions <= high)
    return {
        "coverage": round(float(np.average(inside, weights=weights)), 4),
        "width": round(float(np.average(high - low, weights=weights)), 2),
    }
