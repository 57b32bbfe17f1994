"""Which pictures a step draws, as a function of the seed and the step alone. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: Behind a seed, to draw sizes by another one than pictures.
_SIZES = (0, 0, 1)


class Order(Protocol):
    """Which pictures a step draws."""

    def steps_per_epoch(self) -> int:
        """Steps in an epoch."""
        ...

    def chosen(self, epoch: int, step: int) -> NDArray[np.int64]:
        """Positions of the pictures of a step of an epoch: the share of this process."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """Every picture `crops_per_image` times an epoch, in an order drawn over all of these crops.

    Attributes:
        pictures: Number of pictures.
        batch: Crops a step.
        seed: Seed of the order.
        crops_per_image: Crops of each picture in an epoch.
        rank: Which of `ranks` processes that train together draws its share here.
        ranks: Number of these processes.
    """

    pictures: int
    batch: int
    seed: int
    crops_per_image: int = 1
    rank: int = 0
    ranks: int = 1

    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch; the last short one is dropped (AFF normalises over the batch)."""
        return self.pictures * self.crops_per_image // self.batch

    def chosen(self, epoch: int, step: int) -> NDArray[np.int64]:
        """Positions of the pictures of a step of an epoch: the share of this process."""
        order = permutation((self.seed, epoch), self.pictures * self.crops_per_image)
        share = self.batch // self.ranks
        start = step * self.batch + self.rank * share
        return order[start : start + share] % self.pictures


@dataclass(frozen=True)
class Mixed:
    """Several databases in each step; each is drawn through in an order of its own, again and again.

    Attributes:
        sizes: Pictures of each database, which lie behind one another in the list of pictures.
        counts: Crops of each in the batch of one process.
        seed: Seed of the orders.
        crops_per_image: Crops of a picture in an epoch, on average.
        rank: Which of `ranks` processes that train together draws its share here.
        ranks: Number of these processes.
    """

    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    seed: int
    crops_per_image: int = 1
    rank: int = 0
    ranks: int = 1

    def steps_per_epoch(self) -> int:
        """As many steps as it takes to draw as many crops as all databases have pictures."""
        return sum(self.sizes) * self.crops_per_image // (sum(self.counts) * self.ranks)

    def chosen(self, epoch: int, step: int) -> NDArray[np.int64]:
        """Positions of the pictures of a step of an epoch, in the order of the databases."""
        number, first, found = epoch * self.steps_per_epoch() + step, 0, []
        for d, (size, count) in enumerate(zip(self.sizes, self.counts, strict=True)):
            start = (number * self.ranks + self.rank) * count
            passes, places = np.divmod(np.arange(start, start + count), size)
            for i in np.unique(passes):
                found.append(first + permutation((self.seed, d, int(i)), size)[places[passes == i]])
            first += size
        return np.concatenate(found)


def side_of_step(step: int, sizes: Sequence[int], seed: int) -> int:
    """Side of the crops of a step, counted over all epochs; the same in all processes that train together.

    Steps are taken in runs of as many as there are sizes. Each run has every size once, in an order drawn for
    it, so that none is rare in a short training.
    """
    run, place = divmod(step, len(sizes))
    return sizes[int(permutation((seed, run, *_SIZES), len(sizes))[place])]


@lru_cache(maxsize=32)
def permutation(seed: tuple[int, ...], number: int) -> NDArray[np.int64]:
    """The numbers below `number` in the order that a seed gives; not to be changed."""
    order = np.random.default_rng(seed).permutation(number)
    order.flags.writeable = False
    return order


def share_of(number: int, rank: int, ranks: int) -> int:
    """How many of `number` things fall to process `rank` of `ranks`, as evenly as it goes."""
    return number // ranks + (rank < number % ranks)
