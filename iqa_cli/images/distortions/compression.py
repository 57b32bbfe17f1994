"""Compression: KADID-10k's JPEG 2000 and JPEG, and WebP and AVIF beside them."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import features

from iqa_cli.errors import ExitCode, IqaError
from iqa_cli.images.distortions.common import Image, as_uint8

_JPEG2000_DECIBELS = (34.0, 31.3, 28.7, 26.2, 24.0)
_JPEG_QUALITY = (43, 28, 18, 10, 5)
_WEBP_QUALITY = (40, 25, 14, 6, 1)
_AVIF_QUALITY = (45, 31, 19, 9, 0)
_AVIF_SPEED = 10


class CodecError(IqaError):
    """An installed library was built without a format that a distortion needs."""

    exit_code = ExitCode.NOT_AVAILABLE


def jpeg2000(image: Image, level: int, rng: np.random.Generator) -> Image:
    """JPEG 2000 compression with the irreversible wavelet, to a stated PSNR.

    KADID-10k states a ratio of compression. Ours states the PSNR, because at one ratio a plain picture comes
    back as it was and a small one, whose header alone is longer, as a grey area.

    Raises:
        CodecError: Pillow was built without JPEG 2000.
    """
    decibels = _JPEG2000_DECIBELS[level - 1]
    options = {"quality_mode": "dB", "quality_layers": [decibels], "irreversible": True}
    return _recode_pillow(image, "JPEG2000", "jpg_2000", options)


def jpeg(image: Image, level: int, rng: np.random.Generator) -> Image:
    """JPEG compression, 4:2:0."""
    return _recode(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY[level - 1])


def webp(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Lossy WebP compression."""
    return _recode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY[level - 1])


def avif(image: Image, level: int, rng: np.random.Generator) -> Image:
    """AVIF compression, 4:2:0, at the encoder's fastest speed; level 5 is the lowest quality it has.

    Raises:
        CodecError: Pillow was built without AVIF.
    """
    # One thread: several would only take it from the other pictures that are being made.
    options = {"quality": _AVIF_QUALITY[level - 1], "speed": _AVIF_SPEED, "max_threads": 1}
    return _recode_pillow(image, "AVIF", "avif", {**options, "subsampling": "4:2:0"})


def _recode(image: Image, extension: str, key: int, quality: int) -> Image:
    try:
        ok, data = cv2.imencode(extension, np.ascontiguousarray(image[:, :, ::-1]), [key, quality])
    except cv2.error:
        ok = False
    if not ok:
        raise CodecError(
            f"this OpenCV cannot encode {extension}", hint="pip install --force-reinstall opencv-python"
        )
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return as_uint8(np.ascontiguousarray(decoded[:, :, ::-1]))


def _recode_pillow(image: Image, name: str, feature: str, options: dict[str, Any]) -> Image:
    if not features.check(feature):
        raise CodecError(f"this Pillow cannot encode {name}", hint="pip install --force-reinstall pillow")
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, name, **options)
    with Pillow.open(buffer) as decoded:
        return np.array(decoded.convert("RGB"))
