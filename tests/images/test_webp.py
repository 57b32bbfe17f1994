"""Large WebP pictures, which OpenCV decodes, are the pictures that Pillow gives."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from iqa_cli.errors import ImageError
from iqa_cli.images import webp
from iqa_cli.images.decode import open_photo


def encode(picture: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", **options)
    return stream.getvalue()


def view(content: bytes) -> np.ndarray:
    with open_photo(content) as photo:
        return photo.region(0, 0, photo.width, photo.height, 32 if photo.has_alpha else None)


@pytest.mark.parametrize(
    "options", [{"quality": 80}, {"lossless": True}, {"quality": 50, "exif": 6}, {"icc": 1}]
)
@pytest.mark.parametrize("transparent", [False, True])
def test_the_same_pixels(
    dog: Image.Image, options: dict[str, Any], transparent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dict(options)
    if "exif" in options:
        exif = Image.Exif()
        exif[0x0112] = options["exif"]
        options["exif"] = exif.tobytes()
    if options.pop("icc", None):
        options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    if transparent:
        dog.putalpha(Image.linear_gradient("L").resize(dog.size))
    content = encode(dog, **options)
    by_pillow = view(content)
    monkeypatch.setattr(webp, "LARGE", 1000)
    real, decoded = cv2.imdecode, []

    def counted(*arguments: Any) -> Any:
        decoded.append(real(*arguments))
        return decoded[-1]

    monkeypatch.setattr(cv2, "imdecode", counted)
    assert np.array_equal(view(content), by_pillow)
    assert [array.shape[2] for array in decoded] == [4 if transparent else 3]


def test_animations_and_damaged_files_are_left_to_pillow(
    dog: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webp, "LARGE", 1000)
    moving = encode(dog, save_all=True, append_images=[dog.rotate(90)], lossless=True)
    assert np.array_equal(view(moving), np.asarray(dog))
    content = encode(dog)
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        view(content[: len(content) // 2])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_100_megapixels_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "benchmarks.peak_memory", "--kinds", "webp", "webp, RGBA", "png, RGBA"]
    table = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    rows = [line.split("|") for line in table.splitlines()[2:]]
    assert len(rows) == 3
    assert all(int(row[3]) * 2**20 < 1e9 for row in rows), table
