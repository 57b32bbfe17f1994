"""When a photograph was taken, by its EXIF."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from iqa_cli.culling.capture import capture_of

Base = ExifTags.Base


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return tmp_path / "photo.jpg"


def save(path: Path, details: dict[int, str], **camera: str) -> None:
    """A small JPEG with these fields of the EXIF."""
    exif = Image.Exif()
    for name, value in camera.items():
        exif[Base[name]] = value
    exif.get_ifd(ExifTags.IFD.Exif).update(details)
    Image.new("RGB", (8, 8)).save(path, exif=exif)


def test_fractions_zone_and_camera(photo: Path) -> None:
    save(photo, {Base.DateTimeOriginal: "1970:01:02 00:00:10"}, Make="Maker", Model="One")
    plain = capture_of(photo)
    assert plain is not None
    assert (plain.second, plain.camera) == (86410.0, "Maker One")
    save(
        photo,
        {
            Base.DateTimeOriginal: "1970:01:02 01:00:10",
            Base.SubsecTimeOriginal: "25",
            Base.OffsetTimeOriginal: "+01:00",
        },
    )
    zoned = capture_of(photo)
    assert zoned is not None
    assert (zoned.second, zoned.camera) == (86410.25, "")


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2026-11-21", "x" * 1000])
def test_a_date_that_is_none_is_passed_over(photo: Path, date: str) -> None:
    save(photo, {Base.DateTimeOriginal: date})
    assert capture_of(photo) is None
    save(photo, {Base.DateTimeOriginal: date, Base.DateTimeDigitized: "1970:01:01 00:00:07"})
    found = capture_of(photo)
    assert found is not None
    assert found.second == 7


def test_what_is_no_picture_has_no_time(photo: Path) -> None:
    for content in (b"", b"no picture", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"):
        photo.write_bytes(content)
        assert capture_of(photo) is None
    assert capture_of(photo.parent) is None
    assert capture_of(photo.with_name("missing.jpg")) is None
