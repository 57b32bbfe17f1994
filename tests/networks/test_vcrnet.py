"""VCRNet: shapes, published names, literal re-computation of its blocks, gradients, odd sizes, freezing,
folding."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.errors import WeightsError
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.registry import build
from iqa_cli.networks.vcrnet import VCRNet, VCRNetConfig
from iqa_cli.networks.vcrnet_names import our_name
from iqa_cli.networks.vcrnet_quality import Reduction
from iqa_cli.networks.vcrnet_restoration import (
    AsymmetricConv,
    ResidualLevel,
    RestorationNet,
    VisualCompensation,
)

TINY = {"backbone": "tiny", "restoration": "tiny", "head_width": 16}
LAYOUTS = Path(__file__).parent / "layouts"


def _stirred(network: nn.Module) -> nn.Module:
    """With batch norms as after training: nothing in them is 0 or 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def tiny() -> VCRNet:
    torch.manual_seed(0)
    return _stirred(VCRNet(VCRNetConfig.from_dict(TINY)))


def _layout(name: str) -> dict[str, list[int]]:
    found = {}
    for line in (LAYOUTS / name).read_text().splitlines():
        if not line.startswith("#"):
            key, _, shape = line.partition(" ")
            found[key] = [int(side) for side in shape.strip("[]").split(",") if side]
    return found


def test_the_published_names_and_shapes_are_all_there() -> None:
    with torch.device("meta"):
        ours = {name: list(value.shape) for name, value in VCRNet().state_dict().items()}
    published = _layout("vcrnet.txt")
    assert len(published) == 256
    assert {our_name(name): shape for name, shape in published.items()}.items() <= ours.items()
    # What is left is the trunk, which the list only names the package of.
    mapped = {our_name(name) for name in published}
    assert {name.split(".")[0] for name in ours if name not in mapped} == {"backbone"}


def test_every_tensor_of_the_trunk_s_package_has_its_place() -> None:
    published = _layout("efficientnet_b0.txt")
    with torch.device("meta"):
        ours = {name: list(value.shape) for name, value in VCRNet().state_dict().items()}
    trunk = {name: shape for name, shape in ours.items() if name.startswith("backbone.")}
    mapped = {our_name(f"efficient.{name}"): shape for name, shape in published.items()}
    assert mapped.pop(None) == [1000]  # the bias of the classifier; its weight has no place either
    assert mapped == trunk
    assert len(published) == len(trunk) + 2


def test_stage_shapes_are_the_specification_s() -> None:
    with torch.device("meta"):
        network = VCRNet().eval()
        rgb = torch.rand(1, 3, 224, 224)
        encoder = network.restoration.encode(rgb)
        decoder = network.restoration.decode(rgb)
        trunk = network.backbone(rgb)
        joined = network.stage_maps(rgb)
        restored = network.restoration(rgb)
    shapes = [[tuple(m.shape[1:]) for m in maps] for maps in (encoder, decoder, trunk, joined)]
    assert shapes[0] == [(32, 224, 224), (64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14)]
    assert shapes[1] == [(512, 28, 28), (256, 56, 56), (128, 112, 112), (64, 224, 224)]
    assert shapes[2] == [(24, 56, 56), (40, 28, 28), (112, 14, 14), (1280, 7, 7)]
    assert shapes[3] == [(144, 28, 28), (144, 14, 14), (144, 7, 7), (144, 4, 4)]
    assert restored.shape == rgb.shape


def test_an_asymmetric_convolution_is_three_convolutions_summed() -> None:
    torch.manual_seed(1)
    block = _stirred(AsymmetricConv(3, 5, stride=2))
    assert isinstance(block, AsymmetricConv)
    x = torch.randn(2, 3, 9, 12)
    padded = F.pad(x, (1, 1, 1, 1))
    expected = torch.zeros(2, 5, 5, 6)
    square, upright, lying = block.square.weight, block.vertical.weight, block.horizontal.weight
    with torch.inference_mode():
        for i in range(5):
            for j in range(6):
                window = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
                for out in range(5):
                    value = (window * square[out]).sum((1, 2, 3)) + block.square.bias[out]
                    value += (window[:, :, :, 1] * upright[out, :, :, 0]).sum((1, 2))
                    value += (window[:, :, 1, :] * lying[out, :, 0, :]).sum((1, 2))
                    expected[:, out, i, j] = value
        norm = block.norm
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        expected = (expected - norm.running_mean[:, None, None]) * scale[:, None, None]
        expected += norm.bias[:, None, None]
        torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


