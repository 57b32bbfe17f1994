"""The head that names distortions: its fit, and that it names what it has not met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.ordinal_head import SEEN
from iqa_cli.networks.picture_stats import STATISTICS
from iqa_cli.training import dan_heads, ordinal_fit
from iqa_cli.training.dan_batches import CLASSES, Crop, class_of
from iqa_cli.training.dan_heads import Features
from iqa_cli.training.ordinal_fit import (
    expected_levels,
    features_of,
    fit_head,
    fit_ordinal,
    fit_with,
    put_head,
)
from tests.training.tinydan import cuttings


@pytest.mark.parametrize("rows", [30, 300])  # fewer than features, and more
def test_levels_are_found_along_their_line(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    values = torch.randn(rows, 40, generator=generator)
    levels = 1 + torch.bucketize(values[:, 0].contiguous(), torch.tensor([-1.0, -0.3, 0.3, 1.0]))
    weight, thresholds = fit_ordinal(values, levels, 1e-2)
    assert (thresholds.diff() > 0).all()
    # The gradient of the penalised loss, written out.
    x, w = values.double().numpy(), weight.double().numpy()
    above = levels.numpy()[:, None] > np.arange(1, LEVELS)
    wrong = 1 / (1 + np.exp(-((x @ w)[:, None] - thresholds.double().numpy()))) - above
    assert np.abs(x.T @ wrong.sum(1) / rows + 1e-2 * w).max() < 5e-3
    assert np.abs(wrong.mean(0)).max() < 5e-3
    assert weight[0] > 3 * weight[1:].abs().max() or rows < 40


def _features(photographs: int, seed: int) -> Features:
    """A channel of the maps for each type, a statistic for each level."""
    rng = np.random.default_rng(seed)
    photograph, label = (a.ravel() for a in np.meshgrid(range(photographs), range(CLASSES), indexing="ij"))
    values = np.zeros((len(label), SEEN), np.float32)
    values[:, :60] = rng.normal(size=(len(label), 60))
    values[:, -60:] = rng.normal(size=(len(label), 60))
    kinds, levels = (label - 1) // LEVELS, (label - 1) % LEVELS + 1
    distorted = np.flatnonzero(label)
    values[distorted, kinds[distorted]] += 12
    values[distorted, -1 - kinds[distorted] % STATISTICS] += 6 * levels[distorted]
    return Features(torch.from_numpy(values), photograph.astype(np.int64), label.astype(np.int64))


def test_decays_are_chosen_on_photographs_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dan_heads, "_ITERATIONS", 20)
    monkeypatch.setattr(ordinal_fit, "TYPE_DECAYS", (1e-2, 1e3))
    monkeypatch.setattr(ordinal_fit, "LEVEL_DECAYS", (1e-2, 1e3))
    fitted = fit_head(_features(5, 0), seed=1)
    # With everything held back nothing can be told.
    assert (fitted.type_decay, fitted.level_decay) == (1e-2, 1e-2)
    assert fitted.type_accuracy > 0.8
    other = _features(2, 9)
    types, _ = fitted.head.from_seen(other.values)
    distorted = other.kind > 0
    assert (types.argmax(1) == other.kind)[distorted].float().mean() > 0.8
    said = expected_levels(fitted.head, other.values)[distorted, other.kind[distorted] - 1]
    assert (said - other.level[distorted]).abs().mean() < 1
    with pytest.raises(ValueError, match="two photographs"):
        fit_head(other.where(other.photograph == 0), seed=1)


def test_real_crops_are_named_by_their_pixels_alone(examples: Path) -> None:
    """With a branch that was never trained: what is left are the statistics."""
    torch.manual_seed(0)
    network = MFENet(MFENetConfig(van="tiny", hfen="none", ffm=False, head_width=8)).eval()
    images = cuttings(examples, 8)
    told = [TYPES.index(kind) for kind in ("gaussian_blur", "white_noise", "pixelate")]
    crops = [
        Crop(p, class_of(kind, level), (p, kind, level))
        for p in range(8)
        for kind in told
        for level in (3, 5)
    ]
    features = features_of(network, images, crops, 64, 8, 1, lambda _: None)
    assert features.values.shape == (len(crops), SEEN)
    known = features.photograph < 6
    head = fit_with(features.where(known), 1e-2, 1e-1)
    check = features.where(~known)
    types, _ = head.from_seen(check.values)
    assert (types.argmax(1) == check.kind).float().mean() >= 0.75
    named = put_head(network, head)
    assert named.config.distortion_head == "ordinal"
    rgb = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(named(rgb), network(rgb))
    with pytest.raises(ValueError, match="distortion branch"):
        put_head(MFENet(MFENetConfig(van="tiny", dan="none", head_width=8)), head)
