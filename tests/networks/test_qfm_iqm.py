"""QFM-IQM whole: shapes, decoder against a literal one, losses, gradients, odd sizes, configs, folding."""

import copy
import math
from typing import Any

import pytest
import timm
import torch

from iqa_cli.errors import WeightsError
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.qfm_decoder import Attention, QualityDecoder
from iqa_cli.networks.qfm_iqm import PAPER, QFMIQM, QFMIQMConfig
from iqa_cli.networks.registry import build
from iqa_cli.networks.timm_backbone import Backbone, layout_of

#: Small enough for a test: a pyramid of maps, read at two strides, and a ViT.
CNN = {"backbone": "test_efficientnet", "levels": 2, "width": 32, "heads": 2, "memory": 8, "dropout": 0.0}
VIT = {**CNN, "backbone": "test_vit", "levels": 1}
NAN = math.nan


def make(config: dict[str, Any], seed: int = 0) -> QFMIQM:
    torch.manual_seed(seed)
    return QFMIQM(QFMIQMConfig.from_dict(config))


@pytest.fixture(scope="module", params=[CNN, VIT], ids=["cnn", "vit"])
def trained(request: pytest.FixtureRequest) -> QFMIQM:
    """A network whose batch norms have seen something."""
    network = make(request.param).train()
    for _ in range(3):
        network(torch.rand(4, 3, 96, 96))
    return network.eval()


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (64, 131)])
def test_any_size_from_64_up_scores(trained: QFMIQM, shape: tuple[int, int]) -> None:
    with torch.inference_mode():
        score = trained(torch.rand(2, 3, *shape))
    assert score.shape == (2,)
    assert torch.isfinite(score).all()


def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(trained: QFMIQM) -> None:
    x = torch.rand(3, 3, 96, 96)
    with torch.inference_mode():
        first, again, alone = trained(x), trained(x), trained(x[1:2])
        with_memory = trained.forward_with_opinions(x, torch.tensor([0.5, 0.5, 0.6]))[0]
    assert torch.equal(first, again)
    assert torch.equal(first, with_memory)
    torch.testing.assert_close(alone, first[1:2], atol=1e-5, rtol=0)
    assert len(trained.memory.entries()[1]) == 0, "only training remembers"


def test_scores_depend_on_the_picture(trained: QFMIQM) -> None:
    with torch.inference_mode():
        scores = trained(torch.stack([torch.zeros(3, 64, 64), torch.rand(3, 64, 64)]))
    assert abs(float(scores[0] - scores[1])) > 1e-4


@pytest.mark.parametrize(("levels", "tokens"), [(1, [2 * 4]), (3, [2 * 4, 4 * 7, 8 * 13])])
def test_tokens_of_maps_are_grids_and_the_feature_their_mean(levels: int, tokens: list[int]) -> None:
    network = make({**CNN, "levels": levels}).eval()
    with torch.inference_mode():
        feature, found = network.encode(torch.rand(2, 3, 64, 100))
    assert found.shape == (2, sum(tokens), 32)
    grids = found.split(tokens[::-1], 1)
    wanted = torch.stack([grid.mean(1) for grid in grids]).mean(0)
    torch.testing.assert_close(feature, wanted)


def test_a_vit_gives_its_class_token_as_the_feature() -> None:
    network = make({**VIT, "width": 64}).eval()
    x = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        feature, tokens = network.encode(x)
        raw = network.encoder.backbone.net.forward_features((x - network.mean) / network.std)
        torch.testing.assert_close(feature, network.encoder.norms[0](raw[:, 0]))
    assert tokens.shape == (2, 4 * 6, 64)


