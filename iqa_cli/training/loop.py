"""The training loop: fits a network on `fit`, chooses the epoch on `choose`, never looks at anything else."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import IqaError
from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.checkpoint import claim_folder, load_checkpoint
from iqa_cli.training.choice import Choice
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import Batch, CropSampler
from iqa_cli.training.description import check_enough, describe_run
from iqa_cli.training.devices import Machine
from iqa_cli.training.interrupt import deferred_interrupt
from iqa_cli.training.loader import Speed, TimedBatches, makers
from iqa_cli.training.losses import StepLosses
from iqa_cli.training.mixture import Part, check_parts
from iqa_cli.training.runlog import Log, Progress, RunLog
from iqa_cli.training.setup import read_pictures, sampler_of, step_losses
from iqa_cli.training.state import Run, start, update_average
from iqa_cli.training.team import Team, check_team, team_of

#: Steps between two lines of the log, and between two checkpoints.
LOG_EVERY, SAVE_EVERY = 50, 200
#: What a run did whose record says nothing of a setting, because there was none yet.
LATER = {"settings": TrainConfig().to_dict()}


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
    *,
    further: Sequence[Part] = (),
    machine: Machine | None = None,
    progress: Progress | None = None,
    tensorboard: bool = False,
) -> dict[str, Tensor]:
    """Train, or resume the run in `folder`.

    Under `accelerate launch` every process calls it with the same arguments; see `iqa_cli.training.team`.

    Args:
        config: The settings; `folder/config.json` must agree when a run is resumed.
        network: As built, its starting points loaded; it is moved to the device.
        fit: Pictures to fit.
        choose: Pictures on which the epoch is chosen.
        policy: Size policy of validation.
        folder: Gets `config.json`, `log.jsonl`, `metrics.csv`, `last.pt` and `best.pt`.
        log: Takes a line now and then.
        max_steps: Stop early, for a dry run.
        origin: "dataset" (its name) and "starts" (option -> SHA-256 of the file or None); they must agree as
            well when a run is resumed.
        further: Other databases to fit at once; `fit` and `choose` are then the anchor of the score's scale.
        machine: Device and loader; the CPU and one thread if not given.
        progress: Told how far the run is.
        tensorboard: Whether to write event files into `folder/tensorboard`.

    Returns:
        State of the best epoch by SRCC on `choose` (of the averaged weights), or of the mean of several where
        that is asked for and better, on the CPU; of the last step in a dry run that ends before the first
        epoch; the network as it came where there is no epoch.

    Raises:
        UsageError: The folder holds another run, or a part is too small.
        ImageError: A picture cannot be read.
        WeightsError: A checkpoint cannot be written, or one that is there cannot be used.
        IqaError: The loss is not finite any more, or the network says the same of all pictures.
        KeyboardInterrupt: After the checkpoint has been saved; it carries a line for the user.
    """
    check_enough(config, fit, choose)
    check_parts(str((origin or {}).get("dataset")), further)
    machine = machine or Machine()
    team = team_of(machine)
    check_team(team, config.batch)
    if team.is_main:
        claim_folder(folder, describe_run(config, network, fit, choose, origin or {}, further), log, LATER)
    team.wait()
    if config.epochs == 0:  # what it says of `choose` is measured when it is calibrated
        return {name: value.detach().cpu() for name, value in network.state_dict().items()}
    torch.manual_seed(config.seed)
    out = RunLog(folder, log, progress, active=team.is_main)
    records = [*fit, *(record for part in further for record in part.fit)]
    sampler = sampler_of(config, read_pictures(records, machine, out), fit, further, team)
    total = config.epochs * sampler.steps_per_epoch()
    losses = step_losses(config, network, fit, further, team)
    run, last = start(config, network, total, team.device, losses.maps), folder / "last.pt"
    choice = Choice(config, run, choose, further, policy, team, out, sampler.steps_per_epoch())
    if last.exists():
        run.load(last)
        choice.recall_best()
        out.say(f"resumed at step {run.step} of {total}")
    if tensorboard:
        out.open_tensorboard(run.step)
    team.wait()  # nobody writes before all have read
    session = Session(config, run, losses, team, sampler, choice, out, total, machine)
    try:
        ended = session.train_until(total if max_steps is None else min(max_steps, total))
        session.tell_speed()
        if ended and config.top_average:
            choice.average_top()
        team.wait()  # until the main process has written what all read now
        if not (folder / "best.pt").exists():
            choice.measure(None, session.of_epoch())
            return run.averaged()
    except KeyboardInterrupt:
        if run.step and team.is_main:
            run.save(last)
        raise KeyboardInterrupt(f"interrupted at step {run.step}; the same command resumes") from None
    finally:
        out.close()
    return load_checkpoint(folder / "best.pt")


@dataclass
class Session:
    """A run with what it works on; the functions of this module as methods, to share it."""

    config: TrainConfig
    run: Run
    losses: StepLosses
    team: Team
    sampler: CropSampler
    choice: Choice
    out: RunLog
    total: int
    machine: Machine

    def __post_init__(self) -> None:
        self.model = self.team.wrap(self.losses)
        self.trainable = [p for p in self.losses.parameters() if p.requires_grad]
        self.speed = Speed(makers(self.machine)[0])
        self.epoch_speed = self.speed

    def train_until(self, last_step: int) -> bool:
        """Train up to a step; every epoch that ends is validated, also one that ended in an earlier run.

        Returns:
            Whether the run has ended: at its last step, or out of patience.
        """
        run, patient = self.run, True
        batches = TimedBatches(self.sampler, run.step, last_step, self.machine)
        try:
            while True:
                epoch, position = divmod(run.step, self.sampler.steps_per_epoch())
                ended = run.step > 0 and position == 0
                if ended and not self.team.agree(epoch - 1 in self.choice.measured()):
                    self.choice.measure(epoch - 1, self.of_epoch())
                    self._save()
                if ended and run.step < last_step:
                    patient = not self.team.agree(self.choice.out_of_patience(epoch))
                if run.step >= last_step or not patient:
                    break
                self._train_epoch(epoch, batches, last_step)
        finally:
            batches.close()
        if run.step < self.total:
            self._save()
        return run.step >= self.total or not patient

    def _save(self) -> None:
        if self.team.is_main:
            self.run.save(self.out.folder / "last.pt")

    def _train_epoch(self, epoch: int, batches: TimedBatches, last_step: int) -> None:
        run, names = self.run, self.losses.names
        self.model.train()
        if run.step == epoch * self.sampler.steps_per_epoch() or not run.sums:
            run.sums, run.counted = [0.0] * len(names), 0
        self.epoch_speed = Speed(self.speed.makers)
        sums, count, started = np.zeros(len(names)), 0, time.monotonic()
        stop = min(last_step, (epoch + 1) * self.sampler.steps_per_epoch())
        with deferred_interrupt() as interrupt:
            while run.step < stop:
                batch = batches.next()
                began = time.monotonic()
                values, interrupted = self._step(batch, interrupt.came)
                for speed in (self.speed, self.epoch_speed):
                    speed.add(batch, batches.waited, time.monotonic() - began)
                sums += values
                run.sums = [total + value for total, value in zip(run.sums, values, strict=True)]
                count, run.counted = count + 1, run.counted + 1
                if run.step % LOG_EVERY == 0:
                    self._tell_losses(sums / count, time.monotonic() - started)
                    sums[:], count, started = 0, 0, time.monotonic()
                self.out.show("training", run.step, self.total, f"opinion {values[0]:.3f}")
                if run.step % SAVE_EVERY == 0:
                    self._save()
                # Several processes stop at the same step, the one after all of them have heard of it.
                if interrupted or (self.team.size == 1 and interrupt.came):
                    raise KeyboardInterrupt

    def _step(self, batch: Batch, interrupted: bool) -> tuple[list[float], bool]:
        """One step of the optimiser.

        Args:
            batch: Of this process.
            interrupted: Whether Ctrl-C came to this process.

        Returns:
            The values of the losses, and whether Ctrl-C came to any process; means over the processes.
        """
        run, scaler = self.run, self.run.scaler
        self.team.seed(self.config.seed, run.step)
        losses = self.model(batch)
        run.optimiser.zero_grad(set_to_none=True)
        scaler.scale(torch.stack(losses).sum()).backward()
        scaler.unscale_(run.optimiser)
        norm = nn.utils.clip_grad_norm_(self.trainable, self.config.clip or math.inf)
        *values, size, came = self.team.mean([*losses, norm, torch.tensor(float(interrupted))])
        # A gradient that float16 cannot hold is answered with a smaller scale, down to none at all.
        rescaled = scaler.is_enabled() and not math.isfinite(size) and scaler.get_scale() > 1
        if not all(map(math.isfinite, values)) or not (math.isfinite(size) or rescaled):
            rates = " and ".join(f"{group['lr']:.3g}" for group in run.optimiser.param_groups)
            raise IqaError(
                f"step {run.step + 1}: the loss is not finite any more (learning rates {rates})",
                hint="nothing of it was saved; lower --set rate_backbone=... and --set rate_new=...",
            )
        scaler.step(run.optimiser)
        scaler.update()
        if not rescaled:
            run.schedule.step()
        run.step += 1
        update_average(run, self.config.average)
        return values, came > 0

    def _tell_losses(self, means: NDArray[np.float64], seconds: float) -> None:
        run, names = self.run, self.losses.names
        found = dict(zip(names, means.round(5).tolist(), strict=True))
        rates = {f"rate/{i}": group["lr"] for i, group in enumerate(run.optimiser.param_groups)}
        scalars = {f"train/{name}": value for name, value in found.items()} | rates
        self.out.record({"step": run.step, **found, "seconds": round(seconds, 1)}, scalars)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
        self.out.say(f"step {run.step}/{self.total}  {shown}")

    def tell_speed(self) -> None:
        """How fast the loader could be beside how fast the steps were, where there were any."""
        if not self.speed.images:
            return
        kinds, processes = makers(self.machine)[1], self.team.size
        self.out.record({"step": self.run.step, "speed": self.speed.to_dict(), "makers": kinds}, {})
        whose = f" of each of {processes} processes" if processes > 1 else ""
        self.out.say(f"{self.speed.line(kinds)}{whose}")

    def of_epoch(self) -> dict[str, Any]:
        """For the log: means of the losses over the epoch's steps, how fast they were in this process, and
        the maps of further databases."""
        found: dict[str, Any] = {}
        if self.run.counted:
            means = [round(total / self.run.counted, 5) for total in self.run.sums]
            found["train"] = dict(zip(self.losses.names, means, strict=True))
        if self.epoch_speed.images:
            found["speed"] = self.epoch_speed.to_dict()
        names = [part.database for part in self.choice.further if part.kind != "taught"]
        return {**found, "maps": self.losses.map_values(names)} if names else found
