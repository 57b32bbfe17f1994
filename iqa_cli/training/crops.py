"""Random crops for training: flips, and optionally a distorted copy of the same crop."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqa_cli.errors import DatasetError
from iqa_cli.images.distortions import LEVELS, distort
from iqa_cli.text import one_line
from iqa_cli.training.order import Order, Shuffled, share_of, side_of_step
from iqa_cli.training.pictures import Image, decode_all

__all__ = ["RANKED", "Batch", "CropSampler", "Image", "check_pictures", "decode_all", "to_tensor"]

#: Types of distortion laid on in training by default: those that only ever take quality away. A change of
#: colour, of contrast or of sharpness may also be welcome.
RANKED = (
    "gaussian_blur",
    "white_noise",
    "jpeg",
    "webp",
    "down_up",
    "lens_blur",
    "motion_blur",
    "jpeg2000",
    "avif",
    "white_noise_ycbcr",
    "impulse_noise",
    "multiplicative_noise",
    "pixelate",
)
#: Share of the ranking loss's margin that a copy of another type must keep.
FURTHER_SHARE = 0.5


@dataclass(frozen=True)
class Batch:
    """Crops of one step.

    Attributes:
        rgb: [N, 3, S, S] float in 0 to 1, channels-last.
        index: [N] positions in the list of pictures.
        level: [N] level of the distortion laid on, 0 for none.
        pair: [N] position in the batch of the undistorted crop that a distorted one was made of, -1 for none.
        seconds: What making it took.
        share: [N] share of the ranking loss's margin that a distorted crop must keep; None for all of it.
    """

    rgb: Tensor
    index: NDArray[np.int64]
    level: NDArray[np.int64]
    pair: NDArray[np.int64]
    seconds: float = 0.0
    share: NDArray[np.float64] | None = None


def check_pictures(paths: Sequence[Path], where: str) -> None:
    """See that every picture is there, before anything takes long.

    Args:
        paths: Pictures.
        where: What they are pictures of, for the message.

    Raises:
        DatasetError: The first that is no readable file, by name, and how many there are.
    """
    missing = [path for path in paths if not (path.is_file() and os.access(path, os.R_OK))]
    if missing:
        raise DatasetError(
            f"{where}: {len(missing)} of {len(paths)} pictures are missing or not readable; the first: "
            f"{one_line(missing[0])}"
        )


class CropSampler:
    """Batches of random crops, the same for the same seed and epoch.

    Args:
        images: Decoded pictures; a side under that of the crops is mirrored up to it.
        size: Side of the crops.
        batch: Undistorted crops in a batch.
        distorted: Distorted copies of further crops in a batch, at most `batch`.
        seed: Seed of everything random here.
        eligible: Positions of the pictures that distorted copies may be made of; None for all.
        replace: Whether a distorted copy takes the place of its original instead of joining it.
        reduced: Share of the crops, 0 to 1, that are cut from a reduced copy of the picture: its shorter side
            drawn evenly between that of the crop and what it is. They show the network whole compositions.
        crops_per_image: Crops of each picture in an epoch, in an order drawn over all of them.
        order: Which pictures a step draws, instead of that order.
        rank: Which of `ranks` processes that train together makes its share here. One of several draws its
            crops by its own seed.
        ranks: Number of these processes; they divide `batch` and `distorted` among them.
        sizes: Sides of the crops instead of `size`: each step has one of them, see `side_of_step`.
        types: Types of distortion that the copies are drawn from.
        ladders: Whether the copies come in twos, of one crop and type at two levels: the milder is compared
            with the crop, the stronger with the milder. Of an odd number the last comes alone.
    """

    def __init__(
        self,
        images: Sequence[Image],
        size: int,
        batch: int,
        distorted: int = 0,
        seed: int = 0,
        eligible: Sequence[bool] | None = None,
        replace: bool = False,
        reduced: float = 0.0,
        crops_per_image: int = 1,
        order: Order | None = None,
        rank: int = 0,
        ranks: int = 1,
        sizes: Sequence[int] = (),
        types: Sequence[str] = RANKED,
        ladders: bool = False,
    ) -> None:
        self.images, self.sizes, self.batch = images, tuple(sizes) or (size,), batch
        self.distorted = share_of(distorted, rank, ranks)
        self.seed, self.eligible, self.replace, self.reduced = seed, eligible, replace, reduced
        self.types, self.ladders = tuple(types), ladders
        self.order = order or Shuffled(len(images), batch, seed, crops_per_image, rank, ranks)
        self._further_seed = (rank,) if ranks > 1 else ()

    def steps_per_epoch(self) -> int:
        """Steps in an epoch, each a whole batch."""
        return self.order.steps_per_epoch()

    def at(self, step: int) -> Batch:
        """The batch of a step, counted over all epochs; a function of the seed and the step alone."""
        epoch, position = divmod(step, self.steps_per_epoch())
        seed = (self.seed, epoch, position, *self._further_seed)
        return self._make(self.order.chosen(epoch, position), seed, side_of_step(step, self.sizes, self.seed))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on, each made while the one before it trains."""
        first = epoch * self.steps_per_epoch()
        with ThreadPoolExecutor(1) as pool:
            pending: Future[Batch] | None = None
            for step in range(start, self.steps_per_epoch() + 1):
                following = None
                if step < self.steps_per_epoch():
                    following = pool.submit(self.at, first + step)
                if pending is not None:
                    yield pending.result()
                pending = following

    def _make(self, chosen: NDArray[np.int64], seed: tuple[int, ...], side: int) -> Batch:
        began = time.monotonic()
        rng = np.random.default_rng(seed)
        crops = [self._crop(self.images[i], side, rng) for i in chosen]
        index, level, pair = list(chosen), [0] * len(chosen), [-1] * len(chosen)
        share = [1.0] * len(chosen)
        candidates = [p for p, i in enumerate(chosen) if self.eligible is None or self.eligible[i]]
        rng.shuffle(candidates)
        copies = 0
        for position in candidates:
            if copies == self.distorted:
                break
            rungs = self._rungs(rng, self.distorted - copies)
            name = self.types[rng.integers(len(self.types))]
            # Rungs of a ladder differ in their level alone, not in what is random of the distortion.
            noise = int(rng.integers(2**63)) if self.ladders else rng
            made = [distort(crops[position], name, rung, np.random.default_rng(noise)) for rung in rungs]
            if self.replace:
                crops[position], level[position] = made[-1], rungs[-1]
                copies += 1
                continue
            better = position
            for before, rung, copy in zip((0, *rungs), rungs, made, strict=False):
                crops.append(copy)
                index.append(chosen[position])
                level.append(rung)
                pair.append(better)
                share.append((1.0 if name in RANKED else FURTHER_SHARE) * (rung - before) / rung)
                better = len(crops) - 1
            copies += len(rungs)
        rgb = to_tensor(np.stack(crops))
        seconds = time.monotonic() - began
        return Batch(rgb, np.array(index), np.array(level), np.array(pair), seconds, np.array(share))

    def _rungs(self, rng: np.random.Generator, left: int) -> list[int]:
        """Levels of the next copies of one crop, the mildest first."""
        count = min(2, left) if self.ladders else 1
        if count == 1:
            return [int(rng.integers(1, LEVELS + 1))]
        return sorted(int(level) for level in rng.choice(LEVELS, count, replace=False) + 1)

    def _crop(self, image: Image, size: int, rng: np.random.Generator) -> Image:
        if self.reduced and rng.random() < self.reduced:
            image = _reduced(image, size, rng)
        short = [max(0, size - side) for side in image.shape[:2]]
        if any(short):  # as scoring mirrors them: on both sides
            margins = [(side // 2, side - side // 2) for side in short]
            image = np.pad(image, (*margins, (0, 0)), mode="reflect")
        y, x = (int(rng.integers(side - size + 1)) for side in image.shape[:2])
        crop = image[y : y + size, x : x + size]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.5:
            crop = crop[::-1]
        return np.ascontiguousarray(crop)


def _reduced(image: Image, size: int, rng: np.random.Generator) -> Image:
    """A copy whose shorter side is drawn between `size` and its own; the picture itself where that is no
    less."""
    height, width = image.shape[:2]
    shorter = min(height, width)
    if shorter <= size:
        return image
    scale = int(rng.integers(size, shorter + 1)) / shorter
    # Area averaging, as close to the reduction of scoring as OpenCV comes without ringing of its own.
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def to_tensor(pixels: Image) -> Tensor:
    """uint8 [N, H, W, 3] to float [N, 3, H, W] in 0 to 1, channels-last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
