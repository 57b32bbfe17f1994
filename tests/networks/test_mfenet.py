"""MFE-Net whole: the specification's counts and shapes, its ablations, gradients, odd sizes, determinism,
folding."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from iqa_cli.errors import WeightsError
from iqa_cli.networks.filling import unshipped_of
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.registry import build
from iqa_cli.networks.van import Block
from iqa_cli.weights import load_network, read_card, save_weights, shipped_state
from tests.tinyweight import make_tiny_weight

#: Small enough for a test; every part is there but the ResNet-50, which `WITH_DAN` adds.
TINY = {"van": "tiny", "dan": "none", "head_width": 16}
WITH_DAN = {"van": "tiny", "head_width": 16}


@pytest.fixture(scope="module")
def with_dan() -> MFENet:
    torch.manual_seed(0)
    network = MFENet(MFENetConfig.from_dict(WITH_DAN))
    network.train()
    for _ in range(3):
        network(torch.rand(4, 3, 96, 96))
    return network.eval()


@pytest.mark.parametrize(("van", "millions"), [("b0", 31.2), ("b1", 49.5), ("b2", 62.2)])
def test_parameter_counts_are_the_specification_s(van: str, millions: float) -> None:
    network = MFENet(MFENetConfig(van=van))
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions


def test_stage_shapes_of_b2_are_the_specification_s() -> None:
    network = MFENet(MFENetConfig(van="b2")).eval()
    x = torch.rand(1, 3, 224, 224)
    grid = [(56, 56), (28, 28), (14, 14), (7, 7)]
    widths = {"qen": (64, 128, 320, 512), "dan": (256, 512, 1024, 2048), "hfen": (64, 128, 320, 512)}
    with torch.inference_mode():
        branches = {"qen": network.qen.stages(x), "dan": network.dan(x), "hfen": network.hfen(x)}
        fused = network.stage_maps(x)
        projected = [p(d) for p, d in zip(network.projections, branches["dan"], strict=True)]
    for name, maps in branches.items():
        assert [tuple(m.shape[1:]) for m in maps] == [
            (w, *g) for w, g in zip(widths[name], grid, strict=True)
        ]
    assert [tuple(m.shape[1:]) for m in fused] == [(w, *g) for w, g in zip(widths["qen"], grid, strict=True)]
    assert [m.shape for m in projected] == [m.shape for m in fused]
    assert network.head[0].in_features == 1024


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (223, 225), (64, 301)])
def test_any_size_from_64_up_scores(with_dan: MFENet, shape: tuple[int, int]) -> None:
    with torch.inference_mode():
        score = with_dan(torch.rand(2, 3, *shape))
    assert score.shape == (2,)
    assert torch.isfinite(score).all()


def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(with_dan: MFENet) -> None:
    x = torch.rand(3, 3, 96, 96)
    with torch.inference_mode():
        first, again, alone = with_dan(x), with_dan(x), with_dan(x[1:2])
    assert torch.equal(first, again)
    torch.testing.assert_close(alone, first[1:2], atol=1e-5, rtol=0)


def test_gradients_reach_every_trainable_parameter_and_leave_the_dan_alone() -> None:
    silent: set[str] | None = None
    # A ReLU of a network this narrow may be dead at one start, not at three.
    for seed in range(3):
        torch.manual_seed(seed)
        network = MFENet(MFENetConfig.from_dict({**WITH_DAN, "dropout": 0.0})).train()
        score, auxiliary = network.forward_with_auxiliary(torch.rand(4, 3, 96, 96))
        (score.square().mean() + auxiliary).backward()
        trainable = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
        assert all(grad is not None and torch.isfinite(grad).all() for grad in trainable.values())
        still = {name for name, grad in trainable.items() if grad is not None and not grad.any()}
        silent = still if silent is None else silent & still
        assert all(p.grad is None for p in network.dan.parameters())
    assert silent == set()


def test_the_dan_stays_in_evaluation_mode_and_its_statistics_stay(with_dan: MFENet) -> None:
    network = copy.deepcopy(with_dan).train()
    before = network.dan.resnet.bn1.running_mean.clone()
    network(torch.rand(2, 3, 96, 96))
    assert not network.dan.resnet.bn1.training
    assert torch.equal(network.dan.resnet.bn1.running_mean, before)


def test_caffe_strides_halve_earlier_and_give_the_same_shapes() -> None:
    x = torch.rand(1, 3, 96, 96)
    strides = ("torch", "caffe")
    torch_like, caffe_like = (MFENet(MFENetConfig.from_dict({**WITH_DAN, "dan_strides": s})) for s in strides)
    assert caffe_like.dan.resnet.layer2[0].conv1.stride == (2, 2)
    assert caffe_like.dan.resnet.layer2[0].conv2.stride == (1, 1)
    assert torch_like.dan.resnet.layer2[0].conv2.stride == (2, 2)
    assert [m.shape for m in torch_like.dan(x)] == [m.shape for m in caffe_like.dan(x)]


@pytest.mark.parametrize(
    "change",
    [
        {"fusion": "add"},
        {"fusion": "concat"},
        {"ffm": False},
        {"hfen": "laplacian"},
        {"hfen": "none"},
        {"dan": "none"},
        {"dan": "imagenet"},
        {"auxiliary_weight": 0.0},
        {"pooling": "mean-std"},
    ],
)
def test_every_ablation_builds_trains_a_step_and_scores(change: dict[str, object]) -> None:
    network = build("mfenet", {**WITH_DAN, **change}).train()
    score, auxiliary = network.forward_with_auxiliary(torch.rand(2, 3, 64, 64))
    (score.mean() + auxiliary).backward()
    has_task = change.get("hfen") != "none" and change.get("auxiliary_weight") != 0.0
    assert (auxiliary.item() > 0) == has_task
    assert network.eval()(torch.rand(1, 3, 64, 64)).shape == (1,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"van": "b9"}, "b9"),
        ({"fusion": "mean"}, "fusion"),
        ({"dropout": 1.0}, "dropout"),
        ({"ffm": "yes"}, "ffm"),
        ({"pooling": "max"}, "pooling"),
        ({"speed": 3}, "speed"),
    ],
)
def test_a_wrong_option_is_one_clear_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        build("mfenet", {**TINY, **change})
    assert "\n" not in caught.value.message


def test_the_head_reads_mean_and_population_deviation_of_every_map() -> None:
    network = build("mfenet", {**TINY, "pooling": "mean-std"}).eval()
    rgb = torch.rand(2, 3, 70, 91)
    with torch.inference_mode():
        maps = [m.double().numpy() for m in network.stage_maps(rgb)]
        read = np.concatenate([m.mean((2, 3)) for m in maps] + [m.std((2, 3)) for m in maps], 1)
        torch.testing.assert_close(
            network(rgb), network.head(torch.from_numpy(read).float())[:, 0], atol=1e-4, rtol=1e-4
        )


def test_a_network_that_reads_deviations_starts_from_one_that_does_not() -> None:
    plain = build("mfenet", TINY).eval()
    network = build("mfenet", {**TINY, "pooling": "mean-std"}).eval()
    network.load_state_dict(network.adapted(plain.state_dict()))
    rgb = torch.rand(2, 3, 64, 80)
    with torch.inference_mode():
        torch.testing.assert_close(network(rgb), plain(rgb))
    assert network.adapted(network.state_dict()).keys() == plain.state_dict().keys()


def test_folding_batch_norms_changes_no_score(with_dan: MFENet) -> None:
    network = copy.deepcopy(with_dan)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, Block):  # at their start, blocks hardly do anything
            torch.nn.init.uniform_(module.layer_scale_1, 0.2, 0.6)
            torch.nn.init.uniform_(module.layer_scale_2, 0.2, 0.6)
    x = torch.rand(2, 3, 97, 128)
    with torch.inference_mode():
        before = network(x)
        folded = fold_batchnorms(copy.deepcopy(network))
        after = folded(x)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    # Those of a block of the VAN stand there still, and are passed by.
    asked: list[str] = []
    for name, module in folded.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda *_, name=name: asked.append(name))
    with torch.inference_mode():
        torch.testing.assert_close(fold_batchnorms(folded)(x), after, atol=0, rtol=0)
    assert asked == []
    with pytest.raises(ValueError, match="evaluation"):
        fold_batchnorms(copy.deepcopy(network).train())


def test_a_weight_leaves_out_what_is_never_computed(with_dan: MFENet, tmp_path: Path, examples: Path) -> None:
    left_out = unshipped_of(with_dan)
    assert left_out
    state = shipped_state(with_dan)
    assert left_out == set(with_dan.state_dict()) - set(state)
    path = tmp_path / "without.safetensors"
    card = read_card(make_tiny_weight(tmp_path, examples))
    save_weights(path, state, replace(card, config=WITH_DAN), half=False)
    loaded = load_network(path)[1]
    x = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(loaded(x), with_dan(x))
    assert not any(value.is_meta for value in loaded.state_dict().values())
