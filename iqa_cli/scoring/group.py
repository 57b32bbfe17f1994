"""Several weights on the same pictures: each picture is decoded once, and every network gets its own crops.

from iqa_cli import load_many
group = load_many(["mfenet", "vcrnet"])
group.score("photo.jpg").scores                       # {"mfenet": ..., "vcrnet": ...}

A scorer of one weight is a group of one, so that a weight's scores are the same bits alone and beside others
(in batches of the same size).
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from iqa_cli.errors import ImageError, IqaError, UsageError
from iqa_cli.images.crops import Crop, iter_shared_crops
from iqa_cli.images.decode import Source, open_photo
from iqa_cli.images.photo import Photo
from iqa_cli.images.policy import Mode, SizePolicy
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.naming import name_distortion
from iqa_cli.scoring.pipeline import Outcome, Pipeline, Refusal, Size
from iqa_cli.scoring.pooling import CropScores, Pooled, pool
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.scoring.scorer import Scorer

_log = logging.getLogger("iqa_cli")

MAX_PIXELS = 250_000_000

Labelled: TypeAlias = "Source | tuple[str, Source]"
_Piece: TypeAlias = "Size | tuple[int, Crop] | Refusal"


@dataclass(frozen=True)
class _Input:
    label: str
    source: Source


class ScorerGroup:
    """Scorers that look at the same pictures. Made by `load_many`; scoring leaves it unchanged.

    Args:
        scorers: At least one; the first gives all fields of a record but `scores` and `errors`.

    Raises:
        UsageError: There is none, or two have the same name.
    """

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        if not scorers:
            raise UsageError("there is no weight to score with")
        self.scorers = tuple(scorers)
        self.names = tuple(scorer.name for scorer in scorers)
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise UsageError(
                f"two weights are called {one_line(twice[0])}, so that their scores have one name"
            )

    def score(
        self, source: Source, *, mode: Mode = "default", max_pixels: int = MAX_PIXELS, exif: bool = True
    ) -> Prediction:
        """Score one picture; arguments as of `Scorer.score`.

        Raises:
            ImageError: The first weight cannot score it. Why another one cannot is in `Prediction.errors`.
            TypeError: `source` is of no known type.
        """
        outcome = next(self._outcomes([_Input(_label(source), source)], mode, max_pixels, exif, decoders=1))
        first = outcome.results[0]
        if isinstance(first, Exception):
            raise first
        prediction = self._prediction(outcome, mode)
        if prediction.error is not None:
            raise ImageError(prediction.error)
        return prediction

    def score_many(
        self,
        sources: Iterable[Labelled],
        *,
        mode: Mode = "default",
        max_pixels: int = MAX_PIXELS,
        exif: bool = True,
    ) -> Iterator[Prediction]:
        """Score pictures as an iterator, in the order given; arguments as of `Scorer.score_many`.

        Returns:
            One record for each source, with `scores` and `errors` of all weights.

        Raises:
            TypeError: `sources` is itself one picture; use `score`.
        """
        if isinstance(sources, (str, bytes, bytearray, os.PathLike)) or hasattr(sources, "getexif"):
            raise TypeError(
                "score_many takes several pictures, such as a list; for one picture there is score"
            )
        items = (_as_input(source) for source in sources)
        decoders = max(scorer.decoders for scorer in self.scorers)
        outcomes = self._outcomes(items, mode, max_pixels, exif, decoders=decoders)
        return (self._prediction(outcome, mode) for outcome in outcomes)

    def _outcomes(
        self, items: Iterable[_Input], mode: Mode, max_pixels: int, exif: bool, *, decoders: int
    ) -> Iterator[Outcome[_Input]]:
        if mode not in ("default", "native", "fast"):
            raise UsageError(f"there is no mode '{mode}'", hint="modes: default, native, fast")
        policies = [scorer.policy for scorer in self.scorers]
        views = _views(policies, mode)
        least = min(policy.min_side for policy in policies)

        def look(item: _Input) -> Iterator[_Piece]:
            source: Any = item.source
            if len(views) > 1 and hasattr(source, "read") and not source.seekable():
                source = io.BytesIO(source.read())
            for draft_side, geometries in views.items():
                with open_photo(
                    source, max_pixels=max_pixels, exif=exif, draft_side=draft_side, min_side=least
                ) as photo:
                    yield Size(photo.width, photo.height)
                    for lanes in geometries.values():
                        yield from _cut(photo, lanes, policies, mode)

        return Pipeline(look, [scorer.lane() for scorer in self.scorers], decoders=decoders).run(items)

    def _prediction(self, outcome: Outcome[_Input], mode: Mode) -> Prediction:
        scores: dict[str, float | None] = {}
        errors: dict[str, str] = {}
        intervals: dict[str, tuple[float, float] | None] = {}
        pooled: list[Pooled | None] = []
        for scorer, result in zip(self.scorers, outcome.results, strict=True):
            found = _pooled(scorer, result)
            if isinstance(found, Exception):
                errors[scorer.name] = _reason(found)
                _log.debug("%r, %s: %s", outcome.item.label, scorer.name, errors[scorer.name], exc_info=found)
            pooled.append(None if isinstance(found, Exception) else found)
            scores[scorer.name] = None if isinstance(found, Exception) else found.score
            # Only in the mode in which it was calibrated.
            intervals[scorer.name] = _interval(scorer, found, outcome) if mode == "default" else None
        first, mine, said = self.scorers[0], pooled[0], outcome.results[0]
        known: dict[str, Any] = {
            "path": outcome.item.label,
            "model": first.name,
            "width": outcome.width,
            "height": outcome.height,
            "scores": scores,
            "errors": errors,
            "intervals": intervals,
        }
        if mine is None or isinstance(said, Exception):
            return Prediction(score=None, error=errors[first.name], **known)
        distortion, level = _named(first, said)
        low, high = intervals[first.name] or (None, None)
        return Prediction(
            score=mine.score,
            error=None,
            spread=mine.spread,
            raw=mine.raw,
            crops=mine.crops,
            distortion=distortion,
            distortion_level=level,
            low=low,
            high=high,
            **known,
        )


def _views(policies: Sequence[SizePolicy], mode: Mode) -> dict[int | None, dict[SizePolicy, tuple[int, ...]]]:
    """Side for reduced-size decoding -> geometry -> the lanes that look so.

    A picture is opened once for each side. Reduced-size decoding would take the native crops away, so only a
    mode without them has it: all others open a picture once.
    """
    views: dict[int | None, dict[SizePolicy, tuple[int, ...]]] = {}
    for number, policy in enumerate(policies):
        side = policy.reduced_side if mode == "fast" else None
        geometries = views.setdefault(side, {})
        geometries[policy.geometry()] = (*geometries.get(policy.geometry(), ()), number)
    return views


def _cut(
    photo: Photo, lanes: tuple[int, ...], policies: Sequence[SizePolicy], mode: Mode
) -> Iterator[tuple[int, Crop] | Refusal]:
    """The crops for lanes of one geometry; what is wrong with these is no matter of other lanes."""
    try:
        for index, crop in iter_shared_crops(photo, [policies[number] for number in lanes], mode):
            yield lanes[index], crop
    except Exception as error:
        yield Refusal(lanes, error)


def _pooled(scorer: Scorer, result: CropScores | Exception) -> Pooled | Exception:
    if isinstance(result, Exception):
        return result
    try:
        return pool(result, scorer.calibration)
    except ValueError as error:
        return ImageError(str(error))


def _interval(
    scorer: Scorer, pooled: Pooled | Exception, outcome: Outcome[_Input]
) -> tuple[float, float] | None:
    if scorer.interval is None or isinstance(pooled, Exception):
        return None
    return scorer.interval.of(pooled.score, pooled.spread, pooled.crops, outcome.width, outcome.height)


def _named(scorer: Scorer, scores: CropScores) -> tuple[str | None, int | None]:
    if not scorer.distortions:
        return None, None
    first = scores.background == scores.background[0]
    return name_distortion(scores.said[first], scores.full_resolution[first], scorer.distortions)


def _as_input(source: Labelled) -> _Input:
    if isinstance(source, tuple):
        label, picture = source
        return _Input(label, picture)
    return _Input(_label(source), source)


def _label(source: Source) -> str:
    """What `Prediction.path` says of a picture: its path exactly as given, where it has one."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return name if isinstance(name, str) else "<image>"


def _reason(failure: Exception) -> str:
    """One line for the `error` of a record."""
    if isinstance(failure, IqaError):
        return failure.message
    if isinstance(failure, MemoryError):
        return "there is not enough memory for this picture"
    lines = str(failure).split("\n")
    return f"{type(failure).__name__}: {lines[0]}" if lines[0] else type(failure).__name__
