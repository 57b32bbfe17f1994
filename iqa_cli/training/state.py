"""The state of a training run: the network, its moving average, the optimiser and its schedule."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from iqa_cli.training.checkpoint import checkpoint_fits, load_checkpoint, save_checkpoint
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.schedule import warmup_cosine


@dataclass
class Run:
    """Everything that changes during training; what a checkpoint holds."""

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    step: int = 0
    best: float = -2.0

    def save(self, path: Path) -> None:
        """Write the checkpoint; a failure, which is a WeightsError, leaves the one before."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "best": self.best,
        }
        save_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of this program; WeightsError where it is none, or of another run."""
        state = load_checkpoint(path)
        with checkpoint_fits(path):
            for part in ("network", "average", "optimiser", "schedule"):
                getattr(self, part).load_state_dict(state[part])
            torch.set_rng_state(state["random"])
            self.step, self.best = int(state["step"]), float(state["best"])


def start(config: TrainConfig, network: nn.Module, total: int) -> Run:
    """The state before the first of `total` steps."""
    network = network.to(memory_format=torch.channels_last)
    if config.freeze:
        network.qen.freeze(config.freeze)  # type: ignore[union-attr, operator]
    learnt = {id(p) for m in network.pretrained_modules() for p in m.parameters()}  # type: ignore[operator]
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) in learnt], "lr": config.rate_backbone},
        {"params": [p for p in trainable if id(p) not in learnt], "lr": config.rate_new},
    ]
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[config.optimiser]
    optimiser = kind([g for g in groups if g["params"]], weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(total, config.warmup))
    average = copy.deepcopy(network).requires_grad_(False).eval()
    return Run(network, average, optimiser, schedule)


@torch.no_grad()
def update_average(run: Run, decay: float) -> None:
    """Move the average one step towards the network."""
    # A young run averages over what there is, or it would remember its random start.
    decay = min(decay, (1 + run.step) / (10 + run.step))
    ours, theirs = run.average.state_dict(), run.network.state_dict()
    for name, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - decay)
        else:
            value.copy_(theirs[name])
