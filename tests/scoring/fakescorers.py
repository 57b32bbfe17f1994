"""Scorers without torch: what a network would say is the mean of a crop. For tests of what is around them,
and of processes that are killed, which start in a fraction of a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iqa_cli.images.policy import SizePolicy
from iqa_cli.scoring.group import ScorerGroup
from iqa_cli.scoring.parts import Lane
from iqa_cli.scoring.storekey import ScorerKey, keys_of


class FakeScorer:
    """As much of a `Scorer` as a group asks for; `looked` counts crops."""

    engine, device, precision = "torch", "cpu", "fp32"
    distortions: tuple[str, ...] = ()
    interval = None
    sha256 = None
    decoders = 2

    def __init__(self, name: str = "fake", factor: float = 1.0, policy: SizePolicy | None = None) -> None:
        self.name = name
        self.policy = policy or SizePolicy()
        self.looked = 0
        self._factor = factor

    def calibration(self, raws: np.ndarray) -> np.ndarray:
        return 100 * np.clip(raws, 0, 1)

    def lane(self) -> Lane:
        return Lane(self._rows, 4)

    def _rows(self, crops: np.ndarray) -> np.ndarray:
        self.looked += len(crops)
        means = crops.reshape(len(crops), -1).mean(1, dtype=np.float64)
        return (self._factor * means / 255).astype(np.float32)[:, None]


def group_of(*scorers: Any) -> ScorerGroup:
    """A group of them."""
    return ScorerGroup(scorers)


def keys_for(group: ScorerGroup, folder: Path, **settings: Any) -> list[ScorerKey]:
    """The keys of a group, with a file for each weight."""
    return keys_of(group, [_weight(folder, scorer.name) for scorer in group.scorers], **settings)


def _weight(folder: Path, name: str) -> Path:
    path = folder / f"{name}.weight"
    path.write_text(name)
    return path


def write_pictures(folder: Path, numbers: Sequence[int]) -> list[str]:
    """Small grey BMP files of one size: the higher the number, the higher the score."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    paths = []
    for number in numbers:
        path = folder / f"{number:05}.bmp"
        picture = Image.new("L", (24, 24), number % 251)
        picture.putpixel((0, 0), number // 251)
        picture.save(path)
        paths.append(str(path))
    return paths
