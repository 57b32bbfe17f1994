"""The settings of the contrastive pre-training of the DAN: typed, with a preset for each kind of machine.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iqa_cli.training.config import LARGEST_SEED
from iqa_cli.training.fields import Checked, from_preset, number


@dataclass(frozen=True)
class ContrastiveConfig(Checked):
    """How the DAN learns distortions; see `iqa_cli.training.contrastive`.

    That it is pre-trained contrastively is published; how is not known to us. After SaTQA and CONTRIQUE are
    the temperature, the 128 dimensions, the 224 crops and the large batches. Every other figure is our own.
    The defaults are the preset "paper".

    Attributes:
        types: Types of distortion in a batch; 0 for all.
        levels: Levels of each of them in a batch, 1 to 5. The classes of a batch are types * levels and the
            pristine class.
        images: Crops of each class in a batch, each of another photograph; at least 2, so that every anchor
            has a positive.
        photographs: Photographs that the crops of a batch are cut from, at least `images`; 0 for all. Few of
            them make the content of negatives and positives alike.
        size: Side of the crops.
        margin: What a crop is distorted with on each side, in pixels, before it is cut.
        frozen: Stages that stay as they are, in evaluation mode: 0 for none, 1 for stem and layer1,
            up to 3.
        steps: Optimiser steps.
        rate: Peak learning rate of AdamW for the ResNet-50.
        rate_new: Peak learning rate of the projector.
        weight_decay: Decay of AdamW.
        warmup: Steps of linear warm-up.
        temperature: Temperature of the loss.
        hidden: Width of the projector's hidden layer.
        embedding: Dimensions of the embedding.
        norm_batches: Batches that the statistics of the batch norms are taken from before the first step.
        head_size: Side of the crops of heads and report.
        head_crops: Crops of each class that the heads are fitted on; of pristine ones five times as many, as
            of a type.
        seed: Seed of crops, distortions and new weights.
        precision: "bf16" runs matrix products in bfloat16 (autocast), "fp32" nothing.

    Raises:
        ValueError: A field is of the wrong type or out of its range.
    """

    types: int = number(0, at_least=0)
    levels: int = number(5, at_least=1, at_most=5)
    images: int = number(8, at_least=2)
    photographs: int = number(0, at_least=0)
    size: int = number(224, at_least=64)
    margin: int = number(32, at_least=0)
    frozen: int = number(0, at_least=0, at_most=3)
    steps: int = number(20000, at_least=1)
    rate: float = number(3e-4, above=0)
    rate_new: float = number(1e-3, above=0)
    weight_decay: float = number(1e-2, at_least=0)
    warmup: int = number(500, at_least=0)
    temperature: float = number(0.1, above=0)
    hidden: int = number(2048, at_least=1)
    embedding: int = number(128, at_least=1)
    norm_batches: int = number(4, at_least=1)
    head_size: int = number(224, at_least=64)
    head_crops: int = number(253, at_least=2)
    seed: int = number(0, at_least=0, at_most=LARGEST_SEED)
    precision: Literal["bf16", "fp32"] = "bf16"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.photographs and self.photographs < self.images:
            raise ValueError(f"photographs must be 0 or at least images ({self.images})")


#: What each preset says differently from the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "cpu": {
        "types": 9,
        "levels": 3,
        "images": 4,
        "photographs": 16,
        "size": 160,
        "margin": 16,
        "frozen": 2,
        "steps": 700,
        "warmup": 50,
        "hidden": 512,
        "norm_batches": 3,
        "head_crops": 80,
    },
}


def preset_config(preset: str, values: Mapping[str, Any]) -> ContrastiveConfig:
    """The settings of a preset, changed by those given with `--set`.

    Raises:
        UsageError: There is no such preset or setting, or a value does not fit.
    """
    config: ContrastiveConfig = from_preset(ContrastiveConfig, PRESETS, preset, values)
    return config
