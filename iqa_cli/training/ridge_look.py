"""What a kernel ridge is fitted to: crops as scoring sees them, and what network and ridge say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import ImageError
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.images.crops import Crop, iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.scoring.device import exact_arithmetic
from iqa_cli.text import count, one_line
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.devices import autocast
from iqa_cli.training.validate import Looked, Told, look

_BATCH = 32


def ridge_crops(
    records: Sequence[ImageRecord], policy: SizePolicy, number: int, seed: int
) -> Iterator[tuple[int, Crop]]:
    """Crops of pictures as scoring sees them: the one that counts most, and others drawn by chance.

    Args:
        records: Pictures.
        policy: The size policy.
        number: Of a picture; it may have fewer.
        seed: Of the draw.

    Returns:
        Position of the picture, and the crop.

    Raises:
        ImageError: A picture cannot be read.
    """
    for i, record in enumerate(records):
        try:
            with open_photo(record.path) as photo:
                crops = [c for c in iter_crops(photo, policy, quick=True) if c.background == 0]
        except ImageError as error:
            raise ImageError(f"{one_line(record.path)}: {error.message}", hint=error.hint) from None
        first = max(range(len(crops)), key=lambda j: crops[j].weight)
        others = [crop for j, crop in enumerate(crops) if j != first]
        drawn = np.random.default_rng((seed, i)).permutation(len(others))[: number - 1]
        for crop in (crops[first], *(others[j] for j in drawn)):
            yield i, crop


def look_at(
    network: Any,
    crops: Iterator[tuple[int, Crop]],
    pictures: int,
    precision: torch.dtype,
    log: Callable[[str], None],
    progress: Told | None,
) -> tuple[Tensor, Tensor]:
    """What the ridge reads of crops [n, F], and of which picture each is [n]."""
    log(f"looking at {count(pictures, 'picture')}")
    device = next(network.parameters()).device
    found: list[Tensor] = []
    of: list[int] = []
    waiting: list[np.ndarray] = []

    def flush() -> None:
        rgb = to_tensor(np.stack(waiting)).to(device, memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(device, precision):
            # Kept in half precision: a hundred thousand crops would be gigabytes.
            found.append(network.ridge_features(rgb).half().cpu())
        waiting.clear()

    for i, crop in crops:
        of.append(i)
        waiting.append(crop.pixels)
        if len(waiting) == _BATCH:
            flush()
            if progress is not None:
                progress(i + 1, pictures)
    if waiting:
        flush()
    return torch.cat(found).float(), torch.tensor(of)


def looked_by_both(
    network: Any, paths: Sequence[Path], policy: SizePolicy, progress: Told | None
) -> list[tuple[Looked, Floats]]:
    """What the network without its ridge says of the crops of pictures, and what the ridge says [n]."""
    network.ridge.share = 0.0
    ridge: list[Tensor] = []
    hook = network.ridge.register_forward_hook(lambda module, given, said: ridge.append(said.double().cpu()))
    try:
        # As scoring computes it, on a GPU too: in float32.
        with exact_arithmetic(next(network.parameters()).device):
            looked = look(network, paths, policy, progress=progress)
    finally:
        hook.remove()
    ends = np.cumsum([len(one.crops.raw) for one in looked])[:-1]
    return list(zip(looked, np.split(torch.cat(ridge).numpy(), ends), strict=True))


def blended(looked: Looked, ridge: Floats, share: float) -> Looked:
    """A picture as the network with a share of the ridge sees it."""
    raw = (1 - share) * looked.crops.raw + share * ridge
    return replace(looked, crops=replace(looked.crops, raw=raw))
