"""What an observer is asked and answers: trials in an order of their own, votes, and how far they are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from iqa_cli.gmad.session import Pair

#: What can be said of a pair; "skip" where a picture could not be shown.
CHOICES = ("left", "right", "none", "skip")

Choice: TypeAlias = Literal["left", "right", "none", "skip"]


class NameTaken(Exception):
    """An observer of this name has begun; carries how far."""


class OutOfStep(Exception):
    """A vote or undo for another pair than the one that is due: sent twice, or by a second window."""


@dataclass(frozen=True)
class State:
    """Where an observer stands.

    Attributes:
        observer: Key of the observer.
        name: As given.
        done: Votes that count so far.
        total: Trials in all.
        position: Of the trial that is due, from 0; None when all are done.
    """

    observer: str
    name: str
    done: int
    total: int
    position: int | None


@dataclass(frozen=True)
class Vote:
    """One vote that counts.

    Attributes:
        observer: Name of the observer.
        pair: Id of the pair.
        first_on: Where the first picture of the pair was shown: "left" or "right".
        choice: One of `CHOICES`.
        milliseconds: From both pictures being there to the vote; None where not told.
    """

    observer: str
    pair: str
    first_on: str
    choice: Choice
    milliseconds: int | None

    @property
    def preference(self) -> int | None:
        """1 for the first picture of the pair, -1 for the second, 0 for no difference, None for a skip."""
        if self.choice == "skip":
            return None
        if self.choice == "none":
            return 0
        return 1 if self.choice == self.first_on else -1


def order(pairs: Sequence[Pair], rng: random.Random) -> list[int]:
    """A random order [n] of places in `pairs`, the catch trials spread evenly and not at the very start."""
    mined = [place for place, pair in enumerate(pairs) if not pair.catch]
    catch = [place for place, pair in enumerate(pairs) if pair.catch]
    rng.shuffle(mined)
    rng.shuffle(catch)
    # One somewhere in each stretch of equal length; from the back, so that places stay good.
    length = len(mined)
    for number in reversed(range(len(catch))):
        low, high = (length * step // len(catch) for step in (number, number + 1))
        mined.insert(rng.randint(min(low + 1, high), high), catch[number])
    return mined
