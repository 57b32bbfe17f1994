"""Presets, and what they ask of the loop: the optimiser, several crops of a picture in an epoch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from iqa_cli.errors import UsageError
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.registry import build
from iqa_cli.training.checkpoint import claim_folder
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import CropSampler
from iqa_cli.training.loop import LATER
from iqa_cli.training.presets import PRESETS, preset
from iqa_cli.training.state import start


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_configs(name: str) -> None:
    TrainConfig(**preset(name).settings)
    MFENetConfig(**preset(name).network)


def test_the_paper_s_figures_are_those_of_the_specification() -> None:
    config = TrainConfig(**preset("paper").settings)
    assert (config.size, config.crops_per_image, config.optimiser) == (224, 50, "adam")
    assert (config.rate_backbone, config.rate_new, config.weight_decay) == (2e-5, 2e-4, 5e-4)
    assert config.rank_weight == config.distorted == 0
    assert MFENetConfig(**preset("paper").network).auxiliary_weight == 0.1
    with pytest.raises(UsageError, match="no preset 'papre'") as caught:
        preset("papre")
    assert caught.value.hint == "did you mean paper?"


def test_an_epoch_shows_each_picture_as_often_as_said() -> None:
    images = [np.full((70, 70, 3), value, np.uint8) for value in range(6)]
    sampler = CropSampler(images, 64, 4, crops_per_image=6)
    batches = list(sampler.epoch(0))
    assert len(batches) == sampler.steps_per_epoch() == 9
    index = np.concatenate([batch.index for batch in batches])
    assert np.bincount(index).tolist() == [6] * 6
    # What a crop shows is the picture that its index names.
    seen = np.concatenate([batch.rgb[:, 0, 0, 0].numpy() * 255 for batch in batches])
    assert np.array_equal(seen.round(), index)


@pytest.mark.parametrize(("name", "decoupled"), [("adamw", True), ("adam", False)])
def test_the_optimiser_decays_as_its_name_says(name: str, decoupled: bool) -> None:
    network = build("mfenet", {"van": "tiny", "dan": "none", "head_width": 8})
    config = TrainConfig(optimiser=name, rate_new=0.01, rate_backbone=0.01, weight_decay=0.1, warmup=0)
    run = start(config, network, 10)
    weight = next(p for p in network.parameters() if p.ndim > 1)
    before = weight.detach().clone()
    weight.grad = torch.zeros_like(weight)
    for group in run.optimiser.param_groups:
        group["lr"] = 0.01
    run.optimiser.step()
    change = before - weight.detach()
    # Decay apart from the gradient is proportional to the weight; as L2, Adam makes steps of one size of it.
    expected = 0.01 * 0.1 * before if decoupled else 0.01 * before.sign()
    # Of a weight next to nothing, the epsilon of Adam leaves less than a whole step.
    plain = before.abs() > 1e-4
    assert plain.any()
    assert torch.allclose(change[plain], expected[plain], atol=1e-6, rtol=2e-3)


def test_a_run_from_before_a_setting_is_resumed_at_its_default(tmp_path: Path) -> None:
    record = {"settings": {k: v for k, v in TrainConfig().to_dict().items() if k != "network_config"}}
    older = {"settings": {k: v for k, v in record["settings"].items() if k not in ("optimiser", "reduced")}}
    (tmp_path / "config.json").write_text(json.dumps(older))
    claim_folder(tmp_path, record, print, LATER)
    other = {"settings": {**record["settings"], "optimiser": "adam"}}
    with pytest.raises(UsageError, match=r"settings optimiser \(adamw there, adam now\)"):
        claim_folder(tmp_path, other, print, LATER)
