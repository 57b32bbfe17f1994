"""Full-reference metrics on real pictures: range, direction, colour, order of levels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.errors import ImageError
from iqa_cli.evaluation import full_reference
from iqa_cli.evaluation.full_reference import (
    IDENTICAL,
    METRICS,
    MIN_SIDE,
    MetricsError,
    Reference,
    library_version,
    single_thread,
)


@pytest.fixture(scope="module")
def photo(examples: Path) -> np.ndarray:
    with Image.open(examples / "palace.jpg") as picture:
        return np.array(picture.convert("RGB"))[100:260, 100:300]


def test_a_picture_is_the_best_copy_of_itself(photo: np.ndarray) -> None:
    assert Reference(photo).compare(photo) == pytest.approx(IDENTICAL, abs=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_more_blur_and_more_noise_are_worse(photo: np.ndarray, name: str) -> None:
    reference = Reference(photo)
    noise = np.random.default_rng(0).standard_normal(photo.shape)
    blurred = [cv2.GaussianBlur(photo, (0, 0), sigma) for sigma in (0.7, 1.5, 3, 6)]
    noisy = [np.clip(photo + sigma * noise, 0, 255).astype(np.uint8) for sigma in (4, 12, 30, 60)]
    for ladder in (blurred, noisy):
        values = [METRICS[name].sign * reference.compare(image)[name] for image in ladder]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == len(values)


def test_those_that_read_colour_see_hues_turned_and_the_other_one_does_not(photo: np.ndarray) -> None:
    ycc = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb)
    grey = ycc.copy()
    grey[:, :, 1:] = 128
    values = Reference(photo).compare(cv2.cvtColor(grey, cv2.COLOR_YCrCb2RGB))
    loss = {name: abs(values[name] - metric.best) for name, metric in METRICS.items()}
    for name, metric in METRICS.items():
        assert (loss[name] > 0.01) == metric.colour, loss


def test_the_smallest_picture_is_measured_and_a_smaller_one_refused(photo: np.ndarray) -> None:
    small = np.ascontiguousarray(photo[:MIN_SIDE, :MIN_SIDE])
    values = Reference(small).compare(cv2.GaussianBlur(small, (0, 0), 2))
    for name, metric in METRICS.items():
        low, high = sorted((metric.worst, metric.best))
        assert low < values[name] < high
    with pytest.raises(ImageError, match="100x63 pixels is too small"):
        Reference(photo[:63, :100])


def test_plain_areas_have_values_too() -> None:
    grey = np.full((80, 80, 3), 128, np.uint8)
    values = Reference(grey).compare(np.full((80, 80, 3), 20, np.uint8))
    assert all(np.isfinite(list(values.values())))


def test_another_size_or_type_is_an_error_of_the_caller(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot compare"):
        Reference(photo).compare(photo[:-1])
    with pytest.raises(ValueError, match="uint8"):
        Reference(photo).compare(photo / 255.0)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with single_thread():
        assert torch.get_num_threads() == 1
        assert cv2.getNumThreads() == 1
    assert torch.get_num_threads() == before


def test_without_the_library_the_extra_is_named(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library_version().startswith("0.8")
    monkeypatch.setitem(__import__("sys").modules, "piq", None)
    with pytest.raises(MetricsError) as caught:
        full_reference.Reference(photo)
    assert caught.value.exit_code == 4
    assert "iqa-cli[synth]" in str(caught.value.hint)
