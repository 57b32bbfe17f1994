"""Large WebP pictures and progressive JPEGs, which OpenCV decodes, are the pictures that Pillow gives."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from iqa_cli.errors import ImageError
from iqa_cli.images import large
from iqa_cli.images.decode import open_photo

FULL = {"format": "JPEG", "progressive": True, "subsampling": 0}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What OpenCV has decoded since."""
    real, found = cv2.imdecode, []

    def noted(*arguments: Any) -> Any:
        found.append(real(*arguments))
        return found[-1]

    monkeypatch.setattr(cv2, "imdecode", noted)
    return found


def encode(picture: Image.Image, **options: Any) -> bytes:
    """A file; `exif` is an orientation and `icc` any value for a profile that changes colours."""
    if "exif" in options:
        exif = Image.Exif()
        exif[0x0112] = options["exif"]
        options["exif"] = exif.tobytes()
    if options.pop("icc", None):
        options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    stream = io.BytesIO()
    picture.save(stream, **{"format": "WEBP", **options})
    return stream.getvalue()


def view(content: bytes) -> np.ndarray:
    with open_photo(content) as photo:
        return photo.region(0, 0, photo.width, photo.height, 32 if photo.has_alpha else None)


@pytest.mark.parametrize(
    "options", [{"quality": 80}, {"lossless": True}, {"quality": 50, "exif": 6}, {"icc": 1}]
)
@pytest.mark.parametrize("transparent", [False, True])
def test_the_same_pixels_of_webp(
    dog: Image.Image,
    options: dict[str, Any],
    transparent: bool,
    decoded: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if transparent:
        dog.putalpha(Image.linear_gradient("L").resize(dog.size))
    content = encode(dog, **options)
    by_pillow = view(content)
    monkeypatch.setattr(large, "LARGE", 1000)
    assert np.array_equal(view(content), by_pillow)
    assert [array.shape[2] for array in decoded] == [4 if transparent else 3]


@pytest.mark.parametrize("options", [{"quality": 92}, {"quality": 20}, {"exif": 6}, {"icc": 1}])
def test_the_same_pixels_of_jpeg(
    dog: Image.Image, options: dict[str, Any], decoded: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 8_000_000)  # Pillow writes a progressive file in one piece
    content = encode(dog, **FULL, **options)
    by_pillow = view(content)
    monkeypatch.setattr(large, "LARGE", 1000)
    assert np.array_equal(view(content), by_pillow)
    assert len(decoded) == 1


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"progressive": False, "subsampling": 0}),
        ("RGB", {"progressive": True, "subsampling": 2}),
        ("L", {"progressive": True}),
        ("CMYK", {"progressive": True, "subsampling": 0}),
    ],
)
def test_other_jpegs_are_left_to_pillow(
    dog: Image.Image,
    mode: str,
    options: dict[str, Any],
    decoded: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large, "LARGE", 1000)
    view(encode(dog.convert(mode), format="JPEG", **options))
    assert not decoded


def test_a_jpeg_that_is_decoded_smaller_is_left_to_pillow(
    dog: Image.Image, decoded: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "LARGE", 1000)
    with open_photo(encode(dog.resize((2000, 1500)), **FULL), draft_side=288) as photo:
        assert photo.is_reduced
    assert not decoded


def test_animations_and_damaged_files_are_left_to_pillow(
    dog: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "LARGE", 1000)
    moving = encode(dog, save_all=True, append_images=[dog.rotate(90)], lossless=True)
    assert np.array_equal(view(moving), np.asarray(dog))
    content = encode(dog)
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        view(content[: len(content) // 2])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_jpeg_is_left_to_pillow(
    dog: Image.Image, share: float, decoded: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encode(dog, **FULL)
    monkeypatch.setattr(large, "LARGE", 1000)
    with pytest.raises(ImageError, match="truncated"):
        view(content[: int(share * len(content))])
    assert not decoded


def test_a_jpeg_is_whole_up_to_the_mark_of_its_end(dog: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(dog, **FULL, restart_marker_blocks=7)
    for chunk in (1, 2, 7, 1 << 20):
        monkeypatch.setattr(large, "_CHUNK", chunk)
        assert large.is_whole_jpeg(io.BytesIO(content))
        assert large.is_whole_jpeg(io.BytesIO(content + b"what a phone appends"))
        assert large.is_whole_jpeg(io.BytesIO(content[:2] + b"\xff\xff" + content[2:])), "bytes that fill up"
        for cut in (1, 2, len(content) // 2, len(content) - 30):
            assert not large.is_whole_jpeg(io.BytesIO(content[:-cut]))
    assert not large.is_whole_jpeg(io.BytesIO(content[:20] + bytes(2) + content[20:]))
    assert not large.is_whole_jpeg(io.BytesIO(b""))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_100_megapixels_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    kinds = ["webp", "webp, RGBA", "png, RGBA", "jpeg, progressive, 4:4:4"]
    command = [sys.executable, "-m", "benchmarks.peak_memory", "--kinds", *kinds]
    table = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    rows = [line.split("|") for line in table.splitlines()[2:]]
    assert len(rows) == len(kinds)
    assert all(int(row[3]) * 2**20 < 1e9 for row in rows), table
