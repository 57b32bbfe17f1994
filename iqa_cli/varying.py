"""Scores of pictures and of their variants, for `iqa_cli.evaluation.stability`: nothing is written to a disk,
and memory holds a few pictures.

Two kinds of change, for which the files are read once each. The pictures stay as they are and the computing
changes: crops one by one instead of in batches, and lower precision. Or the computing stays and the pictures
change (`iqa_cli.images.variants`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.synth_sources import Source
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.evaluation.stability import Movement, movement
from iqa_cli.exploring import Other
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.images.variants import VARIANTS, pixels_of
from iqa_cli.scoring.device import choose_device
from iqa_cli.scoring.group import ScorerGroup
from iqa_cli.scoring.scorer import load
from iqa_cli.text import one_line

#: Changes of the computing, beside the precisions.
BATCH = "batch-1"
#: The variant with the very pixels of the picture.
PIXELS = "reencode"
#: Behind the name of a weight stands, within this module, how it computes.
_MARK = "\0"

Floats = NDArray[np.float64]


def precisions(device: str) -> tuple[str, ...]:
    """Precisions that a device is used with beside float32. A CPU has no fast half precision: there it is an
    order of magnitude slower than float32, so that nobody would take it."""
    return ("bf16", "fp16") if choose_device(device).type == "cuda" else ("bf16",)


@dataclass
class Stability:
    """What was found.

    Attributes:
        movements: Name of a scorer -> one movement for each change, in the order of `changes`; of a scorer
            that is no weight, those of the pictures only.
        pictures: Number of those used.
        failures: Name of a picture that was left out -> why.
    """

    movements: dict[str, list[Movement]]
    pictures: int
    failures: dict[str, str] = field(default_factory=dict)


def rounds(sources: Sequence[Source]) -> int:
    """How many pictures go through the scorers: what `advance` of `score_variants` counts up to."""
    # Each as it is, its variants, and one more for the second cut of `shift`.
    return len(sources) * (len(VARIANTS) + 2)


def score_variants(
    sources: Sequence[Source],
    weights: Sequence[Path],
    others: Mapping[str, Other] | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    allow_missing: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Stability:
    """Score pictures as they are and changed.

    Args:
        sources: The pictures.
        weights: Files of weights, with different names on their cards; may be empty where there are `others`.
        others: Further scorers by name, of opaque pictures (transparent ones over a light grey).
        device, threads: As of `iqa_cli.load`.
        allow_missing: Leave a picture out of which not every variant has a score.
        advance: Called for each picture that went through the scorers.

    Raises:
        ImageError: A picture or a variant has no score, and `allow_missing` is not given.
        DatasetError: No picture is left.
        WeightsError, UsageError: As of `iqa_cli.load`.
    """
    others = others or {}
    failures: dict[str, str] = {}

    def fail(index: int, reason: str) -> None:
        name = sources[index].name
        if not allow_missing:
            raise ImageError(f"{one_line(name)}: {reason}", hint="every picture is needed")
        failures.setdefault(name, reason)

    table = _Table(len(sources), fail, advance)
    lower = precisions(device) if weights else ()
    plain = [load(path, device=device, threads=threads) for path in weights]
    if weights:
        changed = []
        for path in weights:
            ways: dict[str, Any] = {BATCH: {"batch_size": 1}, **{way: {"precision": way} for way in lower}}
            for way, options in ways.items():
                scorer = load(path, device=device, threads=threads, **options)
                scorer.name += _MARK + way
                changed.append(scorer)
        table.files(sources, ScorerGroup([*plain, *changed]))
    table.variants(sources, ScorerGroup(plain) if plain else None, others)
    kept = [index for index, source in enumerate(sources) if source.name not in failures]
    if not kept:
        first = next(iter(failures.items()), None)
        reason = "" if first is None else f"; the first: {one_line(first[0])}: {first[1]}"
        raise DatasetError(f"none of {len(sources)} pictures can be used{reason}")
    names = [sources[index].name for index in kept]
    movements = {}
    for name in (*(scorer.name for scorer in plain), *others):
        changes = (*VARIANTS, *((BATCH, *lower) if name not in others else ()))
        pairs = {change: table.pair(name, change) for change in changes}
        movements[name] = [
            movement(change, names, before[kept], after[kept]) for change, (before, after) in pairs.items()
        ]
    return Stability(movements, len(kept), failures)


class _Table:
    """Scores as they come in: (scorer, what was scored) -> [n], NaN where there is none."""

    def __init__(self, n: int, fail: Callable[[int, str], None], advance: Callable[[], None]) -> None:
        self.n, self.fail, self.advance = n, fail, advance
        self.columns: dict[tuple[str, str], Floats] = {}

    def put(self, index: int, scorer: str, what: str, score: float | None) -> None:
        column = self.columns.setdefault((scorer, what), np.full(self.n, np.nan))
        if score is not None:
            column[index] = score

    def pair(self, scorer: str, change: str) -> tuple[Floats, Floats]:
        """Scores before and after a change."""
        none = np.full(self.n, np.nan)
        own = f"before {change}"
        if (scorer, own) not in self.columns:
            # The other variants are made of the pixels that `reencode` has written, not of the file: what
            # reading a file does (its profile, its depth) is told once.
            own = PIXELS if change in VARIANTS and change != PIXELS else ""
        return self.columns.get((scorer, own), none), self.columns.get((scorer, change), none)

    def files(self, sources: Sequence[Source], group: ScorerGroup) -> None:
        """The pictures as they are, in every way of computing."""
        predictions = group.score_many((source.name, source.path) for source in sources)
        for index, prediction in enumerate(predictions):
            for name, score in prediction.scores.items():
                scorer, _, way = name.partition(_MARK)
                self.put(index, scorer, way, score)
            for reason in prediction.errors.values():
                self.fail(index, reason)
            self.advance()

    def variants(
        self, sources: Sequence[Source], group: ScorerGroup | None, others: Mapping[str, Other]
    ) -> None:
        """The variants, in the usual way of computing."""
        made = self._variants(sources, others, group is None)
        if group is None:
            for _ in made:
                self.advance()
            return
        waiting: deque[tuple[int, str]] = deque()

        def stream() -> Iterator[tuple[str, Any]]:
            # Runs ahead in a thread of the scorer; its records come in the same order.
            for index, what, picture in made:
                waiting.append((index, what))
                yield "", picture

        for prediction in group.score_many(stream()):
            index, what = waiting.popleft()
            for name, score in prediction.scores.items():
                self.put(index, name, what, score)
            for reason in prediction.errors.values():
                self.fail(index, f"{what}: {reason}")
            self.advance()

    def _variants(
        self, sources: Sequence[Source], others: Mapping[str, Other], with_files: bool
    ) -> Iterator[tuple[int, str, Any]]:
        for index, source in enumerate(sources):
            try:
                with open_photo(source.path) as photo:
                    pixels = pixels_of(photo)
                self._ask(index, "", pixels, others)
                if with_files:
                    yield index, "", pixels
                for change, make in VARIANTS.items():
                    before, after = make(pixels)
                    if before is not None:
                        self._ask(index, f"before {change}", before, others)
                        yield index, f"before {change}", before
                    self._ask(index, change, after, others)
                    yield index, change, after
            except ImageError as error:
                self.fail(index, error.message)

    def _ask(self, index: int, what: str, picture: Any, others: Mapping[str, Other]) -> None:
        """Scorers that are no weights; of bytes they get the pixels."""
        if not others:
            return
        level = SizePolicy().backgrounds[1]
        with open_photo(picture) as photo:
            rgb = photo.region(0, 0, photo.width, photo.height, level if photo.has_alpha else None)
        for name, score in others.items():
            value = float(score(rgb))
            if not np.isfinite(value):
                raise ImageError(f"{name} gave a value that is not a finite number")
            self.put(index, name, what, value)
