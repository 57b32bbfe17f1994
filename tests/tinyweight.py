"""A real but tiny checkpoint for tests of everything around the network: written and read as the shipped ones
are.

Its weights are random, so that its scores mean nothing; but they differ between pictures, and are the same
every time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from iqa_cli.card import LADDER, Card
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.weights import save_weights

CONFIG = {"van": "tiny", "dan": "none", "hfen": "octave", "head_width": 16}


def make_tiny_weight(
    folder: Path, examples: Path, name: str = "mfenet", *, seed: int = 11, policy: SizePolicy | None = None
) -> Path:
    """Write `<folder>/<name>.safetensors` and return it.

    The calibration is set by what the random network says of the example photographs, so that scores spread.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build("mfenet", CONFIG).eval()
    # A fresh batch norm passes everything on; with running statistics of its own it is one that must be
    # folded right.
    generator = torch.Generator().manual_seed(12)
    for key, value in network.state_dict().items():
        if key.endswith("running_mean"):
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
        elif key.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    raws = np.array([_raw(network, path) for path in sorted(examples.glob("*.jpg"))])
    calibration = {
        "kind": "logistic",
        "b1": 100.0,
        "b2": 0.0,
        "b3": float(raws.mean()),
        "b4": float(raws.std()),
    }
    card = Card(
        name=name,
        network="mfenet",
        config=CONFIG,
        input=(policy or SizePolicy()).to_dict(),
        output={
            "range": [0, 100],
            "direction": "higher is better",
            "scale": "random weights: for tests only",
            "calibration": calibration,
            "ladder": LADDER,
        },
    )
    path = folder / f"{name}.safetensors"
    save_weights(path, network.state_dict(), card)
    return path


def _raw(network: torch.nn.Module, path: Path) -> float:
    with open_photo(path) as photo:
        crop = next(iter_crops(photo, SizePolicy()))
    with torch.inference_mode():
        return float(network(torch.from_numpy(crop.pixels).permute(2, 0, 1)[None].float() / 255)[0])
