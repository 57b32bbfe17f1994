"""Groups of pictures: joining pairs to groups, joining groups with others, and comparing two groupings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from iqa_cli.datasets.record import ImageRecord


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Number the connected groups of things that pairs join (union-find).

    Args:
        count: How many things there are.
        pairs: Pairs of their numbers.

    Returns:
        For each thing its group, numbered from 0 in the order of first members.
    """
    parent = list(range(count))

    def root(thing: int) -> int:
        while parent[thing] != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(thing), len(numbers)) for thing in range(count)]


def joined_groups(records: Sequence[ImageRecord], found: Iterable[Sequence[str]]) -> list[str]:
    """The groups of records where further groups join some of them.

    Args:
        records: With the groups that the database gives.
        found: Groups by the names of pictures; names that no record has are passed over.

    Returns:
        For each record the name of its group: of the given groups that are joined now, the first.
    """
    place = {record.name: number for number, record in enumerate(records)}
    first_of: dict[str, int] = {}
    pairs = [(first_of.setdefault(record.group, number), number) for number, record in enumerate(records)]
    for names in found:
        members = [place[name] for name in names if name in place]
        pairs += [(members[0], member) for member in members[1:]]
    names_of: dict[int, str] = {}
    numbers = connected(len(records), pairs)
    for record, number in zip(records, numbers, strict=True):
        names_of[number] = min(names_of.get(number, record.group), record.group)
    return [names_of[number] for number in numbers]


@dataclass(frozen=True)
class Agreement:
    """How far a grouping agrees with another one that is taken for the truth.

    Attributes:
        pairs_found: Pairs of pictures in one group of the grouping.
        pairs_given: Pairs of pictures in one group of the truth.
        pairs_common: Those of both.
        pictures_found: Pictures that are not alone in the grouping.
        pictures_given: Pictures that are not alone in the truth.
        pictures_common: Pictures that share a group with one and the same other picture in both.
    """

    pairs_found: int
    pairs_given: int
    pairs_common: int
    pictures_found: int
    pictures_given: int
    pictures_common: int

    @property
    def pair_precision(self) -> float:
        """Share of the pairs found that are given."""
        return self.pairs_common / self.pairs_found if self.pairs_found else 1.0

    @property
    def pair_recall(self) -> float:
        """Share of the pairs given that are found."""
        return self.pairs_common / self.pairs_given if self.pairs_given else 1.0

    @property
    def picture_precision(self) -> float:
        """Share of the pictures grouped that are grouped with one of their given group."""
        return self.pictures_common / self.pictures_found if self.pictures_found else 1.0

    @property
    def picture_recall(self) -> float:
        """Share of the pictures with a given group that are grouped with one of it."""
        return self.pictures_common / self.pictures_given if self.pictures_given else 1.0


def agreement(found: Sequence[Hashable], given: Sequence[Hashable]) -> Agreement:
    """Compare two groupings of the same pictures.

    Args:
        found: Group of each picture.
        given: Group of each picture in what is taken for the truth.
    """
    both = list(zip(found, given, strict=True))
    counts_found, counts_given, counts_both = Counter(found), Counter(given), Counter(both)

    def pairs(counts: Counter[Hashable]) -> int:
        return sum(number * (number - 1) // 2 for number in counts.values())

    return Agreement(
        pairs(counts_found),
        pairs(counts_given),
        pairs(Counter(counts_both)),
        sum(counts_found[group] > 1 for group in found),
        sum(counts_given[group] > 1 for group in given),
        sum(counts_both[pair] > 1 for pair in both),
    )
