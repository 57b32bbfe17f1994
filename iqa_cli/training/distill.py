"""A start for the QEN: its VAN learns the stage maps of an ImageNet network, on the photographs of a
database.

No ImageNet weights of VAN travel with a package, those of EfficientNet-Lite0 do. Its maps at strides 4, 8,
16 and 32, normalised per channel, are the targets of linear (1x1) read-outs of the VAN's maps at the same
strides; the read-outs are thrown away. Part of the crops is distorted, so that the features stay meaningful
there. Our own recipe.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from iqa_cli.networks.mfenet import IMAGENET_MEAN, IMAGENET_STD
from iqa_cli.networks.van import VAN
from iqa_cli.training.crops import CropSampler, Image
from iqa_cli.training.schedule import warmup_cosine
from iqa_cli.training.starts import efficientnet_lite0

#: Channels of the teacher's maps at strides 4, 8, 16, 32.
TEACHER_WIDTHS = (24, 40, 112, 320)


@dataclass(frozen=True)
class DistillConfig:
    """How the start is made; see the module's head.

    Attributes:
        van: Size of the VAN.
        size: Side of the crops, a multiple of 32 (maps of teacher and student must agree).
        batch: Crops a step.
        distorted: Share of them that is distorted, 0 to 1.
        steps: Optimiser steps.
        rate: Peak learning rate of AdamW.
        seed: Seed.
    """

    van: str = "b0"
    size: int = 128
    batch: int = 64
    distorted: float = 0.4
    steps: int = 1000
    rate: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 32:
            raise ValueError(f"size must be a multiple of 32 from 64 up, not {self.size}")
        if self.batch < 2 or self.steps < 1 or not 0 <= self.distorted <= 1:
            raise ValueError("batch must be at least 2, steps at least 1, distorted in 0 to 1")


class FeatureDistiller(nn.Module):
    """Student, frozen teacher, read-outs; the loss is the mean squared error over normalised teacher maps."""

    mean: Tensor
    std: Tensor

    def __init__(self, van: VAN, teacher: nn.Module) -> None:
        super().__init__()
        self.van = van
        self.teacher = teacher
        self.readouts = nn.ModuleList(
            nn.Conv2d(w, t, 1) for w, t in zip(van.widths, TEACHER_WIDTHS, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(t, affine=False) for t in TEACHER_WIDTHS)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])

    def forward(self, rgb: Tensor) -> Tensor:
        """Errors of the four stages, [4], of RGB [N, 3, S, S] in 0 to 1; 1 is the error of predicting the
        mean."""
        with torch.no_grad():
            targets = self.teacher((rgb - 0.5) / 0.5)[1:]
            targets = [norm(t.float()) for norm, t in zip(self.norms, targets, strict=True)]
        maps = self.van.stages((rgb - self.mean) / self.std)
        errors = [F.mse_loss(r(m).float(), t) for r, m, t in zip(self.readouts, maps, targets, strict=True)]
        return torch.stack(errors)


def distill(
    config: DistillConfig,
    images: Sequence[Image],
    folder: Path,
    log: Callable[[str], None],
    precision: torch.dtype,
) -> Path:
    """Run the recipe; resumes from `folder/last.safetensors` where there is one.

    Args:
        config: The recipe.
        images: Decoded photographs, uint8 [H, W, 3].
        folder: Gets `config.json`, `log.jsonl` and the result, `qen.safetensors` (names of the published
            VAN).
        log: Takes a line now and then.
        precision: dtype of autocast; float32 turns it off.

    Returns:
        Path of the result.
    """
    torch.manual_seed(config.seed)
    model = FeatureDistiller(VAN(config.van), efficientnet_lite0()).to(memory_format=torch.channels_last)
    learnt = [*model.van.parameters(), *model.readouts.parameters()]
    optimiser = torch.optim.AdamW(learnt, lr=config.rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, warmup_cosine(config.steps, min(100, config.steps // 10))
    )
    sampler = CropSampler(
        images, config.size, config.batch, round(config.distorted * config.batch), config.seed, replace=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n")
    state, step, epoch = folder / "last.pt", 0, 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        step = saved["step"]
        log(f"resumed at step {step}")
    running, started = torch.zeros(4), time.monotonic()
    model.train()
    model.teacher.eval()
    while step < config.steps:
        epoch, position = divmod(step, sampler.steps_per_epoch())
        for batch in sampler.epoch(epoch, position):
            with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
                errors = model(batch.rgb.contiguous(memory_format=torch.channels_last))
            optimiser.zero_grad(set_to_none=True)
            errors.sum().backward()
            nn.utils.clip_grad_norm_(learnt, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            running += errors.detach() / 50
            if step % 50 == 0:
                line = {"step": step, "errors": [round(v, 4) for v in running.tolist()]}
                line["seconds"] = round(time.monotonic() - started, 1)
                with (folder / "log.jsonl").open("a") as file:
                    file.write(json.dumps(line) + "\n")
                log(f"step {step}/{config.steps}  errors by stage {line['errors']}")
                running.zero_()
            if step % 200 == 0 or step == config.steps:
                parts = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                torch.save(
                    {**parts, "schedule": schedule.state_dict(), "step": step}, state.with_suffix(".new")
                )
                state.with_suffix(".new").replace(state)
            if step == config.steps:
                break
    result = folder / "qen.safetensors"
    save_file({k: v.contiguous() for k, v in model.van.state_dict().items()}, result)
    return result


def load_qen(van: VAN, path: Path) -> None:
    """Fill a VAN from a safetensors file under the published names; a classifier in the file is left out."""
    van.load_state_dict({k: v for k, v in load_file(path).items() if not k.startswith("head.")})
