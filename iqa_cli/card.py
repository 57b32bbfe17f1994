"""The card of a weight: what it is, what it has seen, what its numbers mean.

A card is a JSON object that travels in the metadata of the weight's own file (see `iqa_cli.weights`), so
that the two cannot part. It is checked field by field when it is made and when it is read: a score must
never come out of a map that falls, or leaves its range, because of a slip in a file. Fields that a later
program adds are ignored here; a change of meaning raises `card_version`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from iqa_cli.calibration import Calibration, is_number, shown
from iqa_cli.errors import WeightsError
from iqa_cli.interval import Interval
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.images.policy import SizePolicy

__all__ = ["CARD_VERSION", "LADDER", "Calibration", "Card", "percentile_of", "word_for"]

CARD_VERSION = 1
#: What a card calls pictures that `iqa data synth` has made, and what its note on them says first.
SYNTHETIC, UNRATED = "synthetic distortions", "no person has rated these pictures"
DIRECTION = "higher is better"
RANGE = (0, 100)

# The five words of the absolute category rating of ITU-T P.910 and ITU-R BT.500, a fifth of the scale each.
LADDER: list[list[Any]] = [[80, "excellent"], [60, "good"], [40, "fair"], [20, "poor"], [0, "bad"]]

_MAX_DEPTH = 64


@dataclass
class Card:
    """What a weight says of itself.

    Attributes:
        name: What the weight is called ("mfenet").
        network: The network's name in `iqa_cli.networks.registry`.
        config: The network's config as plain values; with `network` it builds the module.
        input: The size policy, `SizePolicy.to_dict()`.
        output: "range" [0, 100], "direction" "higher is better", "scale" (what 0 and 100 stand for),
            "calibration" (see `Calibration`), "ladder" ([[lowest score, word], ...] downwards) and,
            optionally, "percentiles" (percentile as text -> score) of the opinions of the pictures that it
            was fitted to, and "interval" (see `Interval`).
        training: One entry for each thing it was trained on: data set, number of pictures, hash of the split.
        starting_points: Weights it was started from or taught by, each with its licence.
        results: Measured figures with the command that gave each; the first is the headline. "srcc" is read
            by the listing.
        licence: What may be done with the weight, and the licences of what went into it.
        date: The day it was made, ISO 8601.
        code_version: Version (and commit) of the code that trained it.
        notes: Sentences for a reader.
        seen: The file of content hashes of the training pictures that belongs to it, or None.

    Raises:
        ValueError: A field is of the wrong type, or says something impossible; the message is one line.
    """

    name: str
    network: str
    config: dict[str, Any]
    input: dict[str, Any]
    output: dict[str, Any]
    training: list[dict[str, Any]] = field(default_factory=list)
    starting_points: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    licence: dict[str, Any] = field(default_factory=dict)
    date: str = ""
    code_version: str = ""
    notes: list[str] = field(default_factory=list)
    seen: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Check every field; called again before a card is written, since its lists may have been changed."""
        for name in ("name", "network"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 120:
                raise ValueError(f"{name} should be a short printable text, not {shown(value)}")
        for name in ("date", "code_version"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} should be a text, not {shown(getattr(self, name))}")
        for name in ("config", "input", "output", "licence"):
            if not isinstance(getattr(self, name), dict):
                raise ValueError(f"{name} should be an object, not {shown(getattr(self, name))}")
        for name, kind in (("training", dict), ("starting_points", dict), ("results", dict), ("notes", str)):
            value = getattr(self, name)
            if not isinstance(value, list) or not all(isinstance(entry, kind) for entry in value):
                what = "texts" if kind is str else "objects"
                raise ValueError(f"{name} should be a list of {what}, not {shown(value)}")
        if self.seen is not None and not isinstance(self.seen, dict):
            raise ValueError(f"seen should be an object or null, not {shown(self.seen)}")
        for entry in fields(self):
            _check_plain(getattr(self, entry.name), entry.name)
        _check_output(self.output)

    @property
    def calibration(self) -> Calibration:
        """The map from the network's pooled output (MOS, 0 to 1, unbounded) to points (0 to 100)."""
        return Calibration.from_dict(self.output["calibration"])

    @property
    def interval(self) -> Interval | None:
        """The interval of a score, None where the weight has none."""
        values = self.output.get("interval")
        return None if values is None else Interval.from_dict(values)

    @property
    def headline_srcc(self) -> float | None:
        """SRCC of the first result, None where nothing was measured or the figure is no number."""
        srcc = self.results[0].get("srcc") if self.results else None
        return float(srcc) if is_number(srcc) and -1 <= srcc <= 1 else None

    def policy(self) -> SizePolicy:
        """The size policy that the weight was trained and calibrated for.

        Raises:
            WeightsError: The card's `input` is no valid policy.
        """
        from iqa_cli.images.policy import SizePolicy

        try:
            return SizePolicy.from_dict(self.input)
        except (ValueError, TypeError) as error:
            raise WeightsError(f"the card of {self.name}: input: {one_line(str(error))}") from None

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values, `card_version` first."""
        return {"card_version": CARD_VERSION, **asdict(self)}

    def to_json(self) -> str:
        """The card as one line of JSON; ValueError when a field has become invalid since it was set."""
        self.validate()
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, values: Any) -> Card:
        """The card of plain values; see the class for the errors. Unknown fields are ignored."""
        if not isinstance(values, dict):
            raise ValueError(f"a card should be an object, not {shown(values)}")
        version = values.get("card_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ValueError(f"card_version should be a whole number from 1, not {shown(version)}")
        if version > CARD_VERSION:
            raise ValueError(
                f"card_version {shown(version)} is newer than this program, which knows {CARD_VERSION}"
            )
        known = {entry.name for entry in fields(cls)}
        required = [name for name in ("name", "network", "config", "input", "output") if name not in values]
        if required:
            raise ValueError(f"the card lacks {', '.join(required)}")
        return cls(**{name: value for name, value in values.items() if name in known})

    @classmethod
    def from_json(cls, text: str) -> Card:
        """The card of a JSON text; ValueError (one line) for anything that is not a valid card."""
        try:
            values = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the card is not JSON ({str(error).splitlines()[0]})") from None
        return cls.from_dict(values)


def percentile_of(score: float, card: Card) -> float | None:
    """Where a score stands among the pictures the weight was trained on.

    Args:
        score: Points, 0 to 100.
        card: The weight's card.

    Returns:
        The percentile, 0 to 100, interpolated between those on the card and held at the first and last of
        them (a score under the card's 1st percentile is given as 1). Where several percentiles share a
        score, their mean. None when the card has no percentiles or the score is no number.
    """
    if math.isnan(score) or not card.output.get("percentiles"):
        return None
    by_score: dict[float, list[float]] = {}
    for percentile, value in _sorted_percentiles(card.output["percentiles"]):
        by_score.setdefault(value, []).append(percentile)
    knots = [(value, sum(shared) / len(shared)) for value, shared in by_score.items()]
    if score <= knots[0][0]:
        return knots[0][1]
    for (low, below), (high, above) in pairwise(knots):
        if score <= high:
            return below + (above - below) * (score - low) / (high - low)
    return knots[-1][1]


def word_for(score: float, card: Card) -> str:
    """The word of the card's ladder for a score in points; what is under the lowest rung gets the lowest
    word.

    Raises:
        ValueError: The score is not a number.
    """
    if math.isnan(score):
        raise ValueError("there is no word for a score that is not a number")
    ladder = card.output["ladder"]
    return next((str(word) for lowest, word in ladder if score >= lowest), str(ladder[-1][1]))


def _check_output(output: dict[str, Any]) -> None:
    missing = [
        name for name in ("range", "direction", "scale", "calibration", "ladder") if name not in output
    ]
    if missing:
        raise ValueError(f"output lacks {', '.join(missing)}")
    if not _is_pair(output["range"]) or tuple(output["range"]) != RANGE:
        raise ValueError(f"output.range should be [0, 100], not {shown(output['range'])}")
    if output["direction"] != DIRECTION:
        raise ValueError(f"output.direction should be '{DIRECTION}', not {shown(output['direction'])}")
    if not isinstance(output["scale"], str):
        raise ValueError(f"output.scale should be a text, not {shown(output['scale'])}")
    Calibration.from_dict(output["calibration"])
    if output.get("interval") is not None:
        Interval.from_dict(output["interval"])
    values = [value for _, value in _sorted_percentiles(output.get("percentiles", {}))]
    if any(later < earlier for earlier, later in pairwise(values)):
        raise ValueError("output.percentiles should not fall as the percentile rises")
    _check_ladder(output["ladder"])


def _check_ladder(ladder: Any) -> None:
    if not isinstance(ladder, list) or not ladder:
        raise ValueError(f"output.ladder should be a list of [lowest score, word], not {shown(ladder)}")
    for rung in ladder:
        if (
            not isinstance(rung, list | tuple)
            or len(rung) != 2
            or not _in_range(rung[0])
            or not isinstance(rung[1], str)
        ):
            raise ValueError(f"output.ladder: {shown(rung)} is not [lowest score from 0 to 100, word]")
    if any(later[0] >= earlier[0] for earlier, later in pairwise(ladder)):
        raise ValueError("output.ladder should go from the highest score down")


def _sorted_percentiles(table: Any) -> list[tuple[float, float]]:
    """[(percentile, score), ...] by percentile, checked."""
    if not isinstance(table, dict):
        raise ValueError(f"output.percentiles should be an object, not {shown(table)}")
    for key, value in table.items():
        if (
            not isinstance(key, str)
            or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", key)
            or float(key) > 100
        ):
            raise ValueError(f"output.percentiles: {shown(key)} is not a percentile from 0 to 100")
        if not _in_range(value):
            raise ValueError(f"output.percentiles: {shown(value)} is not a score from 0 to 100")
    return sorted((float(key), float(value)) for key, value in table.items())


def _in_range(value: Any) -> bool:
    return is_number(value) and RANGE[0] <= value <= RANGE[1]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(is_number(entry) for entry in value)


def _check_plain(value: Any, where: str, depth: int = 0) -> None:
    """Only what every reader of JSON gives back unchanged (but that tuples become lists)."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"{where.split('.')[0]} is nested too deeply")
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{shown(where)}: {value} cannot be written as JSON")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{shown(where)}: {shown(value)} is not valid text")
    elif isinstance(value, list | tuple):
        for entry in value:
            _check_plain(entry, where, depth + 1)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{shown(where)}: the key {shown(key)} should be a text")
            _check_plain(key, where, depth + 1)
            _check_plain(entry, f"{where}.{key[:40]}", depth + 1)
    else:
        raise ValueError(f"{shown(where)}: {type(value).__name__} cannot be written as JSON")


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
