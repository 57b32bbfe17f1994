"""Distorted crops for the DAN: class-balanced batches, made by threads while the step before them trains.

A class is a type of distortion at a level; the pristine class is number 0, type t at level l is
1 + t * LEVELS + (l - 1).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from iqa_cli.images.distortions import LEVELS, TYPES, distort
from iqa_cli.training.ahead import made_ahead
from iqa_cli.training.crops import Image, to_tensor
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.pictures import random_region

CLASSES = 1 + len(TYPES) * LEVELS

# Streams of random numbers, so that no two uses of one seed share numbers.
TRAINING, STATISTICS, HEADS, REPORT = range(4)


@dataclass(frozen=True)
class Crop:
    """One crop to be made: of which photograph, of which class, from which random numbers."""

    photograph: int
    label: int
    seed: tuple[int, ...]


def class_of(kind: int, level: int) -> int:
    """Class of the type at position `kind` of `TYPES`, at a level from 1 to `LEVELS`."""
    return 1 + kind * LEVELS + level - 1


def type_and_level(label: int) -> tuple[int, int]:
    """Position in `TYPES` and level of a class; (-1, 0) of the pristine one."""
    return (-1, 0) if label == 0 else ((label - 1) // LEVELS, (label - 1) % LEVELS + 1)


def make_crop(images: Sequence[Image], crop: Crop, size: int, margin: int) -> Image:
    """Cut, flip, distort, cut again.

    The distortion sees a margin around the crop, so that no filter meets a border that scoring has not, and
    the crop lies anywhere in what was distorted, so that the grid of a codec has no fixed phase.

    Args:
        images: Decoded photographs, uint8 [H, W, 3]; a side that is too short is mirrored.
        crop: What is made.
        size: Side of the result.
        margin: Pixels on each side that are distorted with it.

    Returns:
        uint8 [size, size, 3].
    """
    rng = np.random.default_rng(crop.seed)
    region = random_region(images[crop.photograph], size + 2 * margin, rng, "reflect")
    kind, level = type_and_level(crop.label)
    if kind >= 0:
        region = distort(region, TYPES[kind], level, rng)
    y, x = (int(rng.integers(2 * margin + 1)) for _ in range(2))
    return np.ascontiguousarray(region[y : y + size, x : x + size])


def training_batch(config: ContrastiveConfig, photographs: int, stream: int, step: int) -> list[Crop]:
    """The crops of one step: every class of the batch `images` times, each time of another photograph.

    Types take turns: in len(TYPES) // types steps each comes once, but for those left over by the division,
    others in each round. A step depends on nothing before it, so that a run is resumed anywhere.
    """
    types = config.types or len(TYPES)
    turns = len(TYPES) // types
    turn, place = divmod(step, turns)
    order = np.random.default_rng((config.seed, stream, 0, turn)).permutation(len(TYPES))
    rng = np.random.default_rng((config.seed, stream, 1, step))
    labels = [0]
    for kind in order[place * types : (place + 1) * types]:
        levels = rng.permutation(LEVELS)[: config.levels] + 1
        labels += [class_of(int(kind), int(level)) for level in levels]
    pool = rng.permutation(photographs)[: config.photographs or photographs]
    chosen = [(int(p), label) for label in labels for p in rng.permutation(pool)[: config.images]]
    return [Crop(p, label, (config.seed, stream, 2, step, i)) for i, (p, label) in enumerate(chosen)]


def check_batches(config: ContrastiveConfig, photographs: int) -> None:
    """See that batches of this kind can be made of so many photographs.

    Raises:
        ValueError: There are fewer types or photographs than asked for.
    """
    if config.types > len(TYPES):
        raise ValueError(f"types must be at most {len(TYPES)}, not {config.types}")
    for name in ("images", "photographs"):
        if getattr(config, name) > photographs:
            raise ValueError(f"{name} must be at most the {photographs} photographs there are")


def crop_batches(
    images: Sequence[Image], batches: Iterable[list[Crop]], size: int, margin: int, threads: int
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Make batches by several threads, ahead of the one that is used.

    Args:
        images: Decoded photographs.
        batches: What is made.
        size: Side of the crops.
        margin: See `make_crop`.
        threads: Crops made at a time.

    Yields:
        RGB [N, 3, S, S] in 0 to 1, channels-last, and classes [N].
    """
    made = made_ahead(batches, lambda crop: make_crop(images, crop, size, margin), threads)
    with closing(made):
        for crops, rgb in made:
            yield to_tensor(np.stack(rgb)), torch.tensor([crop.label for crop in crops])
