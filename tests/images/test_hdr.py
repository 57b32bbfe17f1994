"""Pictures of high dynamic range are refused by their signal, and nothing else is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from iqa_cli.errors import ImageError
from iqa_cli.images.decode import open_photo
from iqa_cli.images.hdr import transfer_of_file
from tests.conftest import png_chunk

Encoded = Callable[..., bytes]
TRANSFERS = {1: None, 13: None, 16: "PQ", 18: "HLG"}


def opened(data: object) -> None:
    with open_photo(data) as photo:  # type: ignore[arg-type]
        assert photo.region(0, 0, 32, 32).shape == (32, 32, 3)


def check(data: object, name: str | None) -> None:
    if name is None:
        opened(data)
        return
    with pytest.raises(ImageError, match=rf"is a picture of high dynamic range \({name}\)"):
        opened(data)


@pytest.mark.parametrize(("transfer", "name"), TRANSFERS.items())
def test_png(transfer: int, name: str | None, dog: Image.Image, encoded: Encoded) -> None:
    data = encoded(dog, "PNG")
    at = data.index(b"IDAT") - 4
    check(data[:at] + png_chunk(b"cICP", bytes((9, transfer, 0, 1))) + data[at:], name)


@pytest.mark.parametrize(("transfer", "name"), TRANSFERS.items())
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_avif_and_heic(
    kind: str, transfer: int, name: str | None, dog: Image.Image, encoded: Encoded
) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(dog, kind)
    usual = b"colrnclx" + struct.pack(">HH", 1, 13)
    assert data.count(usual) == 1
    check(data.replace(usual, b"colrnclx" + struct.pack(">HH", 9, transfer)), name)


def test_only_the_primary_picture_counts(dog: Image.Image, encoded: Encoded) -> None:
    """As in a file with a gain map, where the properties of an alternative say PQ."""
    data = encoded(dog, "AVIF")
    hdr = data.replace(b"colrnclx" + struct.pack(">HH", 1, 13), b"colrnclx" + struct.pack(">HH", 9, 16))
    check(hdr, "PQ")
    # One item with four properties, the last of them colr; from now on it has three.
    associations = b"ipma\0\0\0\0\0\0\0\1\0\1\4"
    assert hdr.count(associations) == 1
    check(hdr.replace(associations, associations[:-1] + b"\3"), None)


@pytest.mark.parametrize(("transfer", "name"), TRANSFERS.items())
def test_profile(transfer: int, name: str | None, dog: Image.Image, encoded: Encoded) -> None:
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (count,) = struct.unpack(">I", plain[128:132])
    body = 132 + 12 * count
    # One tag more: all content moves by its entry, and its own comes last.
    entries = [struct.unpack(">4sII", plain[at : at + 12]) for at in range(132, body, 12)]
    moved = b"".join(struct.pack(">4sII", sign, at + 12, size) for sign, at, size in entries)
    table = struct.pack(">I", count + 1) + moved + struct.pack(">4sII", b"cicp", len(plain) + 12, 12)
    profile = plain[:128] + table + plain[body:] + b"cicp\0\0\0\0" + bytes((9, transfer, 0, 1))
    profile = struct.pack(">I", len(profile)) + profile[4:]
    data = encoded(dog, "JPEG", icc_profile=profile)
    check(data, name)
    with Image.open(BytesIO(data)) as picture:
        check(picture, name)


def test_damaged_signals_are_no_defect(dog: Image.Image, encoded: Encoded) -> None:
    """Whatever the bytes in front say, it is a picture or one line."""
    rng = np.random.default_rng(3)
    small = dog.resize((32, 32))
    messages = []
    for kind in ("PNG", "AVIF"):
        data = encoded(small, kind)
        for _ in range(150):
            broken = bytearray(data)
            for place in rng.integers(0, 330, 4):
                broken[place % len(broken)] = rng.integers(256)
            try:
                open_photo(bytes(broken)).close()
            except ImageError as error:
                messages.append(error.message)
    assert len(messages) > 10
    assert all(len(message.splitlines()) == 1 for message in messages)


@pytest.mark.parametrize("size", [2**40 + 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_box_of_absurd_size_is_passed_over(size: int) -> None:
    """Found by fuzzing: no stream goes so far."""
    data = b"\0\0\0\1ftyp" + size.to_bytes(8, "big") + b"avif" + bytes(40)
    assert transfer_of_file(BytesIO(data)) is None
    with pytest.raises(ImageError):
        open_photo(data)
