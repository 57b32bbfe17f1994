"""Axes of a chart: where a value goes, and where the ticks are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from iqa_cli.evaluation.logistic import Floats

#: Where the middle half of the values would have less of the axis than this, the axis is bent.
_CROWDED = 0.1
#: The bend is no less than this part of the greatest value.
_DECADES = 1e-9
#: Share of the axis that is left free at either end.
_MARGIN = 0.04
#: Values beyond are drawn at it: their differences would not be finite.
_GREATEST = 1e300


@dataclass(frozen=True)
class Axis:
    """An axis from values to places.

    Attributes:
        low, high: Values at its ends, low below high.
        start, end: Places of the ends, in units of the drawing.
        bend: Values far below it in size are spaced evenly, values far above it by their logarithm (the
            inverse hyperbolic sine, which takes zero and both signs); None for even spacing throughout.
    """

    low: float
    high: float
    start: float
    end: float
    bend: float | None = None

    @classmethod
    def of(cls, values: Floats, start: float, end: float, *, may_bend: bool = False) -> Axis:
        """An axis that holds all values, with some room beside them.

        Args:
            values: [n] finite; may be empty, or all the same.
            start, end: Places of the ends.
            may_bend: Bend the axis where a few values would crowd all others into a corner, as the variances
                of a Laplacian do.
        """
        if not len(values):
            return cls(0.0, 1.0, start, end)
        values = np.clip(values, -_GREATEST, _GREATEST)
        bend = _bend(values) if may_bend else None
        low, high = (float(bound) for bound in _forward(np.array([values.min(), values.max()]), bend))
        # Where they are all but the same, so much that the ticks differ in the digits of a float.
        room = max(_MARGIN * (high - low), 1e-6 * max(abs(low), abs(high)), 1e-200)
        room = room if high > low else max(0.05 * abs(high), 1.0)
        ends = _backward(np.array([low - room, high + room]), bend)
        return cls(float(ends[0]), float(ends[1]), start, end, bend)

    def __call__(self, values: Floats) -> Floats:
        """Places of values; those beyond an end are at it."""
        low, high = _forward(np.array([self.low, self.high]), self.bend)
        share = (_forward(np.clip(values, self.low, self.high), self.bend) - low) / (high - low)
        return np.asarray(self.start + share * (self.end - self.start))

    def at(self, value: float) -> float:
        """Place of one value."""
        return float(self(np.array([value]))[0])

    def along(self, count: int) -> Floats:
        """[count] values at evenly spaced places from end to end."""
        low, high = _forward(np.array([self.low, self.high]), self.bend)
        return np.clip(_backward(np.linspace(low, high, count), self.bend), self.low, self.high)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values for ticks, ascending."""
        if self.bend is None:
            return _even_ticks(self.low, self.high, about)
        powers = range(math.floor(math.log10(self.bend)), 301)
        sizes = [10.0**power for power in powers if 10.0**power <= max(abs(self.low), abs(self.high))]
        found = [sign * size for sign in (-1, 1) for size in sizes if self.low <= sign * size <= self.high]
        found += [0.0] if self.low <= 0 <= self.high else []
        if len(found) < 3:
            found = _even_ticks(self.low, self.high, about)
        return _apart(self, sorted(found), abs(self.end - self.start) / (2 * about))


def _bend(values: Floats) -> float | None:
    least, low, high, greatest = (float(value) for value in np.quantile(values, (0, 0.25, 0.75, 1)))
    if greatest <= least or high - low >= _CROWDED * (greatest - least):
        return None
    sizes = np.abs(values[values != 0])
    return max(float(np.quantile(sizes, 0.05)), _DECADES * float(sizes.max()))


def _forward(values: Floats, bend: float | None) -> Floats:
    return values if bend is None else np.arcsinh(values / bend)


def _backward(places: Floats, bend: float | None) -> Floats:
    return places if bend is None else np.sinh(places) * bend


def _even_ticks(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def _apart(axis: Axis, ticks: list[float], least: float) -> list[float]:
    """The ticks without those that are too near to the one before."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or abs(axis.at(tick) - axis.at(kept[-1])) >= least:
            kept.append(tick)
    return kept
