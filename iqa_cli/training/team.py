"""The processes that train together: one alone, or several of `accelerate launch`.

Each process makes and computes its own share of every batch; gradients are averaged, so that all hold the
same weights. The main one validates with the help of the others, and alone writes and speaks. Batch norms of
a GPU normalise over the shares of all (SyncBatchNorm), as they do over the whole batch in one process;
PyTorch has none for the CPU, where each normalises over its own share.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iqa_cli.errors import IqaError, UsageError
from iqa_cli.training.devices import Machine
from iqa_cli.training.launch import process_count

Item = TypeVar("Item")

#: Reading a database on one process may take longer than the others are used to wait for.
_TIMEOUT = timedelta(hours=4)


class Team:
    """One process alone; also what several have in common.

    Attributes:
        rank: Position of this process, from 0.
        size: Number of processes.
        device: Where this one computes.
    """

    def __init__(self, device: torch.device, rank: int = 0, size: int = 1) -> None:
        self.device, self.rank, self.size = device, rank, size

    @property
    def is_main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are those of all processes."""
        return module

    def mean(self, values: Sequence[Tensor]) -> list[float]:
        """Means of scalars over the processes."""
        return torch.stack([value.detach().float() for value in values]).tolist()

    def agree(self, said: bool) -> bool:
        """What the main process says."""
        return said

    def spread(self, module: nn.Module) -> None:
        """Give all processes the state of the main one."""

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that fall to this process."""
        return items

    def joined(self, mine: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        """Results [total] of all items, from those of each share."""
        return mine

    def wait(self) -> None:
        """Until all are here."""

    def seed(self, seed: int, step: int) -> None:
        """Set torch's generator for a step, where its state is not kept in the checkpoint."""


class AcceleratedTeam(Team):
    """Several processes through Hugging Face Accelerate, plain data-parallel.

    Raises:
        IqaError: Accelerate is not installed.
        UsageError: It was set up for something else, such as sharded weights.
    """

    def __init__(self, machine: Machine) -> None:
        try:
            from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
        except ImportError:
            raise IqaError(
                "training in several processes needs Hugging Face Accelerate", hint="pip install accelerate"
            ) from None
        # Parts without a gradient, such as the head of an auxiliary task that is off, are no error.
        handlers = [
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=_TIMEOUT),
        ]
        self.accelerator: Any = Accelerator(
            cpu=machine.device.type == "cpu", mixed_precision="no", kwargs_handlers=handlers
        )
        kind = self.accelerator.distributed_type.value
        if kind not in ("MULTI_CPU", "MULTI_GPU"):
            raise UsageError(
                f"accelerate launch was set up for {kind}; training here is plain data-parallel",
                hint="accelerate launch --multi_gpu, or --cpu",
            )
        accelerator = self.accelerator
        super().__init__(accelerator.device, accelerator.process_index, accelerator.num_processes)

    def wrap(self, module: nn.Module) -> nn.Module:
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return self.accelerator.prepare(module)

    def mean(self, values: Sequence[Tensor]) -> list[float]:
        stacked = torch.stack([value.detach().float().to(self.device) for value in values])
        return self.accelerator.reduce(stacked, reduction="mean").tolist()

    def agree(self, said: bool) -> bool:
        vote = torch.tensor(float(said and self.is_main), device=self.device)
        return float(self.accelerator.reduce(vote, reduction="sum")) > 0

    @torch.no_grad()
    def spread(self, module: nn.Module) -> None:
        for tensor in module.state_dict().values():
            torch.distributed.broadcast(tensor, src=0)

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        return items[self.rank :: self.size]

    def joined(self, mine: NDArray[np.float64], total: int) -> NDArray[np.float64]:
        everything = torch.zeros(total, dtype=torch.float64, device=self.device)
        everything[self.rank :: self.size] = torch.from_numpy(mine).to(self.device)
        return self.accelerator.reduce(everything, reduction="sum").cpu().numpy()

    def wait(self) -> None:
        self.accelerator.wait_for_everyone()

    def seed(self, seed: int, step: int) -> None:
        # A checkpoint holds the generator of one process; dropout must differ between processes and must be
        # the same when a run is resumed.
        drawn = np.random.SeedSequence((seed, step, self.rank)).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(drawn >> 1))


def team_of(machine: Machine) -> Team:
    """The processes this one trains with, as its launcher says."""
    return Team(machine.device) if process_count() == 1 else AcceleratedTeam(machine)


def check_team(team: Team, batch: int) -> None:
    """See that a batch can be divided.

    Raises:
        UsageError: Not evenly, or into shares of one, over which batch norms cannot normalise.
    """
    if team.size > 1 and (batch % team.size or batch < 2 * team.size):
        raise UsageError(
            f"a batch of {batch} cannot be divided among {team.size} processes",
            hint="--set batch=... to a multiple of them, at least 2 for each",
        )
