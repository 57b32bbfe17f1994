"""Settings of the loop: rates by stage, clipping, patience, mixed precision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from iqa_cli.errors import UsageError
from iqa_cli.networks.registry import build
from iqa_cli.training import choice
from iqa_cli.training.checkpoint import read_log
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.state import parameter_groups, start
from tests.training.conftest import NET, Train


def _epochs(folder: Path) -> list[int]:
    return [line["epoch"] for line in read_log(folder) if "epoch" in line]


def test_earlier_stages_of_the_backbone_train_at_lower_rates() -> None:
    network = build("mfenet", NET)
    config = TrainConfig(rate_backbone=1e-3, rate_new=5e-3, layer_decay=0.5)
    groups = parameter_groups(config, network)
    assert [group["lr"] for group in groups] == pytest.approx([1.25e-4, 2.5e-4, 5e-4, 1e-3, 5e-3])
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    named = {name: rates[id(p)] for name, p in network.named_parameters() if p.requires_grad}
    assert named["qen.patch_embed1.proj.weight"] == named["qen.norm1.weight"] == pytest.approx(1.25e-4)
    assert named["qen.block3.0.attn.proj_1.weight"] == pytest.approx(5e-4)
    assert named["qen.block4.0.mlp.fc1.weight"] == pytest.approx(1e-3)
    assert named["head.0.weight"] == pytest.approx(5e-3)
    assert sum(len(group["params"]) for group in groups) == len(named)


def test_one_rate_of_the_backbone_is_one_group_and_frozen_stages_have_none() -> None:
    network = build("mfenet", NET)
    assert [g["lr"] for g in parameter_groups(TrainConfig(), network)] == [3e-4, 1e-3]
    run = start(TrainConfig(layer_decay=0.5, freeze=2, rate_backbone=1e-3), network, 10)
    assert [g["initial_lr"] for g in run.optimiser.param_groups] == pytest.approx([5e-4, 1e-3, 1e-3])


def test_a_backbone_without_stages_has_no_rates_by_stage() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = nn.Linear(3, 3), nn.Linear(3, 1)

        def pretrained_modules(self) -> list[nn.Module]:
            return [self.backbone]

    assert len(parameter_groups(TrainConfig(), Plain())) == 2
    with pytest.raises(UsageError, match="a Linear has no stages"):
        parameter_groups(TrainConfig(layer_decay=0.9), Plain())


def test_the_gradient_is_clipped_to_the_setting(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []
    step = torch.optim.AdamW.step

    def look(optimiser: torch.optim.AdamW, *arguments: Any) -> Any:
        parameters = [p.grad for group in optimiser.param_groups for p in group["params"]]
        norms.append(float(torch.stack([g.norm() for g in parameters if g is not None]).norm()))
        return step(optimiser, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", look)
    for clip in (0.0, 1e-3):
        train_tiny({"clip": clip, "epochs": 1}, folder=tmp_path / str(clip))
    free, clipped = norms[:3], norms[3:]
    assert min(free) > 0.01
    assert clipped == pytest.approx([1e-3] * 3, rel=1e-3)


def test_a_run_without_a_better_epoch_ends_and_stays_ended(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = _orders([0.6, 0.9, 0.5, 0.7, 0.4, 0.3])
    monkeypatch.setattr(choice, "predict_raw", lambda network, paths, *_, **__: np.array(next(order)))
    said: list[str] = []
    state = train_tiny({"epochs": 6, "patience": 2}, log=said.append)
    assert _epochs(tmp_path / "run") == [0, 1, 2, 3]
    assert "no better SRCC since epoch 2: the run ends after epoch 4" in said
    srcc = [line["srcc"] for line in read_log(tmp_path / "run") if "epoch" in line]
    assert max(srcc) == srcc[1]
    again = train_tiny({"epochs": 6, "patience": 2})
    assert _epochs(tmp_path / "run") == [0, 1, 2, 3]
    assert all(torch.equal(again[name], state[name]) for name in state)


def _orders(likeness: list[float]) -> Iterator[np.ndarray]:
    """Predictions of the six pictures to choose on, the MOS of which fall, the less like them the lower."""
    rng = np.random.default_rng(0)
    noise = rng.permutation(6)
    for share in likeness:
        yield share * -np.arange(6.0) + (1 - share) * noise


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_other_precisions_train_and_resume_to_the_same_weights(
    train_tiny: Train, tmp_path: Path, precision: str
) -> None:
    whole = train_tiny({"precision": precision, "epochs": 2}, folder=tmp_path / "whole")
    train_tiny({"precision": precision, "epochs": 2}, folder=tmp_path / "broken", max_steps=2)
    resumed = train_tiny({"precision": precision, "epochs": 2}, folder=tmp_path / "broken")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    scaler = torch.load(tmp_path / "whole" / "last.pt", weights_only=True)["scaler"]
    assert bool(scaler) == (precision == "fp16")


def test_a_checkpoint_of_version_0_1_is_gone_on_with(train_tiny: Train, tmp_path: Path) -> None:
    whole = train_tiny(folder=tmp_path / "whole")
    train_tiny(max_steps=4)
    last = tmp_path / "run" / "last.pt"
    state = torch.load(last, weights_only=True)
    torch.save({key: state[key] for key in state if key not in ("maps", "scaler", "sums", "counted")}, last)
    resumed = train_tiny()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
