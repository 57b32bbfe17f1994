"""Who wins a gMAD competition: aggressiveness and resistance of models from people's votes.

After Ma, Duanmu, Wang, Wu, Liu, Yong, Li and Zhang, Group Maximum Differentiation Competition: Model
Comparison with Few Samples, IEEE TPAMI 42(4), 2020. A vote on a pair is a success of the attack where the
observer prefers the picture that the attacker prefers, else the defender has withstood it. Successes a_ij of
model i against model j, and the same of attacks withstood, are put on one scale by maximum likelihood,

    max over mu with sum(mu) = 0 of  sum over i != j of a_ij log Phi(mu_i - mu_j)

(Thurstone's model; Phi is the normal distribution), so that Phi(mu_i - mu_j) is the share that i has of the
successes of both. Half a vote is added to each a_ij: where votes are unanimous there is no maximum otherwise.
Who guesses votes for either side alike, so whether a defender was falsified is decided on the margin: votes
for the attacker less votes for the other picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from iqa_cli.evaluation.twoway import Crossed, Interval, intervals

#: Votes that are added to the successes of each model against each other one.
PRIOR = 0.5
#: Fewer pairs of an attack decide nothing: five agree by mere chance in more than 5 % of all cases (2 / 2^5).
LEAST_PAIRS = 6
_STEPS = 60
#: Step of the numerical derivatives, in a share of votes.
_SHARE = 1e-4

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ballots:
    """Votes on mined pairs, without catch trials and skipped pairs.

    Attributes:
        models: Names.
        attacker, defender: [n] places in `models`; every pair has one of each.
        preference: [n] 1 for the picture that the attacker prefers, -1 for the other one, 0 for no
            difference.
        observer, pair: [n] codes; nobody votes on a pair twice.
    """

    models: tuple[str, ...]
    attacker: Ints
    defender: Ints
    preference: Ints
    observer: Ints
    pair: Ints

    def __len__(self) -> int:
        return len(self.preference)


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; no interval where there is nothing to resample."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Attack:
    """One model's attacks on another.

    Attributes:
        attacker, defender: Models.
        pairs, votes: How many.
        won, even, lost: Votes for the picture that the attacker prefers, for no difference, for the other.
        success: won / votes.
        margin: (won - lost) / votes, -1 to 1.
        falsified: The model that the interval of the margin speaks against: the defender where it lies above
            0, the attacker where it lies below; None where it holds 0, or is of fewer than `LEAST_PAIRS`.
    """

    attacker: str
    defender: str
    pairs: int
    votes: int
    won: int
    even: int
    lost: int
    success: Estimate
    margin: Estimate
    falsified: str | None


@dataclass(frozen=True)
class Standing:
    """Where a model stands; None where the votes do not connect all models, as attacker and as defender.

    Attributes:
        model: Its name.
        aggressiveness: How well its attacks succeed, in deviations of Thurstone's scale; the mean of all
            models is 0.
        resistance: How well it withstands attacks, likewise.
    """

    model: str
    aggressiveness: Estimate | None
    resistance: Estimate | None


@dataclass(frozen=True)
class Difference:
    """Difference of two models, the first less the second."""

    models: tuple[str, str]
    aggressiveness: Estimate
    resistance: Estimate


@dataclass(frozen=True)
class Outcome:
    """What the votes say: models in the order of their aggressiveness, attacks, differences of models."""

    standings: tuple[Standing, ...]
    attacks: tuple[Attack, ...]
    differences: tuple[Difference, ...]


def outcome(ballots: Ballots, *, resamples: int = 2000, level: float = 0.95, seed: int = 0) -> Outcome:
    """Aggressiveness, resistance and the success of each attack, with intervals over observers and pairs.

    Args:
        ballots: At least one vote.
        resamples: Bootstrap samples, in which observers and (within each attack) pairs are drawn with
            replacement; see `iqa_cli.evaluation.twoway`.
        level: Coverage of the intervals.
        seed: The same seed gives the same intervals.

    Raises:
        ValueError: There are no votes.
    """
    if not len(ballots):
        raise ValueError("there are no votes")
    size = len(ballots.models)
    codes = ballots.attacker * size + ballots.defender
    cells, cell = np.unique(codes, return_inverse=True)
    won, lost = ballots.preference == 1, ballots.preference == -1
    crossed = Crossed(ballots.observer, ballots.pair, cell, np.stack([won, lost], 1).astype(np.float64))
    whole = crossed.whole()
    drawn = crossed.resampled(resamples, seed)

    def estimates(figures: Floats, of_drawn: Floats, gradient: Floats) -> list[Estimate]:
        bounds = intervals(crossed, figures, of_drawn, gradient, level)
        return [Estimate(float(value), bound) for value, bound in zip(figures, bounds, strict=True)]

    # Shares [cells, 2] and their resamples [b, cells, 2]; the gradient is [figures, cells, 2].
    unit = np.eye(len(cells))
    none = np.zeros_like(unit)
    successes = estimates(whole.shares[:, 0], drawn.shares[..., 0], np.stack([unit, none], -1))
    net, of_drawn = (shares[..., 0] - shares[..., 1] for shares in (whole.shares, drawn.shares))
    margins = estimates(net, of_drawn, np.stack([unit, -unit], -1))
    attacks = []
    for place, code in enumerate(cells):
        here = cell == place
        names = ballots.models[code // size], ballots.models[code % size]
        pairs = len(np.unique(ballots.pair[here]))
        counts = int(won[here].sum()), int((ballots.preference[here] == 0).sum()), int(lost[here].sum())
        margin = _at_least(margins[place], pairs, -1.0, level)
        attacks.append(
            Attack(
                *names,
                pairs,
                int(here.sum()),
                *counts,
                _at_least(successes[place], pairs, 0.0, level),
                margin,
                _falsified(margin, pairs, *names),
            )
        )
    if not _connected(cells, size):
        return Outcome(tuple(Standing(name, None, None) for name in ballots.models), tuple(attacks), ())
    kinds = []
    for withstood in (False, True):

        def scores(votes: Floats, shares: Floats, withstood: bool = withstood) -> Floats:
            return thurstone(_matrix(votes, shares[..., 0], cells, size, withstood=withstood))

        points = scores(whole.votes, whole.shares)
        resampled = scores(drawn.votes, drawn.shares)
        gradient = _gradient(lambda shares: scores(whole.votes, shares), whole.shares)
        first, second = np.triu_indices(size, 1)
        contrast = np.concatenate([np.eye(size), np.eye(size)[first] - np.eye(size)[second]])
        turned = np.einsum("fm,mck->fck", contrast, gradient)
        kinds.append(estimates(contrast @ points, resampled @ contrast.T, turned))
    aggressiveness, resistance = kinds
    standings = [
        Standing(name, *of) for name, *of in zip(ballots.models, aggressiveness, resistance, strict=False)
    ]
    ordered = [standings[place] for place in np.argsort([-of.value for of in aggressiveness[:size]])]
    differences = [
        Difference((ballots.models[i], ballots.models[j]), aggressiveness[size + at], resistance[size + at])
        for at, (i, j) in enumerate(zip(first, second, strict=True))
    ]
    return Outcome(tuple(ordered), tuple(attacks), tuple(differences))


def thurstone(wins: Floats) -> Floats:
    """The maximum of sum(wins_ij log Phi(mu_i - mu_j)) with sum(mu) = 0, by Newton's method.

    The sum is concave, and with wins of at least `PRIOR` everywhere it has one maximum.

    Args:
        wins: [..., k, k], greater than 0 outside of the diagonal, which is not looked at.

    Returns:
        [..., k].
    """
    size = wins.shape[-1]
    wins = np.where(np.eye(size, dtype=bool), 0.0, wins)
    mu = np.zeros(wins.shape[:-1])
    for _ in range(_STEPS):
        apart = mu[..., :, None] - mu[..., None, :]
        # The slope of log Phi, also far out where both of density and Phi are 0.
        slope = np.exp(-(apart**2) / 2 - np.log(2 * np.pi) / 2 - special.log_ndtr(apart))
        pull = wins * slope
        bend = pull * (slope + apart)
        bend = bend + np.swapaxes(bend, -1, -2)
        gradient = (pull - np.swapaxes(pull, -1, -2)).sum(-1)
        # The sum of mu is left open by the votes; the ones close it.
        hessian = bend.sum(-1)[..., None] * np.eye(size) - bend + 1.0
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        mu = mu + np.clip(step, -1, 1)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return np.asarray(mu - mu.mean(-1, keepdims=True))


def _matrix(votes: Floats, success: Floats, cells: Ints, size: int, *, withstood: bool) -> Floats:
    """Successes [..., k, k] as attacker or as defender of models against each other.

    Of two models one may have attacked more often than the other: shares count, with the harmonic mean of the
    votes of both directions for their weight.

    Args:
        votes, success: [..., cells] number of votes, and share of successes of the attacker.
        cells: Attacker times k plus defender.
        size: k.
        withstood: Whether the successes of the defender count.
    """
    number, share = (np.zeros((*success.shape[:-1], size * size)) for _ in range(2))
    number[..., cells] = votes
    share[..., cells] = 1 - success if withstood else success
    number, share = (entry.reshape(*success.shape[:-1], size, size) for entry in (number, share))
    if withstood:  # the defender in the rows
        number, share = np.swapaxes(number, -1, -2), np.swapaxes(share, -1, -2)
    back = np.swapaxes(number, -1, -2)
    both = np.divide(2 * number * back, number + back, out=np.zeros_like(number), where=number + back > 0)
    return np.asarray(both * share + PRIOR)


def _gradient(figures: object, shares: Floats) -> Floats:
    """Derivatives [figures, cells, 2] at shares [cells, 2], the second of which does not matter."""
    assert callable(figures)
    found = []
    for place in range(len(shares)):
        ends = []
        for step in (_SHARE, -_SHARE):
            moved = shares.copy()
            moved[place, 0] += step
            ends.append(figures(moved))
        found.append((ends[0] - ends[1]) / (2 * _SHARE))
    gradient = np.stack(found, 1)
    return np.stack([gradient, np.zeros_like(gradient)], -1)


def _at_least(found: Estimate, pairs: int, least: float, level: float) -> Estimate:
    """Where all votes of an attack are the same, the exact interval of as many unanimous pairs: votes on one
    pair, and those of one person, are no further evidence that the next pair will go the same way."""
    if found.interval is not None:
        return found
    reach = (1 - least) * (1 - ((1 - level) / 2) ** (1 / pairs))
    return Estimate(found.value, (max(least, found.value - reach), min(1.0, found.value + reach)))


def _falsified(margin: Estimate, pairs: int, attacker: str, defender: str) -> str | None:
    if margin.interval is None or pairs < LEAST_PAIRS:
        return None
    low, high = margin.interval
    return defender if low > 0 else attacker if high < 0 else None


def _connected(cells: Ints, size: int) -> bool:
    """Whether all models are linked by attacks in both directions."""
    both = {(int(code) // size, int(code) % size) for code in cells}
    reached, new = {0}, {0}
    while new:
        new = {j for i in new for j in range(size) if (i, j) in both and (j, i) in both} - reached
        reached |= new
    return len(reached) == size
