"""Presets of `iqa train`: named sets of settings, every one of which an option can change.

What is second-hand and what is our own choice is kept apart; of the paper itself only the structure of the
network is known to us. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line
from iqa_cli.training.fields import nearest

#: Taken where none is named: the defaults of the two configs, which suppose a distilled start of the QEN.
DEFAULT = "default"


@dataclass(frozen=True)
class Preset:
    """What a preset says differently from the defaults.

    Attributes:
        summary: One line for the help.
        settings: Fields of `TrainConfig`.
        network: Fields of the network's config, where the network has them.
    """

    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    DEFAULT: Preset("our own defaults: a distilled start, a handful of crops, some distorted copies"),
    # Second-hand (MAMIQA, VCRNet code): 224 crops, flips, 50 crops a picture, Adam, its rates and decay, L1.
    # Our own choice: 0.1 of the high-frequency task, the number of epochs (with 50 crops each), the batch, no
    # warm-up, cosine, no averaged weights, no clipping, float32. Ten splits of 80/20 are `--splits 10`.
    "paper": Preset(
        "the specified protocol: 50 crops a picture, Adam 2e-5 and 2e-4, L1 + 0.1 HF; days without a GPU",
        {
            "epochs": 8,
            "crops_per_image": 50,
            "size": 224,
            "batch": 32,
            "distorted": 0,
            "reduced": 0.0,
            "freeze": 0,
            "rate_backbone": 2e-5,
            "rate_new": 2e-4,
            "optimiser": "adam",
            "weight_decay": 5e-4,
            "warmup": 0,
            "rank_weight": 0.0,
            "average": 0.0,
            "clip": 0.0,
            "precision": "fp32",
        },
        {
            "van": "b2",
            "dan": "contrastive",
            "fusion": "aff",
            "ffm": True,
            "hfen": "octave",
            "auxiliary_weight": 0.1,
        },
    ),
    # Our own: what the first shipped weight was trained with, in 0.9 hours of steps on two cores.
    "cpu": Preset(
        "an hour or two on two cores: VAN-B0, four epochs of one crop a picture, bfloat16",
        {"epochs": 4, "crops_per_image": 1, "size": 224, "batch": 16, "distorted": 4, "precision": "bf16"},
        {"van": "b0"},
    ),
}


def preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"--preset: there is no preset {one_line(name)!r}", hint=nearest(name, PRESETS))
    return PRESETS[name]
