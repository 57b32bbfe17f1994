"""Reducing by torch's kernel gives Pillow's pixels, but for rounding, and steps aside where it can't."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.images import lanczos
from iqa_cli.images.decode import open_photo
from iqa_cli.images.lanczos import _knows_lanczos, lanczos_by_torch

if not _knows_lanczos(torch):
    pytest.skip("this torch has no Lanczos kernel", allow_module_level=True)


def both(picture: Image.Image, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """By Pillow, and as scoring has it; in whole numbers that can be subtracted."""
    with open_photo(picture) as photo:
        return tuple(photo.resized(width, height, quick=quick).astype(int) for quick in (False, True))  # type: ignore[return-value]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(216, 268), (301, 173), (64, 500)])
def test_is_as_near_to_the_exact_result_as_pillow(dog: Image.Image, mode: str, size: tuple[int, int]) -> None:
    dog = dog.convert(mode)
    slow, quick = both(dog, *size)
    assert not np.array_equal(slow, quick)  # torch was asked
    values = torch.from_numpy(np.array(dog.convert("RGB"))).permute(2, 0, 1)[None].double()
    exact = torch.nn.functional.interpolate(values, size=size[::-1], mode="lanczos", antialias=True)
    wanted = exact[0].permute(1, 2, 0).clamp(0, 255).numpy()
    errors = [float(np.sqrt(((made - wanted) ** 2).mean())) for made in (slow, quick)]
    assert errors[1] < errors[0] + 0.005
    assert np.abs(slow - quick).max() <= 3


@pytest.mark.parametrize("full", [(1900, 2400), (1901, 2399), (1230, 2567)])
def test_behind_the_box_averages_of_a_strong_reduction(dog: Image.Image, full: tuple[int, int]) -> None:
    slow, quick = both(dog.resize(full), 200, 253)
    assert not np.array_equal(slow, quick)
    assert np.abs(slow - quick).max() <= 3
    assert (slow != quick).mean() < 0.2


def test_a_turned_picture_stays_turned(dog: Image.Image) -> None:
    dog.getexif()[274] = 6
    with open_photo(dog) as photo:
        quick = photo.resized(268, 216, quick=True)
    slow, _ = both(dog, 268, 216)
    assert quick.shape == (216, 268, 3)
    assert np.abs(quick.astype(int) - slow).max() <= 3


def test_transparency_is_left_to_pillow(dog: Image.Image) -> None:
    dog.putalpha(Image.linear_gradient("L").resize(dog.size))
    slow, quick = both(dog, 216, 268)
    assert np.array_equal(slow, quick)


def test_without_torch_or_its_kernel_pillow_does_it(
    dog: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "torch")
        assert lanczos_by_torch(dog, 20, 20, dog.size) is None
        slow, quick = both(dog, 216, 268)
    assert np.array_equal(slow, quick)

    def refuses(*_: object) -> None:
        raise NotImplementedError("mode lanczos")

    monkeypatch.setattr(lanczos, "_reduced", refuses)
    _knows_lanczos.cache_clear()
    assert lanczos_by_torch(dog, 20, 20, dog.size) is None
    _knows_lanczos.cache_clear()
