"""A competition from a pool: every model defends itself against every other one, at each quality level."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import permutations
from typing import Any, Literal

import numpy as np

from iqa_cli.errors import UsageError
from iqa_cli.evaluation.gmad import Floats, Found, Ints, mine
from iqa_cli.evaluation.gmad_scale import LEVELS, at_level, fitted, ranks
from iqa_cli.gmad.pool import Pool
from iqa_cli.gmad.session import Competition, Pair, Picture
from iqa_cli.text import one_line

Scale = Literal["rank", "logistic"]
Content = Literal["any", "different", "same"]


@dataclass(frozen=True)
class Settings:
    """How pairs are mined.

    Attributes:
        levels: Quality levels of the defender: names of `LEVELS`, or LOW-HIGH in percent of the pool.
        pairs: For each defender, attacker and level.
        tolerance: Largest difference of the defender's scores that counts as equal, in points of the common
            scale, or with a % in percent of the standard deviation of the defender's scores on it.
        scale: Common scale.
        content: Whether two pictures of a pair may be, may not be, or must be of the same reference.

    Raises:
        UsageError: One of them means nothing.
    """

    levels: tuple[str, ...] = ("low", "high")
    pairs: int = 5
    tolerance: str = "1"
    scale: Scale = "rank"
    content: Content = "any"
    bands: Mapping[str, tuple[float, float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise UsageError(f"{self.pairs} pairs are too few")
        if len(set(self.levels)) < len(self.levels) or not self.levels:
            raise UsageError("a --level is given twice" if self.levels else "there is no level")
        object.__setattr__(self, "bands", {level: band_of(level) for level in self.levels})
        self.points(np.zeros(2))

    def points(self, scores: Floats) -> float:
        """The tolerance in points, for a defender's scores [n]."""
        number = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", self.tolerance.strip())
        if number is None:
            raise UsageError(
                f"--tolerance {one_line(self.tolerance)!r} is no number",
                hint="points such as 1, or a part of the defender's standard deviation such as 5%",
            )
        value = float(number[1])
        return value / 100 * float(np.std(scores)) if number[2] else value


def band_of(level: str) -> tuple[float, float]:
    """Shares of the pool, in percent by the defender's scores, that a level lies between.

    Raises:
        UsageError: It is no level.
    """
    if level in LEVELS:
        return LEVELS[level]
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(f"{number}-{number}", level)
    if found is None or not float(found[1]) < float(found[2]) <= 100:
        raise UsageError(
            f"there is no level {one_line(level)!r}",
            hint=f"levels: {', '.join(LEVELS)}, or LOW-HIGH in percent of the pool such as 40-60",
        )
    return float(found[1]), float(found[2])


def common_scale(pool: Pool, scale: Scale) -> tuple[dict[str, Floats], str]:
    """The scores of all models on one scale of 0 to 100 points, and what it is in a sentence.

    Raises:
        UsageError: A model gives one score to all, two models do not differ at all, or a fit is not possible.
    """
    for name, values in pool.scores.items():
        if not np.ptp(values) > 0:
            raise UsageError(f"{one_line(name)} gives all {len(pool):,} pictures the same score")
    order = {name: ranks(values) for name, values in pool.scores.items()}
    names = list(order)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            if np.array_equal(order[name], order[other]):
                raise UsageError(
                    f"{one_line(name)} and {one_line(other)} put all {len(pool):,} pictures in one order",
                    hint="they cannot be told apart by their scores; perhaps they are the same model",
                )
    if scale == "rank":
        return order, (
            f"Scores are mid-ranks among the {len(pool):,} pictures of the pool, 0 (worst) to 100 (best)."
        )
    known = int(np.isfinite(pool.opinions).sum())
    mapped = {}
    for name, values in pool.scores.items():
        curve = fitted(values, pool.opinions)
        if curve is None:
            raise UsageError(
                f"--scale logistic: no rising curve from {one_line(name)} to opinions "
                f"({known:,} of {len(pool):,} pictures have one)",
                hint="--scale rank needs no opinions",
            )
        mapped[name] = curve
    return mapped, (
        "Scores are mapped to opinions, 0 (worst) to 100 (best), by the 4-parameter logistic fitted to "
        f"{known:,} pictures of this pool."
    )


