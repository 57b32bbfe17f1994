"""What the network sees of a picture of a given size: the one place where the numbers are kept.

The network was trained on 224x224 crops at native scale. Reducing a large photograph erases mild blur,
noise and JPEG artefacts, while looking only at native crops misses what the whole looks like; so a large
photograph is seen both ways. The policy travels on the card of a weight, because a score means nothing
without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

Mode = Literal["default", "native", "fast"]
#: Crops a side up to which four corners and the middle are enough of a reduced view.
CORNERS_AND_MIDDLE = 2.25
#: What stands for a key that a card does not have.
_BEFORE = {"centre_sigma": 0.0, "native_places": 0, "native_crops": 9, "native_best": 1 / 3}
KERNELS = ("lanczos", "bicubic", "hamming", "bilinear", "box")


@dataclass(frozen=True)
class SizePolicy:
    """How pictures of any size become square crops. Validated at construction (ValueError).

    Attributes:
        crop: Side of the square crops the network sees, in pixels.
        near_side: Up to this geometric-mean side sqrt(w * h) a picture is tiled as it is.
        reduced_side: A larger one is reduced to this geometric-mean side: its whole view.
        native_crops: So many crops of a larger photograph are taken at its own resolution, about as many
            where they are spread evenly.
        native_places: Of about so many places, spread evenly over a larger photograph, the native crops are
            taken at the sharpest (`iqa_cli.images.sharpest`): what a photograph is sharp in is what it was
            taken of. 0: the native crops themselves are spread evenly.
        native_weight: Weight in 0..1 of the mean of the native crops against the mean of the whole view.
        native_best: Share in 0..1, not 0, of the native crops that count: those with the highest scores.
            What is out of focus on purpose, or sky, is no fault of a photograph; what is blurred, noisy or
            badly compressed as a whole is so in its best crops, too.
        glance_weight: Weight in 0..1 of a glance at the whole picture, its shorter side reduced to one crop,
            against everything above; 0 for none. Crops alone never show how a picture is composed.
        centre_sigma: Standard deviation, in half sides of the picture, of the Gaussian by which the crops of
            a picture tiled as it is, and of the whole view, count the less the farther their middles are
            from the picture's; one more crop is then taken right there. 0: no such crop, all count the same,
            and the whole view is covered without a gap (not in mode "fast").
            0.45 is near what describes where people look in photographs: variance 0.22 of half widths, and
            0.45 of that upright, Clarke and Tatler, Vision Research 2014 (second-hand).
        min_side: Pictures with a side shorter than this are refused.
        kernel: Resize kernel of the whole view, one of KERNELS.
        backgrounds: Grey levels (dark, light) put under transparent pictures; the worse score is kept.
    """

    crop: int = 224
    near_side: int = 720
    reduced_side: int = 512
    native_crops: int = 4
    native_places: int = 40
    native_weight: float = 0.5
    native_best: float = 0.75
    glance_weight: float = 0.0
    centre_sigma: float = 0.45
    min_side: int = 16
    kernel: str = "lanczos"
    backgrounds: tuple[int, int] = (32, 224)

    def __post_init__(self) -> None:
        for name in ("crop", "near_side", "reduced_side", "native_crops", "min_side"):
            _require_positive_int(name, getattr(self, name))
        for name in ("near_side", "reduced_side"):
            if getattr(self, name) < self.crop:
                raise ValueError(f"size policy: {name} must be at least the crop ({self.crop})")
        if self.native_places != 0:
            _require_positive_int("native_places", self.native_places)
            if self.native_places < self.native_crops:
                raise ValueError(
                    f"size policy: native_places must be 0, or native_crops ({self.native_crops}) or more"
                )
        if self.reduced_side > self.near_side:
            # Otherwise a picture just over the limit would have to be enlarged.
            raise ValueError("size policy: reduced_side must not exceed near_side")
        for name in ("native_weight", "glance_weight"):
            weight = getattr(self, name)
            if _not_a_number(weight) or not 0 <= weight <= 1:
                raise ValueError(f"size policy: {name} must be a number in 0..1, not {weight!r}")
        sigma = self.centre_sigma
        # Far under one half side, half a pixel beside the middle would count nothing.
        if _not_a_number(sigma) or (sigma != 0 and not 0.1 <= sigma < math.inf):
            raise ValueError(f"size policy: centre_sigma must be 0, or 0.1 or more, not {sigma!r}")
        if _not_a_number(self.native_best) or not 0 < self.native_best <= 1:
            raise ValueError(f"size policy: native_best must be in 0..1, not {self.native_best!r}")
        if self.kernel not in KERNELS:
            raise ValueError(f"size policy: kernel must be one of {', '.join(KERNELS)}, not {self.kernel!r}")
        levels = self.backgrounds
        if not isinstance(levels, tuple) or len(levels) != 2 or not all(_is_level(v) for v in levels):
            raise ValueError(f"size policy: backgrounds must be two levels in 0..255, not {levels!r}")

    def is_near(self, width: int, height: int) -> bool:
        """Whether a picture of this size is tiled as it is; if not it counts as a larger photograph."""
        return self.whole_size(width, height) == (width, height)

    def whole_size(self, width: int, height: int) -> tuple[int, int]:
        """Size of the whole view: the picture itself up to `near_side`, a reduced copy of a larger one.

        The reduction stops where the shorter side would fall under one crop: a long panorama reduced
        further would be a thin strip that consists mostly of its own mirror images.

        Returns:
            (width, height) in pixels, never larger than the picture.
        """
        if math.sqrt(width * height) <= self.near_side:
            return width, height
        return reduced_size(width, height, self.reduced_side, self.crop)

    def glance_size(self, width: int, height: int) -> tuple[int, int]:
        """Size of the glance: the shorter side one crop long, the aspect ratio kept; never enlarged."""
        return reduced_size(width, height, self.crop, self.crop)

    def geometry(self) -> SizePolicy:
        """This policy with all left out that says how much crops count: what two policies with the same
        geometry see of a picture is cut out of it in the same places."""
        centre = 1.0 if self.centre_sigma else 0.0
        return replace(self, native_weight=0.5, native_best=1.0, glance_weight=0.5, centre_sigma=centre)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the card; `from_dict` gives the same policy back, also by way of JSON."""
        return {**asdict(self), "backgrounds": list(self.backgrounds)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SizePolicy:
        """A policy from the values of `to_dict`; keys that are absent keep their default, but for those in
        `_BEFORE`, which say what was looked at by weights that were calibrated before there was such a key.

        Raises:
            ValueError: for an unknown key or a value out of its range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(str(key) for key in values if key not in known)
        if unknown:
            raise ValueError(f"size policy: unknown key {', '.join(unknown)}")
        plain = {**_BEFORE, **values}
        if isinstance(plain.get("backgrounds"), list):
            plain["backgrounds"] = tuple(plain["backgrounds"])
        return cls(**plain)

    def describe(self) -> list[str]:
        """The policy in plain sentences, for the card and for `--help`."""
        crop, near, reduced = self.crop, self.near_side, self.reduced_side
        dark, light = self.backgrounds
        return [
            f"The network looks at crops of {crop}x{crop} pixels, placed on a fixed grid; nothing is random.",
            f"A picture of up to {near}x{near} pixels (or that area) is tiled at its own resolution.",
            f"A larger one is seen twice: reduced to the area of {reduced}x{reduced} pixels ({self.kernel}, "
            f"the shorter side not under {crop}) and tiled, and in {self._describe_native()}.",
            f"Of the score of a larger picture, the native crops count {self.native_weight:.0%} and the "
            f"reduced view {1 - self.native_weight:.0%}.",
            *self._describe_centre(),
            *self._describe_best(),
            *self._describe_glance(),
            "With --native, the full resolution is tiled and all crops count the same.",
            "With --fast, a row of two or three crops through the middle of the picture, or of the reduced "
            "view of a larger one, is all that is looked at.",
            f"A side under {crop} pixels is mirrored up to {crop}, never enlarged; "
            f"sides under {self.min_side} are refused.",
            f"A transparent picture is scored over a dark (grey {dark}) and a light (grey {light}) "
            f"background; the worse score is kept.",
        ]

    def _describe_native(self) -> str:
        if self.native_places:
            return (
                f"{self.native_crops} crops at its own resolution, the sharpest of about "
                f"{self.native_places} that are spread evenly over it"
            )
        return f"about {self.native_crops} crops at its own resolution, spread evenly over it"

    def _describe_centre(self) -> list[str]:
        if not self.centre_sigma:
            return []
        side = int(CORNERS_AND_MIDDLE * self.crop)
        return [
            "Where a picture or its reduced view is tiled, one more crop is taken in the middle (a reduced "
            f"view of up to {side} pixels a side has that and its four corners), and crops count the less "
            f"the farther from it they are (a Gaussian of {self.centre_sigma:g} half sides)."
        ]

    def _describe_best(self) -> list[str]:
        if self.native_best == 1:
            return []
        return [
            f"Of the native crops, the best-scored {self.native_best:.0%} count: what is out of focus on "
            "purpose is no fault."
        ]

    def _describe_glance(self) -> list[str]:
        if not self.glance_weight:
            return []
        return [
            f"A glance at the whole picture, its shorter side reduced to {self.crop} pixels, counts "
            f"{self.glance_weight:.0%} of the score, all the crops above the other "
            f"{1 - self.glance_weight:.0%}; a picture no larger than that is looked at once."
        ]


def reduced_size(width: int, height: int, side: int, shortest: int) -> tuple[int, int]:
    """Size of a picture brought down to the geometric mean `side`, its shorter side not under `shortest`.

    Returns:
        (width, height) in pixels; the size given where that would not be smaller.
    """
    scale = max(side / math.sqrt(width * height), shortest / min(width, height))
    if scale >= 1:
        return width, height
    return max(1, round(width * scale)), max(1, round(height * scale))


def _require_positive_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"size policy: {name} must be a whole number above 0, not {value!r}")


def _not_a_number(value: object) -> bool:
    return isinstance(value, bool) or not isinstance(value, (int, float))


def _is_level(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
