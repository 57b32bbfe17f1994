"""A start for the QEN: its VAN learns the stage maps of ImageNet networks, on the photographs of a database.

No ImageNet weights of VAN travel with a package, those of EfficientNet-Lite do. Their maps at strides 4, 8,
16 and 32, normalised per channel, are the targets of linear (1x1) read-outs of the VAN's maps at the same
strides, each network's by itself; the read-outs are thrown away. Part of the crops is distorted, so that the
features stay meaningful there. Our own recipe.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.networks.numbers import IMAGENET_MEAN, IMAGENET_STD
from iqa_cli.networks.van import VAN, VAN_SIZES
from iqa_cli.training.checkpoint import (
    append_log,
    claim_folder,
    save_start,
)
from iqa_cli.training.config import PACKAGED, DistillConfig
from iqa_cli.training.crops import CropSampler, Image
from iqa_cli.training.devices import Machine, autocast
from iqa_cli.training.efficientnet import check_packaged
from iqa_cli.training.fields import nearest
from iqa_cli.training.loader import Speed, batches, makers
from iqa_cli.training.provenance import RECIPE_KEY, read_recipe
from iqa_cli.training.schedule import warmup_cosine
from iqa_cli.training.starts import efficientnet_maps
from iqa_cli.training.steps import Steps

#: Name of the result in the run folder.
RESULT = "qen.safetensors"
#: Steps between two lines of the log, and between two checkpoints.
LOG_EVERY, SAVE_EVERY = 50, 200


class FeatureDistiller(nn.Module):
    """Student, frozen teachers, read-outs; the loss is the mean squared error over normalised teacher maps.

    Args:
        van: The student.
        teachers: As of `efficientnet_maps`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, van: VAN, teachers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.van = van
        self.teachers = nn.ModuleList(teachers)
        # Of the first teacher's four strides, then of the next one's.
        widths = [width for teacher in teachers for width in teacher.feature_info.channels()[1:]]  # type: ignore[operator,union-attr]
        read = van.widths * len(teachers)
        self.readouts = nn.ModuleList(nn.Conv2d(w, t, 1) for w, t in zip(read, widths, strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm2d(t, affine=False) for t in widths)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **more: Any) -> Any:
        """Also of a checkpoint from when there was one teacher, under the name "teacher"."""
        named = {re.sub(r"^teacher\.", "teachers.0.", name): value for name, value in state_dict.items()}
        return super().load_state_dict(named, *args, **more)

    def forward(self, rgb: Tensor) -> Tensor:
        """Errors of the four stages, [4], the mean over the teachers, of RGB [N, 3, S, S] in 0 to 1; 1 is the
        error of predicting the mean."""
        with torch.no_grad():
            targets = [t for teacher in self.teachers for t in teacher((rgb - 0.5) / 0.5)[1:]]
            targets = [norm(t.float()) for norm, t in zip(self.norms, targets, strict=True)]
        maps = [*self.van.stages((rgb - self.mean) / self.std)] * len(self.teachers)
        errors = [F.mse_loss(r(m).float(), t) for r, m, t in zip(self.readouts, maps, targets, strict=True)]
        return torch.stack(errors).view(len(self.teachers), -1).mean(0)