def test_gradients_reach_all_three_kernels_as_if_they_were_applied_apart() -> None:
    torch.manual_seed(2)
    block = AsymmetricConv(4, 6).train()
    x = torch.randn(2, 4, 8, 7)
    block(x).square().sum().backward()
    ours = [block.square.weight.grad, block.vertical.weight.grad, block.horizontal.weight.grad]
    apart = copy.deepcopy(block)
    apart.zero_grad()
    apart.norm(apart.square(x) + apart.vertical(x) + apart.horizontal(x)).square().sum().backward()
    theirs = [apart.square.weight.grad, apart.vertical.weight.grad, apart.horizontal.weight.grad]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_level_is_a_residual_block_with_one_slope() -> None:
    torch.manual_seed(3)
    level = _stirred(ResidualLevel(4, 6, 2))
    prelu = nn.PReLU(init=0.3)
    x = torch.randn(1, 4, 10, 7)

    def bent(v: Tensor) -> Tensor:
        return torch.where(v > 0, v, 0.3 * v)

    with torch.inference_mode():
        inner = bent(level.first(x))
        expected = bent(level.second(inner) + level.shortcut(x[:, :, ::2, ::2]))
        torch.testing.assert_close(level(x, prelu), expected)
    assert isinstance(ResidualLevel(4, 4, 1).shortcut, nn.Identity)


def test_the_compensation_joins_the_pooled_and_lifted_picture() -> None:
    torch.manual_seed(4)
    module = VisualCompensation((2, 3, 4))
    picture = torch.randn(1, 3, 7, 10)
    for level, factor in enumerate((1, 2, 4)):
        height, width = -(-7 // factor), -(-10 // factor)
        features = torch.randn(1, 5, height, width)
        expected = torch.zeros(1, 2 + level, height, width)
        lift = module.lifts[level]
        for i in range(height):
            for j in range(width):
                block = picture[0, :, factor * i : factor * (i + 1), factor * j : factor * (j + 1)]
                largest = block.amax((1, 2))
                expected[0, :, i, j] = lift.weight[:, :, 0, 0] @ largest + lift.bias
        joined = module(level, features, picture)
        assert torch.equal(joined[:, :5], features)
        torch.testing.assert_close(joined[:, 5:], expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("stride_in", ["first", "last"])
def test_a_reduction_is_three_branches_of_24(stride_in: str) -> None:
    torch.manual_seed(5)
    module = _stirred(Reduction(6, 8, stride_in))
    x = torch.randn(1, 6, 33, 18)
    one, other = module.twice
    steps = (8, 1) if stride_in == "first" else (1, 8)
    with torch.inference_mode():
        inner = module.activation(F.conv2d(x, one.weight, one.bias, steps[0], 1))
        branches = [
            F.conv2d(x[:, :, ::8, ::8], module.point.weight, module.point.bias),
            F.conv2d(x, module.single.weight, module.single.bias, 8, 1),
            F.conv2d(inner, other.weight, other.bias, steps[1], 1),
        ]
        expected = module.activation(module.norm(torch.cat(branches, 1)))
        found = module(x)
    assert found.shape == (1, 72, 5, 3)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (127, 225), (64, 301)])
def test_any_size_from_64_up_scores_and_is_restored(tiny: VCRNet, shape: tuple[int, int]) -> None:
    rgb = torch.rand(2, 3, *shape)
    with torch.inference_mode():
        score, restored = tiny(rgb), tiny.restoration(rgb)
    assert score.shape == (2,)
    assert restored.shape == rgb.shape
    assert torch.isfinite(score).all()
    assert torch.isfinite(restored).all()


def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(tiny: VCRNet) -> None:
    rgb = torch.rand(3, 3, 96, 96)
    with torch.inference_mode():
        first, again, alone = tiny(rgb), tiny(rgb), tiny(rgb[1:2])
    assert torch.equal(first, again)
    torch.testing.assert_close(alone, first[1:2], atol=1e-5, rtol=0)


