"""Every format that is promised is decoded to the pixels it was made from, whatever the file is called."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from iqa_cli.errors import ImageError
from iqa_cli.images.decode import open_photo

Encoded = Callable[..., bytes]


def pixels(photo_source: object, **options: object) -> np.ndarray:
    """The whole picture at native scale, as the network would see it."""
    with open_photo(photo_source, **options) as photo:  # type: ignore[arg-type]
        return photo.region(0, 0, photo.width, photo.height)


def difference(one: np.ndarray, other: np.ndarray | Image.Image) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(one.astype(float) - np.asarray(other, dtype=float)).mean())


@pytest.mark.parametrize(
    ("kind", "options", "allowed"),
    [
        ("JPEG", {"quality": 95}, 3.0),
        ("JPEG", {"quality": 95, "progressive": True}, 3.0),
        ("PNG", {}, 0.0),
        ("WEBP", {"lossless": True}, 0.0),
        ("WEBP", {"quality": 95}, 4.0),
        ("AVIF", {"quality": 95}, 3.0),
        ("TIFF", {}, 0.0),
        ("TIFF", {"compression": "tiff_lzw"}, 0.0),
        ("TIFF", {"compression": "tiff_deflate"}, 0.0),
        ("BMP", {}, 0.0),
        ("GIF", {}, 4.0),
        ("PPM", {}, 0.0),
        ("JPEG2000", {}, 0.0),
    ],
)
def test_format(
    kind: str, options: dict[str, object], allowed: float, dog: Image.Image, encoded: Encoded, tmp_path: Path
) -> None:
    data = encoded(dog, kind, **options)
    misnamed = tmp_path / "picture.txt"
    misnamed.write_bytes(data)
    decoded = pixels(misnamed)
    assert decoded.shape == (536, 432, 3)
    assert decoded.dtype == np.uint8
    assert difference(decoded, dog) <= allowed
    for source in (data, BytesIO(data), str(misnamed)):
        assert np.array_equal(pixels(source), decoded)


def test_heic(dog: Image.Image, encoded: Encoded) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    assert difference(pixels(encoded(dog, "HEIF", quality=95)), dog) < 3


def test_heic_without_its_extra_says_what_to_install(
    dog: Image.Image, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    data = encoded(dog, "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pip install 'iqa-cli\[heif\]'"):
        open_photo(data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_first_frame_of_several(kind: str, encoded: Encoded) -> None:
    first, second = Image.new("RGB", (64, 48), (200, 40, 40)), Image.new("RGB", (64, 48), (40, 40, 200))
    data = encoded(first, kind, save_all=True, append_images=[second])
    assert difference(pixels(data), first) < 4


def test_stream_that_cannot_seek(dog: Image.Image, encoded: Encoded) -> None:
    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *args: object) -> int:
            raise OSError("a pipe cannot seek")

    assert np.array_equal(pixels(Pipe(encoded(dog, "PNG"))), np.asarray(dog))


def test_pil_image_is_left_as_it_is(dog: Image.Image, encoded: Encoded) -> None:
    lazy = Image.open(BytesIO(encoded(dog, "PNG")))
    with open_photo(lazy) as photo:
        assert np.array_equal(photo.region(0, 0, 432, 536), np.asarray(dog))
    assert lazy.getpixel((5, 5)) == dog.getpixel((5, 5))


def test_arrays(dog: Image.Image) -> None:
    rgb = np.asarray(dog)
    assert np.array_equal(pixels(rgb), rgb)
    assert np.array_equal(pixels(rgb[:, ::-1]), rgb[:, ::-1])  # a view with a negative stride
    assert np.array_equal(pixels(rgb.astype(np.uint16) * 257), rgb)
    grey = pixels(rgb[:, :, 1])
    assert np.array_equal(grey, np.repeat(rgb[:, :, 1:2], 3, axis=2))
    assert np.array_equal(pixels(rgb[:, :, 1:2]), grey)
    clear = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    clear[:8, :8, 3] = 0
    with open_photo(clear) as photo:
        assert photo.n_backgrounds == 2
        assert photo.region(0, 0, 8, 8, 32).max() == 32


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((64, 64, 3), np.float32), "uint8"),
        (np.zeros((64, 64, 3), bool), "uint8"),
        (np.zeros((3, 64, 64), np.uint8), "3x64x64"),
        (np.zeros((64,), np.uint8), "not a picture"),
        (np.zeros((0, 64, 3), np.uint8), "empty"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        open_photo(array)


def test_another_type_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="int"):
        open_photo(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_tiff_of_floats_that_pillow_cannot_read(white: float, dog: Image.Image) -> None:
    bgr = np.asarray(dog)[:, :, ::-1].astype(np.float32) / 255 * white
    data = cv2.imencode(".tiff", bgr)[1].tobytes()
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(data))  # if Pillow learns to read it, the other decoder can go
    assert difference(pixels(data), dog) < 0.51
    with pytest.raises(ImageError, match="megapixels"):
        open_photo(data, max_pixels=200_000)


def _tiff_by_hand(samples: np.ndarray, format_code: int) -> bytes:
    """An uncompressed RGB TIFF of any type of numbers."""
    height, width, channels = samples.shape
    bits = samples.dtype.itemsize * 8
    data = samples.tobytes()
    # Bits and formats of the channels stand behind the ten entries of the directory.
    after = 8 + 2 + 10 * 12 + 4
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, after), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, after + 12), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(data))]
    entries += [(339, 3, 3, after + 6)]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    extra = struct.pack("<3H3H", *[bits] * 3, *[format_code] * 3)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 10) + directory + bytes(4) + extra + data


@pytest.mark.parametrize(
    ("dtype", "format_code", "white"), [("<u4", 1, 2**32 - 1), ("<f8", 3, 1.0), ("<i4", 2, None)]
)
def test_tiff_of_wide_numbers_in_colour(
    dtype: str, format_code: int, white: float | None, dog: Image.Image
) -> None:
    """Found in Pillow's test pictures: OpenCV reads RGB of 32 bits, and turns it to no other order."""
    wide = (np.asarray(dog) / 255 * (white or 1000)).astype(dtype)
    data = _tiff_by_hand(wide, format_code)
    if white is None:
        with pytest.raises(ImageError, match="of a kind that is not supported"):
            open_photo(data)
        return
    with open_photo(data) as photo:
        found = photo.region(0, 0, photo.width, photo.height).astype(int)
    assert np.abs(found - np.asarray(dog)).max() <= 1


def test_tiff_of_16_bits_in_colour(dog: Image.Image) -> None:
    data = cv2.imencode(".tiff", np.asarray(dog)[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert difference(pixels(data), dog) <= 1


def test_png_of_16_bits_in_colour(dog: Image.Image) -> None:
    data = cv2.imencode(".png", np.asarray(dog)[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert difference(pixels(data), dog) <= 1
