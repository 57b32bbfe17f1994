"""Raw predictions of a network in training over labelled pictures, by the size policy that scoring uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from iqa_cli.errors import ImageError
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.text import one_line
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.devices import autocast


@torch.inference_mode()
def predict_raw(
    network: nn.Module,
    paths: Sequence[Path],
    policy: SizePolicy,
    *,
    batch: int = 32,
    precision: torch.dtype = torch.float32,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Pooled raw outputs of pictures, one array [n] per view, and their weighted sum.

    Args:
        network: In evaluation mode, on any device; it is run where its parameters are.
        paths: Pictures.
        policy: The size policy.
        batch: Crops in a forward pass, of one picture or several.
        precision: dtype of autocast; float32 turns it off.
        progress: Told how many pictures are read, of how many.

    Returns:
        "pooled": [n] as scoring pools them; and for each view of the policy its mean [n], NaN where a
        picture lacks it.

    Raises:
        ImageError: A picture cannot be read.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, NDArray[np.float64]] = {}
    pooled = np.zeros(len(paths))
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    waiting: list[tuple[int, str, float, NDArray[np.uint8]]] = []

    def flush() -> None:
        rgb = to_tensor(np.stack([pixels for *_, pixels in waiting])).to(device)
        with autocast(device, precision):
            raw = network(rgb).float().cpu().numpy()
        for (i, view, weight, _), value in zip(waiting, raw, strict=True):
            pooled[i] += weight * value
            sums.setdefault(view, np.zeros(len(paths)))[i] += value
            counts.setdefault(view, np.zeros(len(paths)))[i] += 1
        waiting.clear()

    for i, path in enumerate(paths):
        try:
            with open_photo(path) as photo:
                for crop in iter_crops(photo, policy, "default"):
                    if crop.background == 0:
                        waiting.append((i, crop.view, crop.weight, crop.pixels))
                        if len(waiting) == batch:
                            flush()
        except ImageError as error:
            raise ImageError(f"{one_line(path)}: {error.message}", hint=error.hint) from None
        if progress is not None:
            progress(i + 1, len(paths))
    if waiting:
        flush()
    with np.errstate(invalid="ignore"):
        views = {view: sums[view] / np.where(counts[view] > 0, counts[view], np.nan) for view in sums}
    return {"pooled": pooled, **views}
