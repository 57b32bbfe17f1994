"""The best picture of each scene, by how much it leads, and whether that can be told from chance.

A score has an interval (`Prediction.low`, `high`) in which the opinion on the picture lies, with the coverage
of the weight. For two pictures the question is whether the opinion on the better-scored one is higher. Its
error below its score and the other's above its own decide that, so the two sides that face each other count:

    uncertainty = sqrt((better.score - better.low)^2 + (other.high - other.score)^2)

and a margin is sure where it is larger. That takes the two errors for independent. Pictures of one scene err
partly in common, which a difference is free of, so that it is rather too wide than too narrow
(`benchmarks/cull_pairs.py` counts how often, docs/cull.md has the result). Intervals of 90 % leave about 5 %
on each side; the best of many is chosen for its score, which makes its lead look larger than it is.

A reduced copy often scores higher than its original: it looks sharper, and a score does not know what has
been lost. So pictures with less than half as many pixels as the largest of their scene come after the others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from iqa_cli.prediction import Prediction, shown

#: Share of the pixels of the largest picture of a scene below which one is small.
SMALL = 0.5


class Keep(str, Enum):
    """Which pictures of a group are kept."""

    best = "best"
    close = "close"


@dataclass(frozen=True)
class Verdict:
    """A picture within its scene.

    Attributes:
        prediction: Its record.
        group: Number of its group, from 1 in the order of first members; None where it is alone, as is what
            has no score.
        members: Pictures in the group, all of them with scores; 1 where it is alone.
        rank: Place in the group, from 1, the best; None where it is alone.
        keep: Whether it is kept: the best of its group, or one that is alone; None without a score, and then
            nothing is done with it.
        margin: Of the best its lead over the next that is not small, of others how far they are behind the
            best (negative; a small one may be ahead), in points; None where there is nothing to compare.
        uncertainty: What the margin has to exceed, in points; None where a score has no interval.
        sure: Whether it does; None where that is not known, and for what is small.
        small: Whether it is known to have less than half as many pixels as the largest of its group.
    """

    prediction: Prediction
    group: int | None
    members: int
    rank: int | None = None
    keep: bool | None = True
    margin: float | None = None
    uncertainty: float | None = None
    sure: bool | None = None
    small: bool = False

    @property
    def path(self) -> str:
        return self.prediction.path


def uncertainty_of(better: Prediction, other: Prediction) -> float | None:
    """What the difference of two scores has to exceed, in points: see above; None without intervals."""
    if better.score is None or better.low is None or other.score is None or other.high is None:
        return None
    below, above = better.score - better.low, other.high - other.score
    return math.hypot(below, above) if math.isfinite(below) and math.isfinite(above) else None


def choose(predictions: Sequence[Prediction], groups: Sequence[int], keep: Keep = Keep.best) -> list[Verdict]:
    """The verdicts, in the order of the pictures.

    Small pictures come after the others. Of equal scores (to two decimals) the picture with more pixels comes
    first, then the earlier one.

    Args:
        predictions: [n] records.
        groups: [n] the scene of each.
        keep: Whether those are kept, too, that are neither small nor surely worse than the best of their
            group; where that cannot be told for lack of intervals, they are.
    """
    scored = [_score(prediction) is not None for prediction in predictions]
    members = Counter(group for group, has in zip(groups, scored, strict=True) if has)
    ranked: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        if scored[place] and members[group] > 1:
            ranked.setdefault(group, []).append(place)
    verdicts = [
        Verdict(prediction, None, 1, keep=True if has else None)
        for prediction, has in zip(predictions, scored, strict=True)
    ]
    for number, places in enumerate(ranked.values(), start=1):
        largest = max(_pixels(predictions[place]) for place in places)
        small = {place for place in places if 0 < _pixels(predictions[place]) < SMALL * largest}
        places.sort(key=lambda place: (place in small, *_order(predictions[place], place)))
        rivals = [predictions[place] for place in places if place not in small]
        for rank, place in enumerate(places, start=1):
            verdict = Verdict(predictions[place], number, len(places), rank, small=place in small)
            verdicts[place] = _judged(verdict, rivals, keep)
    return verdicts


def _judged(verdict: Verdict, rivals: Sequence[Prediction], keep: Keep) -> Verdict:
    """The verdict on one of a group; `rivals` are those of it that are not small, the best first."""
    own, small, is_best = verdict.prediction, verdict.small, verdict.rank == 1
    margin = uncertainty = None
    sure = None
    other = rivals[1] if is_best and len(rivals) > 1 else rivals[0]
    if own is not other:
        better, worse = (own, other) if is_best else (other, own)
        difference = (_score(better) or 0.0) - (_score(worse) or 0.0)
        margin = difference if is_best else 0.0 - difference
        if not small:
            uncertainty = uncertainty_of(better, worse)
            sure = None if uncertainty is None else difference > uncertainty
    kept = is_best or (keep is Keep.close and not small and not sure)
    return replace(verdict, keep=kept, margin=margin, uncertainty=uncertainty, sure=sure)


def _score(prediction: Prediction) -> float | None:
    """The score as it is shown."""
    score = prediction.score
    return None if score is None or not math.isfinite(score) else shown(score)


def _pixels(prediction: Prediction) -> int:
    """0 where the size is not known."""
    return (prediction.width or 0) * (prediction.height or 0)


def _order(prediction: Prediction, place: int) -> tuple[float, int, int]:
    return -(_score(prediction) or 0.0), -_pixels(prediction), place
