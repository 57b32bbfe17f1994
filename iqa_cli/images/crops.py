"""From a photo to the square crops that the network sees, one at a time.

The crops of one background have weights that sum to 1: pooling is a weighted mean and knows nothing of sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NamedTuple, get_args

import numpy as np

from iqa_cli.errors import ImageError
from iqa_cli.images.photo import Photo
from iqa_cli.images.policy import CORNERS_AND_MIDDLE, Mode, SizePolicy
from iqa_cli.images.sharpest import sharpest

# In the order in which the views of a picture are looked at.
View = Literal["tiles", "whole", "native", "glance"]
# Gives the rectangle x, y, w, h of a view as uint8 [h, w, 3].
Cut = Callable[[int, int, int, int], np.ndarray]


@dataclass(frozen=True)
class Crop:
    """One square that the network sees.

    Attributes:
        view: "tiles" (of a picture near the training resolution), "whole" (of the reduced view of a larger
            one), "native" (at full resolution) or "glance" (of the whole picture, its shorter side one crop).
        background: Index into the policy's backgrounds; 0 for an opaque picture.
        weight: Its share of the picture's score over that background.
        pixels: uint8 [crop, crop, 3], sRGB, C-contiguous.
        best: Share of the crops of its view that count, those with the highest scores; 1 for all of them.
    """

    view: View
    background: int
    weight: float
    pixels: np.ndarray
    best: float = 1.0


def grid_positions(length: int, crop: int) -> list[int]:
    """Evenly spaced starts of crops that cover 0..length, as few as can be: first 0, last length - crop.

    Args:
        length: Length to cover, at least `crop`.
        crop: Length of one crop.

    Raises:
        ValueError: if `length` is shorter than `crop`, or `crop` under 1.
    """
    if crop < 1 or length < crop:
        raise ValueError(f"a length of {length} cannot be covered by crops of {crop}")
    count = -(-length // crop)
    if count == 1:
        return [0]
    # Whole-number rounding: the same on every machine.
    return [(2 * i * (length - crop) + count - 1) // (2 * (count - 1)) for i in range(count)]


def iter_crops(
    photo: Photo, policy: SizePolicy, mode: Mode = "default", *, quick: bool = False
) -> Iterator[Crop]:
    """The crops of a photo, lazily: beyond the decoded picture, memory does not grow with its size.

    Args:
        photo: An open photo; it must stay open until the iterator is used up.
        policy: What the network was trained for.
        mode: "default" tiles a picture near the training resolution, and takes a larger one reduced and in
            native crops; both get a glance where the policy says so. "native" covers the full resolution,
            all crops with the same weight. "fast" looks at a row of two or three crops (of a panorama more)
            through the middle of the picture, or of the reduced copy of a larger one, without the glance
            beside it.
        quick: As of `Photo.resized`: whether torch makes the reduced views.

    Returns:
        Crops background by background; the weights over one background sum to 1.

    Raises:
        ImageError: if a side is shorter than `policy.min_side`.
        ValueError: for an unknown mode.
    """
    return (crop for _, crop in iter_shared_crops(photo, [policy], mode, quick=quick))


def iter_shared_crops(
    photo: Photo, policies: Sequence[SizePolicy], mode: Mode = "default", *, quick: bool = False
) -> Iterator[tuple[int, Crop]]:
    """The crops of a photo for several policies of one geometry, each cut out once.

    Args:
        photo: As of `iter_crops`.
        policies: They differ at most in what counts how much (`SizePolicy.geometry`).
        mode: As of `iter_crops`.
        quick: As of `iter_crops`.

    Returns:
        (index of the policy, crop). What comes for one policy are the crops that `iter_crops` gives for it,
        in the same order; those of several policies share their pixels.

    Raises:
        ImageError: if a side is shorter than `min_side`.
        ValueError: for an unknown mode, or policies of different geometries.
    """
    geometry = policies[0].geometry()
    if any(policy.geometry() != geometry for policy in policies):
        raise ValueError("the policies do not look at the same places")
    if min(photo.width, photo.height) < geometry.min_side:
        raise ImageError(
            f"{photo.width}x{photo.height} pixels is too small: "
            f"both sides must have at least {geometry.min_side}"
        )
    plans = [_plan(photo.width, photo.height, policy, mode) for policy in policies]
    return _generate(photo, geometry, plans, quick)


class _Part(NamedTuple):
    """What is looked at: a view, its size, its share of the score, the upper left corners of its crops, which
    share of them counts, the share of each in the view's, summing to 1 (all the same if not given), and how
    many of these crops are taken, the sharpest (0: all)."""

    view: View
    size: tuple[int, int]
    share: float
    places: list[tuple[int, int]]
    best: float = 1.0
    shares: list[float] | None = None
    sharpest: int = 0

    @property
    def taken(self) -> int:
        return min(len(self.places), self.sharpest or len(self.places))

    def weight(self, number: int) -> float:
        """Share of the score of one of the crops."""
        return self.share / self.taken if self.shares is None else self.share * self.shares[number]


def _plan(width: int, height: int, policy: SizePolicy, mode: Mode) -> list[_Part]:
    if mode not in ("default", "native", "fast"):
        raise ValueError(f"unknown mode {mode!r}; there are default, native and fast")
    size = (width, height)
    if mode == "native":
        return [_Part("native", size, 1.0, _covering(width, height, policy.crop))]
    near = policy.is_near(width, height)
    if mode == "fast" and policy.glance_weight < 1:
        view_size = size if near else policy.whole_size(width, height)
        return [_row("tiles" if near else "whole", view_size, policy)]
    glance_size = policy.glance_size(width, height)
    if policy.glance_weight > 0 and glance_size != size:
        share = policy.glance_weight
        others = _plan(width, height, replace(policy, glance_weight=0.0), mode)
        return [
            *(part._replace(share=(1 - share) * part.share) for part in others if share < 1),
            _Part("glance", glance_size, share, _covering(*glance_size, policy.crop)),
        ]
    if near:
        return [_centred("tiles", size, 1.0, policy)]
    parts: list[_Part] = []
    if policy.native_weight < 1:
        whole_size = policy.whole_size(width, height)
        parts.append(_centred("whole", whole_size, 1 - policy.native_weight, policy))
    if policy.native_weight > 0:
        places = _spread(width, height, policy.crop, policy.native_places or policy.native_crops)
        few = policy.native_crops if policy.native_places else 0
        parts.append(_Part("native", size, policy.native_weight, places, policy.native_best, sharpest=few))
    return parts


def _row(view: View, size: tuple[int, int], policy: SizePolicy) -> _Part:
    """A view looked at in few crops: a row of them through its middle, along its longer side (of a square
    upright, as it costs less in SRCC by docs/performance.md)."""
    crop, (width, height) = policy.crop, size
    longer = max(width, height)
    count = max(2, round(longer / crop))
    if count * crop < longer:
        # Side by side, since gaps would be in the middle as well; what is left out are the ends.
        first = (longer - count * crop) // 2
        along = list(range(first, first + count * crop, crop))
    else:
        along = grid_positions(max(longer, crop), crop)
    across = _start_in_middle(min(size), crop)
    places = [(start, across) if width > height else (across, start) for start in along]
    return _Part(view, size, 1.0, places, shares=_centre_shares(places, size, policy))


def _covering(width: int, height: int, crop: int) -> list[tuple[int, int]]:
    columns, rows = grid_positions(max(width, crop), crop), grid_positions(max(height, crop), crop)
    return [(x, y) for y, x in product(rows, columns)]


def _centred(view: View, size: tuple[int, int], share: float, policy: SizePolicy) -> _Part:
    """A view covered by crops that count the less the farther they are from its middle, with one there.

    A grid from edge to edge gives all four corners of a square picture and not what it was taken of. A
    reduced view of up to `CORNERS_AND_MIDDLE` crops a side has its four corners and its middle, which see all
    of it but 3 % (of a photograph of 3:2) in five crops instead of seven; native crops look there as well.
    """
    crop = policy.crop
    if not policy.centre_sigma:
        return _Part(view, size, share, _covering(*size, crop))
    width, height = size
    if view == "whole" and crop < min(size) and max(size) <= CORNERS_AND_MIDDLE * crop:
        places = [(x, y) for y, x in product((0, height - crop), (0, width - crop))]
    else:
        places = _covering(width, height, crop)
    x, y = (_start_in_middle(length, crop) for length in size)
    if (x, y) not in places:
        places.append((x, y))
    return _Part(view, size, share, places, shares=_centre_shares(places, size, policy))


def _start_in_middle(length: int, crop: int) -> int:
    """Rounded as `grid_positions` rounds, which has the middle of an odd number of crops already."""
    return (max(length - crop, 0) + 1) // 2


def _centre_shares(
    places: list[tuple[int, int]], size: tuple[int, int], policy: SizePolicy
) -> list[float] | None:
    """How much the crops of a view count by their distance from its middle; None: all the same."""
    if not policy.centre_sigma:
        return None
    counts = []
    for place in places:
        # Middle of the crop against the middle of the view, in half sides of the view.
        away = [
            (2 * start + min(policy.crop, length)) / length - 1
            for start, length in zip(place, size, strict=True)
        ]
        counts.append(math.exp(-sum(d * d for d in away) / (2 * policy.centre_sigma**2)))
    return [count / sum(counts) for count in counts]


def _spread(width: int, height: int, crop: int, wanted: int) -> list[tuple[int, int]]:
    """Corners of about so many crops, one in the middle of every cell of a grid near the aspect ratio.

    Middles of cells rather than a grid from edge to edge: the corners of a photograph are the least looked
    at.
    """
    longer, shorter = max(width, height), min(width, height)
    # As many cells along a side as keeps them near square; never more than fit without falling on each other.
    few = min(max(1, round((wanted * shorter / longer) ** 0.5)), -(-shorter // crop))
    many = min(max(1, wanted // few), -(-longer // crop))
    columns, rows = (many, few) if width >= height else (few, many)
    return [
        (_middle(width, columns, i, crop), _middle(height, rows, j, crop))
        for j, i in product(range(rows), range(columns))
    ]


def _middle(length: int, cells: int, index: int, crop: int) -> int:
    """Start of a crop in the middle of a cell, moved inside where the cell is smaller than the crop."""
    start = ((2 * index + 1) * length - cells * crop) // (2 * cells)
    return max(0, min(start, length - crop))


def _generate(
    photo: Photo, policy: SizePolicy, plans: list[list[_Part]], quick: bool
) -> Iterator[tuple[int, Crop]]:
    # In the order of every plan by itself, also where one of them lacks a view.
    parts = {part.view: part for plan in plans for part in plan}
    reduced = [part.size for part in parts.values() if part.size != (photo.width, photo.height)]
    averaged = photo.averaged(*max(reduced)) if reduced else photo
    for background in range(photo.n_backgrounds):
        level = policy.backgrounds[background] if photo.has_alpha else None
        for seen in sorted(parts.values(), key=lambda part: get_args(View).index(part.view)):
            view, size, places = seen.view, seen.size, seen.places
            w, h = min(policy.crop, size[0]), min(policy.crop, size[1])
            counted = [(i, part) for i, plan in enumerate(plans) for part in plan if part.view == view]
            cut = cutter(averaged if size in reduced else photo, size, policy.kernel, level, quick)
            if seen.sharpest:
                places = sharpest(cut, places, (w, h), seen.sharpest)
            for number, (x, y) in enumerate(places):
                pixels = mirrored(cut(x, y, w, h), policy.crop)
                for index, part in counted:
                    yield index, Crop(view, background, part.weight(number), pixels, part.best)


def cutter(photo: Photo, size: tuple[int, int], kernel: str, level: int | None, quick: bool) -> Cut:
    """How rectangles of a view are had: straight from the photo, or from a reduced copy made once."""
    if size == (photo.width, photo.height):
        return lambda x, y, w, h: photo.region(x, y, w, h, level)
    reduced = photo.resized(*size, kernel, level, quick=quick)
    return lambda x, y, w, h: reduced[y : y + h, x : x + w]


def mirrored(pixels: np.ndarray, crop: int) -> np.ndarray:
    """A view smaller than a crop continued by its mirror images on both sides, as often as needed."""
    missing_y, missing_x = crop - pixels.shape[0], crop - pixels.shape[1]
    if missing_y or missing_x:
        before_y, before_x = missing_y // 2, missing_x // 2
        margins = ((before_y, missing_y - before_y), (before_x, missing_x - before_x), (0, 0))
        pixels = np.pad(pixels, margins, mode="reflect")
    return np.ascontiguousarray(pixels)
