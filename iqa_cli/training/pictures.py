"""The pictures of a training part: decoded once and kept while memory lasts, decoded anew beyond that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from iqa_cli.errors import ImageError
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.text import one_line

Image = NDArray[np.uint8]


def decode(path: Path) -> Image:
    """One picture as sRGB uint8 [H, W, 3]; what is transparent lies on the light background of scoring.

    Raises:
        ImageError: It cannot be read; the message begins with its name.
    """
    background = SizePolicy().backgrounds[1]
    try:
        with open_photo(path) as photo:
            return photo.region(0, 0, photo.width, photo.height, background if photo.has_alpha else None)
    except ImageError as error:
        raise ImageError(f"{one_line(path)}: {error.message}", hint=error.hint) from None


def random_region(
    image: Image, side: int, rng: np.random.Generator, padding: Literal["reflect", "symmetric"]
) -> Image:
    """Cut a square at random, flipped half of the time.

    Args:
        image: uint8 [H, W, 3].
        side: Side of the square.
        rng: Draws the place, then the flip.
        padding: How a side that is too short is mirrored, as NumPy calls it.

    Returns:
        uint8 [side, side, 3].
    """
    short = [max(0, side - length) for length in image.shape[:2]]
    if any(short):
        image = np.pad(image, [(s // 2, s - s // 2) for s in short] + [(0, 0)], mode=padding)
    y, x = (int(rng.integers(length - side + 1)) for length in image.shape[:2])
    region = image[y : y + side, x : x + side]
    return np.ascontiguousarray(region[:, ::-1] if rng.random() < 0.5 else region)


class Pictures(Sequence[Image]):
    """Decoded pictures by position, uint8 [H, W, 3].

    Args:
        paths: Pictures.
        limit: Bytes of decoded pictures that are kept; None for all.
        threads: Pictures decoded at a time when it is made; by default as many as torch uses threads.
        progress: Told how many are looked at, of how many.

    Raises:
        ImageError: The first of those kept that cannot be read, by name. One that is not kept is looked at
            when it is drawn.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        limit: int | None = None,
        threads: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.paths = list(paths)
        self._limit, self._taken, self._lock = limit, 0, threading.Lock()
        self._kept: list[Image | None] = []
        with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
            for image in pool.map(self._keep, self.paths):
                self._kept.append(image)
                if progress is not None:
                    progress(len(self._kept), len(self.paths))

    def kept(self) -> int:
        """How many are in memory."""
        return sum(image is not None for image in self._kept)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | Sequence[Image]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        image = self._kept[index]
        return decode(self.paths[index]) if image is None else image

    def _keep(self, path: Path) -> Image | None:
        if self._limit is not None and self._taken >= self._limit:
            return None
        image = decode(path)
        with self._lock:
            self._taken += image.nbytes
        return image

    def __getstate__(self) -> dict[str, object]:
        """Without the lock, which is no longer needed."""
        return {**self.__dict__, "_lock": None}


def decode_all(paths: Sequence[Path], threads: int | None = None) -> list[Image]:
    """Decode every picture to sRGB uint8 [H, W, 3], kept in memory.

    Args:
        paths: Pictures.
        threads: Pictures decoded at a time; by default as many as torch uses threads.

    Raises:
        ImageError: The first picture that cannot be read, by name: training on fewer pictures than stated
            would be silent.
    """
    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
        return list(pool.map(decode, paths))
