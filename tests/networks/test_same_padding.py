"""TensorFlow's padding by parity against timm's own."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from iqa_cli.networks.same_padding import ParityPadded, pad_by_parity


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("shape", [(7, 8), (8, 7), (9, 11), (16, 32), (3, 4)])
def test_it_is_the_same_function_at_every_parity(kernel: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(kernel)
    conv = Conv2dSame(4, 6, kernel, stride=2)
    x = torch.rand(2, 4, *shape)
    wanted = conv(x)
    pad_by_parity(conv)
    assert isinstance(conv, ParityPadded)
    assert torch.equal(conv(x), wanted)


def test_only_what_it_holds_for_is_changed() -> None:
    convs = [
        Conv2dSame(2, 2, 3, stride=3),
        Conv2dSame(2, 2, 3, stride=2, dilation=2),
        Conv2dSame(2, 2, 2, stride=2),
    ]
    net = nn.Sequential(*convs, nn.Conv2d(2, 2, 3, stride=2, padding=1))
    pad_by_parity(net)
    assert not any(isinstance(module, ParityPadded) for module in net)


def test_a_whole_network_stays_what_it_was() -> None:
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    x = torch.rand(1, 3, 71, 98)
    with torch.inference_mode():
        wanted = net(x)
        pad_by_parity(net)
        found = net(x)
    assert sum(isinstance(module, ParityPadded) for module in net.modules()) == 5
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
