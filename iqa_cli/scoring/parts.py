"""What goes into the pipeline, travels through it beside crops, and comes out of it for each network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from iqa_cli.scoring.pooling import CropScores

if TYPE_CHECKING:
    from iqa_cli.images.crops import Crop

Predict = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
#: Starts on a batch, and gives what waits for its rows.
Begin = Callable[[npt.NDArray[np.uint8]], Callable[[], npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class Size:
    """What a decoder says of a picture before its crops: its size in pixels, as displayed."""

    width: int
    height: int


@dataclass(frozen=True)
class Refusal:
    """What a decoder says instead of the (further) crops for some lanes; the others go on."""

    lanes: tuple[int, ...]
    failure: Exception


@dataclass(frozen=True)
class Known:
    """What a decoder says instead of crops for a lane of which the result is known already."""

    lane: int
    result: object


@dataclass(frozen=True)
class Lane:
    """A network in the pipeline.

    Attributes:
        predict: uint8 [N, S, S, 3] to float [N, K], called from the thread that iterates: the raw score, then
            what else the network says of a crop.
        batch_size: Crops in a batch.
        begin: The same for a network that computes beside this process: the next batch is begun before the
            rows of one are waited for. None where `predict` is all there is.
    """

    predict: Predict
    batch_size: int
    begin: Begin | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError("batch_size must be at least 1")


#: What a decoder gives of a picture, one after the other; a crop with the number of the lane it is for.
Part: TypeAlias = "Size | tuple[int, Crop] | Known | Refusal"
#: What is had of a picture in the end for one lane.
Result: TypeAlias = "CropScores | Known | Exception"