def compete(
    pool: Pool,
    settings: Settings,
    *,
    refuse: Callable[[int, int], bool] | None = None,
    note: Callable[[str], None] = lambda line: None,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Competition:
    """Mine the pairs of every ordered pair of models at every level.

    Args:
        pool: At least two models.
        settings: How.
        refuse: As `iqa_cli.evaluation.gmad.mine` takes it.
        note: Told where fewer pairs than asked for were found.
        facts: Further facts about models, for the record.

    Raises:
        UsageError: The pool is too small for so many pairs, models cannot be put on a common scale, or not
            a single pair was found.
    """
    if len(pool.scores) < 2:
        raise UsageError("a competition needs two models", hint="name them with --a and --b, or --model")
    # Before the scale: of so few pictures nothing else could be said.
    check_enough(settings.pairs, len(pool), "the pool has")
    scaled, text = common_scale(pool, settings.scale)
    if settings.content != "any" and all(reference is None for reference in pool.references):
        raise UsageError(
            f"--content {settings.content}: the references of these pictures are not known",
            hint="a database tells them; for a folder of your own, the column ref of its labels.csv",
        )
    apart = pool.contents(references_apart=settings.content == "different")
    same = pool.same_reference() if settings.content == "same" else None
    pairs: list[Pair] = []
    for defender, attacker in permutations(scaled, 2):
        for level, (low, high) in settings.bands.items():
            where = f"{one_line(defender)} at level {level}"
            chosen = at_level(scaled[defender], low, high)
            check_enough(settings.pairs, len(chosen), f"{where} has")
            found = _mined(
                scaled[defender], scaled[attacker], chosen, settings, apart=apart, same=same, refuse=refuse
            )
            if len(found) < settings.pairs:
                note(
                    f"{where} against {one_line(attacker)}: only {len(found):,} of {settings.pairs:,} pairs "
                    "are within the tolerance"
                )
            pairs += [
                Pair(
                    id=f"p{len(pairs) + rank:04}",
                    defender=defender,
                    attacker=attacker,
                    level=level,
                    rank=rank,
                    first=picture(pool, scaled, each.first),
                    second=picture(pool, scaled, each.second),
                    attacker_difference=each.attacker_difference,
                    defender_difference=each.defender_difference,
                )
                for rank, each in enumerate(found, 1)
            ]
    if not pairs:
        raise UsageError("no pair is within the tolerance", hint="a larger --tolerance, or a larger pool")
    options = {key: value for key, value in asdict(settings).items() if key != "bands"}
    options["bands"] = {level: list(band) for level, band in settings.bands.items()}
    options["tolerance_points"] = {name: settings.points(values) for name, values in scaled.items()}
    return Competition(
        len(pool), pool.source, tuple(scaled), settings.scale, text, tuple(pairs), options, facts or {}
    )


def picture(pool: Pool, scaled: Mapping[str, Floats], place: int) -> Picture:
    """A picture of a pool for a pair."""
    opinion = float(pool.opinions[place])
    return Picture(
        path=str(pool.paths[place].absolute()),
        name=pool.names[place],
        scores={name: float(values[place]) for name, values in scaled.items()},
        mos=opinion if np.isfinite(opinion) else None,
        reference=pool.references[place],
        raw={name: float(values[place]) for name, values in pool.scores.items()},
    )


def _mined(
    defender: Floats,
    attacker: Floats,
    chosen: Ints,
    settings: Settings,
    *,
    apart: Ints,
    same: Ints | None,
    refuse: Callable[[int, int], bool] | None,
) -> list[Found]:
    """The pairs among the chosen places, as places of the pool."""
    found = mine(
        defender[chosen],
        attacker[chosen],
        settings.pairs,
        settings.points(defender),
        apart=apart[chosen],
        same=None if same is None else same[chosen],
        refuse=None if refuse is None else lambda i, j: refuse(int(chosen[i]), int(chosen[j])),
    )
    return [
        Found(
            int(chosen[each.first]),
            int(chosen[each.second]),
            each.attacker_difference,
            each.defender_difference,
        )
        for each in found
    ]


def check_levels(settings: Settings, pictures: int) -> None:
    """Refuse a pool in which a level has too few pictures, before anything is known of their scores; all of
    them are taken to differ.

    Raises:
        UsageError: As of `check_enough`.
    """
    check_enough(settings.pairs, pictures, "the pool has")
    for level, (low, high) in settings.bands.items():
        there = len(at_level(np.arange(pictures, dtype=float), low, high))
        check_enough(settings.pairs, there, f"level {level} of {pictures:,} pictures has")


def check_enough(pairs: int, pictures: int, who: str) -> None:
    """Refuse fewer pictures than pairs can be made of.

    Args:
        pairs: For each defender, attacker and level.
        pictures: Among which they are sought.
        who: Has them, for the message: "the pool has".

    Raises:
        UsageError: No picture is in two pairs, so that there are too few.
    """
    if pictures < 2 * pairs:
        raise UsageError(
            f"{pairs:,} pairs need {2 * pairs:,} pictures, and {who} {pictures:,}",
            hint="fewer --pairs, a wider --level, or more pictures",
        )
