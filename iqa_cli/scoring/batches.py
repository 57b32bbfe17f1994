"""Batches of the pipeline: filled crop by crop, computed when they are full. No torch in here.

A network that computes beside this process (on a GPU) is given the next batch before the rows of one are
waited for: it never has to wait for the transfer, nor for the crops to be put side by side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from iqa_cli.scoring.parts import Lane

#: Where the row of a crop goes.
Rows = list[npt.NDArray[np.float32]]

# Batches of a lane that may be computed at a time.
_AT_A_TIME = 2


@dataclass
class _Lane:
    """Crops that wait for a batch to be full, and batches that are being computed: whose rows, and what waits
    for them."""

    lane: Lane
    crops: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    owners: list[Rows] = field(default_factory=list)
    begun: deque[tuple[list[Rows], Callable[[], npt.NDArray[np.float32]]]] = field(default_factory=deque)

    def send(self) -> None:
        """Have what there is of a batch computed."""
        crops, owners = np.stack(self.crops), self.owners
        self.crops, self.owners = [], []
        if self.lane.begin is None:
            _give(owners, self.lane.predict(crops))
            return
        self.begun.append((owners, self.lane.begin(crops)))
        if len(self.begun) == _AT_A_TIME:
            self.settle()

    def settle(self) -> None:
        """Take the rows of the batch that was begun first."""
        owners, wait = self.begun.popleft()
        _give(owners, wait())


class Batches:
    """The open and the begun batches of all lanes.

    Args:
        lanes: The networks.
    """

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self._lanes = [_Lane(lane) for lane in lanes]

    def __bool__(self) -> bool:
        """Whether some crop has no row yet."""
        return any(one.crops or one.begun for one in self._lanes)

    def add(self, number: int, pixels: npt.NDArray[np.uint8], rows: Rows) -> bool:
        """Put a crop into the open batch of a lane.

        Args:
            number: Of the lane.
            pixels: uint8 [S, S, 3].
            rows: Its row is appended there, sooner or later.

        Returns:
            Whether a batch was full and has been sent.
        """
        one = self._lanes[number]
        one.crops.append(pixels)
        one.owners.append(rows)
        if len(one.crops) < one.lane.batch_size:
            return False
        one.send()
        return True

    def flush(self) -> None:
        """Have all that waits computed, and wait for it."""
        for one in self._lanes:
            if one.crops:
                one.send()
            while one.begun:
                one.settle()


def _give(owners: list[Rows], rows: npt.NDArray[np.float32]) -> None:
    for owner, row in zip(owners, rows, strict=True):
        owner.append(row)
