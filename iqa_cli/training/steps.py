"""The steps of a pre-training: what changes in it, its checkpoint, and how a step is taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from iqa_cli.errors import IqaError
from iqa_cli.training.checkpoint import checkpoint_fits, load_checkpoint, save_checkpoint
from iqa_cli.training.interrupt import deferred_interrupt

_Batch = TypeVar("_Batch")

#: Largest norm of a gradient; a larger one is scaled down to it.
_CLIP = 1.0


@dataclass
class Steps:
    """A network that learns, and how far it is.

    Attributes:
        path: The checkpoint.
        model: What learns.
        optimiser: Of its parameters.
        schedule: Of the rates.
        step: Steps taken.
        waited: Seconds that `each` has waited for batches.
    """

    path: Path
    model: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    step: int = 0
    waited: float = 0.0

    def resume(self, total: int, log: Callable[[str], None]) -> bool:
        """Go on from the checkpoint, where there is one; whether there is.

        Raises:
            WeightsError: It cannot be used.
        """
        if not self.path.exists():
            return False
        saved = load_checkpoint(self.path)
        with checkpoint_fits(self.path):
            for part in ("model", "optimiser", "schedule"):
                getattr(self, part).load_state_dict(saved[part])
            self.step = int(saved["step"])
        log(f"resumed at step {self.step} of {total}")
        return True

    def save(self) -> None:
        """Write the checkpoint; a failure, which is a WeightsError, leaves the one before."""
        parts = {part: getattr(self, part).state_dict() for part in ("model", "optimiser", "schedule")}
        save_checkpoint(self.path, {**parts, "step": self.step})

    def take(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """One step down the gradient of a scalar.

        Raises:
            IqaError: Loss or gradient is not finite any more; nothing was changed.
        """
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, _CLIP)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise IqaError(
                f"step {self.step + 1}: the loss is not finite any more (learning rate "
                f"{self.optimiser.param_groups[0]['lr']:.3g})",
                hint="nothing of it was saved",
            )
        self.optimiser.step()
        self.schedule.step()
        self.step += 1

    def each(
        self, batches: Generator[_Batch, None, None], last: int, save_every: int
    ) -> Generator[_Batch, None, None]:
        """The batches one by one, for a loop that takes a step on each; close it, whatever ends the loop.

        Between two steps the checkpoint is written when it is due, and Ctrl-C is heard.

        Args:
            batches: Closed at the end.
            last: The step after which there is a checkpoint in any case.
            save_every: Steps between two checkpoints.

        Raises:
            KeyboardInterrupt: After the checkpoint has been saved; it carries a line for the user.
        """
        try:
            with deferred_interrupt() as interrupt:
                while True:
                    asked = time.monotonic()
                    batch = next(batches, None)
                    self.waited += time.monotonic() - asked
                    if batch is None:
                        break
                    yield batch
                    if self.step % save_every == 0 or self.step == last:
                        self.save()
                    interrupt.check()
        except KeyboardInterrupt:
            raise self.save_interrupted() from None
        finally:
            batches.close()

    def save_interrupted(self) -> KeyboardInterrupt:
        """What to raise on Ctrl-C, after the steps taken have been saved."""
        if self.step:
            self.save()
        return KeyboardInterrupt(f"interrupted at step {self.step}; the same command resumes")
