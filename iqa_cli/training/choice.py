"""The choice of the epoch: validation of the averaged weights, the best of them kept, and when to stop."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import IqaError
from iqa_cli.evaluation.correlation import Agreement, agreement
from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.checkpoint import save_checkpoint
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.devices import dtype_of
from iqa_cli.training.mixture import Part
from iqa_cli.training.runlog import RunLog
from iqa_cli.training.state import Run
from iqa_cli.training.team import Team
from iqa_cli.training.top import best_epochs, keep_weights, mean_weights, remove_weights
from iqa_cli.training.validate import predict_raw


@dataclass
class Choice:
    """Chooses the epoch on the part of the anchor that is there for it; the log remembers the epochs.

    Attributes:
        config: The settings.
        run: Whose averaged weights are measured.
        choose: Labelled pictures of the anchor.
        further: Other databases; the SRCC on their pictures is logged and chooses nothing.
        policy: Size policy.
        team: The processes that measure together.
        out: The run's log.
        steps_per_epoch: Steps after which an epoch ends.
    """

    config: TrainConfig
    run: Run
    choose: Sequence[ImageRecord]
    further: Sequence[Part]
    policy: SizePolicy
    team: Team
    out: RunLog
    steps_per_epoch: int

    def measured(self) -> dict[int, float]:
        """SRCC of the epochs that were validated up to the present step."""
        found = {}
        for line in self.out.lines():
            epoch, step, srcc = (line.get(key) for key in ("epoch", "step", "srcc"))
            if not isinstance(epoch, int) or not isinstance(srcc, float):
                continue
            if step == (epoch + 1) * self.steps_per_epoch <= self.run.step:
                found[epoch] = srcc
        return found

    def recall_best(self) -> None:
        """The best SRCC so far, of a checkpoint that may be older than the last validation."""
        self.run.best = max([self.run.best, *self.measured().values()])

    def out_of_patience(self, epochs: int) -> bool:
        """Whether the run ends after `epochs` of its epochs, before the last."""
        found = self.measured()
        if not self.config.patience or not found or epochs >= self.config.epochs:
            return False
        best = max(found, key=lambda epoch: (found[epoch], -epoch))
        if epochs - 1 - best < self.config.patience:
            return False
        self.out.say(f"no better SRCC since epoch {best + 1}: the run ends after epoch {epochs}")
        return True

    def measure(self, epoch: int | None, facts: dict[str, Any]) -> None:
        """Measure the averaged weights on `choose`, and keep them if they are the best.

        Args:
            epoch: The one that ended, from 0; None in a dry run, whose weights are not kept.
            facts: Further values for the line of the log.

        Raises:
            IqaError: The network says the same of all pictures.
            ImageError: A picture cannot be read.
            WeightsError: The weights or the log cannot be written.
        """
        run = self.run
        self.team.spread(run.average)
        try:
            found = agreement(self._predicted(self.choose, run.average), [r.mos for r in self.choose])
        except ValueError as error:
            raise IqaError(f"step {run.step}: the pictures to choose on: {error}") from None
        others = {part.database: self._srcc(part.choose) for part in self.further if part.choose}
        if epoch is not None and self.team.is_main:
            if found.srcc > run.best:
                save_checkpoint(self.out.folder / "best.pt", run.average.state_dict())
            if self.config.top_average:
                best = best_epochs({**self.measured(), epoch: found.srcc}, self.config.top_average)
                keep_weights(self.out.folder, epoch, run.average.state_dict(), best)
        # After the weights: a validation that is in the log needs not be made again.
        name = {} if epoch is None else {"epoch": epoch}
        line = {"step": run.step, **name, "srcc": found.srcc, "plcc": found.plcc, **facts}
        scalars = {"choose/srcc": found.srcc, "choose/plcc": found.plcc}
        scalars |= {f"srcc/{database}": value for database, value in others.items() if value is not None}
        self.out.record({**line, "others": others} if others else line, scalars)
        self.out.write_metrics()
        run.best = max(run.best, found.srcc) if epoch is not None else run.best
        title = "dry run" if epoch is None else f"epoch {epoch + 1}"
        rest = "".join(f", {name} {'none' if v is None else f'{v:.4f}'}" for name, v in others.items())
        self.out.say(f"{title}: SRCC {found.srcc:.4f}, PLCC {found.plcc:.4f} on {found.n} pictures{rest}")

    def average_top(self) -> None:
        """Measure the mean of the best epochs' weights, and keep it if it is better than each of them.

        For the end of a run; where that was reached before, it is in the log. A mean that says the same of
        all pictures is not better.

        Raises:
            ImageError: A picture cannot be read.
            WeightsError: The weights cannot be read or written.
        """
        measured, folder = self.measured(), self.out.folder
        best = best_epochs(measured, self.config.top_average)
        done = any(line.get("averaged") == best for line in self.out.lines())
        if len(best) > 1 and not self.team.agree(done):
            network = copy.deepcopy(self.run.average)
            if self.team.is_main:
                network.load_state_dict(mean_weights(folder, best))
            self.team.spread(network)
            found = self._agreement(self.choose, network)
            better = found is not None and found.srcc > max(measured.values())
            if better and self.team.is_main:
                save_checkpoint(folder / "best.pt", network.state_dict())
            figures = {} if found is None else {"srcc": found.srcc, "plcc": found.plcc}
            self.out.record({"step": self.run.step, "averaged": best, **figures}, {})
            shown = "all the same" if found is None else f"SRCC {found.srcc:.4f}, PLCC {found.plcc:.4f}"
            names = ", ".join(str(epoch + 1) for epoch in best)
            self.out.say(
                f"mean of the epochs {names}: {shown}: {'kept' if better else 'not kept, the best epoch is'}"
            )
        if self.team.is_main:
            remove_weights(folder)

    def _predicted(self, records: Sequence[ImageRecord], network: nn.Module) -> NDArray[np.float64]:
        """Pooled outputs [n] of a network, made by all processes together."""
        pooled = predict_raw(
            network,
            self.team.share([r.path for r in records]),
            self.policy,
            precision=dtype_of(self.config.precision),
            progress=lambda done, total: self.out.show("validating", done, total),
        )
        return self.team.joined(pooled, len(records))

    def _agreement(self, records: Sequence[ImageRecord], network: nn.Module) -> Agreement | None:
        """Figures that may be missing; None where the network says the same of all."""
        try:
            return agreement(self._predicted(records, network), [r.mos for r in records])
        except ValueError:
            return None

    def _srcc(self, records: Sequence[ImageRecord]) -> float | None:
        """SRCC on a part that chooses nothing."""
        found = self._agreement(records, self.run.average)
        return None if found is None else found.srcc
