"""A weight leaves out what only training needs, and is read without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from iqa_cli.card import LADDER, Card
from iqa_cli.errors import WeightsError
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.filling import unshipped_of
from iqa_cli.networks.registry import build
from iqa_cli.tensorfile import read_header
from iqa_cli.training.warmstart import load_warm_starts
from iqa_cli.weights import load_network, save_weights, shipped_state

CONFIG = {"backbone": "test_efficientnet", "width": 16, "heads": 2, "memory": 32}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A QFM-IQM that remembers something."""
    torch.manual_seed(4)
    network = build("qfm-iqm", CONFIG).train()
    rgb = torch.rand(3, 3, 64, 64)
    network.forward_with_opinions(rgb, torch.tensor([0.2, 0.5, 0.9]))  # type: ignore[operator]
    return network.eval()


def _card() -> Card:
    output = {
        "range": [0, 100],
        "direction": "higher is better",
        "scale": "for tests only",
        "calibration": {"kind": "linear", "slope": 100.0, "intercept": 0.0},
        "ladder": LADDER,
    }
    return Card("q", "qfm-iqm", CONFIG, SizePolicy(crop=64).to_dict(), output)


def test_the_memory_stays_behind_and_the_scores_are_the_same(network: nn.Module, tmp_path: Path) -> None:
    left_out = unshipped_of(network)
    assert left_out
    path = tmp_path / "q.safetensors"
    save_weights(path, shipped_state(network), _card(), half=False)
    assert set(read_header(path).tensors) == set(network.state_dict()) - left_out
    _, loaded = load_network(path)
    rgb = torch.rand(2, 3, 64, 80)
    with torch.inference_mode():
        assert torch.equal(loaded(rgb), network(rgb))
    fresh = build("qfm-iqm", CONFIG).state_dict()
    assert all(torch.equal(loaded.state_dict()[name], fresh[name]) for name in left_out)


def test_a_file_that_has_it_is_read_too_and_one_that_lacks_more_is_not(
    network: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "q.safetensors"
    save_weights(path, network.state_dict(), _card(), half=False)
    _, loaded = load_network(path)
    for name in unshipped_of(network):
        assert torch.equal(loaded.state_dict()[name], network.state_dict()[name])
    state = shipped_state(network)
    lost = next(name for name in state if name.startswith("decoder."))
    del state[lost]
    save_weights(path, state, _card())
    with pytest.raises(WeightsError, match=f"it lacks {lost}$"):
        load_network(path)


def test_a_training_goes_on_from_a_weight_without_it(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "q.safetensors"
    save_weights(path, shipped_state(network), _card(), half=False)
    other = build("qfm-iqm", CONFIG)
    [point] = [start.point for start in load_warm_starts(other, [str(path)])]
    assert point["branch"] == "whole network"
    for name, value in shipped_state(network).items():
        assert torch.equal(other.state_dict()[name], value), name


def test_a_network_that_says_nothing_ships_whole() -> None:
    network = build("vcrnet", {"restoration": "tiny", "backbone": "tiny"})
    assert unshipped_of(network) == set()
    assert set(shipped_state(network)) == set(network.state_dict())
