"""A file or a picture in memory, decoded once for all baselines and read as every weight reads it: sRGB,
EXIF orientation applied, transparent pictures on a dark and on a light ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqa_cli.baselines import Baseline
from iqa_cli.errors import ImageError
from iqa_cli.images.decode import Photo, Source, open_photo
from iqa_cli.images.policy import SizePolicy


@dataclass(frozen=True)
class Judgement:
    """What a baseline says of a picture, or why it says nothing.

    Attributes:
        score: In the units and the direction of the baseline; None on failure.
        error: One line; None on success.
    """

    score: float | None
    error: str | None = None


def judge(source: Source, baselines: Sequence[Baseline]) -> dict[str, Judgement]:
    """Score one picture with several baselines, at its own size.

    Args:
        source: As `iqa_cli.images.decode.open_photo` takes it.
        baselines: Those asked for.

    Returns:
        A judgement by the name of each baseline, in their order; of a transparent picture that on the worse
        of two grounds. What cannot be decoded is a failure of all of them.
    """
    try:
        with open_photo(source) as photo:
            return _judged(photo, baselines)
    except ImageError as error:
        return {known.name: Judgement(None, error.message) for known in baselines}


def _judged(photo: Photo, baselines: Sequence[Baseline]) -> dict[str, Judgement]:
    grounds: Sequence[int | None] = SizePolicy.backgrounds if photo.has_alpha else (None,)
    worst: dict[str, Judgement] = {}
    for ground in grounds:
        rgb = _pixels(photo, ground)
        for known in baselines:
            found = _scored(known, rgb)
            before = worst.get(known.name)
            if before is None or _is_worse(known, found, before):
                worst[known.name] = found
    return worst


def _pixels(photo: Photo, ground: int | None) -> NDArray[np.uint8]:
    try:
        return photo.region(0, 0, photo.width, photo.height, ground)
    except MemoryError:
        raise ImageError(f"not enough memory for {photo.width}x{photo.height} pixels") from None


def _scored(known: Baseline, rgb: NDArray[np.uint8]) -> Judgement:
    try:
        return Judgement(known.score(rgb))
    except ImageError as error:
        return Judgement(None, error.message)


def _is_worse(known: Baseline, found: Judgement, before: Judgement) -> bool:
    """Whether a failure or a lower quality has been found."""
    if found.score is None or before.score is None:
        return found.score is None and before.score is not None
    return known.oriented(found.score) < known.oriented(before.score)
