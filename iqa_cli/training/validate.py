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
from iqa_cli.scoring.pooling import CropScores, counted
from iqa_cli.text import one_line
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.devices import autocast

#: Told how many pictures are read, of how many.
Told: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Looked:
    """A picture as the network saw it: its size in pixels, and what was said of each crop."""

    width: int
    height: int
    crops: CropScores


def predict_raw(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    *,
    batch: int = 32,
    precision: torch.dtype = torch.float32,
    progress: Told | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Pooled raw outputs of pictures, one array [n] per view, and their weighted sum.

    Args:
        network: In evaluation mode, on any device; it is run where its parameters are.
        paths: Pictures.
        policy: The size policy.
        batch: Crops in a forward pass, of one picture or several.
        precision: dtype of autocast; float32 turns it off.
        progress: Told how far it is.

    Returns:
        "pooled": [n] as scoring pools them, transparent ones over the first background; and for each view of
        the policy the mean [n] of its crops that count, NaN where a picture lacks it.

    Raises:
        ImageError: A picture cannot be read.
    """
    crops: list[list[tuple[Crop, float]]] = [[] for _ in paths]
    said = _said(network, paths, policy, batch, precision, progress, every_background=False)
    for i, _, crop, value in said:
        crops[i].append((crop, float(value)))
    found: dict[str, NDArray[np.float64]] = {"pooled": np.zeros(len(paths))}
    for i, one in enumerate(crops):
        scores = _crop_scores(one)
        weight = counted(scores.raw, scores.weight, scores.best)
        found["pooled"][i] = weight @ scores.raw
        for view in dict.fromkeys(crop.view for crop, _ in one):
            its = np.array([crop.view == view for crop, _ in one])
            mean = np.average(scores.raw[its], weights=weight[its]) if weight[its].any() else np.nan
            found.setdefault(view, np.full(len(paths), np.nan))[i] = mean
    return found


def look(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    *,
    batch: int = 32,
    precision: torch.dtype = torch.float32,
    progress: Told | None = None,
) -> list[Looked]:
    """What scoring knows of pictures before it pools their crops; arguments and errors as of
    `predict_raw`."""
    crops: list[list[tuple[Crop, float]]] = [[] for _ in paths]
    sizes = [(0, 0)] * len(paths)
    said = _said(network, paths, policy, batch, precision, progress, every_background=True)
    for i, size, crop, value in said:
        sizes[i] = size
        crops[i].append((crop, float(value)))
    return [Looked(*size, _crop_scores(one)) for size, one in zip(sizes, crops, strict=True)]


def _crop_scores(crops: Sequence[tuple[Crop, float]]) -> CropScores:
    return CropScores(
        np.array([value for _, value in crops]),
        np.array([crop.weight for crop, _ in crops]),
        np.array([crop.background for crop, _ in crops], dtype=np.int64),
        best=np.array([crop.best for crop, _ in crops]),
    )


def _said(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    batch: int,
    precision: torch.dtype,
    progress: Told | None,
    *,
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
                for crop in iter_crops(photo, policy, "default"):
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
