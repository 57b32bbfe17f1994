"""The scorer: a weight made ready to score pictures. This is the Python API, and what `iqa score` uses.

from iqa_cli import load
scorer = load("mfenet")
scorer.score("photo.jpg").score                       # one picture: a path, bytes, a PIL image, an array
for prediction in scorer.score_many(paths): ...       # many: lazily, in order, batched across pictures

`load_many(["mfenet", "vcrnet"])` gives the same for several weights at once (`iqa_cli.scoring.group`).
torch is imported only where it computes: an exported network (`iqa export`) is scored without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iqa_cli.card import Card
from iqa_cli.errors import UsageError
from iqa_cli.images.decode import Source
from iqa_cli.images.policy import Mode
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.engines import Engine, choose_engine, exported_network
from iqa_cli.scoring.group import MAX_PIXELS, Labelled, ScorerGroup
from iqa_cli.scoring.network import CPU_BATCH, LazyNetwork, Network
from iqa_cli.scoring.nogpu import surely_cpu
from iqa_cli.scoring.parts import Lane
from iqa_cli.weights import find_several, find_weights, load_network, read_card, read_card_hashed

if TYPE_CHECKING:
    from iqa_cli.scoring.device import Precision

# torch starts as many as it is told, until the system has no more.
MAX_THREADS = 1024


def load(
    name: str | os.PathLike[str] = "mfenet",
    *,
    device: str = "auto",
    precision: Precision = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
    engine: Engine = "auto",
    lazy: bool = False,
) -> Scorer:
    """Load a weight, ready to score.

    Args:
        name: Name of a shipped weight, or the path of a .safetensors file, or of an .onnx file that
            `iqa export` has written.
        device: "auto" (a CUDA GPU if there is one), "cpu", "cuda" or "cuda:1".
        precision: "auto" and "fp32" compute in float32, so that CPU and GPU agree to 0.1 points; "bf16" and
            "fp16" are faster on some hardware and move scores.
        batch_size: Crops of a batch; None chooses by the device.
        threads: CPU threads of the engine (with torch for the whole process, as torch has it) and at most so
            many decoding threads; None leaves the engine's choice. It does not change scores by more than
            float rounding.
        engine: What computes: "torch", or the extras "onnxruntime" and "openvino", on the CPU and in float32
            only; "auto" takes torch, and for an .onnx file one of the others.
        lazy: For a store, which may know all. The file is hashed at once, and refused if it is another one
            when it is loaded: on the CPU not before the first crop is to be scored, and what is wrong with
            more than the card is told then.

    Raises:
        WeightsError: There is no such weight, or the file is not sound.
        UsageError: The device or the engine is not there, or a value is out of range.
    """
    for label, value in (("batch_size", batch_size), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{label} must be at least 1, not {value}")
    if threads is not None and threads > MAX_THREADS:
        raise UsageError(f"threads must be at most {MAX_THREADS:,}, not {threads:,}")
    path = find_weights(name)
    chosen = choose_engine(engine, path)
    if chosen == "torch" and lazy and precision in ("auto", "fp32") and surely_cpu(device):
        card, sha256 = read_card_hashed(path)

        def make() -> Network:
            return _by_torch(path, "cpu", precision, batch_size, threads, sha256)[1]

        names = tuple(card.config.get("distortions", ()))
        lazily = LazyNetwork(names, batch_size or CPU_BATCH, make)
        return Scorer(card, lazily, threads=threads, sha256=sha256)
    if chosen == "torch":
        known = read_card_hashed(path)[1] if lazy else None
        card, network, where = _by_torch(path, device, precision, batch_size, threads, known)
        exact = "fp32" if precision == "auto" else precision
        return Scorer(card, network, device=where, precision=exact, threads=threads, sha256=known)
    for what, given, possible in (("device", device, "cpu"), ("precision", precision, "fp32")):
        if given not in ("auto", possible):
            raise UsageError(f"the engine {chosen} computes with {what} {possible} only, not {given[:40]}")
    card = read_card(path)
    network = exported_network(path, card, chosen, batch_size=batch_size, threads=threads)
    return Scorer(card, network, engine=chosen, threads=threads)


def _by_torch(
    path: Path,
    device: str,
    precision: Precision,
    batch_size: int | None,
    threads: int | None,
    sha256: str | None,
) -> tuple[Card, Network, str]:
    """Card, network and device; of no other file than that of the hash, if one is given."""
    import torch

    from iqa_cli.networks.folding import fold_batchnorms
    from iqa_cli.scoring.cropnet import CropNetwork
    from iqa_cli.scoring.device import choose_device, choose_precision

    chosen, dtype = choose_device(device), choose_precision(precision)
    if threads is not None:
        torch.set_num_threads(threads)
    card, network = load_network(path, sha256=sha256)
    return card, CropNetwork(fold_batchnorms(network), chosen, dtype, batch_size), str(chosen)


def load_many(
    names: Iterable[str | os.PathLike[str]],
    *,
    device: str = "auto",
    precision: Precision = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
    engine: Engine = "auto",
    lazy: bool = False,
) -> ScorerGroup:
    """Load several weights, ready to score the same pictures, each of which is then decoded once.

    Args:
        names: What `load` takes; the first gives `Prediction.score`.
        device, precision, batch_size, threads, engine, lazy: As of `load`.

    Raises:
        WeightsError: As of `load`.
        UsageError: As of `load`; or a weight is given twice, or two have the same name.
    """
    files = [path for path, _ in find_several(names)]
    options: dict[str, Any] = {"device": device, "precision": precision, "engine": engine, "lazy": lazy}
    return ScorerGroup([load(path, batch_size=batch_size, threads=threads, **options) for path in files])


class Scorer:
    """A network with its card. Made by `load`; scoring leaves it unchanged.

    Args:
        card: Says the size policy and the calibration of the network.
        network: Gives MOS in 0 to 1 (not bounded) for crops.
        engine: What computes it: "torch", "onnxruntime" or "openvino".
        device: Where: "cpu", "cuda:0".
        precision: In which numbers: "fp32", "bf16" or "fp16".
        threads: Upper bound of decoding threads.
        sha256: Of the file of the weight, in hex; None where it was not asked for.

    Attributes:
        card: As given.
        name: Name of the weight.
        policy: Size policy of the card.
        calibration: From the pooled output to points.
        interval: From the score, and what else is known of a picture, to the bounds of the opinion; None
            where the card has none.
        engine, device, precision, sha256: As given.
        decoders: Threads that decode ahead of the network.

    Raises:
        WeightsError: The card has no valid size policy.
    """

    def __init__(
        self,
        card: Card,
        network: Network,
        *,
        engine: str = "torch",
        device: str = "cpu",
        precision: str = "fp32",
        threads: int | None = None,
        sha256: str | None = None,
    ) -> None:
        self.card = card
        self.name = card.name
        self.policy = card.policy()
        self.calibration = card.calibration
        self.interval = card.interval
        self.engine = engine
        self.device = device
        self.precision = precision
        self.sha256 = sha256
        self._network = network
        # On a CPU the network needs the cores: two pictures ahead are enough to never let it wait.
        self.decoders = min(threads or 64, os.cpu_count() or 1, 2 if device == "cpu" else 8)
        self._alone = ScorerGroup([self])

    @property
    def batch_size(self) -> int:
        """Crops of a batch."""
        return self._network.batch_size

    @property
    def distortions(self) -> tuple[str, ...]:
        """Types of distortion that it names; () for none."""
        return self._network.names

    def lane(self) -> Lane:
        """Its network as part of a pipeline."""
        # A CPU gains nothing by it, and would give its rows a batch later.
        begin = None if self.device == "cpu" else self._network.begin
        return Lane(self._network.rows, self.batch_size, begin)

    def score(
        self, source: Source, *, mode: Mode = "default", max_pixels: int = MAX_PIXELS, exif: bool = True
    ) -> Prediction:
        """Score one picture.

        Args:
            source: A path, the bytes of a file, a binary stream, a PIL image, or an array: uint8 or uint16,
                [H, W], [H, W, 3] RGB or [H, W, 4] RGBA.
            mode: "default"; "native" tiles the full resolution; "fast" looks at two or three crops, of a
                larger picture reduced.
            max_pixels: Larger pictures are refused.
            exif: Whether the EXIF orientation is applied.

        Returns:
            The record; its `score` is 0 to 100, higher is better.

        Raises:
            ImageError: The picture cannot be read or scored.
            TypeError: `source` is of no such type.
        """
        return self._alone.score(source, mode=mode, max_pixels=max_pixels, exif=exif)

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
        return self._alone.score_many(sources, mode=mode, max_pixels=max_pixels, exif=exif)

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
