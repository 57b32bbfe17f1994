"""Our EfficientNet-Lite against timm's, whose names and values it shares."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from iqa_cli.networks.efficientnet_lite import LITES, EfficientNetLite
from iqa_cli.networks.timm_backbone import layout_of
from iqa_cli.networks.unfilled import on_no_device


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("name", LITES)
def test_names_shapes_and_maps_are_those_of_timm(name: str) -> None:
    with on_no_device():
        ours, theirs = EfficientNetLite(name), timm.create_model(name, pretrained=False, num_classes=0)
    assert list(shapes(ours).items()) == list(shapes(theirs).items())
    keys = ("module", "reduction", "num_chs")
    assert ours.feature_info == [{key: entry[key] for key in keys} for entry in theirs.feature_info]
    assert [type(m) for m in ours.modules()].count(nn.ReLU6) == str(theirs).count("ReLU6")


@pytest.fixture(scope="module")
def both() -> tuple[EfficientNetLite, nn.Module]:
    """Ours and timm's, the same values, whose norms all do something."""
    torch.manual_seed(4)
    theirs = timm.create_model("tf_efficientnet_lite1", pretrained=False, num_classes=0)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    ours = EfficientNetLite("tf_efficientnet_lite1")
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(64, 64), (65, 98)])
def test_it_computes_what_timm_computes(
    both: tuple[EfficientNetLite, nn.Module], training: bool, shape: tuple[int, int]
) -> None:
    ours, theirs = (network.train(training) for network in both)
    x = torch.randn(2, 3, *shape)
    with torch.no_grad():
        wanted = theirs.forward_intermediates(  # type: ignore[operator]
            x, indices=[1, 2, 3, 4], output_fmt="NCHW", intermediates_only=True, stop_early=True
        )
        found = ours.forward_intermediates(x, [1, 2, 3, 4])
        assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
        assert torch.equal(ours(x), theirs.forward_features(x))  # type: ignore[operator]
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_its_random_values_are_spread_as_those_of_timm(both: tuple[EfficientNetLite, nn.Module]) -> None:
    torch.manual_seed(1)
    ours, theirs = EfficientNetLite("tf_efficientnet_lite1").state_dict(), both[1].state_dict()
    large = [name for name, value in ours.items() if value.dim() == 4 and value.numel() > 1000]
    assert len(large) > 40
    for name in large:
        assert ours[name].std().item() == pytest.approx(theirs[name].std().item(), rel=0.15)


def test_what_lies_behind_the_last_map_is_cut_off() -> None:
    network = EfficientNetLite("tf_efficientnet_lite0").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted = network.forward_intermediates(x, [1, 3])
        network.prune_intermediate_layers([1, 3])
        found = network.forward_intermediates(x, [1, 3])
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    assert len(network.blocks) == 5
    assert not [name for name in network.state_dict() if "head" in name or name.startswith("bn2")]


def test_a_backbone_says_of_it_what_it_says_of_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = layout_of("tf_efficientnet_lite2")
    monkeypatch.setattr("iqa_cli.networks.timm_backbone.LITES", {})
    layout_of.cache_clear()
    try:
        assert layout_of("tf_efficientnet_lite2") == ours
    finally:
        layout_of.cache_clear()
