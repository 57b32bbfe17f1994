"""The interval of a score: between which points the opinion of people lies, with a stated coverage.

A weight that was calibrated on enough labelled pictures has one on its card (`iqa_cli.evaluation.conformal`
fits it). How far its bounds are from the score depends on what is known of a picture when it is scored: the
score itself (at the top of the scale opinions are easier to tell than in the middle), the spread of its
crops, and their number or the size of the picture where the labelled ones differed in it. The coverage is
that of photographs like the labelled ones; of others it is an assumption.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from iqa_cli.calibration import HIGHEST, LOWEST, is_number, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

#: What may count beside the score: the spread of the crops in points, how many crops there are, and the
#: geometric-mean side of the picture in pixels.
FEATURES = ("spread", "crops", "side")

_KNOWN = ("coverage", "scores", "scale", "below", "above", "powers")
_LARGEST = 1e6


@dataclass(frozen=True)
class Power:
    """What one of `FEATURES` does to the scale: times ((1 + v) / (1 + middle)) ** power.

    Attributes:
        least, most: Range in the labelled pictures; a value v outside of it counts as the nearest in it.
        middle: Where it changes nothing.
        power: How much it counts.
    """

    least: float
    middle: float
    most: float
    power: float


@dataclass(frozen=True)
class Interval:
    """Bounds about a score, in points; checked when made.

        low  = score - below x scale,   high = score + above x scale,   both held within 0 to 100
        scale = that at the score, by straight lines through the logarithms of `scale`, times the powers

    Attributes:
        coverage: Share of pictures like the labelled ones whose opinion lies within; above 0, below 1.
        scores: [k] rising scores in points, beyond the first and last of which the scale stays.
        scale: [k] typical distance of opinion and score there, in points, above 0.
        below, above: Lengths of the two sides in multiples of the scale, from 0.
        powers: Of `FEATURES`, those that count.
        about: What it was fitted to and what it covered there; not read by the program.

    Raises:
        ValueError: A field is of the wrong type, or says something impossible; one line.
    """

    coverage: float
    scores: tuple[float, ...]
    scale: tuple[float, ...]
    below: float
    above: float
    powers: dict[str, Power] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_number(self.coverage) or not 0 < self.coverage < 1:
            raise ValueError(f"interval: coverage should lie between 0 and 1, not {shown(self.coverage)}")
        for name in ("scores", "scale"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or not all(map(_is_size, values)):
                raise ValueError(f"interval: {name} should be a list of numbers from 0, not {shown(values)}")
        if not 1 <= len(self.scores) == len(self.scale):
            raise ValueError("interval: scores and scale should be one or more numbers each, and as many")
        if any(later <= earlier for earlier, later in pairwise(self.scores)) or min(self.scale) <= 0:
            raise ValueError("interval: scores should rise, and scale lie above 0")
        for name in ("below", "above"):
            if not _is_size(getattr(self, name)):
                raise ValueError(
                    f"interval: {name} should be a number from 0, not {shown(getattr(self, name))}"
                )
        for name, power in self.powers.items():
            if name not in FEATURES:
                raise ValueError(f"interval: {shown(name)} is none of {', '.join(FEATURES)}")
            numbers = (power.least, power.middle, power.most, power.power)
            if not all(map(is_number, numbers)) or not abs(power.power) <= _LARGEST:
                raise ValueError(f"interval: {name} should have numbers, not {shown(numbers)}")
            if not 0 <= power.least <= power.middle <= power.most:
                raise ValueError(f"interval: 0 <= least <= middle <= most does not hold for {name}")

    def bounds(self, score: ArrayLike, features: Mapping[str, ArrayLike]) -> tuple[Floats, Floats]:
        """The bounds of pictures.

        Args:
            score: [n] points; a NaN gives NaN.
            features: Feature -> [n], at least those in `powers`.

        Returns:
            Lower and upper bound, [n] each, in points.
        """
        import numpy as np

        points, scale = np.asarray(score, dtype=np.float64), self.scale_of(score, features)
        low, high = points - self.below * scale, points + self.above * scale
        return np.clip(low, LOWEST, HIGHEST), np.clip(high, LOWEST, HIGHEST)

    def scale_of(self, score: ArrayLike, features: Mapping[str, ArrayLike]) -> Floats:
        """[n] typical distance of opinion and score of pictures, in points; arguments as of `bounds`."""
        import numpy as np

        logarithm = np.interp(np.asarray(score, dtype=np.float64), self.scores, np.log(self.scale))
        for name, power in self.powers.items():
            moved = strength(features[name], power.least, power.middle, power.most)
            logarithm = logarithm + power.power * moved
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(logarithm))

    def of(
        self, score: float, spread: float, crops: int, width: int | None, height: int | None
    ) -> tuple[float, float] | None:
        """The bounds of one picture as scoring knows it; None where its size counts and is not known."""
        if "side" in self.powers and not (width and height):
            return None
        side = math.sqrt((width or 0) * (height or 0))
        low, high = self.bounds([score], {"spread": [spread], "crops": [crops], "side": [side]})
        return float(low[0]), float(high[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the card; `from_dict` gives the same back, also by way of JSON."""
        return {
            "coverage": self.coverage,
            "scores": list(self.scores),
            "scale": list(self.scale),
            "below": self.below,
            "above": self.above,
            "powers": {name: asdict(power) for name, power in self.powers.items()},
            **self.about,
        }

    @classmethod
    def from_dict(cls, values: Any) -> Interval:
        """The interval of `to_dict`; ValueError as for the class."""
        if not isinstance(values, dict):
            raise ValueError(f"interval should be an object, not {shown(values)}")
        missing = [name for name in _KNOWN if name not in values]
        if missing:
            raise ValueError(f"interval lacks {', '.join(missing)}")
        for name in ("scores", "scale"):
            if not isinstance(values[name], list | tuple):
                raise ValueError(f"interval: {name} should be a list of numbers, not {shown(values[name])}")
        return cls(
            values["coverage"],
            tuple(values["scores"]),
            tuple(values["scale"]),
            values["below"],
            values["above"],
            _powers(values["powers"]),
            {name: value for name, value in values.items() if name not in _KNOWN},
        )


def strength(values: ArrayLike, least: float, middle: float, most: float) -> Floats:
    """log((1 + v) / (1 + middle)) of a feature, v held within least to most: see `Power`."""
    import numpy as np

    held = np.clip(np.asarray(values, dtype=np.float64), least, most)
    return np.asarray(np.log1p(held) - math.log1p(middle))


def _powers(values: Any) -> dict[str, Power]:
    if not isinstance(values, dict):
        raise ValueError(f"interval: powers should be an object, not {shown(values)}")
    names = ("least", "middle", "most", "power")
    for name, entry in values.items():
        if not isinstance(entry, dict) or set(entry) != set(names):
            raise ValueError(f"interval: {shown(name)} should have {', '.join(names)}, not {shown(entry)}")
    return {str(name): Power(**entry) for name, entry in values.items()}


def _is_size(value: object) -> bool:
    return is_number(value) and 0 <= value <= _LARGEST
