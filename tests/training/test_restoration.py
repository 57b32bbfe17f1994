"""The pre-training of the restoration network: its loss recomputed, its pairs, resuming, its starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.training import restoration
from iqa_cli.training.crops import Image
from iqa_cli.training.restoration import pretrain_restoration
from iqa_cli.training.restoration_config import PRESETS, RestorationConfig, preset_config
from iqa_cli.training.restoration_data import Pair, make_pair, report_pairs, training_pairs
from iqa_cli.training.restoration_loss import error_map, restoration_loss, ssim
from iqa_cli.training.restoration_report import report_text, to_pixels
from iqa_cli.training.starts_vcrnet import (
    load_restoration,
    read_restoration_shape,
    save_restoration,
)
from tests.training.tinydan import cuttings

TINY = {
    "net": "tiny",
    "size": 64,
    "margin": 4,
    "batch": 2,
    "steps": 4,
    "warmup": 1,
    "report_size": 64,
    "report_levels": 1,
    "precision": "fp32",
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(examples: Path) -> list[Image]:
    return cuttings(examples, 3)


@pytest.fixture(scope="module")
def two() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    pristine = torch.rand(2, 3, 24, 30, generator=generator)
    return pristine + 0.2 * torch.randn(2, 3, 24, 30, generator=generator), pristine


def _literal_error_map(restored: Tensor, pristine: Tensor) -> np.ndarray:
    """|difference| under a 21x21 Gaussian of deviation 3, over its maximum; pixel by pixel."""
    offsets = np.arange(-10, 11)
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 3.0**2))
    kernel /= kernel.sum()
    maps = []
    for one, other in zip(restored.double().numpy(), pristine.double().numpy(), strict=True):
        error = np.pad(np.abs(one - other).mean(0), 10, mode="reflect")
        height, width = one.shape[1:]
        found = np.empty((height, width))
        for i in range(height):
            for j in range(width):
                found[i, j] = (error[i : i + 21, j : j + 21] * kernel).sum()
        maps.append(found / found.max())
    return np.stack(maps)[:, None]


def test_the_error_map_is_what_is_said(two: tuple[Tensor, Tensor]) -> None:
    found = error_map(*two)
    np.testing.assert_allclose(found.numpy(), _literal_error_map(*two), atol=1e-5)
    assert found.amax((1, 2, 3)).tolist() == [1.0, 1.0]
    assert not error_map(two[1], two[1]).any()


def test_the_weighted_term_is_what_is_said(two: tuple[Tensor, Tensor]) -> None:
    restored, pristine = two
    difference = np.abs((restored - pristine).double().numpy())
    expected = ((1 + 0.5 * _literal_error_map(*two)) * difference).mean()
    assert float(restoration_loss(restored, pristine, 0.5, 0.0)[0]) == pytest.approx(expected, rel=1e-5)
    plain = restoration_loss(restored, pristine, 0.0, 0.0)
    assert float(plain[0]) == pytest.approx(difference.mean(), rel=1e-5)
    assert float(plain[1]) == 0


def test_the_map_weighs_and_is_not_learnt_through(two: tuple[Tensor, Tensor]) -> None:
    restored, pristine = two[0].clone().requires_grad_(), two[1]
    restoration_loss(restored, pristine, 1.0, 0.0)[0].backward()
    weight = 1 + error_map(restored, pristine)
    expected = weight * (restored - pristine).detach().sign() / restored.numel()
    torch.testing.assert_close(restored.grad, expected)


def test_ssim_is_that_of_another_library(two: tuple[Tensor, Tensor]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    for one, other, found in zip(*two, ssim(*two), strict=True):
        # scikit-image leaves out a border of 5, as the window of 11 does.
        expected = metrics.structural_similarity(
            one.double().numpy(),
            other.double().numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(found) == pytest.approx(expected, abs=1e-4)
    assert float(ssim(two[1], two[1]).min()) == pytest.approx(1.0, abs=1e-6)


def test_both_crops_of_a_pair_are_cut_alike(images: list[Image]) -> None:
    same = make_pair(images, Pair(1, -1, 0, (5,)), 64, 4)
    assert np.array_equal(*same)
    worse, better = make_pair(images, Pair(1, TYPES.index("jpeg"), 3, (5,)), 64, 4)
    assert np.array_equal(better, same[1])
    assert worse.shape == better.shape == (64, 64, 3)
    apart = np.abs(worse.astype(int) - better).mean()
    assert 0 < apart < 20
    # A photograph that is smaller than what is cut is mirrored.
    worse, better = make_pair([images[0][:50, :40]], Pair(0, 0, 5, (6,)), 64, 4)
    assert worse.shape == better.shape == (64, 64, 3)


def test_all_types_and_levels_come_and_a_step_needs_none_before_it() -> None:
    config = RestorationConfig(**{**TINY, "batch": 27, "pristine": 0.0})
    pairs = [pair for step in range(10) for pair in training_pairs(config, 5, step)]
    assert [training_pairs(config, 5, 7)] == [training_pairs(config, 5, 7)]
    assert sorted(pair.kind for pair in pairs) == sorted(10 * list(range(len(TYPES))))
    assert {pair.level for pair in pairs} == set(range(1, LEVELS + 1))
    assert {pair.photograph for pair in pairs} == set(range(5))
    assert len({pair.seed for pair in pairs}) == len(pairs)
    some = RestorationConfig(**{**TINY, "batch": 200, "pristine": 0.3})
    share = np.mean([pair.kind < 0 for pair in training_pairs(some, 5, 0)])
    assert 0.2 < share < 0.4


def test_the_report_covers_types_and_levels_evenly() -> None:
    pairs = report_pairs(RestorationConfig(**TINY), 10)
    assert len(pairs) == 10 * (1 + len(TYPES))
    for kind in range(len(TYPES)):
        assert sorted(pair.level for pair in pairs if pair.kind == kind) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    whole = report_pairs(RestorationConfig(**{**TINY, "report_levels": 5}), 2)
    assert len({(pair.photograph, pair.kind, pair.level) for pair in whole}) == 2 * (1 + 5 * len(TYPES))


def test_a_run_ends_in_the_same_weights_whether_cut_or_not(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoration, "LOG_EVERY", 1)
    config = RestorationConfig(**TINY)

    def run(folder: str, **more: int) -> RestorationNet:
        return pretrain_restoration(config, images, tmp_path / folder, lambda _: None, CPU, **more)

    whole = run("whole", threads=2).state_dict()
    run("cut", max_steps=3)
    assert json.loads((tmp_path / "cut" / "log.jsonl").read_text().splitlines()[-1])["step"] == 3
    resumed = run("cut").state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    lines = [json.loads(line) for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(line["weighted_l1"] >= 0 and line["ssim_term"] >= 0 for line in lines)
    with pytest.raises(UsageError, match="another run"):
        pretrain_restoration(
            RestorationConfig(**{**TINY, "seed": 1}), images, tmp_path / "cut", lambda _: None, CPU
        )


@pytest.mark.slow
def test_it_learns_to_take_one_distortion_back(images: list[Image]) -> None:
    torch.manual_seed(0)
    model = RestorationNet("tiny").train()
    kind = TYPES.index("white_noise")
    made = [make_pair(images, Pair(i % 3, kind, 4, (i,)), 64, 4) for i in range(24)]
    worse, better = (
        torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2).float() / 255 for x in zip(*made, strict=True)
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(150):
        part = slice(8 * (step % 2), 8 * (step % 2) + 8)
        loss = sum(restoration_loss(model(worse[part]), better[part]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        after = (model.eval()(worse[16:]) - better[16:]).square().mean()
    assert after < 0.8 * (worse[16:] - better[16:]).square().mean()


def test_a_start_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(1)
    module, other = RestorationNet("tiny"), RestorationNet("tiny")
    path = tmp_path / "restoration.safetensors"
    save_restoration(path, module, None)
    assert read_restoration_shape(path) == {"size": "tiny", "residual": True}
    assert load_restoration(other, path) == {}
    rgb = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(module.eval()(rgb), other.eval()(rgb))


def test_a_start_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "restoration.safetensors"
    save_restoration(path, RestorationNet("tiny", residual=False), None)
    module = RestorationNet("tiny")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(WeightsError, match="another restoration network") as caught:
        load_restoration(module, path)
    assert caught.value.hint == "--net restoration=tiny --net residual=false"
    broken = RestorationNet("tiny")
    broken.stem.weight.data[0, 0, 0, 0] = float("nan")
    save_restoration(path, broken, None)
    with pytest.raises(WeightsError, match=r"stem\.weight is not finite"):
        load_restoration(module, path)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    with pytest.raises(WeightsError, match="cannot be read"):
        load_restoration(module, tmp_path / "nowhere.safetensors")


def test_pixels_are_rounded_and_cut_off() -> None:
    rgb = torch.tensor([-0.1, 0.5, 1.2]).reshape(1, 3, 1, 1)
    assert to_pixels(rgb).tolist() == [[[[0, 128, 255]]]]


def test_the_report_says_nothing_where_nothing_was_measured() -> None:
    means = {"crops": 1, "psnr_before": 20.0, "psnr_after": 21.5, "ssim_before": 0.5, "ssim_after": 0.6}
    none = {"crops": 0, **{key: None for key in means if key != "crops"}}
    levels = {str(n): none for n in range(1, LEVELS + 1)}
    report = {
        "protocol": {"text": "What was done."},
        "all": means,
        "pristine": means,
        "interval": {"psnr": [1.0, 2.0], "ssim": [0.05, 0.15]},
        "by_level": levels,
        "by_type": {"jpeg": means},
        "by_type_and_level": {"jpeg": {**levels, "2": means}},
    }
    text = report_text(report)
    assert "PSNR +1.50 dB (95 % interval +1.00 to +2.00), SSIM +0.1000" in text
    assert "| level 1 | 0 | | | | | | |" in text
    assert "| jpeg |  | +1.50 |  |  |  |" in text


@pytest.mark.parametrize("preset", list(PRESETS))
def test_presets_are_whole(preset: str) -> None:
    assert preset_config(preset, {"steps": 7}).steps == 7


@pytest.mark.parametrize(
    ("values", "message"),
    [({"sise": 64}, "sise"), ({"size": 32}, "size"), ({"net": "huge"}, "net"), ({"pristine": 2}, "pristine")],
)
def test_a_wrong_setting_is_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        preset_config("cpu", values)
    assert "\n" not in caught.value.message
