"""The partners that semantic noise matching takes for the pictures of a database, to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import ImageError
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.qfm_iqm import QFMIQM
from iqa_cli.networks.qfm_noise import SemanticMatching
from iqa_cli.text import one_line
from iqa_cli.training.crops import to_tensor

#: Pictures compared with all others at a time.
_ROWS = 512


@dataclass(frozen=True)
class Pair:
    """A picture and its partner.

    Attributes:
        picture: The picture.
        partner: Of similar score and of the least similar feature; None where no score is similar.
        similarity: Cosine of the two features, -1 to 1; None without a partner.
    """

    picture: ImageRecord
    partner: ImageRecord | None
    similarity: float | None


@torch.inference_mode()
def picture_features(
    network: QFMIQM,
    records: Sequence[ImageRecord],
    policy: SizePolicy,
    *,
    batch: int = 16,
    done: Callable[[], None] = lambda: None,
) -> Tensor:
    """Features [n, D] of pictures, float32: means over the crops that scoring looks at, by their weights.

    Training matches features of single crops against those of its last steps; these are of whole pictures, so
    that a pair can be looked at.

    Args:
        network: In evaluation mode, on any device.
        records: Pictures.
        policy: The size policy.
        batch: Crops in a forward pass.
        done: Called for each picture.

    Raises:
        ImageError: A picture cannot be read.
    """
    device = next(network.parameters()).device
    features = torch.zeros(len(records), network.config.width)
    waiting: list[tuple[int, float, np.ndarray]] = []

    def flush() -> None:
        rgb = to_tensor(np.stack([pixels for *_, pixels in waiting])).to(device)
        found = network.encode(rgb)[0].float().cpu()
        for (i, weight, _), feature in zip(waiting, found, strict=True):
            features[i] += weight * feature
        waiting.clear()

    for i, record in enumerate(records):
        try:
            with open_photo(record.path) as photo:
                for crop in iter_crops(photo, policy, quick=True):
                    if crop.background == 0:
                        waiting.append((i, crop.weight, crop.pixels))
                        if len(waiting) == batch:
                            flush()
        except ImageError as error:
            raise ImageError(f"{one_line(record.path)}: {error.message}", hint=error.hint) from None
        done()
    if waiting:
        flush()
    return features


def find_pairs(records: Sequence[ImageRecord], features: Tensor, tolerance: float) -> list[Pair]:
    """The partner of each picture among all others.

    Args:
        records: Pictures.
        features: [n, D], as of `picture_features`.
        tolerance: MOS (0 to 1) that differ by less are similar.

    Returns:
        A pair for each picture, in their order.
    """
    matching = SemanticMatching(tolerance, "lowest")
    mos = torch.tensor([record.mos for record in records])
    pairs = []
    for start in range(0, len(records), _ROWS):
        rows = torch.arange(start, min(start + _ROWS, len(records)))
        found = matching(features[rows], mos[rows], features, mos, itself=rows)
        for i, place, similarity in zip(rows.tolist(), *(values.tolist() for values in found), strict=True):
            some = place >= 0
            pairs.append(Pair(records[i], records[place] if some else None, similarity if some else None))
    return pairs
