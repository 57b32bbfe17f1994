"""The scorer: a weight made ready to score pictures. This is the Python API, and what `iqa score` uses.

from iqa_cli import load
scorer = load("mfenet")
scorer.score("photo.jpg").score                       # one picture: a path, bytes, a PIL image, an array
for prediction in scorer.score_many(paths): ...       # many: lazily, in order, batched across pictures
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from iqa_cli.card import Card
from iqa_cli.errors import ImageError, IqaError, UsageError
from iqa_cli.images.crops import Crop, iter_crops
from iqa_cli.images.decode import Source, open_photo
from iqa_cli.images.policy import Mode
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.cropnet import CropNetwork
from iqa_cli.scoring.device import Precision, choose_device, choose_precision
from iqa_cli.scoring.naming import name_distortion
from iqa_cli.scoring.pipeline import Outcome, Pipeline, Size
from iqa_cli.scoring.pooling import CropScores, pool

_log = logging.getLogger("iqa_cli")

MAX_PIXELS = 250_000_000
# torch starts as many as it is told, until the system has no more.
MAX_THREADS = 1024

Labelled: TypeAlias = "Source | tuple[str, Source]"


def load(
    name: str | os.PathLike[str] = "mfenet",
    *,
    device: str = "auto",
    precision: Precision = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
) -> Scorer:
    """Load a weight, ready to score.

    Args:
        name: Name of a shipped weight, or the path of a .safetensors file.
        device: "auto" (a CUDA GPU if there is one), "cpu", "cuda" or "cuda:1".
        precision: "auto" and "fp32" compute in float32, so that CPU and GPU agree to 0.1 points; "bf16" and
            "fp16" are faster on some hardware and move scores.
        batch_size: Crops of a batch; None chooses by the device.
        threads: CPU threads of torch (for the whole process, as torch has it) and at most so many decoding
            threads; None leaves torch's choice. It does not change scores by more than float rounding.

    Raises:
        WeightsError: There is no such weight, or the file is not sound.
        UsageError: The device is not there, or a value is out of range.
    """
    from iqa_cli.networks.folding import fold_batchnorms
    from iqa_cli.weights import load_network

    for label, value in (("batch_size", batch_size), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{label} must be at least 1, not {value}")
    if threads is not None and threads > MAX_THREADS:
        raise UsageError(f"threads must be at most {MAX_THREADS:,}, not {threads:,}")
    chosen = choose_device(device)
    dtype = choose_precision(precision)
    if threads is not None:
        torch.set_num_threads(threads)
    card, network = load_network(name)
    network = fold_batchnorms(network)
    return Scorer(card, network, device=chosen, dtype=dtype, batch_size=batch_size, threads=threads)


@dataclass(frozen=True)
class _Input:
    label: str
    source: Source


class Scorer:
    """A network with its card on a device. Made by `load`; scoring leaves it unchanged.

    Args:
        card: Says the size policy and the calibration of the network.
        network: Module from float32 [N, 3, S, S] RGB in 0 to 1 to [N], MOS in 0 to 1 (not bounded).
        device: Where it runs.
        dtype: torch.float32, or torch.bfloat16 or torch.float16 for autocast.
        batch_size: Crops of a batch; None chooses by the device. Halved by itself when a GPU runs out of
            memory.
        threads: Upper bound of decoding threads.

    Raises:
        WeightsError: The card has no valid size policy.
    """

    def __init__(
        self,
        card: Card,
        network: nn.Module,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        batch_size: int | None = None,
        threads: int | None = None,
    ) -> None:
        on_cpu = device.type == "cpu"
        self.card = card
        self.name = card.name
        self.policy = card.policy()
        self.calibration = card.calibration
        self.device = device
        self.dtype = dtype
        self._network = CropNetwork(network, device, dtype, batch_size)
        # On a CPU the network needs the cores: two pictures ahead are enough to never let it wait.
        self._decoders = min(threads or 64, os.cpu_count() or 1, 2 if on_cpu else 8)

    @property
    def batch_size(self) -> int:
        """Crops of a batch."""
        return self._network.batch_size

    def score(
        self, source: Source, *, mode: Mode = "default", max_pixels: int = MAX_PIXELS, exif: bool = True
    ) -> Prediction:
        """Score one picture.

        Args:
            source: A path, the bytes of a file, a binary stream, a PIL image, or an array: uint8 or uint16,
                [H, W], [H, W, 3] RGB or [H, W, 4] RGBA.
            mode: "default"; "native" tiles the full resolution; "fast" looks at a larger picture reduced
                only.
            max_pixels: Larger pictures are refused.
            exif: Whether the EXIF orientation is applied.

        Returns:
            The record; its `score` is 0 to 100, higher is better.

        Raises:
            ImageError: The picture cannot be read or scored.
            TypeError: `source` is of no such type.
        """
        item = _Input(_label(source), source)
        outcome = next(self._outcomes([item], mode, max_pixels, exif, decoders=1))
        if outcome.failure is not None:
            raise outcome.failure
        prediction = self._prediction(outcome)
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
        """Score pictures as an iterator, in the order given; crops of different pictures share batches.

        Args:
            sources: What `score` takes, or pairs (label, source) of which the label becomes
                `Prediction.path`. Any iterable, also an endless one: it is read (in a thread) a few pictures
                ahead. An array [N, H, W, 3] is N pictures.
            mode, max_pixels, exif: As of `score`.

        Returns:
            One record for each source. A bad picture has a record with `error` and no `score`; the others go
            on.

        Raises:
            TypeError: `sources` is itself one picture; use `score`.
        """
        if isinstance(sources, (str, bytes, bytearray, os.PathLike)) or hasattr(sources, "getexif"):
            raise TypeError(
                "score_many takes several pictures, such as a list; for one picture there is score"
            )
        items = (_as_input(source) for source in sources)
        outcomes = self._outcomes(items, mode, max_pixels, exif, decoders=self._decoders)
        return map(self._prediction, outcomes)

    def predict_crops(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The network on crops.

        Args:
            crops: uint8 [N, S, S, 3], sRGB. More than `batch_size` are taken in several batches.

        Returns:
            float32 [N], MOS in 0 to 1 before calibration, not bounded.

        Raises:
            ValueError: The array is not of that shape or type.
            IqaError: There is not enough memory for even one crop.
        """
        return self._network.rows(crops)[:, 0]

    def _outcomes(
        self, items: Iterable[_Input], mode: Mode, max_pixels: int, exif: bool, *, decoders: int
    ) -> Iterator[Outcome[_Input]]:
        if mode not in ("default", "native", "fast"):
            raise UsageError(f"there is no mode '{mode}'", hint="modes: default, native, fast")
        # Reduced-size decoding would take the native crops away, so only a mode without them has it.
        draft_side = self.policy.reduced_side if mode == "fast" else None

        def look(item: _Input) -> Iterator[Size | Crop]:
            with open_photo(
                item.source,
                max_pixels=max_pixels,
                exif=exif,
                draft_side=draft_side,
                min_side=self.policy.min_side,
            ) as photo:
                yield Size(photo.width, photo.height)
                yield from iter_crops(photo, self.policy, mode)

        pipeline = Pipeline(look, self._network.rows, batch_size=self.batch_size, decoders=decoders)
        return pipeline.run(items)

    def _prediction(self, outcome: Outcome[_Input]) -> Prediction:
        known: dict[str, Any] = {
            "path": outcome.item.label,
            "model": self.name,
            "width": outcome.width,
            "height": outcome.height,
        }
        if outcome.failure is None and outcome.scores is not None:
            try:
                pooled = pool(outcome.scores, self.calibration)
            except ValueError as error:
                outcome.failure = ImageError(str(error))
            else:
                distortion, level = self._named(outcome.scores)
                return Prediction(
                    score=pooled.score,
                    error=None,
                    spread=pooled.spread,
                    raw=pooled.raw,
                    crops=pooled.crops,
                    distortion=distortion,
                    distortion_level=level,
                    scores={self.name: pooled.score},
                    **known,
                )
        reason = _reason(outcome.failure)
        _log.debug("%r: %s", outcome.item.label, reason, exc_info=outcome.failure)
        return Prediction(score=None, error=reason, scores={self.name: None}, **known)

    def _named(self, scores: CropScores) -> tuple[str | None, int | None]:
        names = self._network.names
        if not names:
            return None, None
        first = scores.background == scores.background[0]
        return name_distortion(scores.said[first], scores.full_resolution[first], names)


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


def _reason(failure: Exception | None) -> str:
    """One line for the `error` of a record."""
    if isinstance(failure, IqaError):
        return failure.message
    if isinstance(failure, MemoryError):
        return "there is not enough memory for this picture"
    lines = str(failure).split("\n")
    return f"{type(failure).__name__}: {lines[0]}" if lines[0] else type(failure).__name__
