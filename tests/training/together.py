"""What `test_processes` runs, alone and under `accelerate launch`: -m tests.training.together DATA OUT.

The pictures of DATA are as large as a crop and the same when flipped, so that a crop of one is that picture
whatever is drawn: two processes then see exactly what one would.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.training import loop
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.mixture import Part

NET = {"van": "tiny", "dan": "none", "head_width": 8}


class Config:
    """The little that training asks of a network's config."""

    def to_dict(self) -> dict[str, Any]:
        return {}


class Plain(nn.Module):
    """A network without batch norms, so that halves of a batch are computed as the whole is."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.config = Config()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.GELU(), nn.Conv2d(8, 8, 3, 2), nn.GELU())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(8, 1))
        self.unused = nn.Linear(2, 2)  # as the head of an auxiliary task that is off

    def forward(self, rgb: Tensor) -> Tensor:
        return self.head(self.body(rgb).mean((2, 3))).squeeze(1)

    def forward_with_auxiliary(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        return self(rgb), rgb.new_zeros(())

    def pretrained_modules(self) -> list[nn.Module]:
        return [self.body]


def main(data: Path, out: Path) -> None:
    """Train a few runs into folders of `out`."""
    loop.LOG_EVERY = 1
    torch.set_num_threads(1)
    database = read_csv(data)
    fit, choose = database.part("train"), database.part("calib")

    def run(name: str, network: nn.Module, max_steps: int | None = None, **settings: Any) -> None:
        given = {"batch": 4, "distorted": 0, "epochs": 3, "size": 64, "warmup": 2, "precision": "fp32"}
        config = TrainConfig(**{**given, "rate_new": 0.01, "rate_backbone": 0.01, **settings})
        further = []
        if "shares" in settings:
            further = [Part("other", "mos", [replace(r, mos=r.mos / 2) for r in fit], choose)]
            further.append(Part("ordered", "order", fit))
        loop.train(
            config,
            network,
            fit,
            choose,
            SizePolicy(crop=64),
            out / name,
            lambda line: print(f"{name}: {line}", flush=True),
            max_steps,
            {"dataset": "anchor"},
            further=further,
        )

    torch.manual_seed(0)
    run("plain", Plain(0.0), top_average=2)
    torch.manual_seed(0)
    run("dropout", Plain(0.5))
    for steps in (4, None):
        torch.manual_seed(0)
        run("broken", Plain(0.5), steps)
    torch.manual_seed(0)
    network = build("mfenet", NET)
    run("mixture", network, batch=12, distorted=3, shares="equal", precision="bf16", rate_backbone=1e-3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
