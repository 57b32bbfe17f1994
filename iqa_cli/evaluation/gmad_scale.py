"""What gMAD does with scores before mining, and with opinions after: a common scale for models, quality
levels of a defender, and the verdict where the opinions are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from iqa_cli.evaluation.gmad import Floats, Ints
from iqa_cli.evaluation.logistic import fit

#: Quality levels by name: shares of the pool, in percent, by the defender's scores.
LEVELS = {"low": (0.0, 25.0), "mid": (37.5, 62.5), "high": (75.0, 100.0), "all": (0.0, 100.0)}


def ranks(scores: Floats) -> Floats:
    """[n] scores as mid-ranks in percent: 100 (r - 0.5) / n, so that equal scores stay equal and the lowest
    and the highest are alike far from the ends of 0 to 100."""
    return np.asarray(100 * (stats.rankdata(scores) - 0.5) / max(len(scores), 1), dtype=np.float64)


def fitted(scores: Floats, opinions: Floats) -> Floats | None:
    """Scores on the scale of opinions, by the 4-parameter logistic fitted where these are known.

    Args:
        scores: [n] scores, finite.
        opinions: [n] opinions in points, NaN where not known.

    Returns:
        [n] points; None where the fit is not possible, or falls: a model against which opinions run cannot be
        put on their scale without turning it round.
    """
    known = np.isfinite(opinions)
    x = scores[known]
    if len(x) < 5 or not (np.ptp(x) > 0 and np.ptp(opinions[known]) > 0):
        return None
    curve = fit(x, opinions[known])
    if curve is None or not curve.converged:
        return None
    return curve(scores) if curve.b1 > curve.b2 else None


def at_level(defender: Floats, low: float, high: float) -> Ints:
    """Places of the pictures whose mid-rank by the defender's scores [n] is `low` to `high` percent."""
    rank = ranks(defender)
    return np.flatnonzero((rank >= low) & (rank <= high))


@dataclass(frozen=True)
class Agreement:
    """How often opinions (or what stands for them) see the difference that an attacker sees.

    Attributes:
        pairs: Pairs with known opinions that differ.
        agreed: Of these, the ones where the picture that the attacker prefers has the better opinion.
        ties: Further pairs, of equal opinions.
        share: agreed / pairs; None without pairs.
        low, high: 95 % interval of the share, pairs being independent: the exact one (Clopper and Pearson,
            Biometrika 26, 1934), so that at most one verdict in twenty on a model that only guesses is wrong,
            however few pairs there are. Fewer than six decide nothing.
        difference: Mean of opinion of first minus that of second, in points, ties included; None without.
    """

    pairs: int
    agreed: int
    ties: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None

    @property
    def verdict(self) -> str:
        """Who is falsified: "defender" where people see what the attacker sees, "attacker" where they see the
        contrary, "neither" where the interval holds a half."""
        if self.low is None or self.high is None:
            return "unknown"
        return "defender" if self.low > 0.5 else "attacker" if self.high < 0.5 else "neither"


def agreement(differences: Sequence[float | None] | Floats, level: float = 0.95) -> Agreement:
    """How often differences are in the attacker's favour.

    Args:
        differences: Opinion of first minus that of second; None or NaN where not known.
        level: Coverage of the interval.
    """
    values = np.array([np.nan if value is None else value for value in differences], dtype=np.float64)
    values = values[np.isfinite(values)]
    pairs, agreed = int(np.count_nonzero(values)), int(np.count_nonzero(values > 0))
    ties = len(values) - pairs
    mean = float(values.mean()) if len(values) else None
    if not pairs:
        return Agreement(0, 0, ties, difference=mean)
    interval = stats.binomtest(agreed, pairs).proportion_ci(level, method="exact")
    return Agreement(pairs, agreed, ties, agreed / pairs, float(interval.low), float(interval.high), mean)
