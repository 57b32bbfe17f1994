"""The mean of the best epochs' weights: of which epochs, and that it is kept only where it is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from iqa_cli.errors import WeightsError
from iqa_cli.evaluation.correlation import Agreement
from iqa_cli.training import choice
from iqa_cli.training.checkpoint import load_checkpoint, read_log, save_checkpoint
from iqa_cli.training.finish import chosen_epoch
from iqa_cli.training.top import best_epochs, mean_weights
from tests.training.conftest import Train


def test_of_equal_epochs_the_earlier_is_kept() -> None:
    measured = {0: 0.1, 1: 0.5, 2: 0.3, 3: 0.5, 4: 0.4}
    assert best_epochs(measured, 2) == [1, 3]
    assert best_epochs(measured, 3) == [1, 3, 4]
    assert best_epochs({0: 0.2, 1: 0.2}, 1) == [0]
    assert best_epochs(measured, 9) == [0, 1, 2, 3, 4]


def test_the_mean_is_of_every_floating_number_and_counts_are_the_last(tmp_path: Path) -> None:
    for epoch, values in enumerate(([1.0, 5.0], [2.0, 5.0], [6.0, 2.0])):
        state = {"weight": torch.tensor(values), "bn.num_batches_tracked": torch.tensor(3 * epoch)}
        save_checkpoint(tmp_path / f"epoch{epoch:03d}.pt", state)
    mean = mean_weights(tmp_path, [0, 2])
    assert mean["weight"].tolist() == [3.5, 3.5]
    assert mean["weight"].dtype == torch.float32
    assert int(mean["bn.num_batches_tracked"]) == 6
    with pytest.raises(WeightsError, match=r"epoch007\.pt"):
        mean_weights(tmp_path, [0, 7])


@pytest.mark.parametrize(("of_mean", "kept"), [(0.4, True), (0.29, False)])
def test_the_mean_of_the_best_is_kept_where_it_is_better(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_mean: float, kept: bool
) -> None:
    found = iter((0.1, 0.3, 0.2, of_mean))
    folder, said, epochs = tmp_path / "run", list[str](), dict[str, Any]()

    def measured(*_: Any) -> Agreement:
        srcc = next(found)
        if srcc == of_mean:
            epochs.update({path.name: load_checkpoint(path) for path in sorted(folder.glob("epoch*.pt"))})
        return Agreement(6, srcc, srcc, srcc, srcc, srcc)

    monkeypatch.setattr(choice, "agreement", measured)
    state = train_tiny({"top_average": 2}, log=said.append)
    assert list(epochs) == ["epoch001.pt", "epoch002.pt"], "no more than two are on the disk"
    expected, other = epochs.values()
    if kept:
        expected = {
            name: ((value.double() + other[name].double()) / 2).to(value.dtype)
            if value.is_floating_point()
            else other[name]
            for name, value in expected.items()
        }
    assert all(torch.equal(value, expected[name]) for name, value in state.items())
    assert not list(folder.glob("epoch*.pt"))
    line = chosen_epoch(folder)
    assert line.get("averaged") == ([1, 2] if kept else None)
    assert line["srcc"] == (0.4 if kept else 0.3)
    assert said[-1].endswith(": kept" if kept else ": not kept, the best epoch is")


def test_without_it_nothing_more_is_measured_or_kept(train_tiny: Train, tmp_path: Path) -> None:
    train_tiny({"epochs": 2})
    assert not [line for line in read_log(tmp_path / "run") if "averaged" in line]
    assert {path.name for path in (tmp_path / "run").glob("*.pt")} == {"best.pt", "last.pt"}


def test_a_run_with_every_lever_that_was_broken_twice_ends_as_the_unbroken_one(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levers = {"top_average": 2, "sizes": [64, 96], "correlation_weight": 0.3}
    whole = train_tiny(levers, folder=tmp_path / "whole")
    train_tiny(levers, max_steps=4)
    real, calls = choice.predict_raw, []

    def dies_in_the_last(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) == 3:  # after the epochs 2 and 3, that of the mean
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(choice, "predict_raw", dies_in_the_last)
        with pytest.raises(KeyboardInterrupt, match="interrupted at step 9"):
            train_tiny(levers)
    resumed = train_tiny(levers)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    lines = [
        [{k: line.get(k) for k in ("epoch", "averaged", "srcc", "plcc")} for line in read_log(folder)]
        for folder in (tmp_path / "whole", tmp_path / "run")
    ]
    chosen = [[line for line in found if line["srcc"] is not None] for found in lines]
    assert len(chosen[0]) == 4
    assert chosen[0] == chosen[1]
    # A run that has ended measures nothing again.
    monkeypatch.setattr(choice, "predict_raw", dies_in_the_last)
    calls[:] = [None, None]
    assert all(torch.equal(value, whole[name]) for name, value in train_tiny(levers).items())
