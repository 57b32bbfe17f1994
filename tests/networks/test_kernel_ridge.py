"""The kernel ridge beside a network: what it learns, and what a score becomes by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.errors import WeightsError
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.kernel_ridge import KernelRidge, RidgeConfig, pooled_maps
from iqa_cli.networks.packing import pack_convolutions
from iqa_cli.networks.registry import build
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.ridge_fit import Opinions, Synthetic, fit_ridge
from iqa_cli.weights import load_network
from tests.networks.test_filling import save

SHAPE = {"landmarks": 40, "components": 3, "share": 0.25}
TRUNK = {**SHAPE, "trunk": "tf_efficientnet_lite0"}
SMALL: dict[str, dict[str, Any]] = {
    "mfenet": {"van": "tiny", "hfen": "none", "ffm": False, "head_width": 8, "ridge": SHAPE},
    "vcrnet": {"backbone": "tiny", "restoration": "tiny", "head_width": 8, "ridge": TRUNK},
    "qfm-iqm": {
        "backbone": "test_efficientnet",
        "width": 12,
        "heads": 2,
        "queries": 2,
        "memory": 8,
        "ridge": TRUNK,
    },
}


@pytest.fixture(scope="module")
def crops(examples: Path) -> torch.Tensor:
    """96 pixels of real photographs, [4, 3, 96, 96]."""
    found = []
    for name in ("dog", "cliffs"):
        with Image.open(examples / f"{name}.jpg") as photo:
            pixels = np.asarray(photo.convert("RGB"))
        found += [np.ascontiguousarray(pixels[y : y + 96, 60:156]) for y in (40, 200)]
    return to_tensor(np.stack(found))


def _problem(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of which two count, bent, among twelve that vary as much; and opinions."""
    x = torch.randn(n, 12, generator=torch.Generator().manual_seed(seed))
    return x, 0.5 + 0.2 * torch.sin(1.5 * x[:, 0]) + 0.1 * x[:, 1].tanh()


