"""The settings of the pre-training of VCRNet's restoration network: typed, with a preset for each kind of
machine.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iqa_cli.training.config import LARGEST_SEED
from iqa_cli.training.fields import Checked, from_preset, number


@dataclass(frozen=True)
class RestorationConfig(Checked):
    """How the restoration network learns to take distortions back; see `iqa_cli.training.restoration`.

    That it is trained on pairs with a non-adversarial loss weighted by an error map is published. Every
    figure is our own. The defaults are the preset "gpu".

    Attributes:
        net: Width of the network: "full" as published, "tiny" for tests.
        residual: Whether it gives what is added to the picture, or the picture.
        size: Side of the crops, at least 64.
        margin: What a crop is distorted with on each side, in pixels, before it is cut.
        batch: Pairs of a step.
        pristine: Share of the pairs, 0 to 1, whose first picture is undistorted as well.
        steps: Optimiser steps.
        rate: Peak learning rate of AdamW.
        weight_decay: Decay of AdamW.
        warmup: Steps of linear warm-up.
        ssim_weight: Weight of 1 - SSIM in the loss.
        error_weight: Weight of the error map, against the 1 that every pixel has; 0 leaves plain L1.
        report_size: Side of the crops that are reported on, at least 64.
        report_levels: Levels of each type that a reported photograph is distorted at: 5 for all, fewer take
            turns over the photographs.
        seed: Seed of crops, distortions and first weights.
        precision: "bf16" runs convolutions in bfloat16 (autocast), "fp32" nothing.

    Raises:
        ValueError: A field is of the wrong type or out of its range.
    """

    net: Literal["full", "tiny"] = "full"
    residual: bool = True
    size: int = number(224, at_least=64)
    margin: int = number(32, at_least=0)
    batch: int = number(32, at_least=2)
    pristine: float = number(0.05, at_least=0, at_most=1)
    steps: int = number(60000, at_least=1)
    rate: float = number(5e-4, above=0)
    weight_decay: float = number(1e-4, at_least=0)
    warmup: int = number(500, at_least=0)
    ssim_weight: float = number(0.1, at_least=0)
    error_weight: float = number(1.0, at_least=0)
    report_size: int = number(256, at_least=64)
    report_levels: int = number(5, at_least=1, at_most=5)
    seed: int = number(0, at_least=0, at_most=LARGEST_SEED)
    precision: Literal["bf16", "fp32"] = "bf16"


#: What each preset says differently from the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "gpu": {},
    "cpu": {
        "size": 128,
        "margin": 16,
        "batch": 16,
        "steps": 1500,
        "rate": 1e-3,
        "warmup": 50,
        "report_size": 192,
        "report_levels": 1,
        "precision": "fp32",
    },
}


def preset_config(preset: str, values: Mapping[str, Any]) -> RestorationConfig:
    """The settings of a preset, changed by those given with `--set`.

    Raises:
        UsageError: There is no such preset or setting, or a value does not fit.
    """
    config: RestorationConfig = from_preset(RestorationConfig, PRESETS, preset, values)
    return config
