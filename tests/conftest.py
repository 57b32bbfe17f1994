"""What several test modules share: the example photographs and pictures made on the spot."""

from __future__ import annotations

import signal
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes is a matter of the machine and of what else runs on it.
settings.register_profile("iqa", deadline=None)
settings.load_profile("iqa")


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of example photographs, originals and distorted versions."""
    return ROOT / "examples"


@pytest.fixture
def dog(examples: Path) -> Image.Image:
    """A real photograph of 432x536 pixels, RGB."""
    with Image.open(examples / "dog.jpg") as picture:
        return picture.convert("RGB")


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """A function that gives the bytes of a picture saved in a format: encoded(picture, "PNG", **options)."""

    def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
        stream = BytesIO()
        picture.save(stream, kind, **options)
        return stream.getvalue()

    return encode


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_rgb_png(path: Path, width: int, height: int) -> None:
    """A PNG of coloured stripes, written row by row: it can be larger than what may be held in memory."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(1)
    with path.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header))
        for top in range(0, height, 100):
            shade = (top * 255) // height
            row = b"\x00" + bytes((shade, 128, 255 - shade)) * width
            data = packer.compress(row * min(100, height - top))
            if data:
                stream.write(png_chunk(b"IDAT", data))
        stream.write(png_chunk(b"IDAT", packer.flush()) + png_chunk(b"IEND", b""))


@pytest.fixture(scope="session")
def huge_png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of 100 megapixels (10000x10000, RGB), 400 MB when decoded."""
    path = tmp_path_factory.mktemp("huge") / "huge.png"
    write_rgb_png(path, 10_000, 10_000)
    return path


def pytest_configure() -> None:
    """A shell that runs the tests in the background has them ignore Ctrl-C, which some of them send."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
