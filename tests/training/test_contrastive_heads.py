"""Heads that name distortions: the fit, the folding, the choice, the report."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.dan import DAN_WIDTHS
from iqa_cli.networks.distortion_head import DistortionHead, pool_stages
from iqa_cli.training import dan_heads
from iqa_cli.training.contrastive_report import differences, measure, network_report, report_text
from iqa_cli.training.dan_batches import CLASSES, class_of
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.dan_heads import (
    Choice,
    Features,
    choose_head,
    fit_head,
    fit_linear,
    head_crops,
    named,
    report_crops,
)

WIDTH = sum(DAN_WIDTHS)


def make_features(photographs: int, seed: int, last_only: bool = False) -> Features:
    """Features that tell every class and type, a channel for each, of the first stages or of the last one;
    and a channel that is nearly dead."""
    rng = np.random.default_rng(seed)
    photograph, label = (a.ravel() for a in np.meshgrid(range(photographs), range(CLASSES), indexing="ij"))
    values = np.zeros((len(label), WIDTH), np.float32)
    values[:, 500:1000] = rng.normal(size=(len(label), 500))  # noise, in the first stages alone
    values[:, -50:] = rng.normal(size=(len(label), 50))
    first = WIDTH - DAN_WIDTHS[-1] if last_only else 0
    values[np.arange(len(label)), first + label] += 4
    values[np.arange(len(label)), first + 200 + (label + 4) // LEVELS] += 4
    values[:, 300] = 1e-7 * rng.normal(size=len(label))
    return Features(torch.from_numpy(values), photograph.astype(np.int64), label.astype(np.int64))


@pytest.mark.parametrize("rows", [40, 200])  # fewer than features, and more
def test_the_fit_is_the_least_of_the_penalised_loss(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    values = torch.randn(rows, 60, generator=generator)
    labels = (values[:, 0] + torch.randn(rows, generator=generator) > 0).long() + (values[:, 1] > 1).long()
    weight, bias = fit_linear(values, labels, 3, 0.03)
    x, w = values.double().numpy(), weight.double().numpy()
    # The gradient, written out: mean of (probability - truth) times x, plus decay times w.
    logits = x @ w.T + bias.double().numpy()
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    residual = (probability - np.eye(3)[labels.numpy()]) / rows
    assert np.abs(residual.T @ x + 0.03 * w).max() < 2e-3
    assert np.abs(residual.sum(0)).max() < 2e-3
    assert np.abs(w).max() > 0.1


def test_scaling_is_folded_and_a_dead_channel_stays_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dan_heads, "_ITERATIONS", 15)
    features = make_features(4, 0)
    moved = Features(features.values * 37 + 5, features.photograph, features.label)
    head, other = (fit_head(f, "all", 1e-2, 1e-2) for f in (features, moved))
    types, levels = named(head, features.values)
    assert float((types == features.kind).float().mean()) > 0.99
    assert float((levels == features.level).float().mean()) > 0.99
    agreed = (named(other, moved.values)[0] == types).float().mean()
    assert float(agreed) > 0.99
    weights = head.types.weight.detach().abs()
    assert float(weights[:, 300].max()) < float(weights.max())


def test_the_stages_that_carry_something_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dan_heads, "_ITERATIONS", 8)
    monkeypatch.setattr(dan_heads, "DECAYS", (1e-2,))
    early = choose_head(make_features(4, 1), seed=0)
    assert early.stages == "all"
    assert early.type_accuracy > 0.9
    late = choose_head(make_features(4, 1, last_only=True), seed=0)  # of equals, the smaller
    assert late.stages == "last"


def test_the_choice_is_made_on_photographs_that_were_not_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[set[int]] = []
    checked: list[set[int]] = []
    real_fit, real_named = fit_head, named

    def fit(features: Features, *rest: object) -> DistortionHead:
        fitted.append(set(features.photograph.tolist()))
        return real_fit(features, *rest)  # type: ignore[arg-type]

    def name(head: DistortionHead, values: Tensor, kind: Tensor | None = None) -> tuple[Tensor, Tensor]:
        checked.append(
            set(np.flatnonzero((features.values[:, None, -8:] == values[None, :, -8:]).all(2).any(1)))
        )
        return real_named(head, values, kind)

    monkeypatch.setattr(dan_heads, "_ITERATIONS", 1)
    monkeypatch.setattr(dan_heads, "DECAYS", (1e-2,))
    monkeypatch.setattr(dan_heads, "fit_head", fit)
    monkeypatch.setattr(dan_heads, "named", name)
    features = make_features(5, 2)
    choose_head(features, seed=3)
    assert len(fitted) == 2
    for train, rows in zip(fitted, checked, strict=True):
        assert len(train) == 4
        assert {int(features.photograph[row]) for row in rows} == set(range(5)) - train


def test_heads_are_fitted_on_as_many_pristine_crops_as_of_a_type() -> None:
    config = ContrastiveConfig(head_crops=12)
    crops = head_crops(config, 8)
    labels = np.bincount([crop.label for crop in crops], minlength=CLASSES)
    assert labels[0] == 12 * LEVELS
    assert set(labels[1:]) == {12}
    assert len({crop.seed for crop in crops}) == len(crops)
    shown = report_crops(config, 3)
    assert sorted((c.photograph, c.label) for c in shown) == [
        (p, c) for p in range(3) for c in range(CLASSES)
    ]
    assert not {c.seed for c in shown} & {c.seed for c in crops}


class _Known(DistortionHead):
    """Names what it is told: feature 0 is the type, feature 1 the level that it gives to every type."""

    def __init__(self) -> None:
        super().__init__(TYPES)

    def from_pooled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        types = torch.nn.functional.one_hot(features[:, 0].long(), 1 + len(TYPES)).float()
        levels = torch.nn.functional.one_hot(features[:, 1].long() - 1, LEVELS).float()
        return types, levels[:, None].expand(-1, len(TYPES), -1)


def _told(rows: list[tuple[int, int, int, int]]) -> Features:
    """Rows of class, photograph, type that will be named, level that will be named."""
    values = torch.zeros(len(rows), WIDTH)
    values[:, :2] = torch.tensor([row[2:] for row in rows]).float()
    return Features(values, np.array([r[1] for r in rows]), np.array([r[0] for r in rows]))


def test_the_report_counts_what_was_named() -> None:
    blur2, jpeg4 = class_of(0, 2), class_of(9, 4)
    rows = [
        (0, 0, 0, 1),  # pristine, named so
        (0, 1, 10, 1),  # pristine, named jpeg
        (blur2, 0, 1, 2),  # all right
        (blur2, 1, 1, 3),  # the type alone
        (jpeg4, 0, 26, 4),  # the level alone
        (jpeg4, 1, 0, 4),  # named pristine: no level, but right given the type
    ]
    features = _told(rows)
    right = measure(_Known(), features)
    assert right["type"].tolist() == [True, False, True, True, False, False]
    assert right["level"].tolist()[2:] == [True, False, True, False]
    assert right["both"].tolist()[2:] == [True, False, False, False]
    assert right["level_given_type"].tolist()[2:] == [True, False, True, True]
    with pytest.warns(RuntimeWarning):  # classes without a crop have no accuracy
        report = network_report(_Known(), Choice("all", 1e-2, 1e-2, 0.5, 0.5), features)
    assert report["accuracy"] == {"type": 0.5, "level": 0.5, "both": 0.25, "level_given_type": 0.75}
    assert report["pristine"] == 0.5
    assert report["by_level"]["2"]["type"] == 1
    assert report["by_type"]["jpeg"] == {"type": 0, "level": 0.5, "both": 0, "level_given_type": 1}
    assert report["by_type_and_level"]["jpeg"][3]["level"] == 0.5
    confusion = np.array(report["confusion"])
    assert confusion.sum() == 6
    assert (confusion[0, 0], confusion[0, 10], confusion[1, 1], confusion[10, 26], confusion[10, 0]) == (
        1,
        1,
        2,
        1,
        1,
    )


def test_differences_are_of_distorted_crops_and_over_photographs() -> None:
    rows = [(class_of(0, 1), p, 1, 1) for p in range(20)] + [(0, p, 0, 1) for p in range(20)]
    features = _told(rows)
    right = measure(_Known(), features)
    wrong = {key: np.zeros_like(value) for key, value in right.items()}
    found = differences(right, wrong, features, 0)
    assert found["type"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    half = {key: value & (features.photograph < 10) for key, value in right.items()}
    spread = differences(right, half, features, 0)["type"]
    assert spread["mean"] == 0.5
    assert 0.2 < spread["low"] < 0.4
    assert 0.6 < spread["high"] < 0.8


def test_the_text_names_every_type_and_both_networks() -> None:
    features = make_features(2, 5)
    head = DistortionHead(TYPES)
    network = network_report(head, Choice("all", 1e-2, 1e-2, 0.5, 0.5), features)
    right = measure(head, features)
    text = report_text(
        {
            "protocol": {"text": "As it was."},
            "networks": {"contrastive": network, "imagenet": network},
            "difference": differences(right, right, features, 0),
        }
    )
    assert all(f"| {name} |" in text for name in TYPES)
    assert "+0.000 (+0.000 to +0.000)" in text
    # Every table has as many cells in each row as in its head.
    tables = [t.splitlines() for t in text.split("\n\n") if t.startswith("|")]
    assert len(tables) == 5
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_the_head_reads_the_means_of_the_maps() -> None:
    maps = [torch.randn(2, width, 5, 4) for width in DAN_WIDTHS]
    assert pool_stages(maps).shape == (2, WIDTH)
    assert torch.equal(pool_stages(maps, "last"), maps[-1].mean((2, 3)))
    head = DistortionHead(("blur", "noise"), "last")
    types, levels = head(maps)
    assert types.shape == (2, 3)
    assert levels.shape == (2, 2, 5)
    row = head.levels.weight[1 * 5 + 3] @ maps[-1][0].mean((1, 2)) + head.levels.bias[1 * 5 + 3]
    assert torch.allclose(levels[0, 1, 3], row, atol=1e-5)
