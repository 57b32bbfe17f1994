"""What a run tells while it goes on, and afterwards."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from iqa_cli.training import loop
from iqa_cli.training.checkpoint import read_log
from iqa_cli.training.devices import Machine
from iqa_cli.training.runlog import RunLog, metrics_csv
from tests.training.conftest import Train


class Shown:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, int, int]] = []

    def update(self, phase: str, done: int, total: int, text: str = "") -> None:
        self.updates.append((phase, done, total))


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_tells_its_speed_progress_and_a_row_for_each_epoch(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    shown, said = Shown(), list[str]()
    train_tiny({"epochs": 2}, progress=shown, log=said.append, machine=Machine(threads=2))
    assert shown.updates[:12] == [("decoding", i, 12) for i in range(1, 13)]
    assert [u for u in shown.updates if u[0] == "training"] == [("training", i, 6) for i in range(1, 7)]
    assert [u for u in shown.updates if u[0] == "validating"] == 2 * [
        ("validating", i, 6) for i in range(1, 7)
    ]
    assert said[-1].startswith("loader ")
    assert "images/s (2 threads), steps " in said[-1]
    log = read_log(tmp_path / "run")
    speed = log[-1]["speed"]
    assert log[-1]["makers"] == "2 threads"
    assert speed["loader_images_per_second"] > 0
    assert 0 < speed["images_per_second"] <= speed["step_images_per_second"]
    assert 0 <= speed["waited"] < 1
    rows = _rows(tmp_path / "run")
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6")]
    for row, first in zip(rows, (1, 4), strict=True):
        steps = [
            line["opinion"] for line in log if line["step"] in range(first, first + 3) and "opinion" in line
        ]
        assert float(row["opinion"]) == pytest.approx(sum(steps) / 3, abs=2e-5)
        assert float(row["images_per_second"]) > 0


def test_the_rows_of_a_resumed_run_are_those_of_the_unbroken_one(train_tiny: Train, tmp_path: Path) -> None:
    train_tiny(folder=tmp_path / "whole")
    train_tiny(folder=tmp_path / "broken", max_steps=4)
    train_tiny(folder=tmp_path / "broken")
    whole, broken = _rows(tmp_path / "whole"), _rows(tmp_path / "broken")
    figures = ("epoch", "step", "opinion", "auxiliary", "ranking", "srcc", "plcc")
    assert [[row[name] for name in figures] for row in broken] == [
        [row[name] for name in figures] for row in whole
    ]
    assert len(whole) == 3


def test_event_files_hold_the_losses_and_the_choice(train_tiny: Train, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train_tiny({"epochs": 2}, tensorboard=True, max_steps=4)
    train_tiny({"epochs": 2}, tensorboard=True)
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("choose/srcc")]
    logged = [(line["step"], line["srcc"]) for line in read_log(tmp_path / "run") if "epoch" in line]
    assert found == [(step, pytest.approx(srcc)) for step, srcc in logged]


def test_without_tensorboard_there_is_one_note(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said = list[str]()
    train_tiny({"epochs": 1}, tensorboard=True, log=said.append)
    assert [line for line in said if "tensorboard" in line] == [
        "tensorboard is not installed: no event files (pip install tensorboard)"
    ]
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_writer_that_fails_ends_the_event_files_and_not_the_run(tmp_path: Path) -> None:
    class Full:
        def add_scalar(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    said = list[str]()
    out = RunLog(tmp_path, said.append)
    out._writer = Full()
    out.record({"step": 1, "opinion": 0.5}, {"train/opinion": 0.5})
    out.record({"step": 2, "opinion": 0.4}, {"train/opinion": 0.4})
    assert said == ["no more event files: [Errno 28] No space left on device"]
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2]


def test_a_process_beside_the_main_one_writes_and_says_nothing(tmp_path: Path) -> None:
    said, shown = list[str](), Shown()
    out = RunLog(tmp_path, said.append, shown, active=False)
    out.open_tensorboard(0)
    out.record({"step": 1}, {"a": 1.0})
    out.write_metrics()
    out.say("a line")
    out.show("training", 1, 2)
    assert (said, shown.updates, list(tmp_path.iterdir())) == ([], [], [])


def test_rows_of_runs_of_version_0_1_have_blanks_for_what_they_lack() -> None:
    lines = [
        {"step": 3, "opinion": 0.2},
        {"step": 3, "epoch": 0, "srcc": 0.5, "plcc": 0.4},
        {"step": 6, "epoch": 1, "srcc": 0.6, "plcc": 0.5, "train": {"opinion": 0.1}},
    ]
    assert metrics_csv(lines).splitlines() == [
        "epoch,step,opinion,srcc,plcc,images_per_second,waited",
        "1,3,,0.5,0.4,,",
        "2,6,0.1,0.6,0.5,,",
    ]
