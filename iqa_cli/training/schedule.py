"""Learning rates over a run."""

from __future__ import annotations

import math
from collections.abc import Callable


def warmup_cosine(steps: int, warmup: int) -> Callable[[int], float]:
    """Factor on the peak rate: linear over `warmup` steps, then half a cosine down to 0 at `steps`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor
