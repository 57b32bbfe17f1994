"""Votes of simulated people on competitions of models with a known truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy import stats

from iqa_cli.evaluation.competition import Ballots, thurstone

#: Smaller differences are "no difference".
NOTICED = 0.3


@dataclass(frozen=True)
class Truth:
    """What the figures of a competition come to with ever more people and pairs.

    Attributes:
        success, margin: [k, k] of the attacker in the row on the defender in the column.
        aggressiveness, resistance: [k].
    """

    success: np.ndarray
    margin: np.ndarray
    aggressiveness: np.ndarray
    resistance: np.ndarray


def simulated(
    rng: np.random.Generator,
    latent: np.ndarray,
    *,
    people: int,
    pairs: int,
    of_people: float = 0.0,
    of_pairs: float = 0.0,
) -> Ballots:
    """Votes of people who see a difference latent_ij (attacker i, defender j) plus effects of the pair, of
    the person and of the moment, all normal, and say so where it is more than `NOTICED`."""
    parts = []
    tendency = rng.normal(0, of_people, people)
    for number, (i, j) in enumerate(permutations(range(len(latent)), 2)):
        content = rng.normal(0, of_pairs, pairs)
        seen = latent[i, j] + content + tendency[:, None] + rng.normal(size=(people, pairs))
        vote = np.where(seen > NOTICED, 1, np.where(seen < -NOTICED, -1, 0))
        who, what = np.nonzero(rng.random((people, pairs)) < 0.9)  # some have not been asked yet
        parts.append(
            (np.full(len(who), i), np.full(len(who), j), vote[who, what], who, number * pairs + what)
        )
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Ballots(tuple(f"m{place}" for place in range(len(latent))), *columns)


def truth(latent: np.ndarray, *, of_people: float = 0.0, of_pairs: float = 0.0) -> Truth:
    """The truth behind `simulated`."""
    spread = np.sqrt(1 + of_people**2 + of_pairs**2)
    won = stats.norm.cdf((latent - NOTICED) / spread)
    lost = stats.norm.cdf((-NOTICED - latent) / spread)
    return Truth(won, won - lost, thurstone(won), thurstone(1 - won.T))
