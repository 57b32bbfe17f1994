"""When and with which camera a photograph was taken, as far as its EXIF tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from iqa_cli.errors import ImageError
from iqa_cli.images.decode import open_file
from iqa_cli.images.pillow import quiet_pillow

_ZONE = re.compile(r"([+-])(\d\d):(\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Capture:
    """A moment and a camera.

    Attributes:
        second: Seconds since 1970 by the clock of the camera, with fractions where it tells them. Comparable
            between pictures of one camera alone: a camera that tells no zone is taken to run on UTC.
        camera: Maker, model and serial number, as far as they are told.
    """

    second: float
    camera: str


def capture_of(path: Path) -> Capture | None:
    """The capture of a picture; None where its file tells no time, or cannot be read."""
    try:
        with open_file(path) as stream, quiet_pillow(), Image.open(stream) as image:
            return _capture(image.getexif())
    except ImageError:
        return None
    except Exception:  # a damaged header or EXIF block: the decoder says what is to be said of the picture
        return None


def _capture(exif: Image.Exif) -> Capture | None:
    details = exif.get_ifd(ExifTags.IFD.Exif)
    for date, fraction, zone in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (
            ExifTags.Base.DateTimeDigitized,
            ExifTags.Base.SubsecTimeDigitized,
            ExifTags.Base.OffsetTimeDigitized,
        ),
    ):
        second = _second(details.get(date), details.get(fraction), details.get(zone))
        if second is not None:
            names = (exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model))
            serial = details.get(ExifTags.Base.BodySerialNumber)
            return Capture(second, " ".join(text for text in map(_text, (*names, serial)) if text))
    return None


def _second(date: Any, fraction: Any, zone: Any) -> float | None:
    """Seconds since 1970 of "2026:11:21 23:05:10", "25" (hundredths here) and "+01:00"."""
    try:
        moment = datetime.strptime(_text(date), "%Y:%m:%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:  # absent, "0000:00:00 00:00:00", blanks
        return None
    second = (moment - _EPOCH).total_seconds()
    if (digits := _text(fraction)).isascii() and digits.isdigit():
        second += float(f"0.{digits[:9]}")
    if (offset := _ZONE.fullmatch(_text(zone))) is not None:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3])).total_seconds()
        second -= ahead if offset[1] == "+" else -ahead
    return second


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else ""
