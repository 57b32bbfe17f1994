"""A tiny training that several test modules run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.training import loop
from iqa_cli.training.config import TrainConfig
from tests.training.tinydata import make_data

NET = {"van": "tiny", "dan": "none", "head_width": 8}

Train = Callable[..., dict[str, torch.Tensor]]


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """The labelled cuttings of `make_data`, not to be changed."""
    return make_data(tmp_path_factory.mktemp("labels") / "data", examples)


@pytest.fixture
def train_tiny(tiny_data: Path, tmp_path: Path) -> Train:
    """Trains in `tmp_path/run`, 3 steps an epoch: train_tiny(arguments of loop.train, settings={...})."""

    def call(settings: dict[str, Any] | None = None, **arguments: Any) -> dict[str, torch.Tensor]:
        given = {"batch": 4, "distorted": 1, "epochs": 3, "size": 64, "warmup": 2, **(settings or {})}
        config = TrainConfig(network_config=NET, **given)
        database = read_csv(tiny_data)
        torch.manual_seed(config.seed)
        network = build("mfenet", NET)
        parts = database.part("train"), database.part("calib")
        log = arguments.pop("log", lambda line: None)
        folder = arguments.pop("folder", tmp_path / "run")
        return loop.train(config, network, *parts, SizePolicy(crop=64), folder, log, **arguments)

    return call