def test_the_paper_s_config_is_deit3_small() -> None:
    assert PAPER["backbone"] == "deit3_small_patch16_224"
    with torch.device("meta"):
        network = build("qfm-iqm", PAPER)
    backbone = sum(p.numel() for p in network.get_submodule("encoder.backbone").parameters())
    assert round(backbone / 1e6, 1) == 21.7
    assert isinstance(network.get_submodule("encoder.projections.0"), torch.nn.Identity)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"levels": 2},
        {"backbone": "resnet50", "stride": 16, "normalisation": "imagenet", "conv_strides": "caffe"},
    ],
    ids=["default", "two grids", "resnet50 cut"],
)
def test_what_may_ship_is_under_48_mebibytes_at_half_precision(config: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = build("qfm-iqm", config)
    unshipped = network.unshipped()  # type: ignore[operator]
    numbers = sum(v.numel() for name, v in network.state_dict().items() if name not in unshipped)
    assert unshipped
    assert 2 * numbers < 47 * 2**20


def test_attention_is_that_of_its_heads() -> None:
    torch.manual_seed(0)
    attention = Attention(6, 3, 0.5).eval()
    queries, tokens = torch.randn(1, 2, 6), torch.randn(1, 5, 6)
    with torch.no_grad():
        q, kv = attention.query(queries)[0], attention.key_value(tokens)[0]
        key, value = kv[:, :6], kv[:, 6:]
        joined = torch.zeros(2, 6)
        for head in range(3):
            its = slice(2 * head, 2 * head + 2)
            for i in range(2):
                logits = [float(q[i, its] @ key[t, its]) / math.sqrt(2) for t in range(5)]
                weights = [math.exp(x) / sum(map(math.exp, logits)) for x in logits]
                joined[i, its] = sum(w * value[t, its] for t, w in enumerate(weights))
        torch.testing.assert_close(attention(queries, tokens)[0], attention.out(joined))


def test_the_decoder_is_the_mean_of_six_pre_norm_queries() -> None:
    torch.manual_seed(0)
    decoder = QualityDecoder(12, 3, 6, 4, 0.0).eval()
    feature, tokens = torch.randn(2, 12), torch.randn(2, 7, 12)
    layer = decoder.layer
    with torch.no_grad():
        x = torch.stack([decoder.panel + f for f in feature])
        y = layer.norm1(x)
        x = x + layer.among(y, y)
        x = x + layer.across(layer.norm2(x), tokens)
        x = x + layer.mlp(layer.norm3(x))
        scores = decoder.norm(x) @ decoder.score.weight[0] + decoder.score.bias
        assert scores.shape == (2, 6)
        torch.testing.assert_close(decoder.opinions(feature, tokens), scores)
        torch.testing.assert_close(decoder(feature, tokens), scores.sum(1) / 6)


def test_the_loss_under_noise_is_that_of_the_matched_pictures() -> None:
    network = make({**CNN, "noise_weight": 2.0, "smooth": 0.02})
    network.train()
    network(torch.rand(8, 3, 64, 64))
    network.eval()
    held = torch.randn(4, 32)
    network.memory.push(held, torch.tensor([0.30, 0.52, 0.48, 0.9]))
    x, mos = torch.rand(4, 3, 64, 64), torch.tensor([0.5, NAN, 0.31, 0.7])
    with torch.no_grad():
        scores, loss = network.forward_with_opinions(x, mos)
        feature, tokens = network.encode(x)
        terms = []
        for i, candidates in ((0, [1, 2]), (2, [0])):  # the third has nobody, the second no opinion
            j = min(candidates, key=lambda c: float(torch.cosine_similarity(feature[i], held[c], dim=0)))
            gate = torch.sigmoid(network.noise.weight(torch.cat([feature[i], held[j]])))
            noise = 0.3 * gate * held[j]
            noisy = network.decoder((feature[i] + noise)[None], (tokens[i] + noise)[None])
            gap = abs(float(noisy) - float(mos[i]))
            terms.append(gap * gap / 0.04 if gap < 0.02 else gap - 0.01)
    assert float(loss) == pytest.approx(2.0 * sum(terms) / 2, rel=1e-4)
    torch.testing.assert_close(scores, network(x))


def test_training_remembers_what_has_an_opinion() -> None:
    network = make(CNN).train()
    x = torch.rand(3, 3, 64, 64)
    first = network.forward_with_opinions(x, torch.tensor([0.5, NAN, 0.6]))[1]
    assert float(first) == 0, "there is nobody yet"
    held, scores = network.memory.entries()
    assert not held.requires_grad
    assert scores.tolist() == pytest.approx([0.5, 0.6])
    assert float(network.forward_with_opinions(x, torch.tensor([0.5, NAN, 0.6]))[1].detach()) > 0


@pytest.mark.parametrize("config", [CNN, VIT, {**CNN, "gate": "adversarial"}])
def test_gradients_reach_every_trainable_parameter(config: dict[str, Any]) -> None:
    network = make(config).train()
    x, mos = torch.rand(4, 3, 64, 64), torch.tensor([0.5, 0.52, 0.54, NAN])
    network.forward_with_opinions(x, mos)
    scores, loss = network.forward_with_opinions(x, mos)
    (network.opinion_loss(scores[:3], mos[:3]) + loss).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_a_batch_of_one_trains() -> None:
    network = make(CNN).train()
    for _ in range(2):
        scores, loss = network.forward_with_opinions(torch.rand(1, 3, 64, 64), torch.tensor([0.5]))
        (scores.sum() + loss).backward()
    assert float(loss.detach()) > 0


def test_each_weight_turns_its_own_loss_off_and_leaves_the_start_alike() -> None:
    scores, mos = torch.tensor([0.2, 0.9]), torch.tensor([0.5, 0.5])
    whole, without = make(CNN), make({**CNN, "noise_weight": 0.0})
    assert float(make({**CNN, "opinion_weight": 0.0}).opinion_loss(scores, mos)) == 0
    assert float(make({**CNN, "distillation_weight": 0.0}).distillation_loss(scores, mos)) == 0
    assert float(whole.opinion_loss(scores, mos)) == pytest.approx((0.25 + 0.35) / 2)
    assert float(whole.distillation_loss(scores, mos)) == pytest.approx((0.25 + 0.35) / 2)
    assert without.memory is None
    assert without.unshipped() == set()
    ours = whole.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in without.state_dict().items())
    without.train()
    for _ in range(2):
        loss = without.forward_with_opinions(torch.rand(2, 3, 64, 64), mos)[1]
    assert float(loss) == 0


