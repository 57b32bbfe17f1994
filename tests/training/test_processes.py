"""Training in two processes of `accelerate launch`, on the CPU."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.errors import UsageError
from iqa_cli.training.checkpoint import read_log
from iqa_cli.training.launch import is_main_process, process_count, process_rank
from iqa_cli.training.team import Team, check_team
from tests.conftest import ROOT
from tests.training.tinydata import PHOTOS

pytest.importorskip("accelerate")


def _symmetric_data(folder: Path, examples: Path) -> Path:
    """16 pictures of 64x64 that flips leave as they are, the later ones darker and worse."""
    (folder / "images").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos", "group", "split"])
        for i in range(16):
            with Image.open(examples / PHOTOS[i % len(PHOTOS)]) as photo:
                quarter = np.asarray(photo.convert("RGB").crop((100 + i, 100, 132 + i, 132)))
            half = np.concatenate([quarter, quarter[:, ::-1]], 1)
            whole = np.concatenate([half, half[::-1]]) * (1 - i / 32)
            Image.fromarray(whole.astype(np.uint8)).save(folder / "images" / f"{i:02}.png")
            writer.writerow([f"{i:02}.png", 5 - i / 4, str(i), "calib" if i % 4 == 1 else "train"])
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> tuple[Path, Path, str]:
    """Folders of the runs of `together`, of one process and of two, and what the two printed."""
    folder = tmp_path_factory.mktemp("together")
    data = _symmetric_data(folder / "data", examples)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = "accelerate.commands.launch --cpu --num_processes 2 --num_machines 1 --mixed_precision no"
    launch += f" --dynamo_backend no --main_process_port {port} -m tests.training.together"
    said = ""
    for module, out in (("tests.training.together", "one"), (launch, "two")):
        command = [sys.executable, "-m", *module.split(), str(data), str(folder / out)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout
    return folder / "one", folder / "two", said


def _losses(folder: Path, name: str = "opinion") -> list[float]:
    return [line[name] for line in read_log(folder) if name in line]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(runs: tuple[Path, Path, str]) -> None:
    one, two = (folder / "plain" for folder in runs[:2])
    course = _losses(one)
    assert len(course) == 9
    assert _losses(two) == pytest.approx(course, abs=2e-5)
    assert np.ptp(course) > 0.01  # something was learnt, or that would say little
    lines = [[line for line in read_log(folder) if "srcc" in line] for folder in (one, two)]
    for alone, together in zip(*lines, strict=True):
        assert together["srcc"] == pytest.approx(alone["srcc"])
        assert together.get("averaged") == alone.get("averaged")
    assert len(lines[0]) == 4  # three epochs, and the mean of the best two
    assert len(lines[0][-1]["averaged"]) == 2
    states = [torch.load(folder / "best.pt", weights_only=True) for folder in (one, two)]
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-5) for name in states[0])


@pytest.mark.slow
def test_only_the_main_process_writes_and_speaks(runs: tuple[Path, Path, str]) -> None:
    _, two, said = runs
    assert sorted(path.name for path in (two / "plain").iterdir()) == [
        "best.pt",
        "config.json",
        "last.pt",
        "log.jsonl",
        "metrics.csv",
    ]
    steps = [line["step"] for line in read_log(two / "plain") if "opinion" in line]
    assert steps == list(range(1, 10))
    assert said.count("plain: epoch 1: SRCC") == 1
    assert said.count("plain: decoding 12 pictures") == 1
    assert " of each of 2 processes" in said


@pytest.mark.slow
def test_two_processes_resume_to_the_same_weights(runs: tuple[Path, Path, str]) -> None:
    _, two, said = runs
    assert "broken: resumed at step 4 of 9" in said
    whole, broken = (
        torch.load(two / name / "last.pt", weights_only=True)["network"] for name in ("dropout", "broken")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.slow
def test_a_mixture_with_batch_norms_takes_about_the_same_course(runs: tuple[Path, Path, str]) -> None:
    one, two = (folder / "mixture" for folder in runs[:2])
    for name in ("opinion", "order"):
        ends = [np.mean(_losses(folder, name)[-4:]) for folder in (one, two)]
        starts = [np.mean(_losses(folder, name)[:2]) for folder in (one, two)]
        assert ends[1] == pytest.approx(ends[0], abs=0.1), (starts, ends)
    maps = [[line["maps"] for line in read_log(folder) if "maps" in line][-1] for folder in (one, two)]
    assert maps[1]["other"] == pytest.approx(maps[0]["other"], abs=0.1)
    assert maps[1]["other"][0] != 1  # its gradient came


def test_a_process_knows_its_place_from_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (process_count(), process_rank(), is_main_process()) == (1, 0, True)
    monkeypatch.setenv("RANK", "1")  # left over from something else
    assert is_main_process()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (process_count(), process_rank(), is_main_process()) == (2, 1, False)
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert process_count() == 1


def test_a_batch_that_processes_cannot_divide_is_refused() -> None:
    cpu = torch.device("cpu")
    check_team(Team(cpu), 3)
    check_team(Team(cpu, 1, 2), 4)
    for batch in (5, 2):
        with pytest.raises(UsageError, match=f"a batch of {batch} cannot be divided among 2 processes"):
            check_team(Team(cpu, 0, 2), batch)
