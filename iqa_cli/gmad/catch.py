"""Catch trials: pairs whose answer is known, to find out observers who do not look.

The answer is known by construction and from no model: a photograph, and a copy of it that is strongly
distorted. Photographs are those that all models rank high and that are in no pair, reduced to a size at which
the distortion shows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.evaluation.gmad_scale import ranks
from iqa_cli.gmad.pool import Pool
from iqa_cli.gmad.session import Competition, Pair, Picture
from iqa_cli.replacing import unwritable
from iqa_cli.text import one_line

#: Longer side of the pictures of a catch trial.
SIDE = 768
#: What is done to the copies, in turn, at the strongest level.
DISTORTIONS = ("jpeg", "gaussian_blur", "white_noise", "pixelate")
_TRIED = 50


def catch_trials(pool: Pool, competition: Competition, count: int, folder: Path) -> tuple[Pair, ...]:
    """Make catch trials, with pictures of their own in `folder`/catch.

    Returns:
        Up to `count`; fewer where photographs cannot be read or are in pairs.

    Raises:
        UsageError: The pictures cannot be written.
    """
    if count < 1:
        return ()
    from PIL import Image

    from iqa_cli.images.distortions import LEVELS, distort

    used = {picture.path for pair in competition.pairs for picture in (pair.first, pair.second)}
    made: list[Pair] = []
    for place in _best(pool):
        if len(made) == count:
            break
        path = pool.paths[place].absolute()
        pixels = None if str(path) in used else _reduced(path)
        if pixels is None:
            continue
        kind = DISTORTIONS[len(made) % len(DISTORTIONS)]
        copy = distort(pixels, kind, LEVELS, np.random.default_rng(0))
        name = f"c{len(made) + 1:04}"
        files = [folder / "catch" / f"{name}{letter}.png" for letter in "ab"]
        try:
            files[0].parent.mkdir(parents=True, exist_ok=True)
            for file, content in zip(files, (pixels, copy), strict=True):
                Image.fromarray(content).save(file)
        except OSError as error:
            raise UsageError(unwritable(one_line(files[0].parent), error)) from None
        first, second = (Picture(os.path.abspath(file), file.name, {}) for file in files)  # noqa: PTH100
        made.append(Pair(name, "", "", "catch", len(made) + 1, first, second, 0.0, 0.0, True, "first"))
    return tuple(made)


def _best(pool: Pool) -> Sequence[int]:
    """Places of the pictures that the least impressed model ranks highest."""
    lowest = np.min([ranks(values) for values in pool.scores.values()], axis=0)
    best: list[int] = np.argsort(-lowest, kind="stable")[:_TRIED].tolist()
    return best


def _reduced(path: Path) -> np.ndarray | None:
    """The photograph with its longer side at most `SIDE`; None where it cannot be read or is too small."""
    from iqa_cli.images.decode import open_photo

    try:
        with open_photo(path) as photo:
            factor = min(1.0, SIDE / max(photo.width, photo.height))
            size = round(photo.width * factor), round(photo.height * factor)
            if min(size) < 64:
                return None
            return np.asarray(photo.resized(*size, background=255 if photo.has_alpha else None))
    except ImageError:
        return None
