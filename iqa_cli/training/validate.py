"""What a network in training says of labelled pictures, by the size policy that scoring uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from iqa_cli.errors import ImageError
from iqa_cli.images.crops import Crop, iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.scoring.pooling import CropScores, pool
from iqa_cli.text import one_line
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.devices import autocast

#: Told how many pictures are read, of how many.
Told: TypeAlias = Callable[[int, int], None]
#: Of a crop: what was said, its weight, background and best, and whether it is of the glance.
_Row: TypeAlias = tuple[float, float, int, float, bool]


@dataclass(frozen=True)
class Looked:
    """A picture as the network saw it.

    Attributes:
        width, height: Its size in pixels.
        crops: What was said of each crop.
        is_glance: [N] whether a crop is of the glance.
    """

    width: int
    height: int
    crops: CropScores
    is_glance: NDArray[np.bool_]

    def with_glance(self, share: float) -> Looked:
        """As a policy would have seen it that differs in the share of the glance alone.

        Args:
            share: 0 to 1; nothing changes where there is no glance.
        """
        if not self.is_glance.any():
            return self
        crops = self.crops
        before = crops.weight[self.is_glance & (crops.background == 0)].sum()
        factors = np.where(self.is_glance, share / before, (1 - share) / (1 - before))
        kept = factors > 0
        return Looked(
            self.width,
            self.height,
            CropScores(
                crops.raw[kept],
                (factors * crops.weight)[kept],
                crops.background[kept],
                best=crops.best[kept],
            ),
            self.is_glance[kept],
        )


def predict_raw(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    *,
    batch: int = 32,
    precision: torch.dtype = torch.float32,
    progress: Told | None = None,
) -> NDArray[np.float64]:
    """Raw outputs of pictures [n] as scoring pools them, transparent ones over the first background alone.

    Args:
        network: In evaluation mode, on any device; it is run where its parameters are.
        paths: Pictures.
        policy: The size policy.
        batch: Crops in a forward pass, of one picture or several.
        precision: dtype of autocast; float32 turns it off.
        progress: Told how far it is.

    Raises:
        ImageError: A picture cannot be read.
    """
    looked = look(
        network, paths, policy, batch=batch, precision=precision, progress=progress, every_background=False
    )
    return np.array([pooled_raw(one) for one in looked])


def pooled_raw(looked: Looked) -> float:
    """The raw output of a picture as scoring pools it."""
    # A line falls nowhere: over which background a picture looks worst does not hang on the map.
    return pool(looked.crops, lambda raw: raw).raw


def look(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    *,
    batch: int = 32,
    precision: torch.dtype = torch.float32,
    progress: Told | None = None,
    every_background: bool = True,
) -> list[Looked]:
    """What scoring knows of pictures before it pools their crops; arguments and errors as of `predict_raw`.

    Args:
        every_background: Look at transparent pictures over both backgrounds.
    """
    rows: list[list[_Row]] = [[] for _ in paths]
    sizes = [(0, 0)] * len(paths)
    said = _said(network, paths, policy, batch, precision, progress, every_background)
    for i, size, crop, value in said:
        sizes[i] = size
        # Not the crop: the pixels of ten thousand pictures would fill any memory.
        rows[i].append((float(value), crop.weight, crop.background, crop.best, crop.view == "glance"))
    return [_looked(*size, one) for size, one in zip(sizes, rows, strict=True)]


def _looked(width: int, height: int, rows: Sequence[_Row]) -> Looked:
    raw, weight, background, best, is_glance = map(np.array, zip(*rows, strict=True))
    return Looked(width, height, CropScores(raw, weight, background, best=best), is_glance)


def _said(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    batch: int,
    precision: torch.dtype,
    progress: Told | None,
    every_background: bool,
) -> Iterator[tuple[int, tuple[int, int], Crop, np.float32]]:
    """Crop by crop: number and size of the picture, the crop, and what the network says of it."""
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    waiting: list[tuple[int, tuple[int, int], Crop]] = []

    def flush() -> Iterator[tuple[int, tuple[int, int], Crop, np.float32]]:
        with torch.inference_mode(), autocast(device, precision):
            rgb = to_tensor(np.stack([crop.pixels for *_, crop in waiting])).to(device)
            raw = network(rgb).float().cpu().numpy()
        yield from ((*entry, value) for entry, value in zip(waiting, raw, strict=True))
        waiting.clear()

    for i, path in enumerate(paths):
        try:
            with open_photo(path) as photo:
                for crop in iter_crops(photo, policy, quick=True):
                    if every_background or crop.background == 0:
                        waiting.append((i, (photo.width, photo.height), crop))
                        if len(waiting) == batch:
                            yield from flush()
        except ImageError as error:
            raise ImageError(f"{one_line(path)}: {error.message}", hint=error.hint) from None
        if progress is not None:
            progress(i + 1, len(paths))
    if waiting:
        yield from flush()
