"""The loop's log, its checkpoints, and runs that die at a bad moment."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.errors import IqaError, UsageError, WeightsError
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.training import choice, loop
from iqa_cli.training.checkpoint import append_log, read_log, save_checkpoint, write_text
from iqa_cli.training.config import TrainConfig
from tests.training.tinydata import make_data

NET = {"van": "tiny", "dan": "none", "head_width": 8}

Train = Callable[..., dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    return make_data(tmp_path_factory.mktemp("labels") / "data", examples)


@pytest.fixture
def train(data: Path, tmp_path: Path) -> Train:
    """Trains in `tmp_path`, 3 steps an epoch."""

    def call(max_steps: int | None = None, **settings: Any) -> dict[str, torch.Tensor]:
        given = {"batch": 4, "distorted": 1, "epochs": 3, "size": 64, "warmup": 2, **settings}
        config = TrainConfig(network_config=NET, **given)
        database = read_csv(data)
        torch.manual_seed(config.seed)
        network = build("mfenet", NET)
        parts = database.part("train"), database.part("calib")
        policy = SizePolicy(crop=64)
        return loop.train(config, network, *parts, policy, tmp_path, lambda line: None, max_steps)

    return call


def _validated(folder: Path) -> list[tuple[int, int]]:
    return [(line["epoch"], line["step"]) for line in read_log(folder) if "epoch" in line]


def test_a_mean_in_the_log_is_over_the_steps_since_the_line_or_epoch_before(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    train(epochs=2)
    single = {line["step"]: line["opinion"] for line in read_log(tmp_path) if "opinion" in line}
    for path in tmp_path.iterdir():
        path.unlink()
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    train(epochs=2)
    means = {line["step"]: line["opinion"] for line in read_log(tmp_path) if "opinion" in line}
    assert means == {
        2: pytest.approx((single[1] + single[2]) / 2, abs=2e-5),
        4: pytest.approx(single[4], abs=2e-5),  # step 3 ended the epoch before
        6: pytest.approx((single[5] + single[6]) / 2, abs=2e-5),
    }


def test_an_epoch_whose_validation_died_is_validated_on_resuming(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train()
    best = [line["srcc"] for line in read_log(tmp_path) if "srcc" in line]
    for path in tmp_path.iterdir():
        path.unlink()
    monkeypatch.setattr(loop, "SAVE_EVERY", 3)
    with monkeypatch.context() as patched:
        patched.setattr(choice, "predict_raw", _die)
        with pytest.raises(RuntimeError, match="killed"):
            train()
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 3
    assert _validated(tmp_path) == []
    state = train()
    assert _validated(tmp_path) == [(0, 3), (1, 6), (2, 9)]
    assert [line["srcc"] for line in read_log(tmp_path) if "srcc" in line] == best
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_the_best_epoch_stays_the_best_when_the_run_died_behind_its_validation(
    train: Train, tmp_path: Path
) -> None:
    train(max_steps=6)
    # As if the second epoch had been better than any, and the run had died before last.pt knew.
    append_log(tmp_path, {"step": 6, "epoch": 1, "srcc": 1.0})
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save({**last, "best": -2.0}, tmp_path / "last.pt")
    best = (tmp_path / "best.pt").read_bytes()
    train()
    assert _validated(tmp_path)[-1] == (2, 9)
    assert (tmp_path / "best.pt").read_bytes() == best


def test_a_dry_run_is_gone_on_with_by_the_same_command(train: Train, tmp_path: Path) -> None:
    train(max_steps=4)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 4
    train()
    assert _validated(tmp_path) == [(0, 3), (1, 6), (2, 9)]
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 9


def test_ctrl_c_in_a_validation_keeps_the_epoch(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(choice, "predict_raw", _interrupt)
        with pytest.raises(KeyboardInterrupt, match="interrupted at step 3; the same command resumes"):
            train()
    train()
    assert _validated(tmp_path) == [(0, 3), (1, 6), (2, 9)]


def test_a_line_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    append_log(tmp_path, {"step": 1})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "sr')
    append_log(tmp_path, {"step": 3})
    assert read_log(tmp_path) == [{"step": 1}, {"step": 3}]


def test_a_full_disk_is_one_line_and_leaves_the_checkpoint(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(max_steps=1)
    before = (tmp_path / "last.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
        with pytest.raises(WeightsError) as caught:
            train(max_steps=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "last.pt: cannot be written: " in caught.value.message
    assert caught.value.message.isprintable()
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*.part"))
    train(max_steps=2)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 2


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "last.pt").mkdir()
    (tmp_path / "log.jsonl").mkdir()
    for write in (
        lambda: save_checkpoint(tmp_path / "last.pt", {"a": torch.zeros(3)}),
        lambda: write_text(tmp_path / "none" / "config.json", "{}"),
        lambda: append_log(tmp_path, {"step": 1}),
    ):
        with pytest.raises(WeightsError, match="cannot be written: "):
            write()
    assert not list(tmp_path.glob(".*.part"))


def test_checkpoints_of_an_unknown_run_are_left_alone(train: Train, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"of someone")
    with pytest.raises(UsageError, match=r"without their config\.json"):
        train()
    assert (tmp_path / "last.pt").read_bytes() == b"of someone"


def test_a_network_that_says_the_same_of_all_is_one_line(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "predict_raw", lambda network, paths, *_, **__: np.full(len(paths), 0.5))
    with pytest.raises(IqaError, match="step 3: the pictures to choose on: all values are the same"):
        train()
    assert not (tmp_path / "best.pt").exists()


def _die(*_: object, **__: object) -> None:
    raise RuntimeError("killed")


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
