"""Large pictures of two kinds decoded in less memory than by Pillow: WebP, and progressive JPEG without
chroma subsampling."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin

#: From so many pixels on. Of WebP Pillow's decoder, made for animations, takes 16 bytes for each. The
#: coefficients of such a JPEG take 6, and Pillow has its 4 beside them.
LARGE = 40_000_000
_ROWS_AT_ONCE = 256
_CHUNK = 1 << 20
_FULL_SAMPLING = 0
_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
# What has no length: restarts, and what stands for a byte FF of the data.
_INSIDE_SCAN = frozenset({0x00, *range(0xD0, 0xD8)})


def in_less_memory(image: Image.Image, stream: BinaryIO) -> Image.Image:
    """A picture that Pillow has opened and not decoded yet, decoded if it is a large one of these kinds.

    OpenCV has the same decoders (libwebp, libjpeg-turbo), and takes 3 or 4 bytes a pixel for what it gives,
    when the decoder has given its own memory back, or beside less of it.

    Args:
        image: As opened; its size has been found acceptable.
        stream: The file that it was opened from.

    Returns:
        The decoded picture with the EXIF block and the ICC profile of `image`; `image` itself where it is
        small, of another kind, an animation, or damaged.
    """
    width, height = image.size
    if width * height < LARGE:
        return image
    if image.format == "WEBP":
        fits = not getattr(image, "is_animated", False)
    else:
        fits = _has_all_coefficients(image) and is_whole_jpeg(stream)
    array = _by_opencv(stream) if fits else None
    channels = {3: ("RGB", [2, 1, 0]), 4: ("RGBA", [2, 1, 0, 3])}
    if array is None or array.dtype != np.uint8 or array.ndim != 3 or array.shape[:2] != (height, width):
        return image
    mode, order = channels[array.shape[2]]
    decoded = Image.new(mode, image.size)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = np.ascontiguousarray(array[top : top + _ROWS_AT_ONCE, :, order])
        decoded.paste(Image.fromarray(rows), (0, top))
    decoded.info = {name: image.info[name] for name in ("exif", "icc_profile") if name in image.info}
    return decoded


def _by_opencv(stream: BinaryIO) -> np.ndarray | None:
    import cv2

    stream.seek(0)
    try:
        return cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _has_all_coefficients(image: Image.Image) -> bool:
    """Whether it is a colour JPEG of which the decoder holds a coefficient for each sample of each pixel."""
    return (
        isinstance(image, JpegImagePlugin.JpegImageFile)
        and image.format == "JPEG"
        and image.mode == "RGB"
        and bool(image.info.get("progressive"))
        and JpegImagePlugin.get_sampling(image) == _FULL_SAMPLING
    )


def is_whole_jpeg(stream: BinaryIO) -> bool:
    """Whether the segments of a JPEG file follow on each other up to the mark of its end.

    OpenCV gives what there is of a truncated file and does not say so; what is not whole is for Pillow.
    """
    stream.seek(0)
    if stream.read(2) != bytes([0xFF, _START]):
        return False
    marker = _next_marker(stream)
    while marker is not None and marker != _END:
        length = int.from_bytes(stream.read(2), "big")
        if length < 2:
            return False
        stream.seek(length - 2, 1)
        marker = _next_marker(stream, in_scan=marker == _SCAN)
    return marker == _END


def _next_marker(stream: BinaryIO, *, in_scan: bool = False) -> int | None:
    """The next marker, and the stream behind it; None where the file ends or has something else."""
    while chunk := stream.read(_CHUNK if in_scan else 2):
        place = chunk.find(b"\xff")
        while place >= 0:
            if place + 1 == len(chunk):  # its second byte is in the next chunk
                chunk += stream.read(1)
            if place + 1 == len(chunk):
                return None
            found = chunk[place + 1]
            if found != 0xFF and not (in_scan and found in _INSIDE_SCAN):
                stream.seek(place + 2 - len(chunk), 1)
                return found
            place = chunk.find(b"\xff", place + 1)
        if not in_scan:
            return None
    return None
