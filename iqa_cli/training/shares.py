"""How much the glance at a picture counts in its score, chosen on labelled pictures.

The share of the native crops of a large photograph is not chosen so: labelled pictures are small, and what is
best of a re-enactment at 384 pixels says nothing at 4,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.validate import Told, predict_raw

#: Shares tried for the glance at the whole picture, and the SRCC given away for a smaller one.
GLANCE_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
GLANCE_TOLERANCE = 0.001
#: Fewer pictures than these choose nothing.
MIN_PICTURES = 20


def choose_glance_weight(
    network: nn.Module,
    records: Sequence[ImageRecord],
    policy: SizePolicy,
    precision: torch.dtype,
    progress: Told | None = None,
) -> tuple[float, dict[str, float]]:
    """The share of the glance at the whole picture, by SRCC on labelled pictures.

    Returns:
        The smallest of `GLANCE_WEIGHTS` within `GLANCE_TOLERANCE` of the best, and the SRCC of each; the
        policy's own share and nothing where fewer than `MIN_PICTURES` are larger than a glance.
    """
    both = replace(policy, glance_weight=0.5)
    views = predict_raw(network, [r.path for r in records], both, precision=precision, progress=progress)
    glance = views.get("glance", np.full(len(records), np.nan))
    larger = np.isfinite(glance)
    if larger.sum() < MIN_PICTURES:
        return policy.glance_weight, {}
    # What "pooled" holds beside the glance is the score without one, at the other half of the weight.
    others, mos = 2 * views["pooled"] - glance, np.array([r.mos for r in records])
    found = {
        f"{w:g}": round(agreement(((1 - w) * others + w * glance)[larger], mos[larger]).srcc, 4)
        for w in GLANCE_WEIGHTS
    }
    least = max(found.values()) - GLANCE_TOLERANCE
    return next(w for w in GLANCE_WEIGHTS if found[f"{w:g}"] >= least), found