def test_dropout_works_in_training_and_not_at_test() -> None:
    torch.manual_seed(6)
    network = VCRNet(VCRNetConfig.from_dict(TINY))
    pooled = torch.rand(4, network.head.fc1.in_features)
    assert not torch.equal(network.head.train()(pooled), network.head(pooled))
    assert torch.equal(network.head.eval()(pooled), network.head(pooled))


def test_a_restoration_net_starts_near_the_picture_itself() -> None:
    torch.manual_seed(7)
    rgb = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        near = RestorationNet("tiny").eval()(rgb)
        far = RestorationNet("tiny", residual=False).eval()(rgb)
    assert (near - rgb).abs().mean() < 0.05
    assert (far - rgb).abs().mean() > 0.1


def test_gradients_reach_every_trainable_parameter() -> None:
    silent: set[str] | None = None
    # A ReLU6 may be dead at one start, not at three.
    for seed in range(3):
        torch.manual_seed(seed)
        network = VCRNet(VCRNetConfig.from_dict({**TINY, "dropout": 0.0})).train()
        score, auxiliary = network.forward_with_auxiliary(torch.rand(4, 3, 96, 96))
        assert auxiliary.item() == 0
        score.square().mean().backward()
        trainable = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
        assert all(grad is not None and torch.isfinite(grad).all() for grad in trainable.values())
        still = {name for name, grad in trainable.items() if grad is not None and not grad.any()}
        silent = still if silent is None else silent & still
    assert silent == set()
    # The layer of the restored picture alone takes no part.
    held = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert held == {"restoration.last.weight", "restoration.last.bias"}


@pytest.mark.parametrize("stages", [0, 1, 2, 4])
def test_what_is_frozen_stays_and_the_rest_learns(stages: int) -> None:
    torch.manual_seed(8)
    network = VCRNet(VCRNetConfig.from_dict(TINY))
    network.freeze_early(stages)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.forward_with_auxiliary(torch.rand(2, 3, 64, 64))[0].square().sum().backward()
    optimiser.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    groups = {
        "restoration": any(name.startswith("restoration.") for name in changed),
        "stem": any(name.startswith("backbone.net.conv_stem") for name in changed),
        "stride 16": any(name.startswith("backbone.net.blocks.4.") for name in changed),
        "stride 32": any(name.startswith("backbone.net.blocks.6.") for name in changed),
        "reductions": any("_reductions." in name for name in changed),
    }
    assert groups == {
        "restoration": stages < 1,
        "stem": stages < 2,
        "stride 16": stages < 4,
        "stride 32": True,
        "reductions": True,
    }
    with pytest.raises(ValueError, match="0 to 4"):
        network.freeze_early(5)


def test_a_batch_of_one_trains_where_the_last_map_has_more_than_one_point() -> None:
    network = VCRNet(VCRNetConfig.from_dict(TINY)).train()
    assert torch.isfinite(network(torch.rand(1, 3, 128, 96))).all()
    assert torch.isfinite(network.eval()(torch.rand(1, 3, 64, 64))).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "b9"}, "b9"),
        ({"restoration": "huge"}, "restoration"),
        ({"dropout": 1.0}, "dropout"),
        ({"residual": "yes"}, "residual"),
        ({"stride_in": "both"}, "stride_in"),
        ({"head_width": 0}, "head_width"),
        ({"speed": 3}, "speed"),
    ],
)
def test_a_wrong_option_is_one_clear_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        build("vcrnet", {**TINY, **change})
    assert "\n" not in caught.value.message


def test_the_config_survives_its_card() -> None:
    config = VCRNetConfig(backbone="lite0", residual=False, stride_in="last")
    assert VCRNetConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("backbone", ["tiny", "lite0"])
def test_folding_batch_norms_changes_no_score_and_leaves_none(backbone: str) -> None:
    torch.manual_seed(9)
    network = _stirred(VCRNet(VCRNetConfig.from_dict({**TINY, "backbone": backbone})))
    rgb = torch.rand(2, 3, 97, 128)
    with torch.inference_mode():
        before, restored = network(rgb), network.restoration(rgb)
        folded = fold_batchnorms(copy.deepcopy(network))
        after, restored_after = folded(rgb), folded.restoration(rgb)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(restored_after, restored, atol=1e-5, rtol=1e-4)
    assert not [n for n, m in folded.named_modules() if isinstance(m, nn.BatchNorm2d)]
