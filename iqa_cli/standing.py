"""Where each picture of a collection stands: its rank, the share of the others that it is better than, and
the share of the opinions in training that its score is above. In plain Python, from records alone."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from iqa_cli.card import LADDER, Card, percentile_of, word_for
from iqa_cli.errors import UsageError
from iqa_cli.prediction import Prediction

_PLACES = 2


@dataclass(frozen=True)
class Standing:
    """A record and its place among the others.

    Attributes:
        record: The record.
        rank: 1 for the best; pictures of equal scores (to two decimals) share the better rank. None without a
            score.
        percentile: Share of the other scored pictures that score lower, in %; equal ones count half. The best
            of all has 100, the worst 0, and a single one None.
        percentile_training: Share of the opinions in training that the score is above, in %
            (`iqa_cli.card.percentile_of`); None where the card has none, or there is no card.
        word: The word of the ladder for the score; None without a score.
    """

    record: Prediction
    rank: int | None = None
    percentile: float | None = None
    percentile_training: float | None = None
    word: str | None = None


def standings(records: Sequence[Prediction], card: Card | None = None) -> list[Standing]:
    """Where each of the records stands among them, in their order.

    Args:
        records: Of one collection, by one weight.
        card: Of that weight, for its percentiles and ladder; without one the usual ladder gives the words.
    """
    scores = sorted(round(record.score, _PLACES) for record in records if record.score is not None)
    return [
        Standing(record) if record.score is None else _standing(record, record.score, scores, card)
        for record in records
    ]


def _standing(record: Prediction, score: float, scores: list[float], card: Card | None) -> Standing:
    shown = round(score, _PLACES)
    lower, not_higher = bisect_left(scores, shown), bisect_right(scores, shown)
    others = len(scores) - 1
    equal = not_higher - lower - 1
    return Standing(
        record,
        rank=len(scores) - not_higher + 1,
        percentile=100 * (lower + equal / 2) / others if others else None,
        percentile_training=percentile_of(score, card) if card is not None else None,
        word=word_for(score, card) if card is not None else usual_word(score),
    )


def usual_word(score: float) -> str:
    """The word of the usual ladder for a score in points."""
    return next((str(word) for lowest, word in LADDER if score >= lowest), str(LADDER[-1][1]))


def best_first(standings: Sequence[Standing]) -> list[Standing]:
    """By rank; those of equal rank in their order, those without a score last."""
    return sorted(standings, key=lambda one: math.inf if one.rank is None else one.rank)


def worst_first(standings: Sequence[Standing]) -> list[Standing]:
    """From the worst to the best; those of equal rank in their order, those without a score last."""
    return sorted(standings, key=lambda one: math.inf if one.rank is None else -one.rank)


@dataclass(frozen=True)
class Share:
    """How many of a collection are meant: a number, or a share of it."""

    number: int | None = None
    percent: float | None = None

    @classmethod
    def parse(cls, text: str, option: str) -> Share:
        """The share that "10%" or "10" means.

        Raises:
            UsageError: It is neither a number from 1 nor a share above 0 % and up to 100 %.
        """
        matched = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text, re.ASCII)
        if matched:
            value = float(matched[1])
            if matched[2] and 0 < value <= 100:
                return cls(percent=value)
            if not matched[2] and value >= 1 and value.is_integer():
                return cls(number=int(value))
        raise UsageError(f"{option} takes a number such as 20 or a share such as 10%")

    def of(self, total: int) -> int:
        """How many of `total` that are; a share is rounded to the nearest, to one at least."""
        if self.number is not None:
            return min(self.number, total)
        return min(total, max(1, math.floor(total * (self.percent or 0) / 100 + 0.5)))
