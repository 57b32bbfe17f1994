"""Packed convolutions are the folded ones: the same scores, whatever the size, the batch and the threads."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.packed_conv import PackedConv, PackedParityPadded, PackedPoint, packed_conv
from iqa_cli.networks.packing import (
    PackedBlock,
    PackedBottleneck,
    PackedInvertedResidual,
    can_pack,
    pack_convolutions,
)
from iqa_cli.networks.registry import build
from iqa_cli.networks.same_padding import ParityPadded
from iqa_cli.networks.van import Block

pytestmark = pytest.mark.skipif(not can_pack(), reason="this torch is built without oneDNN")

QFM = {"levels": 2, "width": 32, "heads": 2, "queries": 2, "memory": 8}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mfenet": ("mfenet", {"van": "tiny", "head_width": 16, "pooling": "mean-std"}),
    "mfenet, parts left out": ("mfenet", {"van": "tiny", "dan": "none", "ffm": False, "fusion": "concat"}),
    "mfenet, lite": (
        "mfenet",
        {"backbone": "tf_efficientnet_lite0", "dan": "none", "head_width": 16, "pooling": "mean-std"},
    ),
    "vcrnet": ("vcrnet", {"backbone": "tiny", "restoration": "tiny"}),
    "vcrnet, strides last": ("vcrnet", {"backbone": "tiny", "restoration": "tiny", "stride_in": "last"}),
    "qfm-iqm, efficientnet": ("qfm-iqm", {**QFM, "backbone": "test_efficientnet"}),
    "qfm-iqm, vit": ("qfm-iqm", {**QFM, "levels": 1, "backbone": "test_vit"}),
    "qfm-iqm, resnet": ("qfm-iqm", {**QFM, "backbone": "test_resnet"}),
    "qfm-iqm, convnext": ("qfm-iqm", {**QFM, "backbone": "test_convnext"}),
}


def folded(name: str) -> nn.Module:
    """A network whose norms and layer scales all do something, folded."""
    torch.manual_seed(3)
    network = build(*NETWORKS[name]).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.1, 0.6)
        elif isinstance(module, Block):
            nn.init.uniform_(module.layer_scale_1, 0.2, 0.6)
            nn.init.uniform_(module.layer_scale_2, 0.2, 0.6)
    return fold_batchnorms(network).requires_grad_(False)


@pytest.mark.parametrize("name", NETWORKS)
def test_packing_changes_no_score(name: str) -> None:
    network = folded(name).to(memory_format=torch.channels_last)
    packed = pack_convolutions(copy.deepcopy(network))
    assert any(isinstance(module, PackedConv) for module in packed.modules())
    rgb = torch.rand(3, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted, found = network(rgb), packed(rgb)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
        assert wanted.std() > 1e-4, "the scores do not depend on the picture"
        # Nothing of one batch is left for the next, and a crop alone is what it is beside others.
        torch.testing.assert_close(packed(rgb), found, atol=0, rtol=0)
        torch.testing.assert_close(packed(rgb[1:2]), found[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["mfenet", "mfenet, lite", "vcrnet", "vcrnet, strides last"])
@pytest.mark.parametrize("sides", [(97, 128), (66, 73), (71, 64), (65, 81)])
def test_other_sizes_and_layouts_are_computed_too(name: str, sides: tuple[int, int]) -> None:
    network = folded(name)
    packed = pack_convolutions(copy.deepcopy(network))
    rgb = torch.rand(2, 3, *sides)
    with torch.inference_mode():
        torch.testing.assert_close(packed(rgb), network(rgb), atol=1e-5, rtol=1e-4)


def test_what_mfenet_is_made_of_is_packed_whole() -> None:
    """No convolution of the two backbones is left to torch but the dilated ones, which have a form of their
    own."""
    packed = pack_convolutions(folded("mfenet"))
    kinds = [type(module) for module in packed.modules()]
    assert kinds.count(PackedBottleneck) == 16
    assert kinds.count(PackedBlock) == 4
    left = [module for module in packed.modules() if isinstance(module, nn.Conv2d)]
    assert [module.dilation for module in left] == [(3, 3)] * 4


def test_the_last_map_of_a_decoder_is_made_where_it_is_read() -> None:
    packed: Any = pack_convolutions(folded("vcrnet"))
    made: list[torch.Tensor] = []
    packed.restoration.ups[-1].register_forward_hook(lambda _, __, found: made.append(found[0]))
    rgb = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        packed(rgb)
    channels = packed.restoration.decoder_widths[-1] // 2
    assert made[0].shape == (1, 9 * channels, 12, 12), "nine positions of 64"


def test_of_an_efficientnet_lite_no_convolution_is_left_to_torch() -> None:
    packed = pack_convolutions(folded("mfenet, lite"))
    kinds = [type(module) for module in packed.qen.modules()]  # type: ignore[union-attr]
    assert kinds.count(PackedInvertedResidual) == 15
    assert kinds.count(PackedParityPadded) == 5
    assert not [kind for kind in kinds if issubclass(kind, nn.Conv2d | nn.ReLU6)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("out", "side"), [(64, 10), (64, 30), (512, 30)])
def test_deep_points_are_the_same_as_matrix_products(out: int, side: int, stride: int) -> None:
    torch.manual_seed(out + side)
    conv = nn.Conv2d(512, out, 1, stride).requires_grad_(False)
    assert isinstance(packed_conv(conv, nn.ReLU()), PackedPoint)
    for layout in (torch.channels_last, torch.contiguous_format):
        x = torch.randn(2, 512, side, side).contiguous(memory_format=layout)
        wanted = conv(x)
        other = torch.randn_like(wanted).contiguous(memory_format=torch.channels_last)
        added = (wanted + other).relu()
        packed = PackedPoint(conv, nn.ReLU())
        torch.testing.assert_close(packed(x), wanted.relu(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(packed.added_to(other, x), added, atol=1e-5, rtol=1e-5)


def test_points_of_few_channels_are_left_to_the_library() -> None:
    for conv in (nn.Conv2d(256, 512, 1), nn.Conv2d(512, 48, 1), nn.Conv2d(512, 64, 3, padding=1)):
        assert type(packed_conv(conv.requires_grad_(False))) is PackedConv


@pytest.mark.parametrize("groups", [1, 8])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("shape", [(12, 20), (11, 20), (12, 9), (7, 9)])
def test_padding_as_tensorflow_does_it_is_packed_at_every_parity(
    groups: int, kernel: int, shape: tuple[int, int]
) -> None:
    torch.manual_seed(kernel)
    conv = ParityPadded(8, 8, kernel, 2, groups=groups).requires_grad_(False)
    x = torch.randn(2, 8, *shape).contiguous(memory_format=torch.channels_last)
    packed = PackedParityPadded(conv, nn.ReLU6())
    assert (packed.even is not None) == (groups == 8)
    torch.testing.assert_close(packed(x), nn.functional.relu6(conv(x)), atol=1e-5, rtol=1e-5)


def test_without_the_library_a_network_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iqa_cli.networks.packing.can_pack", lambda: False)
    network = folded("mfenet, parts left out")
    assert pack_convolutions(network) is network
    assert not any(isinstance(module, PackedConv) for module in network.modules())


@pytest.mark.parametrize("kind", [PackedConv, PackedPoint])
def test_operators_of_another_torch_are_not_used(
    monkeypatch: pytest.MonkeyPatch, kind: type[nn.Module]
) -> None:
    def other(*_: object) -> torch.Tensor:
        raise TypeError("_convolution_pointwise() got another argument")

    can_pack.cache_clear()
    try:
        assert can_pack()
        monkeypatch.setattr(kind, "forward", other)
        can_pack.cache_clear()
        assert not can_pack()
        monkeypatch.setattr(kind, "forward", lambda self, x: x.relu())
        can_pack.cache_clear()
        assert not can_pack()
    finally:
        monkeypatch.undo()
        can_pack.cache_clear()
