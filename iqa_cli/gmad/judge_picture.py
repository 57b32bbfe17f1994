"""A picture of a competition as bytes that every browser shows as the models saw it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from iqa_cli.images.decode import open_photo
from iqa_cli.images.pillow import quiet_pillow

#: Pillow's name -> media type of what goes out byte for byte.
_AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
#: Modes without transparency, depth or inks, which browsers treat in ways of their own.
_PLAIN_MODES = ("RGB", "L")


def for_browser(path: Path) -> tuple[bytes, str]:
    """A picture at its full size.

    JPEG, PNG and WebP go out as they are. All else (TIFF, HEIF, 16 bits, CMYK, transparency, animations) is
    decoded as for scoring, with what is transparent on white, and goes out as PNG.

    Args:
        path: A file.

    Returns:
        Bytes, and their media type.

    Raises:
        ImageError: It is missing or cannot be decoded.
    """
    try:
        if path.is_file():
            content = path.read_bytes()
            kind = _plain_kind(content)
            if kind is not None:
                return content, kind
    except OSError:
        pass  # opening it below says what is wrong
    stream = io.BytesIO()
    with open_photo(path, min_side=1) as photo:
        pixels = photo.region(0, 0, photo.width, photo.height, background=255 if photo.has_alpha else None)
    # Compressed little: a person waits for it.
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue(), "image/png"


def _plain_kind(content: bytes) -> str | None:
    """The media type of a file that can go out as it is, from its header."""
    try:
        with quiet_pillow(), Image.open(io.BytesIO(content), formats=tuple(_AS_THEY_ARE)) as image:
            plain = image.mode in _PLAIN_MODES and "transparency" not in image.info
            if not plain or getattr(image, "is_animated", False):
                return None
            return _AS_THEY_ARE.get(image.format or "")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
