"""A network ready to look at crops, whatever computes it. No torch in here."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from iqa_cli.errors import IqaError

#: Crops of a batch on a CPU. What lies between two layers then stays where malloc and the caches can use it
#: again; of 16 crops each map is memory that the system has to fill with zeros first (docs/performance.md).
CPU_BATCH = 4


class Network(ABC):
    """Gives rows of numbers for crops, in batches.

    Args:
        names: Types of distortion that it names; () for none.
        batch_size: Crops of a batch. Halved by itself when the device runs out of memory.
    """

    #: What is raised when a batch is too large for the device.
    too_large: tuple[type[Exception], ...] = ()

    def __init__(self, names: tuple[str, ...], batch_size: int) -> None:
        self.names = names
        self.batch_size = batch_size

    @abstractmethod
    def forward(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`rows` of one batch, all at once."""

    def rows(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What the network says of crops.

        Args:
            crops: uint8 [N, S, S, 3], sRGB. More than `batch_size` are taken in several batches.

        Returns:
            float32 [N, K]: the raw score (MOS in 0 to 1 before calibration, not bounded) and, where it names
            distortions, the columns of `iqa_cli.scoring.naming`.

        Raises:
            ValueError: The array is not of that shape or type.
            IqaError: There is not enough memory for even one crop.
        """
        if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
            raise ValueError(f"crops should be uint8 [N, S, S, 3], not {crops.dtype} {list(crops.shape)}")
        rows: list[npt.NDArray[np.float32]] = []
        done = 0
        while done < len(crops):
            size = min(self.batch_size, len(crops) - done)
            try:
                rows.append(self.forward(crops[done : done + size]))
            except self.too_large:
                if size == 1:
                    raise IqaError(
                        "the GPU has not enough free memory for one crop", hint="use --device cpu"
                    ) from None
                self.release()
                self.batch_size = size // 2
                continue
            done += size
        return np.concatenate(rows) if rows else np.zeros((0, 1 + 2 * len(self.names)), dtype=np.float32)

    def begin(self, crops: npt.NDArray[np.uint8]) -> Callable[[], npt.NDArray[np.float32]]:
        """Start on one batch.

        Args:
            crops: As of `rows`.

        Returns:
            What waits for its rows and gives them. By default they are there when this returns.

        Raises:
            ValueError, IqaError: As `rows`, here or when the rows are waited for.
        """
        found = self.rows(crops)
        return lambda: found

    def release(self) -> None:
        """Give memory back that the device holds for later; nothing to do by default."""
        return


class LazyNetwork(Network):
    """A network that is made when it is first asked: a run in which every picture is known never loads it.

    Args:
        names, batch_size: Of the network to come.
        make: Makes it.
    """

    def __init__(self, names: tuple[str, ...], batch_size: int, make: Callable[[], Network]) -> None:
        super().__init__(names, batch_size)
        self._make = make
        self._made: Network | None = None
        self._making = threading.Lock()

    def rows(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Network.rows`.

        Raises:
            IqaError: It cannot be made.
        """
        return self._network().rows(crops)

    def forward(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._network().forward(crops)

    def _network(self) -> Network:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made
