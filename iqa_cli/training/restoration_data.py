"""(Distorted, pristine) pairs of crops, made by threads while the step before them trains."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from iqa_cli.images.distortions import LEVELS, TYPES, distort
from iqa_cli.training.ahead import made_ahead
from iqa_cli.training.crops import Image, to_tensor
from iqa_cli.training.pictures import random_region
from iqa_cli.training.restoration_config import RestorationConfig

# Streams of random numbers, so that no two uses of one seed share numbers.
TRAINING, REPORT = range(2)


@dataclass(frozen=True)
class Pair:
    """One pair to be made.

    Attributes:
        photograph: Position in the list of photographs.
        kind: Position in `TYPES`, -1 for a pair without distortion.
        level: 1 to 5; 0 without distortion.
        seed: What its random numbers come from.
    """

    photograph: int
    kind: int
    level: int
    seed: tuple[int, ...]


def make_pair(images: Sequence[Image], pair: Pair, size: int, margin: int) -> tuple[Image, Image]:
    """Cut, flip, distort, cut both alike.

    The distortion sees a margin around the crop, so that no filter meets a border that a photograph has not,
    and the crop lies anywhere in what was distorted, so that the grid of a codec has no fixed phase.

    Args:
        images: Decoded photographs, uint8 [H, W, 3]; a side that is too short is mirrored.
        pair: What is made.
        size: Side of the crops.
        margin: Pixels on each side that are distorted with them.

    Returns:
        Distorted and pristine crop, uint8 [size, size, 3].
    """
    rng = np.random.default_rng(pair.seed)
    region = random_region(images[pair.photograph], size + 2 * margin, rng, "symmetric")
    worse = region if pair.kind < 0 else distort(region, TYPES[pair.kind], pair.level, rng)
    y, x = (int(rng.integers(2 * margin + 1)) for _ in range(2))
    window = slice(y, y + size), slice(x, x + size)
    return np.ascontiguousarray(worse[window]), np.ascontiguousarray(region[window])


def training_pairs(config: RestorationConfig, photographs: int, step: int) -> list[Pair]:
    """The pairs of one step; types take turns, so that all come equally often.

    A step depends on nothing before it, so that a run is resumed anywhere.
    """
    rng = np.random.default_rng((config.seed, TRAINING, step))
    chosen = []
    for i in range(config.batch):
        turn, place = divmod(step * config.batch + i, len(TYPES))
        kind = int(np.random.default_rng((config.seed, TRAINING, 0, turn)).permutation(len(TYPES))[place])
        level = int(rng.integers(1, LEVELS + 1))
        photograph = int(rng.integers(photographs))
        if rng.random() < config.pristine:
            kind, level = -1, 0
        chosen.append(Pair(photograph, kind, level, (config.seed, TRAINING, 1, step, i)))
    return chosen


def report_pairs(config: RestorationConfig, photographs: int) -> list[Pair]:
    """What is reported on: of each photograph a crop undistorted and in every type, at `report_levels` levels
    that take turns over photographs and types."""
    pairs = []
    for photograph in range(photographs):
        wanted = [(-1, 0)]
        for kind in range(len(TYPES)):
            first = photograph + kind
            wanted += [(kind, 1 + (first + i) % LEVELS) for i in range(config.report_levels)]
        pairs += [
            Pair(photograph, kind, level, (config.seed, REPORT, photograph, kind + 1, level))
            for kind, level in wanted
        ]
    return pairs


def pair_batches(
    images: Sequence[Image], batches: Iterable[list[Pair]], size: int, margin: int, threads: int
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Make batches by several threads, ahead of the one that is used.

    Yields:
        Distorted and pristine RGB, [N, 3, S, S] in 0 to 1, channels-last.
    """
    made = made_ahead(batches, lambda pair: make_pair(images, pair, size, margin), threads)
    with closing(made):
        for _, pairs in made:
            worse, better = zip(*pairs, strict=True)
            yield to_tensor(np.stack(worse)), to_tensor(np.stack(better))
