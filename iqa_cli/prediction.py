"""The record of a prediction: the only thing that leaves the scorer.

Everything downstream (tables, files, ranking, thresholds, gMAD, pages) reads these records and never touches
torch. The names of the fields are a contract with the pipelines of users: fields may be added, none is
renamed or dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: What `Prediction.distortion` says of a picture without one.
PRISTINE = "pristine"


def shown(points: float) -> float:
    """Points to two decimals, as they are shown: so far a score is the same alone, in a batch and with any
    number of threads, so that what compares scores compares these."""
    return round(points, 2)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The score of one picture, or the reason why there is none.

    Attributes:
        path: The path exactly as the caller gave it (or a label for an image in memory).
        score: 0 to 100, higher is better: 100 x MOS on the scale the weight was calibrated to. None on
            failure.
        error: One line that says why there is no score. None on success.
        model: Name of the weight that gave `score`, and all below but `scores` and `errors`; of several the
            first.
        spread: Standard deviation of the crop scores, in points on the same scale. None on failure.
        width: Width in pixels as displayed (after EXIF orientation), None where unknown.
        height: Height in pixels as displayed, None where unknown.
        raw: The pooled output of the network before the calibration map (MOS in 0 to 1, not bounded).
        crops: Number of crops that were pooled.
        distortion: The distortion that the distortion-aware branch sees, "pristine" where none is likelier;
            None where it is not sure which, or was not trained to name any.
        distortion_level: Its level, 1 (just visible) to 5 (severe).
        scores: Every model's score by name; with one model just that one. None for a model that could not
            score the picture.
        errors: Why, by the name of that model; empty where all could. With one model, `error` again.
        low, high: The interval of the score, in points: of photographs like those that the weight was
            calibrated on, the opinion of 90 % lies within (the card tells the share). None where the weight
            has no interval, and in other modes than "default", in which it was not calibrated.
        intervals: (low, high) by model, None for one that gives none.
    """

    path: str
    score: float | None
    error: str | None
    model: str
    spread: float | None = None
    width: int | None = None
    height: int | None = None
    raw: float | None = None
    crops: int | None = None
    distortion: str | None = None
    distortion_level: int | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    intervals: dict[str, tuple[float, float] | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain values, in the order of the contract, ready for JSON."""
        return {
            "path": self.path,
            "score": self.score,
            "error": self.error,
            "model": self.model,
            "spread": self.spread,
            "width": self.width,
            "height": self.height,
            "raw": self.raw,
            "crops": self.crops,
            "distortion": self.distortion,
            "distortion_level": self.distortion_level,
            "low": self.low,
            "high": self.high,
            "scores": dict(self.scores),
            "errors": dict(self.errors),
            "intervals": {
                name: None if both is None else list(both) for name, both in self.intervals.items()
            },
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Prediction:
        """The record of which `as_dict` has made these values."""
        pairs = record["intervals"].items()
        intervals = {name: None if both is None else (both[0], both[1]) for name, both in pairs}
        return cls(**{**record, "intervals": intervals})
