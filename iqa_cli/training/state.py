"""The state of a training run: the network, its moving average, the optimiser and its schedule."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iqa_cli.errors import UsageError
from iqa_cli.training.checkpoint import checkpoint_fits, load_checkpoint, save_checkpoint
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.devices import random_state, restore_random_state
from iqa_cli.training.schedule import warmup_cosine

#: Stages of a backbone that offers `stage_modules`.
_STAGES = 4


@dataclass
class Run:
    """Everything that changes during training; what a checkpoint holds.

    Attributes:
        network: What is trained.
        average: Moving average of its weights.
        optimiser: Of its trainable parameters.
        schedule: Of the rates.
        scaler: Of the loss, in float16; else it does nothing.
        device: Where all of it is.
        maps: Learnt maps of further databases; none where there are none.
        step: Steps taken.
        best: Best SRCC so far.
        sums: Sums of the losses over the steps of the present epoch.
        counted: Number of those steps.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    scaler: torch.amp.GradScaler
    device: torch.device
    maps: nn.ModuleList = field(default_factory=nn.ModuleList)
    step: int = 0
    best: float = -2.0
    sums: list[float] = field(default_factory=list)
    counted: int = 0

    def save(self, path: Path) -> None:
        """Write the checkpoint; a failure, which is a WeightsError, leaves the one before."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "maps": self.maps.state_dict(),
            **random_state(self.device),
            "step": self.step,
            "best": self.best,
            "sums": self.sums,
            "counted": self.counted,
        }
        save_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of this program; WeightsError where it is none, or of another run."""
        state = load_checkpoint(path)
        with checkpoint_fits(path):
            for part in ("network", "average", "optimiser", "schedule"):
                getattr(self, part).load_state_dict(state[part])
            self.maps.load_state_dict(state.get("maps", {}))
            if state.get("scaler"):
                self.scaler.load_state_dict(state["scaler"])
            restore_random_state(state, self.device)
            self.step, self.best = int(state["step"]), float(state["best"])
            # A checkpoint of version 0.1 has no sums.
            self.sums, self.counted = list(state.get("sums", [])), int(state.get("counted", 0))

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights, copied to the CPU."""
        return {name: value.detach().cpu() for name, value in self.average.state_dict().items()}


def start(
    config: TrainConfig,
    network: nn.Module,
    total: int,
    device: torch.device | None = None,
    maps: nn.ModuleList | None = None,
) -> Run:
    """The state before the first of `total` steps.

    Args:
        config: The settings.
        network: As built; it is moved to the device and changed in place.
        total: Steps of the whole run.
        device: Where to compute; the CPU if not given.
        maps: Maps of further databases, on that device; they learn at the rate of new modules, undecayed.

    Raises:
        UsageError: The settings ask for frozen stages, or for rates by stage, of a network that has none.
    """
    device = device or torch.device("cpu")
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.freeze:
        if not hasattr(network, "freeze_early"):
            raise UsageError(
                f"freeze: a {type(network).__name__} has no stages to freeze", hint="--set freeze=0"
            )
        network.freeze_early(config.freeze)  # type: ignore[operator]
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[config.optimiser]
    groups, maps = parameter_groups(config, network), maps if maps is not None else nn.ModuleList()
    if len(maps):
        groups.append({"params": list(maps.parameters()), "lr": config.rate_new, "weight_decay": 0.0})
    optimiser = kind(groups, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(total, config.warmup))
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
    average = copy.deepcopy(network).requires_grad_(False).eval()
    return Run(network, average, optimiser, schedule, scaler, device, maps)


def parameter_groups(config: TrainConfig, network: nn.Module) -> list[dict[str, Any]]:
    """The trainable parameters with their peak learning rates.

    With `layer_decay` below 1, stage i of four of a backbone trains at rate_backbone * layer_decay^(4 - i):
    early stages hold what all pictures have in common. Layer-wise decay is common in fine-tuning (Clark et
    al., ELECTRA, 2020, per block); by stage is our own choice.

    Returns:
        Groups of the optimiser, none of them empty: the backbone's, then those of all other modules.

    Raises:
        UsageError: `layer_decay` is below 1 and a pretrained module has no stages.
    """
    pretrained = network.pretrained_modules()  # type: ignore[operator]
    learnt = {id(p) for module in pretrained for p in module.parameters()}
    trainable = [p for p in network.parameters() if p.requires_grad]
    backbone = [p for p in trainable if id(p) in learnt]
    rate = config.rate_backbone
    if config.layer_decay == 1:
        groups = [{"params": backbone, "lr": rate}]
    else:
        stage = _stages_of(pretrained)
        by_stage: dict[int, list[nn.Parameter]] = {}
        for parameter in backbone:
            by_stage.setdefault(stage.get(id(parameter), _STAGES), []).append(parameter)
        groups = [
            {"params": by_stage[i], "lr": rate * config.layer_decay ** (_STAGES - i)}
            for i in sorted(by_stage)
        ]
    groups.append({"params": [p for p in trainable if id(p) not in learnt], "lr": config.rate_new})
    return [group for group in groups if group["params"]]


def _stages_of(pretrained: list[nn.Module]) -> dict[int, int]:
    """id of a parameter -> its stage, 1 to 4; a head behind the stages is left out."""
    found: dict[int, int] = {}
    for module in pretrained:
        stage_modules = getattr(module, "stage_modules", None)
        if stage_modules is None:
            raise UsageError(
                f"layer_decay: a {type(module).__name__} has no stages with rates of their own",
                hint="--set layer_decay=1",
            )
        for stage in range(1, _STAGES + 1):
            found |= {id(p): stage for part in stage_modules(stage) for p in part.parameters()}
    return found


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
