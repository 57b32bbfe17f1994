"""The mean of weights, and the weights of the best epochs of a run, kept until its end for it.

The mean of weights from along one training often measures better than any of them (Izmailov et al., SWA,
UAI 2018, arXiv 1803.05407, who take the last ones). Ours: the best epochs on the part that chooses, each as
its own moving average of the weights, and the mean only if it measures better there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from iqa_cli.training.checkpoint import load_checkpoint, save_checkpoint


def best_epochs(measured: Mapping[int, float], number: int) -> list[int]:
    """The epochs of the highest SRCC, at most `number`, of equal ones the earlier; in their order."""
    return sorted(sorted(measured, key=lambda epoch: (-measured[epoch], epoch))[:number])


def keep_weights(folder: Path, epoch: int, state: Mapping[str, Tensor], best: Sequence[int]) -> None:
    """Write the weights of an epoch if it is one of the best, and remove those that are not any more.

    Args:
        folder: Of the run.
        epoch: The one that ended, from 0.
        state: Its weights.
        best: The best epochs up to it.

    Raises:
        WeightsError: They cannot be written.
    """
    if epoch in best:
        save_checkpoint(_path(folder, epoch), dict(state))
    remove_weights(folder, best)


def remove_weights(folder: Path, but: Sequence[int] = ()) -> None:
    """Remove the weights of all epochs but some."""
    kept = {_path(folder, epoch) for epoch in but}
    for path in folder.glob("epoch[0-9]*.pt"):
        if path not in kept:
            path.unlink(missing_ok=True)


def mean_weights(folder: Path, epochs: Sequence[int]) -> dict[str, Tensor]:
    """The mean of the weights of several epochs.

    Raises:
        WeightsError: Those of one are missing or damaged.
    """
    return mean_state(load_checkpoint(_path(folder, epoch)) for epoch in epochs)


def mean_state(states: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the tensors of several states of the same names and shapes, the statistics of batch norms
    with them; what is no floating number is that of the last.

    Args:
        states: One or more; one at a time is held.
    """
    sums: dict[str, Tensor] = {}
    state: Mapping[str, Tensor] = {}
    count = 0
    for state in states:
        count += 1
        for name, value in state.items():
            if value.is_floating_point():
                sums[name] = sums.get(name, torch.zeros((), dtype=torch.float64)) + value.double()
    return {
        name: (sums[name] / count).to(value.dtype) if name in sums else value for name, value in state.items()
    }


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"epoch{epoch:03d}.pt"
