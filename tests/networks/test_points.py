"""Strided 1x1 convolutions, whose gradient torch 2.15 writes beyond its memory, and what stands for them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from iqa_cli.networks.dan import DAN
from iqa_cli.networks.points import skip_before_points
from iqa_cli.training.contrastive_net import ContrastiveDAN


def strided_points(net: nn.Module) -> list[str]:
    return [
        name
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and max(module.stride) > 1
    ]


@pytest.mark.parametrize("strides", ["torch", "caffe"])
def test_the_dan_that_learns_has_none_and_gives_the_same_maps(strides: str) -> None:
    torch.manual_seed(0)
    dan = DAN(strides).eval()  # type: ignore[arg-type]
    before = copy.deepcopy(dan)
    assert strided_points(before)
    model = ContrastiveDAN(dan, 3, 8, 4)
    assert not strided_points(model)
    rgb = torch.randn(2, 3, 65, 97)
    with torch.inference_mode():
        for found, expected in zip(model.dan(rgb), before(rgb), strict=True):
            torch.testing.assert_close(found, expected)
    assert model.dan.state_dict().keys() == before.state_dict().keys()


def test_rows_and_columns_are_skipped_by_strides_of_their_own_and_only_once() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1, stride=(2, 3)), nn.Conv2d(4, 4, 3, stride=2))
    before = copy.deepcopy(net)
    skip_before_points(net)
    skip_before_points(net)
    rgb = torch.randn(1, 3, 33, 50)
    torch.testing.assert_close(net(rgb), before(rgb))
    assert net[1].stride == (2, 2)
