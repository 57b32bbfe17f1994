"""Group maximum differentiation: the pairs on which an attacker disagrees most with a defender.

K. Ma et al., Group Maximum Differentiation Competition: Model Comparison with Few Samples, IEEE TPAMI 42(4),
2020: two pictures that the defender holds for equal, and of all such pairs the one that the attacker tells
apart most. If people see the difference, the defender is falsified; if they see none, the attacker is.

The search is exact. Pictures are sorted by the defender's scores, so that the partners of each are a window
of its predecessors; the largest and the smallest attacker score of all windows come from a table of ranges
whose lengths are powers of two (n log n for n pictures). Of each range the best of two different contents is
kept, so that a pair of one content can be ruled out and the search is still exact. A pair that was taken
changes only the windows around its two pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.float64]"
Ints: TypeAlias = "NDArray[np.int64]"


@dataclass(frozen=True)
class Found:
    """A pair, by the places of its pictures.

    Attributes:
        first: The picture that the attacker prefers.
        second: The other one.
        attacker_difference: Attacker's score of first minus that of second; above 0.
        defender_difference: The same of the defender; its size is within the tolerance.
    """

    first: int
    second: int
    attacker_difference: float
    defender_difference: float


def mine(
    defender: Floats,
    attacker: Floats,
    count: int,
    tolerance: float,
    *,
    apart: Ints | None = None,
    same: Ints | None = None,
    refuse: Callable[[int, int], bool] | None = None,
) -> list[Found]:
    """Find the pair with the largest attacker difference among all that the defender holds for equal, then
    the next ones without the pictures of those before.

    Args:
        defender: [n] scores, finite.
        attacker: [n] scores, finite, on a scale of its own.
        count: Most pairs wanted.
        tolerance: Largest difference of defender scores that counts as equal; 0 or more.
        apart: [n] codes of contents; two pictures of one never form a pair.
        same: [n] codes; only two pictures of one form a pair.
        refuse: Looks at a pair (places) that would be taken and says whether it is of one content after all.
            It should be an equivalence: what it joins counts as one content from then on.

    Returns:
        Pairs by falling attacker difference. Fewer than `count` where no further pair is within the
        tolerance, or the attacker holds all of them for equal too. Where two pairs are equal, which one
        comes first depends on nothing but the arguments.

    Raises:
        ValueError: Lengths differ, a score is not finite, or the tolerance is negative or NaN.
    """
    number = len(defender)
    if any(len(array) != number for array in (attacker, apart, same) if array is not None):
        raise ValueError("scores and codes are of different numbers of pictures")
    if not (np.isfinite(defender).all() and np.isfinite(attacker).all()):
        raise ValueError("mining needs finite scores")
    if not tolerance >= 0:
        raise ValueError("a tolerance is 0 or more")
    if number < 2 or count < 1:
        return []
    search = _Search(defender, attacker, tolerance, apart, same)
    found: list[Found] = []
    while len(found) < count and (pair := search.best()) is not None:
        first, second = pair
        if refuse is not None and refuse(int(search.order[first]), int(search.order[second])):
            search.join(first, second)
            continue
        here, there = int(search.order[first]), int(search.order[second])
        found.append(
            Found(
                here,
                there,
                float(attacker[here] - attacker[there]),
                float(defender[here] - defender[there]),
            )
        )
        search.remove(first, second)
    return found


class _Search:
    """Pictures in the order of the defender, and for each of them the best pair with one before it."""

    def __init__(
        self, defender: Floats, attacker: Floats, tolerance: float, apart: Ints | None, same: Ints | None
    ) -> None:
        number = len(defender)
        block = np.zeros(number, np.int64) if same is None else same
        self.order = np.lexsort((defender, block))
        scores, block = defender[self.order], block[self.order]
        contents = np.arange(number) if apart is None else np.unique(apart, return_inverse=True)[1]
        self._content: Ints = contents.astype(np.int64)[self.order]
        starts = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
        ends = np.r_[starts[1:], number]
        self._low = np.concatenate(
            [
                start + _window_starts(scores[start:end], tolerance)
                for start, end in zip(starts, ends, strict=True)
            ]
        )
        # A picture that was taken is the worst of all, in both directions.
        self._up = attacker[self.order].astype(np.float64)
        self._down = -self._up
        self._value = np.full(number, -np.inf)
        self._partner = np.full(number, -1, np.int64)
        self._above = np.zeros(number, bool)
        self._look(0, number)

    def best(self) -> tuple[int, int] | None:
        """Places in the order of the best pair that is left: the attacker's choice and the other one."""
        row = int(self._value.argmax())
        if not self._value[row] > 0:
            return None
        partner = int(self._partner[row])
        return (partner, row) if self._above[row] else (row, partner)

    def remove(self, *places: int) -> None:
        """Take pictures out."""
        self._up[list(places)] = self._down[list(places)] = -np.inf
        for place in places:
            # Window starts only grow, so that the windows with a place in them are neighbours.
            self._look(place, int(np.searchsorted(self._low, place, side="right")))

    def join(self, one: int, other: int) -> None:
        """From now on the contents of two pictures are one."""
        self._content[self._content == self._content[other]] = self._content[one]
        members = np.flatnonzero(self._content == self._content[one])
        # Best pairs of two contents stay the best; only pairs within the joined one fall away.
        for row in members[self._content[self._partner[members]] == self._content[one]].tolist():
            self._look_at(row)

    def _look(self, first: int, last: int) -> None:
        """Find the best pairs of the rows from `first` up to `last`, exclusive."""
        rows = slice(first, last)
        above = _largest(self._up, self._content, self._low, first, last)
        below = _largest(self._down, self._content, self._low, first, last)
        # Differences of infinities are NaN: of a picture that was taken.
        with np.errstate(invalid="ignore"):
            up = np.where(above >= 0, self._up[above] - self._up[rows], -np.inf)
            down = np.where(below >= 0, self._down[below] - self._down[rows], -np.inf)
        gone = np.isneginf(self._up[rows])
        up[gone] = down[gone] = -np.inf
        self._above[rows] = up >= down
        self._partner[rows] = np.where(up >= down, above, below)
        self._value[rows] = np.maximum(up, down)

    def _look_at(self, row: int) -> None:
        """The same for one row, by going through its window."""
        window = np.arange(self._low[row], row)
        window = window[(self._content[window] != self._content[row]) & np.isfinite(self._up[window])]
        if not len(window) or np.isneginf(self._up[row]):
            self._value[row], self._partner[row] = -np.inf, -1
            return
        above, below = int(window[self._up[window].argmax()]), int(window[self._down[window].argmax()])
        up, down = self._up[above] - self._up[row], self._down[below] - self._down[row]
        self._above[row] = up >= down
        self._partner[row] = above if up >= down else below
        self._value[row] = max(up, down)


