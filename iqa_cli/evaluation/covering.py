"""Whether the intervals that a scorer gives hold the opinions as they state, and how wide they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from iqa_cli.evaluation.bootstrap import count_groups, influence_error
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.resample import Ints


@dataclass(frozen=True)
class Covering:
    """What intervals of scores do on labelled pictures.

    Attributes:
        covered: Share of the opinions that lie within.
        covered_ci: Its interval; None where there is only one group.
        width: Mean width of the intervals in points.
    """

    covered: float
    covered_ci: tuple[float, float] | None
    width: float


def covering(
    low: Floats, high: Floats, opinions: Floats, groups: Ints, *, level: float = 0.95
) -> Covering | None:
    """How often opinions lie within bounds, ends included.

    The interval of the share is Wilson's (JASA 22, 1927), with as many independent pictures as give the
    standard error over groups; never more than there are.

    Args:
        low, high: [n] bounds in points; NaN where there are none, and such pictures are left out.
        opinions: [n] in points.
        groups: [n] codes; pictures of one group are not independent.
        level: Coverage of the interval of the share.

    Returns:
        None where no picture has bounds.
    """
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return None
    low, high, opinions, groups = low[known], high[known], opinions[known], groups[known]
    inside = ((low <= opinions) & (opinions <= high)).astype(np.float64)
    share = float(inside.mean())
    number = count_groups(groups)
    bounds = None
    if number > 1:
        error = influence_error(inside - share, groups)
        independent = share * (1 - share) / error**2 if error > 0 else float(number)
        bounds = _wilson(share, min(independent, float(len(inside))), level)
    return Covering(share, bounds, float(np.mean(high - low)))


def _wilson(share: float, number: float, level: float) -> tuple[float, float]:
    z = float(stats.norm.ppf((1 + level) / 2))
    middle = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number) * float(np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2)))
    return max(0.0, middle - half), min(1.0, middle + half)
