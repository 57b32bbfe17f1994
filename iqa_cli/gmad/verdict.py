"""The verdict of a competition: its votes joined to its pairs, observers screened, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iqa_cli.errors import DatasetError
from iqa_cli.evaluation.competition import Ballots, Outcome, outcome
from iqa_cli.evaluation.screening import Screened, screen
from iqa_cli.gmad.session import Competition, Pair, read_competition
from iqa_cli.gmad.trials import Vote
from iqa_cli.gmad.votes import Votes
from iqa_cli.text import one_line


@dataclass(frozen=True)
class Observer:
    """One observer, with what screening found.

    Attributes:
        name: As given.
        screened: Catch trials, agreement, and why the observer is left out, if so.
        left: Share of the votes for a side that were for the left one; None without such votes. Sides are
            random: far from a half it shows somebody who does not look.
        seconds: Median time of a vote; None where not told.
    """

    name: str
    screened: Screened
    left: float | None
    seconds: float | None


@dataclass(frozen=True)
class Tally:
    """The counted votes on one pair: for its first picture, for no difference, for its second."""

    pair: Pair
    first: int
    even: int
    second: int

    @property
    def votes(self) -> int:
        """How many."""
        return self.first + self.even + self.second

    @property
    def margin(self) -> float:
        """-1 to 1; above 0 the observers side with the attacker."""
        return (self.first - self.second) / self.votes


@dataclass(frozen=True)
class Verdict:
    """What a competition has come to.

    Attributes:
        competition: The pairs.
        observers: All, in the order of their names.
        tallies: Of the pairs with votes, catch trials left out.
        outcome: What the votes of the observers who are not left out say of the models.
        skipped: Pairs that could not be shown, counted once for each observer.
        catch_pairs: How many catch trials there are.
    """

    competition: Competition
    observers: tuple[Observer, ...]
    tallies: tuple[Tally, ...]
    outcome: Outcome
    skipped: int
    catch_pairs: int

    @property
    def counted(self) -> int:
        """Observers who are not left out."""
        return sum(observer.screened.reason is None for observer in self.observers)

    @property
    def votes(self) -> int:
        """Votes on mined pairs that count."""
        return sum(tally.votes for tally in self.tallies)


def verdict_of(folder: Path, *, resamples: int = 2000, seed: int = 0) -> Verdict:
    """The verdict of a folder with `gmad.json` and votes; the votes so far while people still judge.

    Args:
        folder: Of the competition.
        resamples, seed: Of the bootstrap.

    Raises:
        DatasetError: There is no competition, or no vote, or none that counts.
    """
    competition = read_competition(folder)
    votes = Votes(folder, competition, create=False)
    try:
        counted = votes.counted()
    finally:
        votes.close()
    return judged(competition, counted, place=str(folder), resamples=resamples, seed=seed)


def judged(
    competition: Competition, votes: Sequence[Vote], *, place: str, resamples: int = 2000, seed: int = 0
) -> Verdict:
    """The verdict of votes.

    Args:
        competition: What was voted on.
        votes: Those that count, of all observers.
        place: What to call it in an error.
        resamples, seed: Of the bootstrap.

    Raises:
        DatasetError: There is no vote on a mined pair, or screening leaves none.
    """
    names = sorted({vote.observer for vote in votes})
    mined = [pair for pair in competition.pairs if not pair.catch]
    catch = [pair for pair in competition.pairs if pair.catch]
    columns = {pair.id: at for at, pair in enumerate(mined)}
    trials = {pair.id: at for at, pair in enumerate(catch)}
    table = np.full((len(names), len(mined)), np.nan)
    right = np.full((len(names), len(catch)), np.nan)
    for vote in votes:
        preference, row = vote.preference, names.index(vote.observer)
        if preference is None:
            continue
        if vote.pair in columns:
            table[row, columns[vote.pair]] = preference
        else:
            expected = 1 if catch[trials[vote.pair]].expected == "first" else -1
            right[row, trials[vote.pair]] = preference == expected
    if not np.isfinite(table).any():
        raise DatasetError(
            f"'{one_line(place)}' has no votes yet", hint=f"iqa gmad --judge {one_line(place)} asks for them"
        )
    screened = screen(table, right)
    kept = [at for at, one in enumerate(screened) if one.reason is None and one.votes]
    if not kept:
        raise DatasetError(
            f"'{one_line(place)}': screening leaves no observer: {screened[0].reason}",
            hint="ask others; the votes stay in votes.sqlite",
        )
    used = table[kept]
    observer, column = np.nonzero(np.isfinite(used))
    models = competition.models
    ballots = Ballots(
        models,
        np.array([models.index(mined[at].attacker) for at in column]),
        np.array([models.index(mined[at].defender) for at in column]),
        used[observer, column].astype(np.int64),
        observer,
        column,
    )
    return Verdict(
        competition,
        tuple(_observer(name, votes, one) for name, one in zip(names, screened, strict=True)),
        tuple(_tallies(mined, used)),
        outcome(ballots, resamples=resamples, seed=seed),
        sum(vote.choice == "skip" for vote in votes),
        len(catch),
    )


def deciding(verdict: Verdict, attacker: str, defender: str, limit: int) -> list[Tally]:
    """The pairs of an attack on which observers were most of one mind, for the attacker first, then against
    it.

    Args:
        verdict: Of the competition.
        attacker, defender: Models.
        limit: So many at most.
    """
    of_attack = [
        tally
        for tally in verdict.tallies
        if (tally.pair.attacker, tally.pair.defender) == (attacker, defender) and tally.margin != 0
    ]
    return sorted(of_attack, key=lambda tally: (-abs(tally.margin), -tally.votes, tally.pair.id))[:limit]


def _tallies(mined: Sequence[Pair], used: np.ndarray) -> list[Tally]:
    found = []
    for at, pair in enumerate(mined):
        counts = [int((used[:, at] == preference).sum()) for preference in (1, 0, -1)]
        if sum(counts):
            found.append(Tally(pair, *counts))
    return found


def _observer(name: str, votes: Sequence[Vote], screened: Screened) -> Observer:
    own = [vote for vote in votes if vote.observer == name]
    sides = [vote.choice for vote in own if vote.choice in ("left", "right")]
    times = [vote.milliseconds for vote in own if vote.milliseconds is not None]
    left = sides.count("left") / len(sides) if sides else None
    return Observer(name, screened, left, float(np.median(times)) / 1000 if times else None)
