"""A timm network in the place of MFE-Net's VAN."""

from __future__ import annotations

import copy

import pytest
import timm
import torch

from iqa_cli.errors import WeightsError
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.registry import build

TINY = {"backbone": "test_efficientnet", "dan": "none", "head_width": 16, "pooling": "mean-std"}


def tiny(**fields: object) -> MFENet:
    network = build("mfenet", {**TINY, **fields})
    assert isinstance(network, MFENet)
    return network


@pytest.mark.parametrize("normalisation", ["half", "imagenet"])
def test_its_maps_are_those_that_timm_gives_of_a_picture_normalised_as_its_weights_want(
    normalisation: str,
) -> None:
    torch.manual_seed(1)
    network = tiny(normalisation=normalisation).eval()
    whole = timm.create_model("test_efficientnet", pretrained=False, features_only=True).eval()
    whole.load_state_dict(network.qen.net.state_dict(), strict=False)
    rgb = torch.rand(2, 3, 70, 97)
    mean, std = (
        ((0.5,) * 3, (0.5,) * 3)
        if normalisation == "half"
        else (timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD)
    )
    given = (rgb - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    with torch.inference_mode():
        wanted = whole(given)[1:]
        found = network.qen.stages((rgb - network.mean) / network.std)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (64, 301)])
def test_any_size_from_64_up_scores_with_all_branches(shape: tuple[int, int]) -> None:
    network = tiny(dan="contrastive").eval()
    with torch.inference_mode():
        assert torch.isfinite(network(torch.rand(2, 3, *shape))).all()


def test_folded_it_is_the_same_function() -> None:
    torch.manual_seed(2)
    network = tiny().train()
    for _ in range(3):
        network(torch.rand(4, 3, 64, 64))
    network.eval()
    folded = fold_batchnorms(copy.deepcopy(network))
    x = torch.rand(2, 3, 90, 70)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), network(x), atol=1e-4, rtol=1e-4)


def test_frozen_stages_get_no_gradient_and_the_others_do() -> None:
    network = tiny(dropout=0.0).train()
    network.freeze_early(2)
    score, auxiliary = network.forward_with_auxiliary(torch.rand(4, 3, 96, 96))
    (score.square().mean() + auxiliary).backward()
    learning = {name for name, p in network.named_parameters() if p.grad is not None}
    assert learning == {name for name, p in network.named_parameters() if p.requires_grad}
    assert "qen.net.conv_stem.weight" not in learning
    assert any(name.startswith("qen.net.") for name in learning)


def test_bfloat16_on_a_cpu_leaves_the_quality_branch_exact() -> None:
    network = tiny().eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        exact = network.qen.stages(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = network.qen.stages(x)
    for one, other in zip(exact, mixed, strict=True):
        assert torch.equal(one, other)


def test_a_card_has_the_backbone_or_the_van_and_reads_back() -> None:
    config = MFENetConfig.from_dict(TINY)
    values = config.to_dict()
    assert "van" not in values
    assert values["backbone"] == "test_efficientnet"
    assert MFENetConfig.from_dict(values) == config
    plain = MFENetConfig().to_dict()
    assert plain["van"] == "b0"
    assert not {"backbone", "normalisation"} & set(plain)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("test_vit", "strides"),
        ("tf_efficientnet_lite9", "is no network of timm; did you mean"),
        ("dpn", "timm"),
    ],
)
def test_a_backbone_that_cannot_serve_is_refused(name: str, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        tiny(backbone=name)