def distill(
    config: DistillConfig,
    images: Sequence[Image],
    folder: Path,
    log: Callable[[str], None],
    precision: torch.dtype,
    recipe: dict[str, Any] | None = None,
    *,
    machine: Machine | None = None,
) -> Path:
    """Run the recipe; resumes from `folder/last.pt` where there is one.

    Args:
        config: The recipe.
        images: Decoded photographs, uint8 [H, W, 3], at least a batch.
        folder: Gets `config.json`, `log.jsonl`, `last.pt` and the result, `qen.safetensors` (names of the
            published VAN).
        log: Takes a line now and then.
        precision: dtype of autocast; float32 turns it off.
        recipe: What the result says of its origin, as `provenance.qen_recipe` makes it; its "data" must be
            the same when a run is resumed.
        machine: Device and loader; the CPU and one thread if not given.

    Returns:
        Path of the result.

    Raises:
        UsageError: The folder holds another run, or as of `check_distill`.
        WeightsError: A teacher is not installed, a checkpoint cannot be written, or one that is there
            cannot be used.
        IqaError: The loss is not finite any more.
        KeyboardInterrupt: After the checkpoint has been saved; it carries a line for the user.
    """
    check_distill(config, len(images))
    claim_folder(folder, describe_distillation(config, recipe), log)
    torch.manual_seed(config.seed)
    machine = machine or Machine()
    model = FeatureDistiller(VAN(config.van), [efficientnet_maps(kind) for kind in config.teachers])
    model = model.to(device=machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    learnt = [*model.van.parameters(), *model.readouts.parameters()]
    optimiser = torch.optim.AdamW(learnt, lr=config.rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, warmup_cosine(config.steps, min(100, config.steps // 10))
    )
    sampler = CropSampler(
        images, config.size, config.batch, round(config.distorted * config.batch), config.seed, replace=True
    )
    run = Steps(folder / "last.pt", model, optimiser, schedule)
    run.resume(config.steps, log)

    running, count, started = torch.zeros(4), 0, time.monotonic()
    speed = Speed(makers(machine)[0])
    made = batches(sampler, run.step, config.steps, machine)
    model.train()
    model.teachers.eval()
    with closing(run.each(made, config.steps, SAVE_EVERY)) as each:
        for batch in each:
            began = time.monotonic()
            rgb = batch.rgb.to(machine.device).contiguous(memory_format=torch.channels_last)
            with autocast(machine.device, precision):
                errors = model(rgb)
            run.take(errors.sum(), learnt)
            running += errors.detach().cpu()
            count += 1
            speed.add(batch, run.waited - speed.waiting, time.monotonic() - began)
            if run.step % LOG_EVERY == 0:
                means = [round(v, 4) for v in (running / count).tolist()]
                seconds = round(time.monotonic() - started, 1)
                append_log(folder, {"step": run.step, "errors": means, "seconds": seconds})
                log(f"step {run.step}/{config.steps}  errors by stage {means}")
                running.zero_()
                count = 0
    if speed.images:
        kinds = makers(machine)[1]
        append_log(folder, {"step": run.step, "speed": speed.to_dict(), "makers": kinds})
        log(speed.line(kinds))
    result = folder / RESULT
    tensors = {name: value.cpu().contiguous() for name, value in model.van.state_dict().items()}
    save_start(result, tensors, {} if recipe is None else {RECIPE_KEY: json.dumps(recipe, sort_keys=True)})
    return result


def check_distill(config: DistillConfig, pictures: int) -> None:
    """See that the recipe can be run on so many pictures.

    Raises:
        UsageError: There is no such VAN or teacher, or there are fewer pictures than a batch.
        WeightsError: A teacher is not installed.
    """
    for kind in config.teachers:
        if kind not in PACKAGED:
            raise UsageError(f"--teacher: there is no {kind!r}", hint=f"there are {', '.join(PACKAGED)}")
        check_packaged(kind)
    if config.van not in VAN_SIZES:
        raise UsageError(f"--van: there is no VAN {config.van!r}", hint=nearest(config.van, VAN_SIZES))
    if pictures < config.batch:
        raise UsageError(
            f"{pictures} pictures are fewer than a batch of {config.batch}", hint="lower --batch"
        )


def describe_distillation(config: DistillConfig, recipe: dict[str, Any] | None) -> dict[str, Any]:
    """What a run is, for `config.json`."""
    return {"settings": config.to_dict(), "data": (recipe or {}).get("data", {})}


def finished(folder: Path, recipe: dict[str, Any]) -> Path | None:
    """The result of the same run where it stands in the folder, whole; None where it is to be made.

    Args:
        folder: Of the run, claimed for it.
        recipe: As `provenance.qen_recipe` makes it; the version of the code may differ.
    """
    result = folder / RESULT
    if not result.exists():
        return None
    try:
        found = read_recipe(result)
    except WeightsError:
        return None
    now = json.loads(json.dumps(recipe))
    same = found is not None and {**found, "code_version": ""} == {**now, "code_version": ""}
    return result if same else None
