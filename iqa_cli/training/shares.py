"""How much the glance at a picture counts in its score, chosen on labelled pictures.

The share of the native crops of a large photograph is not chosen so: labelled pictures are small, and what is
best of a re-enactment at 384 pixels says nothing at 4,000.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iqa_cli.evaluation.correlation import agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.validate import Looked, pooled_raw

#: Shares tried for the glance at the whole picture, and the SRCC given away for a smaller one.
GLANCE_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
GLANCE_TOLERANCE = 0.001
#: Fewer pictures than these choose nothing.
MIN_PICTURES = 20


def choose_glance_weight(
    looked: Sequence[Looked], mos: NDArray[np.float64], policy: SizePolicy
) -> tuple[float, dict[str, float]]:
    """The share of the glance at the whole picture, by SRCC on labelled pictures.

    Args:
        looked: The pictures, with a glance of any share but 0 and 1.
        mos: [n] their opinions.
        policy: Of which the share is kept where nothing can be chosen.

    Returns:
        The smallest of `GLANCE_WEIGHTS` within `GLANCE_TOLERANCE` of the best, and the SRCC of each; the
        policy's own share and nothing where fewer than `MIN_PICTURES` are larger than a glance.
    """
    larger = [i for i, one in enumerate(looked) if one.is_glance.any()]
    if len(larger) < MIN_PICTURES:
        return policy.glance_weight, {}

    def srcc(share: float) -> float:
        raw = np.array([pooled_raw(looked[i].with_glance(share)) for i in larger])
        return round(agreement(raw, mos[larger]).srcc, 4)

    found = {f"{share:g}": srcc(share) for share in GLANCE_WEIGHTS}
    least = max(found.values()) - GLANCE_TOLERANCE
    return next(w for w in GLANCE_WEIGHTS if found[f"{w:g}"] >= least), found