def test_frozen_stages_keep_their_start() -> None:
    network = make(CNN)
    network.freeze_early(2)
    network.train()
    (network(torch.rand(2, 3, 64, 64)).sum()).backward()
    backbone = network.encoder.backbone
    assert all(
        p.grad is None for stage in (1, 2) for m in backbone.stage_modules(stage) for p in m.parameters()
    )
    assert all(p.grad is not None for m in backbone.stage_modules(3) for p in m.parameters())
    assert not backbone.net.bn1.training
    with pytest.raises(ValueError, match="5"):
        network.freeze_early(5)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_a_backbone_is_timm_s_without_strided_1x1_convolutions(name: str) -> None:
    """Their gradient corrupts memory on the CPU."""
    backbone = Backbone(name, levels=3).eval()
    plain = timm.create_model(name, pretrained=False, num_classes=0).eval()
    plain.load_state_dict(backbone.net.state_dict(), strict=False)
    x = torch.rand(2, 3, 75, 97)
    with torch.inference_mode():
        maps = plain.forward_intermediates(x, indices=3, intermediates_only=True)
        for grid, wanted in zip(backbone(x)[1], maps, strict=True):
            torch.testing.assert_close(grid, wanted.flatten(2).transpose(1, 2))
    convolutions = [m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    assert not [m for m in convolutions if m.kernel_size == (1, 1) and m.stride != (1, 1)]


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_resnet", "test_convnext"])
def test_stages_hold_every_part_once(name: str) -> None:
    backbone = Backbone(name)
    parts = [p for stage in (1, 2, 3, 4) for m in backbone.stage_modules(stage) for p in m.parameters()]
    outside = list(backbone.net.parameters(recurse=False))
    assert sorted(map(id, [*parts, *outside])) == sorted(map(id, backbone.parameters()))
    assert all(list(backbone.stage_modules(stage)) for stage in (1, 2, 3, 4))


@pytest.mark.parametrize(
    "config", [CNN, VIT, {**CNN, "backbone": "test_resnet"}], ids=["cnn", "vit", "resnet"]
)
def test_folded_batch_norms_change_no_score(config: dict[str, Any]) -> None:
    network = make(config).train()
    for _ in range(3):
        network(torch.rand(4, 3, 64, 64))
    network.eval()
    folded = fold_batchnorms(copy.deepcopy(network))
    x = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), network(x), atol=1e-4, rtol=0)


def test_a_config_survives_a_card() -> None:
    config = QFMIQMConfig.from_dict({**CNN, "tolerance": 0.1})
    assert QFMIQMConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"backbone": "resnet5"}, "did you mean"),
        ({"backbone": "hf-hub:someone/something"}, "no network of timm"),
        ({"backbone": "swin_tiny_patch4_window7_224"}, "one size only"),
        ({"backbone": 3}, "must be a name"),
        ({"stride": 5}, "2, 4, 8, 16, 32"),
        ({"backbone": "test_vit", "levels": 2}, "levels must be 1 to 1"),
        ({"stride": 4, "levels": 3}, "levels must be 1 to 2"),
        ({"conv_strides": "caffe"}, "bottlenecks"),
        ({"normalisation": "none"}, "half, imagenet"),
        ({"gate": "open"}, "learnt, adversarial, none"),
        ({"heads": 5}, "multiple of heads"),
        ({"memory": 0}, "between 1"),
        ({"memory": 4.5}, "whole number"),
        ({"tolerance": float("nan")}, "finite"),
        ({"dropout": 1.0}, "between 0 and 0.9"),
        ({"noise_weight": True}, "finite number"),
        ({"opinion_weight": 0, "noise_weight": 0, "distillation_weight": 0}, "nothing would be learnt"),
        ({"lambda": 1}, "unknown QFM-IQM option: lambda"),
    ],
)
def test_a_wrong_config_is_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(WeightsError, match=said) as caught:
        build("qfm-iqm", {"backbone": "test_efficientnet", **wrong})
    assert "\n" not in str(caught.value)


def test_the_layout_draws_no_random_number() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    layout_of.cache_clear()
    layout_of("test_convnext")
    assert torch.equal(before, torch.get_rng_state())