def _window_starts(scores: Floats, tolerance: float) -> Ints:
    """For each of sorted scores the first place whose score it exceeds by no more than the tolerance."""
    starts = np.searchsorted(scores, scores - tolerance)
    # score - tolerance is rounded, so that the place found may be off by those that are equal to it: what
    # counts is the rounded difference of the two scores, which grows with the distance.
    while (late := (starts > 0) & (scores - scores[starts - 1] <= tolerance)).any():
        starts[late] = np.searchsorted(scores, scores[starts[late] - 1])
    while (early := scores - scores[starts] > tolerance).any():
        starts[early] = np.searchsorted(scores, scores[starts[early]], side="right")
    return starts.astype(np.int64)


def _largest(values: Floats, contents: Ints, low: Ints, first: int, last: int) -> Ints:
    """For each row from `first` to `last` the place from low[row] to row with the largest value among those
    of another content than the row's; -1 where there is none."""
    base = int(low[first])
    value = np.append(values[base:last], -np.inf)
    content = np.append(contents[base:last], -1)
    rows = np.arange(first, last) - base
    starts = low[first:last] - base
    # Place of the exponent: the largest power of two that fits into each window.
    level = np.frexp(rows - starts + 1)[1] - 1
    one: Ints = np.arange(last - base)
    two: Ints = np.full(last - base, -1)
    result = np.full(last - first, -1)
    for k in range(int(level.max()) + 1):
        here = np.flatnonzero(level == k)
        left, right = starts[here], rows[here] - 2**k + 1
        best, second = _merged(value, content, one[left], two[left], one[right], two[right])
        result[here] = np.where(content[best] != content[rows[here]], best, second)
        kept = len(one) - 2**k
        if kept > 0:
            one, two = _merged(value, content, one[:kept], two[:kept], one[-kept:], two[-kept:])
    return np.where(result >= 0, result + base, -1)


def _merged(
    value: Floats, content: Ints, one: Ints, two: Ints, other_one: Ints, other_two: Ints
) -> tuple[Ints, Ints]:
    """The best of two ranges, and the best of another content than it (-1: none); ranges may overlap."""
    swap = value[other_one] > value[one]
    best, loser = np.where(swap, other_one, one), np.where(swap, one, other_one)
    second, further = np.where(swap, other_two, two), np.where(swap, two, other_two)
    chosen = content[best]
    for candidate in (loser, further):
        better = (content[candidate] != chosen) & (value[candidate] > value[second])
        second = np.where(better, candidate, second)
    return best, second
