"""Pictures that claim more than they are: refused by their headers, before memory is taken for them."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFile

from iqa_cli.errors import ImageError
from iqa_cli.images.decode import open_photo
from tests.conftest import png_chunk

Encoded = Callable[..., bytes]
SIDE = 60_000


def _claiming(kind: str, data: bytearray) -> bytes:
    """A picture of 432x536 whose header says that it is far larger."""
    if kind == "BMP":
        data[18:26] = struct.pack("<ii", SIDE, SIDE)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", SIDE, SIDE)
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", SIDE, SIDE)
    elif kind == "TIFF":
        for tag in (256, 257):
            at = data.index(struct.pack("<HH", tag, 4))
            data[at + 8 : at + 12] = struct.pack("<I", SIDE)
    elif kind == "PPM":
        return data.replace(b"432 536", b"60000 60000", 1)
    elif kind == "WEBP":
        # 14 bits for each side, behind the start code of a lossy picture.
        at = data.index(b"\x9d\x01\x2a")
        data[at + 3 : at + 7] = struct.pack("<HH", 16383, 16383)
    elif kind == "JPEG2000":
        at = data.index(b"ihdr")
        data[at + 4 : at + 12] = struct.pack(">II", SIDE, SIDE)
        at = data.index(b"\xff\x51")
        data[at + 6 : at + 14] = struct.pack(">II", SIDE, SIDE)
    return bytes(data)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "TIFF", "PPM", "WEBP", "JPEG2000"])
def test_a_claim_of_gigapixels_is_refused_by_the_header(
    kind: str, dog: Image.Image, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(image: Image.Image) -> None:
        raise AssertionError(f"decoding {image.size}")

    data = _claiming(kind, bytearray(encoded(dog, kind)))
    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    with pytest.raises(ImageError, match=r"megapixels, over the limit of 250"):
        open_photo(data)


def test_absurd_sizes_are_told_without_exponents(dog: Image.Image, encoded: Encoded) -> None:
    data = bytearray(encoded(dog, "BMP"))
    data[18:26] = struct.pack("<ii", 3_000_000, 2_000_000)
    with pytest.raises(ImageError, match="3000000x2000000 is 6000000 megapixels, over the limit of 250"):
        open_photo(bytes(data))


def test_what_pillow_does_not_support_is_not_called_damaged(dog: Image.Image, encoded: Encoded) -> None:
    data = bytearray(encoded(dog, "BMP"))
    data[28:30] = struct.pack("<H", 3)
    with pytest.raises(ImageError, match=r"^of a kind that is not supported \(Unsupported BMP pixel depth"):
        open_photo(bytes(data))


@pytest.mark.parametrize("samples", ["planar", "float"])
def test_a_tiff_that_only_opencv_reads_is_refused_by_its_header(
    samples: str, dog: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    pixels = np.asarray(dog)
    wide = pixels.astype(np.float32) / 255 if samples == "float" else pixels.astype(np.uint16) * 257
    data = bytearray(cv2.imencode(".tiff", wide)[1].tobytes())
    for tag in (256, 257):
        for kind, code in ((3, "<H"), (4, "<I")):
            at = data.find(struct.pack("<HH", tag, kind))
            if at >= 0:
                data[at + 8 : at + 8 + struct.calcsize(code)] = struct.pack(code, SIDE)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="megapixels"):
        open_photo(bytes(data))


@pytest.mark.parametrize("chunk", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_or_a_profile_that_unpacks_to_gigabytes_costs_nothing(
    chunk: bytes, dog: Image.Image, encoded: Encoded
) -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    start = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[chunk]
    data = encoded(dog, "PNG")
    bomb = data[:33] + png_chunk(chunk, start + packed) + data[33:]
    tracemalloc.start()
    try:
        # Pillow refuses some of them, and reads the picture without the others.
        with contextlib.suppress(ImageError), open_photo(bomb) as photo:
            assert (photo.width, photo.height) == (432, 536)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * 2**20


def test_more_frames_than_anybody_looks_at_are_not_decoded(dog: Image.Image) -> None:
    small = dog.resize((64, 48))
    stream = io.BytesIO()
    small.save(stream, "GIF", save_all=True, append_images=[small.rotate(a) for a in range(1, 60)])
    animated = stream.getvalue()
    with open_photo(animated) as photo:
        first = photo.region(0, 0, 64, 48)
    # What comes behind the first frame is not even read.
    with open_photo(animated[: len(animated) // 2]) as photo:
        np.testing.assert_array_equal(photo.region(0, 0, 64, 48), first)