def _network(name: str) -> Any:
    """A network of random values, the ridge fitted to features of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network: Any = build(name, SMALL[name]).eval()
        features = network.ridge.mean.shape[0]
        x = network.ridge_features(torch.rand(2, 3, 96, 96))
        assert x.shape == (2, features)
        spread = x.mean(0) * (1 + 0.2 * torch.randn(60, features))
        fit_ridge(network.ridge, Opinions(spread, torch.rand(60)), None, 0)
    return network


def test_it_finds_the_directions_that_count() -> None:
    ridge = KernelRidge(RidgeConfig(landmarks=300, components=2), (6,))
    fit_ridge(ridge, Opinions(*_problem(1500, 0)), None, 0)
    x, y = _problem(500, 1)
    assert np.corrcoef(ridge(x), y)[0, 1] > 0.97
    shares = ridge.axes.square() / ridge.axes.square().sum(1, keepdim=True)
    assert shares[:, :2].sum(1).min() > 0.8
    again = KernelRidge(RidgeConfig(landmarks=300, components=2), (6,))
    fit_ridge(again, Opinions(*_problem(1500, 0)), None, 0)
    assert torch.equal(again(x), ridge(x))


def test_distorted_copies_get_their_part_of_the_original(crops: torch.Tensor) -> None:
    """A third feature says how much is left of a picture; no opinion knows of it."""
    x, y = _problem(1500, 0)
    x[:, 2] = 0.05 * x[:, 2]
    number, copies = 200, (1.0, 0.6, 0.2)
    distorted = x[:number].repeat(len(copies), 1)
    left = torch.tensor(copies).repeat_interleave(number)
    distorted[:, 2] -= 2 * (1 - left)
    more = Synthetic(distorted, torch.arange(number).repeat(len(copies)), left, 1.0)
    found = {}
    for name, given in (("alone", None), ("taught", more)):
        ridge = KernelRidge(RidgeConfig(landmarks=400, components=4), (6,))
        fit_ridge(ridge, Opinions(x, y), given, 0)
        held, opinions = _problem(300, 2)
        held[:, 2] = 0.0
        whole = ridge(held)
        held[:, 2] = -1.6
        found[name] = (float((ridge(held) / whole).median()), np.corrcoef(whole, opinions)[0, 1])
    assert found["alone"][0] > 0.7
    assert 0.1 < found["taught"][0] < 0.4
    assert found["taught"][1] > 0.8


@pytest.mark.parametrize("name", list(SMALL))
def test_a_score_is_made_of_both(name: str, crops: torch.Tensor, tmp_path: Path) -> None:
    network = _network(name)
    with torch.inference_mode():
        both = network(crops)
        ridge = network.ridge(network.ridge_features(crops))
        network.ridge.share = 0.0
        alone = network(crops)
        network.ridge.share = 0.25
    assert torch.allclose(both, 0.75 * alone + 0.25 * ridge, atol=1e-6)
    assert (both - alone).abs().max() > 1e-3
    # As a weight, and as scoring runs it.
    card, loaded = load_network(save(tmp_path, name, network))
    assert card.config["ridge"]["share"] == 0.25
    with torch.inference_mode():
        assert torch.allclose(loaded(crops), both, atol=1e-6)
        ready = pack_convolutions(fold_batchnorms(loaded).to(memory_format=torch.channels_last))
        assert torch.allclose(ready(crops), both, atol=1e-4)


def test_a_trunk_sees_crops_at_half_their_side(crops: torch.Tensor) -> None:
    whole: Any = build("vcrnet", SMALL["vcrnet"])
    half: Any = build("vcrnet", {**SMALL["vcrnet"], "ridge": {**TRUNK, "reduce": 2}})
    half.load_state_dict(whole.state_dict())
    means = crops.reshape(len(crops), 3, 48, 2, 48, 2).mean((3, 5))
    assert torch.allclose(half.ridge_features(crops), whole.ridge_features(means), atol=1e-5)
    assert not torch.allclose(half.ridge_features(crops), whole.ridge_features(crops), atol=1e-2)


def test_names_and_scores_agree_on_the_score(crops: torch.Tensor) -> None:
    config = {**SMALL["mfenet"], "distortions": ["blur", "noise"], "distortion_head": "ordinal"}
    network: Any = build("mfenet", config).eval()
    network.ridge.load_state_dict(_network("mfenet").ridge.state_dict())
    with torch.inference_mode():
        assert torch.equal(network.forward_with_distortions(crops)[0], network(crops))


@pytest.mark.parametrize("name", list(SMALL))
def test_training_leaves_it_as_it_is(name: str, crops: torch.Tensor) -> None:
    network = _network(name)
    before = {key: value.clone() for key, value in network.ridge.state_dict().items()}
    learnt = [p for p in network.train().parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learnt, lr=0.1)
    scores, auxiliary = network.forward_with_auxiliary(crops)
    (scores.square().mean() + auxiliary).backward()
    optimiser.step()
    assert not network.ridge.training
    assert all(torch.equal(value, before[key]) for key, value in network.ridge.state_dict().items())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in learnt)


def test_what_is_pooled(crops: torch.Tensor) -> None:
    found = pooled_maps([crops, crops[:, :2, ::2]]).double().numpy()
    rgb = crops.double().numpy()
    means = np.concatenate([rgb.mean((2, 3)), rgb[:, :2, ::2].mean((2, 3))], 1)
    spreads = np.concatenate([rgb.std((2, 3)), rgb[:, :2, ::2].std((2, 3))], 1)
    assert found == pytest.approx(np.concatenate([means, spreads], 1), abs=2e-4)


@pytest.mark.parametrize(
    ("name", "ridge", "message"),
    [
        ("mfenet", {"landmarks": 0}, "whole number from 1"),
        ("mfenet", {"share": 1.5}, "share of a ridge"),
        ("mfenet", {"share": float("nan")}, "finite"),
        ("mfenet", {"trunk": "resnet50"}, "tf_efficientnet_lite0"),
        ("mfenet", {"trunk": "tf_efficientnet_lite0"}, "has no trunk"),
        ("mfenet", {"reduce": 2}, "it has none"),
        ("vcrnet", {**TRUNK, "reduce": 0}, "reduce of a ridge must be a whole number from 1 to 4"),
        ("mfenet", {"landmark": 3}, "unknown field of a ridge"),
        ("mfenet", 7, "what iqa ridge fits"),
        ("vcrnet", {}, "needs a trunk"),
        ("qfm-iqm", {}, "needs a trunk"),
    ],
)
def test_a_config_that_makes_no_sense(name: str, ridge: Any, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        build(name, {**SMALL[name], "ridge": ridge})


def test_a_ridge_needs_the_branch_that_it_reads() -> None:
    with pytest.raises(WeightsError, match="dan=none"):
        build("mfenet", {**SMALL["mfenet"], "dan": "none"})


def test_too_few_crops() -> None:
    ridge = KernelRidge(RidgeConfig(landmarks=300, components=2), (6,))
    with pytest.raises(ValueError, match="too few for 300 landmarks"):
        fit_ridge(ridge, Opinions(*_problem(299, 0)), None, 0)
