"""Regions and resized views: in displayed coordinates, whatever the stored orientation and size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from iqa_cli.images.decode import open_photo

Encoded = Callable[..., bytes]

# How a displayed array [H, W, 3] is stored under each EXIF orientation, from the definition of the tag:
# where the stored row 0 and column 0 lie in the displayed picture.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[:, ::-1],
}


def stored_as(picture: Image.Image, orientation: int, encoded: Encoded, kind: str) -> bytes:
    """A file that shows `picture` when its orientation tag is followed."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(picture))))
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(stored, kind, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_orientation(orientation: int, kind: str, dog: Image.Image, encoded: Encoded) -> None:
    data = stored_as(dog, orientation, encoded, kind)
    shown = np.asarray(dog)
    with open_photo(data) as photo:
        assert (photo.width, photo.height) == dog.size
        assert np.array_equal(photo.region(0, 0, 432, 536), shown)
        assert np.array_equal(photo.region(37, 101, 200, 90), shown[101:191, 37:237])
        reduced = photo.resized(108, 134).astype(int)
        assert reduced.shape == (134, 108, 3)
        # Rows and columns are reduced one after the other, rounded between: turned, the order is another.
        apart = np.abs(reduced - np.asarray(dog.resize((108, 134), Image.Resampling.LANCZOS)))
        assert apart.max() <= 4
        assert apart.mean() < 0.3
    with open_photo(data, exif=False) as photo:
        stored = STORED[orientation](shown)
        assert (photo.height, photo.width) == stored.shape[:2]
        assert np.array_equal(photo.region(0, 0, photo.width, photo.height), stored)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_jpeg_agrees_with_pillow(
    orientation: int, dog: Image.Image, encoded: Encoded, tmp_path: Path
) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(stored_as(dog, orientation, encoded, "JPEG"))
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    with open_photo(path) as photo:
        assert np.array_equal(photo.region(0, 0, photo.width, photo.height), expected)
    with Image.open(path) as opened, open_photo(opened) as photo:
        assert np.array_equal(photo.region(0, 0, photo.width, photo.height), expected)


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_orientation_that_does_not_exist(orientation: int, dog: Image.Image, encoded: Encoded) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with open_photo(encoded(dog, "PNG", exif=exif)) as photo:
        assert np.array_equal(photo.region(0, 0, 432, 536), np.asarray(dog))


@pytest.mark.parametrize("place", [(-1, 0, 5, 5), (0, 0, 433, 5), (0, 530, 5, 7), (3, 3, 0, 5)])
def test_region_outside(place: tuple[int, int, int, int], dog: Image.Image) -> None:
    with open_photo(dog) as photo, pytest.raises(ValueError, match="outside"):
        photo.region(*place)


def test_resized_is_checked(dog: Image.Image) -> None:
    with open_photo(dog) as photo:
        with pytest.raises(ValueError, match="kernel"):
            photo.resized(10, 10, "magic")
        with pytest.raises(ValueError, match="0x10"):
            photo.resized(0, 10)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_strong_reduction_is_close_to_the_full_kernel(mode: str, examples: Path) -> None:
    """Reduced band by band with box averages first; the same picture as by one pass of the kernel."""
    with Image.open(examples / "college.jpg") as small:
        large = small.convert("RGB").resize((3000, 2001), Image.Resampling.BICUBIC)
    picture = large.convert(mode)
    if mode == "RGBA":
        picture.putpixel((0, 0), (0, 0, 0, 0))  # one transparent pixel takes the way of transparency
    expected = np.asarray(picture.convert("RGB").resize((301, 203), Image.Resampling.LANCZOS)).astype(int)
    with open_photo(picture) as photo:
        found = photo.resized(301, 203, "lanczos", 0).astype(int)
    assert np.abs(found - expected).mean() < 0.5
    assert np.abs(found - expected)[1:, 1:].max() <= 12


def large_jpeg(examples: Path, encoded: Encoded, size: tuple[int, int]) -> bytes:
    """A large photograph with detail and noise down to the last pixel."""
    with Image.open(examples / "cliffs.jpg") as small:
        levels = np.asarray(small.convert("RGB").resize(size, Image.Resampling.BICUBIC)).astype(float)
    levels += np.random.default_rng(5).normal(0, 8, levels.shape)
    return encoded(Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)), "JPEG", quality=92)


@pytest.mark.parametrize("size", [(3001, 2251), (2249, 3003)])
def test_reduced_size_decoding_gives_nearly_the_same_view(
    size: tuple[int, int], examples: Path, encoded: Encoded
) -> None:
    data = large_jpeg(examples, encoded, size)
    with open_photo(data) as full, open_photo(data, draft_side=512) as draft:
        assert draft.is_reduced
        assert not full.is_reduced
        assert (draft.width, draft.height) == (full.width, full.height) == size
        view = (591, 443) if size[0] > size[1] else (443, 591)
        apart = np.abs(full.resized(*view).astype(int) - draft.resized(*view))
        assert apart.mean() < 0.7
        assert np.percentile(apart, 99) <= 3
        with pytest.raises(ValueError, match="native"):
            draft.region(0, 0, 224, 224)


def test_reduced_size_decoding_keeps_enough_pixels(examples: Path, encoded: Encoded) -> None:
    with open_photo(large_jpeg(examples, encoded, (1800, 1350)), draft_side=512) as photo:
        # The half would be 900x675, under twice the view of 591x443.
        assert not photo.is_reduced
        photo.region(0, 0, 224, 224)


def test_closing_twice_is_harmless(dog: Image.Image, encoded: Encoded) -> None:
    photo = open_photo(encoded(dog, "PNG"))
    photo.close()
    photo.close()


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_orientation_kept_by_the_container(
    orientation: int, kind: str, dog: Image.Image, encoded: Encoded
) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    with open_photo(stored_as(dog, orientation, encoded, kind)) as photo:
        assert (photo.width, photo.height) == dog.size
        shown = photo.region(0, 0, 432, 536).astype(int)
    assert np.abs(shown - np.asarray(dog)).mean() < 5


@pytest.mark.parametrize("orientation", [1, 6])
def test_views_of_the_averaged_photo_are_those_of_the_photo(dog: Image.Image, orientation: int) -> None:
    large = dog.resize((2399, 3001))
    large.getexif()[274] = orientation
    with open_photo(large) as photo:
        width, height = photo.width, photo.height
        averaged = photo.averaged(width // 7, height // 7)
        assert (averaged.width, averaged.height) == (width, height)
        assert averaged.is_reduced
        for part in (7, 11):
            one, other = (
                seen.resized(width // part, height // part).astype(int) for seen in (photo, averaged)
            )
            assert np.abs(one - other).max() <= (0 if part == 7 else 4)
        assert photo.averaged(width // 3, height // 3) is photo  # the kernel alone does that


def test_a_transparent_photo_is_not_averaged_for_several_views(dog: Image.Image) -> None:
    large = dog.resize((2400, 3000))
    large.putalpha(100)
    with open_photo(large) as photo:
        assert photo.averaged(200, 250) is photo
