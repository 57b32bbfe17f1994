"""How a decoded picture is to be read: is some pixel transparent, and which values are black and white?

Both need a look at all pixels, which is taken band by band.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from iqa_cli.errors import ImageError
from iqa_cli.images.colour import DEEP_MODES, FLOAT_WHITES, INTEGER_WHITES, DeepScale, Reading, level_of_white

_BITS_TAG, _PHOTOMETRIC_TAG, _SAMPLE_FORMAT_TAG = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2
_BAND_PIXELS = 2_000_000
# Lossy alpha planes stray a little from opaque; what is under 2 % of a background cannot be seen.
_OPAQUE_FROM = 251


def reading_of(image: Image.Image, profile: bytes | None = None, *, may_mend: bool = False) -> Reading:
    """How to read a decoded picture.

    Args:
        image: The picture, loaded.
        profile: Its embedded ICC profile.
        may_mend: Whether wrong metadata of `image` may be corrected in place.

    Raises:
        ImageError: for a colour mode that is not supported.
    """
    if may_mend:
        _mend_colour_key(image)
    scale = _deep_scale(image) if image.mode in DEEP_MODES else None
    try:
        return Reading(image.mode, transparent=_shows_through(image), scale=scale, profile=profile)
    except ValueError as error:
        raise ImageError(str(error)) from None


def _bands(image: Image.Image) -> Iterator[Image.Image]:
    width, height = image.size
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(height, top + rows)))


def _mend_colour_key(image: Image.Image) -> None:
    """The transparent colour of a 16-bit RGB PNG is given in 16 bits, while Pillow decodes it to 8."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _shows_through(image: Image.Image) -> bool:
    """Whether some pixel is really transparent; an alpha channel that is opaque everywhere does not count."""
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA"):
        last = len(image.getbands()) - 1
        return any(_is_see_through(band.getchannel(last)) for band in _bands(image))
    palette_alpha = image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"
    if image.mode in ("1", "L", "P", "RGB") and ("transparency" in image.info or palette_alpha):
        return any(_is_see_through(band.convert("RGBA").getchannel("A")) for band in _bands(image))
    return False


def _is_see_through(alpha: Image.Image) -> bool:
    lowest = alpha.getextrema()[0]
    return isinstance(lowest, (int, float)) and lowest < _OPAQUE_FROM


def _deep_scale(image: Image.Image) -> DeepScale:
    """Black and white of a grey picture with more than 8 bits, from the tags of a TIFF if there are any."""
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        black, white = 0.0, 2.0 ** _first(tags.get(_BITS_TAG), 16) - 1
    elif image.mode == "I" and (image.format in ("PNG", "PPM") or _first(tags.get(_BITS_TAG), 32) <= 16):
        signed = _first(tags.get(_SAMPLE_FORMAT_TAG), 1) == _SIGNED
        black, white = 0.0, 32767.0 if signed else 65535.0
    else:
        candidates = FLOAT_WHITES if image.mode == "F" else INTEGER_WHITES
        black, white = 0.0, level_of_white((np.asarray(band) for band in _bands(image)), candidates)
    # Pillow turns inverted pictures of 8 bits round by itself, deeper ones it leaves.
    inverted = tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
    return DeepScale(white, black) if inverted else DeepScale(black, white)


def _first(value: object, default: int) -> int:
    if isinstance(value, tuple):
        value = value[0] if value else default
    return value if isinstance(value, int) else default
