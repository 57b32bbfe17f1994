"""The training loop: fits a network on `train`, chooses the epoch on `calib`, never looks at anything
else."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.errors import IqaError, UsageError
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.checkpoint import append_log, claim_folder, load_checkpoint, read_log, save_checkpoint
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import Batch, CropSampler, decode_all
from iqa_cli.training.interrupt import deferred_interrupt
from iqa_cli.training.losses import step_losses
from iqa_cli.training.state import Run, start, update_average
from iqa_cli.training.validate import predict_raw

Log = Callable[[str], None]

#: Steps between two lines of the log, and between two checkpoints.
LOG_EVERY, SAVE_EVERY = 50, 200
#: What a run did whose record says nothing of a setting, because there was none yet.
LATER = {"settings": TrainConfig().to_dict()}
_LOSSES = ("opinion", "auxiliary", "ranking")


def train(
    config: TrainConfig,
    network: nn.Module,
    fit: Sequence[ImageRecord],
    choose: Sequence[ImageRecord],
    policy: SizePolicy,
    folder: Path,
    log: Log,
    max_steps: int | None = None,
    origin: Mapping[str, Any] | None = None,
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
        origin: "dataset" (its name) and "starts" (option -> SHA-256 of the file or None); they must agree as
            well when a run is resumed.

    Returns:
        State of the best epoch by SRCC on `choose` (of the averaged weights); of the last step in a dry run
        that ends before the first epoch.

    Raises:
        UsageError: The folder holds another run, or a part is too small.
        ImageError: A picture cannot be read.
        WeightsError: A checkpoint cannot be written, or one that is there cannot be used.
        IqaError: The loss is not finite any more, or the network says the same of all pictures.
        KeyboardInterrupt: After the checkpoint has been saved; it carries a line for the user.
    """
    if len(fit) < config.batch or len(choose) < 3 or len({r.mos for r in choose}) < 2:
        raise UsageError(
            f"{len(fit)} pictures to fit and {len(choose)} to choose on are too few",
            hint=f"a batch ({config.batch}) of the first and 3 of the second, with different opinions",
        )
    claim_folder(folder, describe_run(config, network, fit, choose, origin or {}), log, LATER)
    torch.manual_seed(config.seed)
    log(f"decoding {len(fit)} pictures")
    sampler = CropSampler(
        decode_all([r.path for r in fit]),
        config.size,
        config.batch,
        config.distorted,
        config.seed,
        eligible=[r.mos >= config.rank_from for r in fit],
        reduced=config.reduced,
        crops_per_image=config.crops_per_image,
    )
    total = config.epochs * sampler.steps_per_epoch()
    session = Session(config, start(config, network, total), sampler, fit, choose, policy, folder, log, total)
    run, last = session.run, folder / "last.pt"
    if last.exists():
        run.load(last)
        session.recall_best()
        log(f"resumed at step {run.step} of {total}")
    try:
        session.train_until(total if max_steps is None else min(max_steps, total))
        if not (folder / "best.pt").exists():
            session.validate(None)
            return run.average.state_dict()
    except KeyboardInterrupt:
        if run.step:
            run.save(last)
        raise KeyboardInterrupt(f"interrupted at step {run.step}; the same command resumes") from None
    return load_checkpoint(folder / "best.pt")


