"""The pseudo-MOS: several full-reference metrics on one scale of 0 to 1. Ours [O], and no human opinion.

No scores of people are at hand to which the metrics could be fitted. What is fixed instead is a scale of
rank: a set of pictures made by `iqa data synth` (every type at every level, the same number of each) was
measured once, and a metric's value is mapped to the share of those pictures that it calls worse. The mean of
the metrics' shares is mapped to its own rank in the same way. So 0.5 says "better than half of the pictures
of that set", 1 is the reference itself, and equal steps are equal shares of that set, not steps that people
would call equal. Joining metrics by rank rather than by value follows Ye, Kumar and Doermann (CVPR 2014) [S],
who trained on such scores; their formula is another one.

The maps are constants of the package (`synth_map.json`, with the commands that made them), so that a
picture's pseudo-MOS depends on that picture and its reference alone: not on the others of the run, their
number, or the order in which they were made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.evaluation.full_reference import METRICS

#: Decimals of a pseudo-MOS.
DECIMALS = 4
#: Values of the set lie between these positions; the rest is for values outside of any that it had.
_INSIDE = (0.01, 0.99)
#: Shares of the set at which a map is kept.
SHARES = (0.0, 0.01, 0.03, *(round(0.05 * i, 2) for i in range(1, 20)), 0.97, 0.99, 1.0)
MAP_FILE = Path(__file__).with_name("synth_map.json")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Knots:
    """A growing, piecewise linear map.

    Attributes:
        values: Strictly growing.
        positions: Growing, from 0 to 1, one for each value.
    """

    values: tuple[float, ...]
    positions: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(self.values) != len(self.positions):
            raise ValueError("a map needs at least two knots, and a position for each value")
        if (np.diff(self.values) <= 0).any() or (np.diff(self.positions) <= 0).any():
            raise ValueError("a map must grow")

    def __call__(self, values: Sequence[float] | Floats) -> Floats:
        """Positions in 0 to 1."""
        return np.interp(np.asarray(values, dtype=np.float64), self.values, self.positions)

    @classmethod
    def of_ranks(cls, values: Sequence[float] | Floats, worst: float, best: float) -> Knots:
        """The map of values to the share of them that is lower.

        Args:
            values: A set of values, higher is better.
            worst: Becomes 0.
            best: Becomes 1.

        Raises:
            ValueError: The values do not differ.
        """
        at = np.round(np.quantile(np.asarray(values, dtype=np.float64), SHARES), 6)
        low, high = _INSIDE
        knots: dict[float, list[float]] = {}
        for value, share in zip(at.tolist(), SHARES, strict=True):
            if worst < value < best:
                knots.setdefault(value, []).append(low + (high - low) * share)
        if len(knots) < 2:
            raise ValueError("the values of the set do not differ")
        inner = sorted((value, sum(p) / len(p)) for value, p in knots.items())
        pairs = [(worst, 0.0), *inner, (best, 1.0)]
        return cls(tuple(v for v, _ in pairs), tuple(round(p, 6) for _, p in pairs))


@dataclass(frozen=True)
class PseudoMos:
    """The maps of the metrics and of their mean.

    Attributes:
        metrics: Name -> map of the metric turned so that higher is better.
        mean: Map of the mean of the positions.
    """

    metrics: dict[str, Knots]
    mean: Knots

    def __call__(self, values: Mapping[str, Sequence[float] | Floats]) -> Floats:
        """Pseudo-MOS of pictures.

        Args:
            values: Metric -> [n] values as the metric gives them; every metric of `metrics`.

        Returns:
            [n], 0 to 1, higher is better, to `DECIMALS` decimals.
        """
        return np.round(self.mean(self.mean_position(values)), DECIMALS)

    def mean_position(self, values: Mapping[str, Sequence[float] | Floats]) -> Floats:
        """Mean over the metrics of a picture's position among those of the set: [n] in 0 to 1."""
        positions = [
            knots(METRICS[name].sign * np.asarray(values[name], dtype=np.float64))
            for name, knots in self.metrics.items()
        ]
        return np.asarray(np.mean(positions, axis=0), dtype=np.float64)

    @classmethod
    def fit(cls, values: Mapping[str, Sequence[float] | Floats]) -> PseudoMos:
        """The maps of a set of pictures.

        Args:
            values: Metric -> [n] values of the distorted pictures of the set.

        Raises:
            ValueError: The values of a metric do not differ.
        """
        maps = {
            name: Knots.of_ranks(
                metric.sign * np.asarray(values[name]), metric.sign * metric.worst, metric.sign * metric.best
            )
            for name, metric in METRICS.items()
        }
        position = cls(maps, Knots((0.0, 1.0), (0.0, 1.0))).mean_position(values)
        return cls(maps, Knots.of_ranks(position, 0.0, 1.0))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""

        def plain(knots: Knots) -> dict[str, list[float]]:
            return {"values": list(knots.values), "positions": list(knots.positions)}

        return {
            "metrics": {name: plain(knots) for name, knots in self.metrics.items()},
            "mean": plain(self.mean),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> PseudoMos:
        """The inverse of `to_dict`."""

        def knots(entry: Mapping[str, Any]) -> Knots:
            return Knots(tuple(entry["values"]), tuple(entry["positions"]))

        return cls({name: knots(entry) for name, entry in record["metrics"].items()}, knots(record["mean"]))


@cache
def shipped_map() -> tuple[PseudoMos, dict[str, Any]]:
    """The package's own maps, and what the file says of their making with a hash of the maps (16 hex
    digits)."""
    record = json.loads(MAP_FILE.read_text(encoding="utf-8"))
    maps = PseudoMos.from_dict(record["map"])
    digest = hashlib.sha256(json.dumps(maps.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
    return maps, {**{key: value for key, value in record.items() if key != "map"}, "hash": digest}
