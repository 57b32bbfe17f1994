"""Large WebP pictures decoded in half the memory."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

#: From so many pixels on. Pillow's decoder, made for animations, takes 16 bytes for each.
LARGE = 40_000_000
_ROWS_AT_ONCE = 256


def in_less_memory(image: Image.Image, stream: BinaryIO) -> Image.Image:
    """A picture that Pillow has opened and not decoded yet, decoded if it is a large WebP.

    OpenCV has the same decoder (libwebp), and takes 3 or 4 bytes a pixel for what it gives, beside the 4 of a
    picture of Pillow.

    Args:
        image: As opened; its size has been found acceptable.
        stream: The file that it was opened from.

    Returns:
        The decoded picture with the EXIF block and the ICC profile of `image`; `image` itself where it is
        small, of another format, an animation, or damaged.
    """
    width, height = image.size
    if image.format != "WEBP" or width * height < LARGE or getattr(image, "is_animated", False):
        return image
    import cv2

    stream.seek(0)
    try:
        array = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        array = None
    channels = {3: ("RGB", [2, 1, 0]), 4: ("RGBA", [2, 1, 0, 3])}
    if array is None or array.dtype != np.uint8 or array.shape[:2] != (height, width):
        return image
    mode, order = channels[array.shape[2]]
    decoded = Image.new(mode, image.size)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = np.ascontiguousarray(array[top : top + _ROWS_AT_ONCE, :, order])
        decoded.paste(Image.fromarray(rows), (0, top))
    decoded.info = {name: image.info[name] for name in ("exif", "icc_profile") if name in image.info}
    return decoded
