"""Photographs distorted on the fly and scored, for the tests of `iqa_cli.evaluation.exploration`: nothing is
written to a disk, and memory does not grow with the number of pictures.

    photographs -> reduced and cut -> every type at every level -> scores of several scorers -> ladders

The pictures are those that `iqa data synth` makes of the same photographs with the same seed and size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.synth_sources import Source, prepare
from iqa_cli.datasets.synth_task import generator
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.evaluation.exploration import Ladders
from iqa_cli.images.distortions import LEVELS, distort
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.scoring.group import ScorerGroup

#: The types of Ma et al. (section III-A); `iqa_cli.images.distortions.TYPES` has more.
PAPER_TYPES = ("gaussian_blur", "jpeg2000", "jpeg", "white_noise")

#: A scorer that is no weight: RGB uint8 [H, W, 3] to a number, higher is better.
Other = Callable[[NDArray[np.uint8]], float]


@dataclass(frozen=True)
class Design:
    """What is made of a photograph.

    Attributes:
        types: Distortions.
        levels: Levels of each, growing.
        size: Side in pixels, see `synth_sources.prepare`; 0 for the photographs' own.
        seed: Seed of everything random.
    """

    types: tuple[str, ...] = PAPER_TYPES
    levels: tuple[int, ...] = tuple(range(1, LEVELS + 1))
    size: int = 384
    seed: int = 0

    @property
    def pictures(self) -> int:
        """Pictures that come of one photograph, itself among them."""
        return 1 + len(self.types) * len(self.levels)


@dataclass
class Exploration:
    """Scores of all scorers.

    Attributes:
        ladders: Name of a scorer -> its scores, of the same photographs in the same order.
        sources: Those photographs.
        failures: Name of a photograph that was left out -> why.
    """

    ladders: dict[str, Ladders]
    sources: list[Source]
    failures: dict[str, str] = field(default_factory=dict)


def score_ladders(
    sources: Sequence[Source],
    design: Design,
    group: ScorerGroup | None,
    others: Mapping[str, Other] | None = None,
    *,
    allow_missing: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Exploration:
    """Distort and score photographs; each is decoded once, whatever the number of scorers.

    Args:
        sources: The photographs.
        design: What is made of them.
        group: Weights; None for none.
        others: Further scorers by name.
        allow_missing: Leave a photograph out (for all scorers) of which not every picture has a score.
        advance: Called for each picture that is done, scored or not.

    Raises:
        ImageError: A picture has no score, and `allow_missing` is not given.
        DatasetError: No photograph is left.
        CodecError: The library that compresses was built without a format.
    """
    others = others or {}
    names = (*(() if group is None else group.names), *others)
    scores = {name: np.full((len(sources), design.pictures), np.nan) for name in names}
    failures: dict[str, str] = {}

    def fail(index: int, reason: str) -> None:
        if not allow_missing:
            raise ImageError(f"{one_line(sources[index].name)}: {reason}", hint="every photograph is needed")
        failures.setdefault(sources[index].name, reason)

    for index, place, found, reason in _rows(_pictures(sources, design, fail), group, others):
        for name, value in found.items():
            scores[name][index, place] = value
        if reason is not None:
            fail(index, reason)
        advance()
    kept = [index for index, source in enumerate(sources) if source.name not in failures]
    if not kept:
        first = next(iter(failures.items()), None)
        reason = "" if first is None else f"; the first: {one_line(first[0])}: {first[1]}"
        raise DatasetError(f"none of {len(sources)} photographs can be used{reason}")
    shape = (len(kept), len(design.types), len(design.levels))
    ladders = {
        name: Ladders(design.types, design.levels, rows[kept, 0], rows[kept, 1:].reshape(shape))
        for name, rows in scores.items()
    }
    return Exploration(ladders, [sources[index] for index in kept], failures)


_Made = tuple[int, int, NDArray[np.uint8]]
_Row = tuple[int, int, dict[str, float], "str | None"]


def _pictures(sources: Sequence[Source], design: Design, fail: Callable[[int, str], None]) -> Iterator[_Made]:
    """Photograph by photograph: its number, the place of a picture in its row, the picture."""
    for index, source in enumerate(sources):
        try:
            image, _ = prepare(source, design.size)
        except ImageError as error:
            fail(index, error.message)
            continue
        yield index, 0, image
        place = 1
        for kind in design.types:
            for level in design.levels:
                yield index, place, distort(image, kind, level, generator(design.seed, source, kind))
                place += 1


def _rows(
    pictures: Iterator[_Made], group: ScorerGroup | None, others: Mapping[str, Other]
) -> Iterator[_Row]:
    """What all scorers say of each picture, and why one of them says nothing."""
    if group is None:
        for index, place, picture in pictures:
            yield index, place, *_said(picture, others)
        return
    waiting: deque[_Row] = deque()

    def stream() -> Iterator[tuple[str, NDArray[np.uint8]]]:
        # Runs ahead in a thread of the scorer, picture by picture: its rows come in the order of the records.
        for index, place, picture in pictures:
            waiting.append((index, place, *_said(picture, others)))
            yield "", picture

    for prediction in group.score_many(stream()):
        index, place, found, reason = waiting.popleft()
        scores = {name: score for name, score in prediction.scores.items() if score is not None}
        yield index, place, {**scores, **found}, reason or next(iter(prediction.errors.values()), None)


def _said(picture: NDArray[np.uint8], others: Mapping[str, Other]) -> tuple[dict[str, float], str | None]:
    found: dict[str, float] = {}
    for name, score in others.items():
        try:
            value = float(score(picture))
        except ImageError as error:
            return found, f"{name}: {error.message}"
        if not np.isfinite(value):
            return found, f"{name} gave a value that is not a finite number"
        found[name] = value
    return found, None
