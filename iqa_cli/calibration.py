"""The calibration map: from a network's pooled output to points on the scale of the score.

A network is trained to give a MOS between 0 and 1 but may overshoot either end. The map brings that to 0 to
100 points, never falling, and is the only place where a score is bounded. Three kinds are known; all are
checked when they are made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

LOWEST, HIGHEST = 0.0, 100.0

_PARAMETERS = {"isotonic": ("x", "y"), "logistic": ("b1", "b2", "b3", "b4"), "linear": ("slope", "intercept")}
# Raw outputs lie near 0 to 1. Far larger constants, or knots closer than rounding, would make the map a
# step or overflow.
_LARGEST = 1e6
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Calibration:
    """A never-falling map from raw output to points within 0 to 100.

    Attributes:
        kind: "isotonic": straight lines through the points (x, y), held at the first and last y.
            "logistic": (b1 - b2) / (1 + exp(-(raw - b3) / |b4|)) + b2, the four-parameter logistic of the
            VQEG. "linear": slope x raw + intercept, cut off at 0 and 100.
        parameters: "x" and "y" lists; or b1 (upper end) > b2 (lower end), b3 (middle), b4 (width); or slope
            > 0, intercept.

    Raises:
        ValueError: The map falls, leaves 0 to 100, or a parameter is missing, surplus or no number; one line.
    """

    kind: str
    parameters: dict[str, Any]

    def __post_init__(self) -> None:
        if self.kind not in _PARAMETERS:
            raise ValueError(
                f"calibration: kind should be one of {', '.join(_PARAMETERS)}, not {shown(self.kind)}"
            )
        wanted = _PARAMETERS[self.kind]
        if sorted(self.parameters) != sorted(wanted):
            raise ValueError(
                f"calibration: {self.kind} takes {', '.join(wanted)}, not {shown(sorted(self.parameters))}"
            )
        if self.kind == "isotonic":
            self._check_isotonic()
            return
        for name, value in self.parameters.items():
            if not is_number(value) or abs(value) > _LARGEST:
                raise ValueError(f"calibration: {name} should be a number, not {shown(value)}")
        if self.kind == "logistic":
            upper, lower, width = (self.parameters[name] for name in ("b1", "b2", "b4"))
            if not LOWEST <= lower < upper <= HIGHEST:
                raise ValueError(f"calibration: 0 <= b2 < b1 <= 100 does not hold for b2={lower}, b1={upper}")
            if abs(width) < _SMALLEST:
                raise ValueError("calibration: b4 should not be 0")
        elif self.parameters["slope"] < _SMALLEST:
            raise ValueError(f"calibration: slope should be positive, not {self.parameters['slope']}")

    def _check_isotonic(self) -> None:
        x, y = self.parameters["x"], self.parameters["y"]
        for name, values in (("x", x), ("y", y)):
            if not isinstance(values, list | tuple) or not all(
                is_number(v) and abs(v) <= _LARGEST for v in values
            ):
                raise ValueError(f"calibration: {name} should be a list of numbers, not {shown(values)}")
        if len(x) != len(y) or len(x) < 2:
            raise ValueError(
                f"calibration: x and y should be two or more numbers each, not {len(x)} and {len(y)}"
            )
        if any(later - earlier < _SMALLEST for earlier, later in pairwise(x)):
            raise ValueError("calibration: x should rise from each point to the next")
        if any(later < earlier for earlier, later in pairwise(y)):
            raise ValueError("calibration: y should never fall")
        if y[0] < LOWEST or y[-1] > HIGHEST:
            raise ValueError(f"calibration: y should lie within 0 to 100, not {y[0]} to {y[-1]}")

    def __call__(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Map raw outputs of any shape to points of the same shape, 0 to 100; a NaN stays one."""
        import numpy as np

        values = np.asarray(raw, dtype=np.float64)
        if self.kind == "isotonic":
            x, y = (np.asarray(self.parameters[name], dtype=np.float64) for name in ("x", "y"))
            return np.asarray(np.clip(np.interp(values, x, y), y[0], y[-1]))
        if self.kind == "logistic":
            upper, lower, middle, width = (float(self.parameters[name]) for name in ("b1", "b2", "b3", "b4"))
            # 1 / (1 + exp(-z)) written so that it cannot overflow.
            with np.errstate(over="ignore"):  # an infinite quotient has the right tangent
                share = 0.5 * (1.0 + np.tanh(0.5 * (values - middle) / abs(width)))
            return np.asarray(np.clip(lower + (upper - lower) * share, lower, upper))
        with np.errstate(over="ignore"):
            points = float(self.parameters["slope"]) * values + float(self.parameters["intercept"])
        return np.asarray(np.clip(points, LOWEST, HIGHEST))

    def to_dict(self) -> dict[str, Any]:
        """{"kind": ..., and the parameters}, plain values."""
        return {"kind": self.kind, **self.parameters}

    @classmethod
    def from_dict(cls, values: Any) -> Calibration:
        """The map of `to_dict`; ValueError as for the class."""
        if not isinstance(values, dict):
            raise ValueError(f"calibration should be an object, not {shown(values)}")
        kind = values.get("kind")
        if not isinstance(kind, str):
            raise ValueError(f"calibration: kind should be a text, not {shown(kind)}")
        return cls(kind, {str(name): value for name, value in values.items() if name != "kind"})


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value read from JSON is a finite number (True and False are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def shown(value: Any) -> str:
    """A value as it may stand in a one-line message: escaped, and cut off when long."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**18:
        return "a number of absurd size"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
