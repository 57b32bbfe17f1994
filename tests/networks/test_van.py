"""VAN against the published checkpoints' layout, and its convolutions against the plain ones."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from iqa_cli.networks.van import VAN, VAN_SIZES, depthwise

LAYOUTS = Path(__file__).parent / "layouts"


def _published(name: str) -> dict[str, list[int]]:
    lines = (LAYOUTS / f"{name}.txt").read_text().splitlines()
    pairs = (line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    return {key: ast.literal_eval(shape) for key, shape in pairs}


@pytest.mark.parametrize("size", ["b0", "b2"])
def test_names_and_shapes_are_those_of_the_published_checkpoints(size: str) -> None:
    state = VAN(size, num_classes=1000).state_dict()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == _published(f"van_{size}")


@pytest.mark.parametrize(("size", "millions"), [("b0", 4.1), ("b1", 13.9), ("b2", 26.6), ("b3", 44.8)])
def test_parameter_counts_are_the_published_ones(size: str, millions: float) -> None:
    count = sum(p.numel() for p in VAN(size, num_classes=1000).parameters())
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize("shape", [(64, 64), (97, 131), (65, 224)])
def test_stage_resolutions_are_halved_rounding_up(shape: tuple[int, int]) -> None:
    maps = VAN("tiny").eval().stages(torch.rand(1, 3, *shape))
    for stride, width, stage in zip((4, 8, 16, 32), VAN_SIZES["tiny"].widths, maps, strict=True):
        assert stage.shape == (1, width, -(-shape[0] // stride), -(-shape[1] // stride))


@pytest.mark.parametrize("shape", [(1, 2), (7, 13), (30, 29), (56, 56)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 1), (7, 3)])
def test_the_rearranged_depthwise_convolution_is_the_plain_one(
    shape: tuple[int, int], kernel: int, dilation: int
) -> None:
    torch.manual_seed(0)
    padding = kernel // 2 * dilation
    conv = nn.Conv2d(6, 6, kernel, padding=padding, dilation=dilation, groups=6)
    x = torch.randn(2, 6, *shape, requires_grad=True)
    plain, ours = conv(x), depthwise(x, conv)
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(plain)
    expected = torch.autograd.grad((plain * weights).sum(), (x, conv.weight))
    found = torch.autograd.grad((ours * weights).sum(), (x, conv.weight))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
