"""Which observers of a competition are to be trusted: catch trials with a known answer, and agreement.

An observer is left out who misses catch trials that nobody who looks can miss, or whose votes agree with
those of the others no better than chance while the others agree among themselves. Neither looks at which
model a vote is for, so that screening cannot favour one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

#: An observer has to have so many catch trials right, and is judged by them from so many on.
CATCH_SHARE, CATCH_LEAST = 0.75, 3
#: Agreement is told from so many shared pairs and so many observers on.
SHARED_LEAST, PEOPLE_LEAST = 10, 3
#: Of the one-sided tests of agreement.
_LEVEL = 0.95

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Screened:
    """One observer.

    Attributes:
        votes: On mined pairs.
        catch_right, catch_total: Catch trials.
        agreement: Correlation of the preferences with the mean preference of the others on shared pairs; None
            where too few are shared or one of both never changes.
        reason: Why the observer is left out; None for one who is not.
    """

    votes: int
    catch_right: int
    catch_total: int
    agreement: float | None
    reason: str | None


def screen(table: Floats, catch: Floats) -> list[Screened]:
    """Screen observers.

    Args:
        table: [observers, pairs] preferences -1, 0 or 1 on mined pairs, turned alike for all; NaN without a
            vote.
        catch: [observers, trials] 1 for a catch trial that was answered right, 0 for wrong; NaN without a
            vote.

    Returns:
        [observers].
    """
    agreements = [_agreement(table, at) for at in range(len(table))]
    found = []
    for at, (votes, trials) in enumerate(zip(table, catch, strict=True)):
        right, total = int(np.nansum(trials)), int(np.isfinite(trials).sum())
        others = [agreement for place, agreement in enumerate(agreements) if place != at]
        agreement, shared = agreements[at]
        reason = None
        if total >= CATCH_LEAST and right < CATCH_SHARE * total:
            reason = f"only {right} of {total} catch trials right"
        elif agreement is not None and _strays(agreement, shared, [r for r, _ in others if r is not None]):
            reason = f"agrees with the others no better than chance (r = {agreement:.2f})"
        found.append(Screened(int(np.isfinite(votes).sum()), right, total, agreement, reason))
    return found


def _agreement(table: Floats, at: int) -> tuple[float | None, int]:
    """Correlation of one observer with the others, and the number of pairs it is of."""
    others = np.delete(table, at, axis=0)
    counts = np.isfinite(others).sum(0)
    shared = np.isfinite(table[at]) & (counts > 0)
    number = int(shared.sum())
    if len(table) < PEOPLE_LEAST or number < SHARED_LEAST:
        return None, number
    own, mean = table[at, shared], np.nansum(others[:, shared], 0) / counts[shared]
    if np.ptp(own) == 0 or np.ptp(mean) == 0:
        return None, number
    return float(np.corrcoef(own, mean)[0, 1]), number


def _strays(agreement: float, shared: int, others: list[float]) -> bool:
    """Not above chance, and below what the others reach, both by Fisher's z."""
    if len(others) < PEOPLE_LEAST - 1:
        return False
    reach = float(stats.norm.ppf(_LEVEL)) / np.sqrt(shared - 3)
    z, usual = np.arctanh(np.clip([agreement, float(np.median(others))], -0.999999, 0.999999))
    return bool(z < reach and z + reach < usual)
