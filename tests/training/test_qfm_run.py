"""Training of QFM-IQM: resumed bit for bit with its memory, which a weight leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from iqa_cli.card import LADDER, Card
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.training import loop
from iqa_cli.training.config import TrainConfig
from iqa_cli.weights import load_network, read_card, save_weights

NET = {"backbone": "test_efficientnet", "width": 16, "heads": 2, "memory": 16, "tolerance": 0.3}
Train = Callable[..., dict[str, torch.Tensor]]


@pytest.fixture
def train_qfm(tiny_data: Path, tmp_path: Path) -> Train:
    """Trains in `tmp_path/run`, 3 steps an epoch."""

    def call(folder: str = "run", **arguments: Any) -> dict[str, torch.Tensor]:
        given = {"batch": 4, "distorted": 1, "epochs": 3, "size": 64, "warmup": 2, "precision": "fp32"}
        config = TrainConfig(network="qfm-iqm", network_config=NET, **given)
        database = read_csv(tiny_data)
        torch.manual_seed(config.seed)
        network = build("qfm-iqm", NET)
        parts = database.part("train"), database.part("calib")
        return loop.train(
            config, network, *parts, SizePolicy(crop=64), tmp_path / folder, lambda line: None, **arguments
        )

    return call


def test_a_resumed_run_ends_in_the_same_weights_and_memory(train_qfm: Train, tmp_path: Path) -> None:
    whole = train_qfm("whole")
    train_qfm("parts", max_steps=4)
    kept = torch.load(tmp_path / "parts" / "last.pt", weights_only=True)["network"]
    assert int(kept["memory.filled"]) == 16, "four steps of four opinions, and none of a distorted copy"
    assert kept["memory.features"].any()
    resumed = train_qfm("parts")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    logs = [(tmp_path / name / "metrics.csv").read_text() for name in ("whole", "parts")]
    assert logs[0].splitlines()[0] == logs[1].splitlines()[0]


def test_a_weight_leaves_the_memory_out_and_loads(tmp_path: Path) -> None:
    network = build("qfm-iqm", NET).train()
    for _ in range(2):
        network.forward_with_opinions(torch.rand(4, 3, 64, 64), torch.full((4,), 0.5))  # type: ignore[operator]
    network.eval()
    unshipped = network.unshipped()  # type: ignore[operator]
    card = Card(
        name="tiny",
        network="qfm-iqm",
        config=NET,
        input=SizePolicy().to_dict(),
        output={
            "range": [0, 100],
            "direction": "higher is better",
            "scale": "random weights: for tests only",
            "calibration": {"kind": "linear", "slope": 100.0, "intercept": 0.0},
            "ladder": LADDER,
        },
    )
    path = tmp_path / "tiny.safetensors"
    state = {name: value for name, value in network.state_dict().items() if name not in unshipped}
    save_weights(path, state, card, half=False)
    assert path.stat().st_size < 4 * sum(v.numel() for v in state.values()) + 30_000
    assert read_card(path).network == "qfm-iqm"
    loaded = load_network(path)[1]
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x))
    assert int(loaded.get_buffer("memory.filled")) == 0
