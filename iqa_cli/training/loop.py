"""The training loop: fits a network on `train`, chooses the epoch on `calib`, never looks at anything
else."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import UsageError
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import Batch, CropSampler, decode_all
from iqa_cli.training.losses import opinion_loss, ranking_loss
from iqa_cli.training.schedule import warmup_cosine
from iqa_cli.training.validate import predict_raw

Log = Callable[[str], None]


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
        """Write the checkpoint, then rename it into place: a crash leaves the one before."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "best": self.best,
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of this program."""
        state = torch.load(path, weights_only=True)
        for part in ("network", "average", "optimiser", "schedule"):
            getattr(self, part).load_state_dict(state[part])
        torch.set_rng_state(state["random"])
        self.step, self.best = state["step"], state["best"]


def train(
    config: TrainConfig,
    network: nn.Module,
    fit: Sequence[ImageRecord],
    choose: Sequence[ImageRecord],
    policy: SizePolicy,
    folder: Path,
    log: Log,
    max_steps: int | None = None,
) -> dict[str, Tensor]:
    """Train, or resume the run in `folder`.

    Args:
        config: The settings; `folder/config.json` must agree when a run is resumed.
        network: As built, its starting points loaded.
        fit: Pictures to fit.
        choose: Pictures on which the epoch is chosen.
        policy: Size policy of validation.
        folder: Gets `config.json`, `log.jsonl`, `last.pt` and `best.pt`.
        log: Takes a line now and then.
        max_steps: Stop early, for a dry run.

    Returns:
        State of the best epoch by SRCC on `choose` (of the averaged weights).

    Raises:
        UsageError: The folder holds a run with other settings, or a part is too small.
        ImageError: A picture cannot be read.
    """
    if len(fit) < config.batch or len(choose) < 3:
        raise UsageError(f"{len(fit)} pictures to fit and {len(choose)} to choose on are too few")
    _claim(folder, config)
    torch.manual_seed(config.seed)
    log(f"decoding {len(fit)} pictures")
    images = decode_all([r.path for r in fit])
    mos = torch.tensor([r.mos for r in fit], dtype=torch.float32)
    sampler = CropSampler(
        images,
        config.size,
        config.batch,
        config.distorted,
        config.seed,
        eligible=[r.mos >= config.rank_from for r in fit],
    )
    total = config.epochs * sampler.steps_per_epoch()
    run = _start(config, network, total)
    if (folder / "last.pt").exists():
        run.load(folder / "last.pt")
        log(f"resumed at step {run.step} of {total}")
    precision = torch.bfloat16 if config.precision == "bf16" else torch.float32
    while run.step < total:
        epoch, position = divmod(run.step, sampler.steps_per_epoch())
        _epoch(config, run, sampler, mos, epoch, position, total, precision, folder, log, max_steps)
        if max_steps is not None and run.step >= max_steps:
            break
        _validate(run, choose, policy, precision, folder, epoch, log)
        run.save(folder / "last.pt")
    if not (folder / "best.pt").exists():
        _validate(run, choose, policy, precision, folder, 0, log)
    return torch.load(folder / "best.pt", weights_only=True)


def _start(config: TrainConfig, network: nn.Module, total: int) -> Run:
    network = network.to(memory_format=torch.channels_last)
    learnt = {id(p) for m in network.pretrained_modules() for p in m.parameters()}  # type: ignore[operator]
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) in learnt], "lr": config.rate_backbone},
        {"params": [p for p in trainable if id(p) not in learnt], "lr": config.rate_new},
    ]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(total, config.warmup))
    average = copy.deepcopy(network).requires_grad_(False).eval()
    return Run(network, average, optimiser, schedule)


def _epoch(
    config: TrainConfig,
    run: Run,
    sampler: CropSampler,
    mos: Tensor,
    epoch: int,
    position: int,
    total: int,
    precision: torch.dtype,
    folder: Path,
    log: Log,
    max_steps: int | None,
) -> None:
    run.network.train()
    sums, started = np.zeros(3), time.monotonic()
    trainable = [p for p in run.network.parameters() if p.requires_grad]
    for batch in sampler.epoch(epoch, position):
        losses = _losses(config, run.network, batch, mos, precision)
        run.optimiser.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        nn.utils.clip_grad_norm_(trainable, 1.0)
        run.optimiser.step()
        run.schedule.step()
        run.step += 1
        _update_average(run, config.average)
        sums += [float(loss.detach()) for loss in losses]
        if run.step % 50 == 0:
            names = ("opinion", "auxiliary", "ranking")
            means = dict(zip(names, (sums / 50).round(5).tolist(), strict=True))
            _write(folder, {"step": run.step, **means, "seconds": round(time.monotonic() - started, 1)})
            log(f"step {run.step}/{total}  " + "  ".join(f"{k} {v:.4f}" for k, v in means.items()))
            sums[:], started = 0, time.monotonic()
        if run.step % 200 == 0:
            run.save(folder / "last.pt")
        if max_steps is not None and run.step >= max_steps:
            return


def _losses(
    config: TrainConfig, network: nn.Module, batch: Batch, mos: Tensor, precision: torch.dtype
) -> list[Tensor]:
    """Opinion, auxiliary and weighted ranking loss of one step."""
    rgb = batch.rgb.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        scores, auxiliary = network.forward_with_auxiliary(rgb)  # type: ignore[operator]
    scores = scores.float()
    distorted = torch.from_numpy(batch.pair >= 0)
    index, pair = torch.from_numpy(batch.index), torch.from_numpy(batch.pair)
    margin = config.rank_margin * torch.from_numpy(batch.level)[distorted]
    opinion = opinion_loss(scores[~distorted], mos[index[~distorted]])
    # The clean crop is held: pairs must not be told apart by praising the better one.
    ranking = ranking_loss(scores[pair[distorted]].detach(), scores[distorted], margin)
    return [opinion, auxiliary.float(), config.rank_weight * ranking]


@torch.no_grad()
def _update_average(run: Run, decay: float) -> None:
    # A young run averages over what there is, or it would remember its random start.
    decay = min(decay, (1 + run.step) / (10 + run.step))
    ours, theirs = run.average.state_dict(), run.network.state_dict()
    for name, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - decay)
        else:
            value.copy_(theirs[name])


def _validate(
    run: Run,
    choose: Sequence[ImageRecord],
    policy: SizePolicy,
    precision: torch.dtype,
    folder: Path,
    epoch: int,
    log: Log,
) -> None:
    raw = predict_raw(run.average, [r.path for r in choose], policy, precision=precision)["pooled"]
    found = agreement(raw, [r.mos for r in choose])
    line: dict[str, Any] = {"step": run.step, "epoch": epoch, "srcc": found.srcc, "plcc": found.plcc}
    _write(folder, line)
    log(f"epoch {epoch + 1}: SRCC {found.srcc:.4f}, PLCC {found.plcc:.4f} on {found.n} pictures")
    if found.srcc > run.best:
        run.best = found.srcc
        torch.save(run.average.state_dict(), folder / "best.new")
        (folder / "best.new").replace(folder / "best.pt")


def _claim(folder: Path, config: TrainConfig) -> None:
    """Record the settings, or check that the run that is there has the same."""
    folder.mkdir(parents=True, exist_ok=True)
    path, wanted = folder / "config.json", json.dumps(config.to_dict(), indent=1, sort_keys=True) + "\n"
    if path.exists() and path.read_text() != wanted:
        raise UsageError(
            f"{folder} holds a run with other settings", hint="choose another --out, or remove it"
        )
    path.write_text(wanted)


def _write(folder: Path, line: dict[str, Any]) -> None:
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
