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

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.images.crops import Crop, iter_shared_crops
from iqa_cli.images.decode import Source, open_photo
from iqa_cli.images.photo import Photo
from iqa_cli.images.policy import Mode, SizePolicy
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.naming import name_distortion
from iqa_cli.scoring.parts import Known, Part, Refusal, Result, Size
from iqa_cli.scoring.pipeline import Outcome, Pipeline
from iqa_cli.scoring.pooling import CropScores, Pooled, pool
from iqa_cli.scoring.scored import Looked, Memory, Scored, reason_in_row
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.scoring.scorer import Scorer

_log = logging.getLogger("iqa_cli")

MAX_PIXELS = 250_000_000

Labelled: TypeAlias = "Source | tuple[str, Source]"


@dataclass
class _Input:
    """A picture on its way; `looked` is what a memory says of it."""

    label: str
    source: Source
    looked: Looked | None = None


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
        memory: Memory | None = None,
    ) -> Iterator[Prediction]:
        """Score pictures as an iterator, in the order given; arguments as of `Scorer.score_many`.

        Args:
            memory: Knows what has been scored before, and is told what is new (`Store.memory` of
                `iqa_cli.scoring.store`).

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
        outcomes = self._outcomes(items, mode, max_pixels, exif, decoders=decoders, memory=memory)
        return (self._prediction(outcome, mode, memory) for outcome in outcomes)

    def _outcomes(
        self,
        items: Iterable[_Input],
        mode: Mode,
        max_pixels: int,
        exif: bool,
        *,
        decoders: int,
        memory: Memory | None = None,
    ) -> Iterator[Outcome[_Input]]:
        if mode not in ("default", "native", "fast"):
            raise UsageError(f"there is no mode '{mode}'", hint="modes: default, native, fast")
        policies = [scorer.policy for scorer in self.scorers]
        every = range(len(policies))
        all_views = _views(policies, mode, every)
        least = min(policy.min_side for policy in policies)

        def look(item: _Input) -> Iterator[Part]:
            source: Any = item.source
            views = all_views
            if memory is not None:
                item.looked = memory.look(source)
                source, known = item.looked.source, item.looked.known
                yield from (Known(lane, scored) for lane, scored in known.items())
                views = _views(policies, mode, [lane for lane in every if lane not in known])
            if len(views) > 1 and hasattr(source, "read") and not source.seekable():
                source = io.BytesIO(source.read())
            for draft, geometries in views.items():
                side, shortest = draft or (None, SizePolicy.crop)
                with open_photo(
                    source,
                    max_pixels=max_pixels,
                    exif=exif,
                    draft_side=side,
                    draft_shortest=shortest,
                    min_side=least,
                ) as photo:
                    yield Size(photo.width, photo.height)
                    for lanes in geometries.values():
                        # Else an engine that does without torch would load it for this.
                        quick = all(self.scorers[lane].engine == "torch" for lane in lanes)
                        yield from _cut(photo, lanes, policies, mode, quick)

        return Pipeline(look, [scorer.lane() for scorer in self.scorers], decoders=decoders).run(items)

    def _prediction(self, outcome: Outcome[_Input], mode: Mode, memory: Memory | None = None) -> Prediction:
        lanes = zip(self.scorers, outcome.results, strict=True)
        found = [_scored(scorer, result, outcome, mode) for scorer, result in lanes]
        if memory is not None and outcome.item.looked is not None:
            memory.keep(outcome.item.looked, found)
        scores: dict[str, float | None] = {}
        errors: dict[str, str] = {}
        intervals: dict[str, tuple[float, float] | None] = {}
        width, height = outcome.width, outcome.height
        for name, one in zip(self.names, found, strict=True):
            scores[name], intervals[name] = None, None
            if isinstance(one, Exception):
                errors[name] = reason_in_row(one)
                _log.debug("%r, %s: %s", outcome.item.label, name, errors[name], exc_info=one)
                continue
            scores[name] = one.score
            width, height = width or one.width, height or one.height
            if one.low is not None and one.high is not None:
                intervals[name] = (one.low, one.high)
        known: dict[str, Any] = {
            "path": outcome.item.label,
            "model": self.names[0],
            "width": width,
            "height": height,
            "scores": scores,
            "errors": errors,
            "intervals": intervals,
        }
        first = found[0]
        if isinstance(first, Exception):
            return Prediction(score=None, error=errors[self.names[0]], **known)
        return Prediction(
            score=first.score,
            error=None,
            spread=first.spread,
            raw=first.raw,
            crops=first.crops,
            distortion=first.distortion,
            distortion_level=first.distortion_level,
            low=first.low,
            high=first.high,
            **known,
        )


def _views(
    policies: Sequence[SizePolicy], mode: Mode, lanes: Iterable[int]
) -> dict[tuple[int, int] | None, dict[SizePolicy, tuple[int, ...]]]:
    """Sides for reduced-size decoding -> geometry -> those of the lanes that look so.

    A picture is opened once for each of them. Reduced-size decoding would take the native crops away, so only
    a mode without them has it: all others open a picture once.
    """
    views: dict[tuple[int, int] | None, dict[SizePolicy, tuple[int, ...]]] = {}
    for number in lanes:
        policy = policies[number]
        draft = None
        if mode == "fast":
            # More than half of `near_side`: what is tiled as it is has to be decoded as it is.
            draft = max(policy.reduced_side, policy.near_side // 2 + 1), policy.crop
        geometries = views.setdefault(draft, {})
        geometries[policy.geometry()] = (*geometries.get(policy.geometry(), ()), number)
    return views


def _cut(
    photo: Photo, lanes: tuple[int, ...], policies: Sequence[SizePolicy], mode: Mode, quick: bool
) -> Iterator[tuple[int, Crop] | Refusal]:
    """The crops for lanes of one geometry; what is wrong with these is no matter of other lanes."""
    try:
        wanted = [policies[number] for number in lanes]
        for index, crop in iter_shared_crops(photo, wanted, mode, quick=quick):
            yield lanes[index], crop
    except Exception as error:
        yield Refusal(lanes, error)


def _scored(scorer: Scorer, result: Result, outcome: Outcome[_Input], mode: Mode) -> Scored | Exception:
    """All that a scorer says of a picture, or why it says nothing."""
    if isinstance(result, Known):
        assert isinstance(result.result, Scored)
        return result.result
    if isinstance(result, Exception):
        return result
    try:
        pooled = pool(result, scorer.calibration)
    except ValueError as error:
        return ImageError(str(error))
    distortion, level = _named(scorer, result)
    # Only in the mode in which it was calibrated.
    low, high = (_interval(scorer, pooled, outcome) if mode == "default" else None) or (None, None)
    return Scored(
        score=pooled.score,
        spread=pooled.spread,
        raw=pooled.raw,
        crops=pooled.crops,
        width=outcome.width,
        height=outcome.height,
        distortion=distortion,
        distortion_level=level,
        low=low,
        high=high,
    )


def _interval(scorer: Scorer, pooled: Pooled, outcome: Outcome[_Input]) -> tuple[float, float] | None:
    if scorer.interval is None:
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
