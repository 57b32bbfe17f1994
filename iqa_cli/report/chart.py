"""Scatter plots as inline SVG: the frame with its axes, dots, lines.

All colours are classes of the style sheet, so that one drawing serves light, dark and paper. The drawing has
the width of a phone and grows with its column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from iqa_cli.evaluation.logistic import Floats
from iqa_cli.report.axes import Axis

WIDTH, HEIGHT = 440, 330
#: Edges of the plotting area.
LEFT, RIGHT, TOP, BOTTOM = 54, WIDTH - 12, 10, HEIGHT - 46


@dataclass
class Chart:
    """A chart that is being drawn.

    Attributes:
        key: Prefix of the ids inside of it, different for each chart of a page.
        title: Its name for those who do not see it; HTML, as are all texts.
        description: What there is to see, for the same.
        x, y: Axes.
        x_title, y_title: What they are of.
    """

    key: str
    title: str
    description: str
    x: Axis
    y: Axis
    x_title: str
    y_title: str
    pieces: list[str] = field(default_factory=list)

    def dots(self, xs: Floats, ys: Floats, style: str) -> None:
        """One dot for each pair."""
        # Lines without length and with round ends: the shortest there is; and separate, so that they add up
        # where they lie on each other.
        places = zip(self.x(xs), self.y(ys), strict=True)
        drawn = "".join(f'<path d="M{x:.1f} {y:.1f}h0"/>' for x, y in places)
        if drawn:
            self.pieces.append(f'<g class="dots {style}">{drawn}</g>')

    def line(self, xs: Floats, ys: Floats, style: str) -> None:
        """A line through points."""
        self.pieces.append(f'<path class="{style}" d="{self._path(xs, ys)}"/>')

    def area(self, xs: Floats, low: Floats, high: Floats, style: str) -> None:
        """What lies between two lines."""
        around = self._path(np.concatenate([xs, xs[::-1]]), np.concatenate([low, high[::-1]]))
        self.pieces.append(f'<path class="{style}" d="{around}z"/>')

    def rings(self, xs: Floats, ys: Floats) -> None:
        """Rings, numbered from 1."""
        places = list(zip(self.x(xs).tolist(), self.y(ys).tolist(), strict=True))
        labels: list[tuple[float, float]] = []
        for number, (x, y) in enumerate(places, start=1):
            at = _free(x, y, [*places[: number - 1], *places[number:]], labels)
            labels.append(at)
            self.pieces.append(
                f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
                f'<text class="mark" x="{at[0]:.1f}" y="{at[1] + 4:.1f}">{number}</text>'
            )

    def svg(self) -> str:
        """The drawing."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{self.key}-t {self.key}-d">'
            f'<title id="{self.key}-t">{self.title}</title><desc id="{self.key}-d">{self.description}</desc>'
            f"{self._frame()}{''.join(self.pieces)}</svg>"
        )

    def _path(self, xs: Floats, ys: Floats) -> str:
        places = zip(self.x(xs), self.y(ys), strict=True)
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)

    def _frame(self) -> str:
        pieces = []
        for tick in self.x.ticks():
            x = self.x.at(tick)
            pieces.append(f'<path class="grid" d="M{x:.1f} {TOP}V{BOTTOM}"/>')
            pieces.append(f'<text class="tick" x="{x:.1f}" y="{BOTTOM + 16}">{_shown(tick)}</text>')
        ticks = self.y.ticks()
        for tick in ticks:
            y = self.y.at(tick)
            pieces.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>')
            pieces.append(f'<text class="tick left" x="{LEFT - 6}" y="{y + 4:.1f}">{_shown(tick)}</text>')
        middle = (TOP + BOTTOM) / 2
        pieces.append(f'<path class="frame" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>')
        pieces.append(
            f'<text class="axis" x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 8}">{self.x_title}</text>'
            f'<text class="axis" transform="translate(12 {middle}) rotate(-90)">{self.y_title}</text>'
        )
        return "".join(pieces)


def bar(value: float | None, interval: tuple[float, float] | None, low: float, high: float) -> str:
    """A bar from 0 to a value with its interval, for a cell whose row has both in figures.

    Args:
        value: None draws the zero line only.
        interval: None draws no interval.
        low, high: Values at the ends of the cell; low <= 0 < high.
    """
    zero, *ends = (100 * (entry - low) / (high - low) for entry in (0.0, value or 0.0, *(interval or ())))
    left, width = min(zero, ends[0]), abs(ends[0] - zero)
    pieces = [f'<rect class="bar" x="{left:.2f}" y="3" width="{width:.2f}" height="10"/>']
    if interval is not None:
        pieces.append(f'<path class="whisker" d="M{ends[1]:.2f} 8H{ends[2]:.2f}"/>')
        pieces.extend(f'<path class="whisker" d="M{end:.2f} 4v8"/>' for end in ends[1:])
    pieces.append(f'<path class="zero" d="M{zero:.2f} 0v16"/>')
    return (
        '<svg class="bars" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(pieces)}</svg>"
    )


def lowest(values: Sequence[float]) -> float:
    """Left end of bars that are to show these values: 0, or the quarter below them."""
    return max(-1.0, math.floor(4 * min(0.0, *values)) / 4) if values else 0.0


def _free(
    x: float, y: float, rings: Sequence[tuple[float, float]], labels: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Where around a ring its number covers least of the others and stays in the chart; to the right where
    there is room."""

    def covered(at: tuple[float, float]) -> int:
        inside = LEFT + 8 <= at[0] <= RIGHT - 6 and TOP + 4 <= at[1] <= BOTTOM - 4
        over = sum(abs(at[0] - other[0]) < 13 and abs(at[1] - other[1]) < 10 for other in labels)
        return (
            over
            + sum(abs(at[0] - ring[0]) < 11 and abs(at[1] - ring[1]) < 9 for ring in rings)
            + 9 * (not inside)
        )

    around = ((14, 0), (-14, 0), (0, -13), (0, 13), (13, -9), (13, 9), (-13, -9), (-13, 9), (27, 0), (-27, 0))
    return min(((x + right, y + down) for right, down in around), key=covered)


def _shown(tick: float) -> str:
    return f"{tick:.6g}".replace("-", "\N{MINUS SIGN}")
