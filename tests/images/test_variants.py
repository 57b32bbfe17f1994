"""Changes of a picture: what they do to its pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.images.decode import open_photo
from iqa_cli.images.variants import VARIANTS, Pixels, crop, flip, pixels_of, reencode, shift


@pytest.fixture
def pixels(examples: Path) -> Pixels:
    with open_photo(examples / "palace.jpg") as photo:
        return pixels_of(photo)


def test_pixels_are_those_of_pillow(examples: Path, pixels: Pixels) -> None:
    with Image.open(examples / "palace.jpg") as image:
        assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_transparency_is_kept_to_the_last_bit() -> None:
    # Every alpha of 0 to 255 over colours of all kinds, those of transparent pixels included.
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 256, 4), dtype=np.uint8)
    picture[..., 3] = np.arange(256)
    with open_photo(Image.fromarray(picture)) as photo:
        assert photo.has_alpha
        assert np.array_equal(pixels_of(photo), picture)


def test_flip_is_its_own_inverse(pixels: Pixels) -> None:
    before, after = flip(pixels)
    assert before is None
    assert not np.array_equal(after, pixels)
    assert np.array_equal(flip(after)[1], pixels)  # type: ignore[arg-type]


def test_shift_moves_by_one_pixel_and_keeps_the_size(pixels: Pixels) -> None:
    before, after = shift(pixels)
    assert before is not None
    assert isinstance(after, np.ndarray)
    assert before.shape == after.shape == (pixels.shape[0] - 1, pixels.shape[1] - 1, 3)
    assert np.array_equal(before[:-1, :-1], after[1:, 1:])


@pytest.mark.parametrize("channels", [3, 4])
def test_reencoding_loses_nothing(channels: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, channels), dtype=np.uint8)
    _, data = reencode(picture)
    assert isinstance(data, bytes)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), picture)


@pytest.mark.parametrize(("side", "left"), [(400, 392), (375, 367), (101, 99), (20, 20)])
def test_crop_is_the_centre_without_two_per_cent(side: int, left: int) -> None:
    picture = np.arange(side, dtype=np.uint16).astype(np.uint8)[:, None, None].repeat(side, 1).repeat(3, 2)
    _, after = crop(picture)
    assert isinstance(after, np.ndarray)
    assert after.shape == (left, left, 3)
    top = (side - left) // 2
    assert np.array_equal(after, picture[top : top + left, top : top + left])


def test_every_variant_can_be_opened_and_leaves_the_picture_unchanged(pixels: Pixels) -> None:
    copy = pixels.copy()
    for make in VARIANTS.values():
        for picture in make(pixels):
            if picture is not None:
                with open_photo(picture) as photo:
                    assert photo.width > 0
    assert np.array_equal(pixels, copy)