def describe_run(
    config: TrainConfig,
    network: nn.Module,
    fit: Sequence[ImageRecord],
    choose: Sequence[ImageRecord],
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """What a run is, for `config.json`: settings, the network with all its fields, data, starting points."""
    opinions = sorted(f"{r.name}\t{r.mos!r}" for r in (*fit, *choose))
    settings = config.to_dict()
    del settings["network_config"]
    return {
        "settings": settings,
        "network": network.config.to_dict(),  # type: ignore[union-attr, operator]
        "data": {
            "dataset": origin.get("dataset"),
            "fit": split_hash(fit),
            "choose": split_hash(choose),
            "opinions": hashlib.sha256("\n".join(opinions).encode("utf-8", "surrogateescape")).hexdigest()[
                :16
            ],
        },
        "starts": dict(origin.get("starts", {})),
    }


@dataclass
class Session:
    """A run with what it works on; the functions of this module as methods, to share it."""

    config: TrainConfig
    run: Run
    sampler: CropSampler
    fit: Sequence[ImageRecord]
    choose: Sequence[ImageRecord]
    policy: SizePolicy
    folder: Path
    log: Log
    total: int

    def __post_init__(self) -> None:
        self.mos = torch.tensor([r.mos for r in self.fit], dtype=torch.float32)
        self.precision = torch.bfloat16 if self.config.precision == "bf16" else torch.float32

    def recall_best(self) -> None:
        """The best SRCC so far, of a checkpoint that may be older than the last validation."""
        per_epoch = self.sampler.steps_per_epoch()
        for line in read_log(self.folder):
            epoch, step, srcc = (line.get(key) for key in ("epoch", "step", "srcc"))
            if isinstance(epoch, int) and isinstance(srcc, float) and step == (epoch + 1) * per_epoch:
                self.run.best = max(self.run.best, srcc) if step <= self.run.step else self.run.best

    def train_until(self, last_step: int) -> None:
        """Train up to a step; every epoch that ends is validated, also one that ended in an earlier run."""
        run, checkpoint = self.run, self.folder / "last.pt"
        while True:
            epoch, position = divmod(run.step, self.sampler.steps_per_epoch())
            if run.step and position == 0 and not self._validated(epoch - 1):
                self.validate(epoch - 1)
                run.save(checkpoint)
            if run.step >= last_step:
                break
            self._train_epoch(epoch, position, last_step)
        if run.step < self.total:
            run.save(checkpoint)

    def _validated(self, epoch: int) -> bool:
        return any(
            line.get("epoch") == epoch and line.get("step") == self.run.step and "srcc" in line
            for line in read_log(self.folder)
        )

    def _train_epoch(self, epoch: int, position: int, last_step: int) -> None:
        run, count = self.run, 0
        run.network.train()
        sums, started = np.zeros(len(_LOSSES)), time.monotonic()
        with deferred_interrupt() as interrupt:
            for batch in self.sampler.epoch(epoch, position):
                sums += self._step(batch)
                count += 1
                if run.step % LOG_EVERY == 0:
                    means = dict(zip(_LOSSES, (sums / count).round(5).tolist(), strict=True))
                    seconds = round(time.monotonic() - started, 1)
                    append_log(self.folder, {"step": run.step, **means, "seconds": seconds})
                    shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
                    self.log(f"step {run.step}/{self.total}  {shown}")
                    sums[:], count, started = 0, 0, time.monotonic()
                if run.step % SAVE_EVERY == 0:
                    run.save(self.folder / "last.pt")
                interrupt.check()
                if run.step >= last_step:
                    return

    def _step(self, batch: Batch) -> list[float]:
        """One step of the optimiser; the values of its losses."""
        run = self.run
        losses = step_losses(self.config, run.network, batch, self.mos, self.precision)
        values = [float(loss.detach()) for loss in losses]
        run.optimiser.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        trainable = [p for p in run.network.parameters() if p.requires_grad]
        norm = float(nn.utils.clip_grad_norm_(trainable, 1.0))
        if not all(map(math.isfinite, (*values, norm))):
            rates = " and ".join(f"{group['lr']:.3g}" for group in run.optimiser.param_groups)
            raise IqaError(
                f"step {run.step + 1}: the loss is not finite any more (learning rates {rates})",
                hint="nothing of it was saved; lower --set rate_backbone=... and --set rate_new=...",
            )
        run.optimiser.step()
        run.schedule.step()
        run.step += 1
        update_average(run, self.config.average)
        return values

    def validate(self, epoch: int | None) -> None:
        """Measure the averaged weights on `choose`, and keep them if they are the best; None in a dry run,
        whose weights are not kept."""
        paths = [r.path for r in self.choose]
        raw = predict_raw(self.run.average, paths, self.policy, precision=self.precision)["pooled"]
        try:
            found = agreement(raw, [r.mos for r in self.choose])
        except ValueError as error:
            raise IqaError(f"step {self.run.step}: the pictures to choose on: {error}") from None
        if epoch is not None and found.srcc > self.run.best:
            save_checkpoint(self.folder / "best.pt", self.run.average.state_dict())
        # After the weights: a validation that is in the log needs not be made again.
        name = {} if epoch is None else {"epoch": epoch}
        append_log(self.folder, {"step": self.run.step, **name, "srcc": found.srcc, "plcc": found.plcc})
        self.run.best = max(self.run.best, found.srcc) if epoch is not None else self.run.best
        title = "dry run" if epoch is None else f"epoch {epoch + 1}"
        self.log(f"{title}: SRCC {found.srcc:.4f}, PLCC {found.plcc:.4f} on {found.n} pictures")
