"""Pixels that do not come from Pillow: arrays given by a caller, and TIFF files that only OpenCV reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from iqa_cli.errors import ImageError
from iqa_cli.images.colour import FLOAT_WHITES, DeepScale, level_of_white

_ICC_TAG, _ORIENTATION_TAG = 34675, 274
_WIDTH_TAG, _HEIGHT_TAG = 256, 257
_ROWS_AT_ONCE = 256


def image_from_array(array: np.ndarray) -> Image.Image:
    """An array as a picture in 8 bits.

    Args:
        array: [H, W], [H, W, 1], [H, W, 3] (RGB) or [H, W, 4] (RGB and alpha, not premultiplied); uint8, or
            uint16 with white at 65535.

    Raises:
        ImageError: for another shape or another type of number.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        shape = "x".join(str(side) for side in array.shape) or "a single number"
        raise ImageError(f"an array of shape {shape} is not a picture; give HxW, HxWx3 (RGB) or HxWx4")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ImageError("the array is empty")
    if array.dtype == np.uint16:
        # Rows at a time, because the sum needs wider numbers; 257 = 65535 / 255.
        array = _in_bands(array, lambda rows: (rows.astype(np.uint32) + 128) // 257)
    if array.dtype != np.uint8:
        raise ImageError(
            f"an array of {array.dtype} is not a picture; give uint8 (0 to 255) or uint16 (0 to 65535)",
            hint="for floats in 0 to 1: (255 * array).round().astype('uint8')",
        )
    return Image.fromarray(np.ascontiguousarray(array))


def tiff_by_opencv(stream: BinaryIO, max_pixels: int) -> tuple[Image.Image, int, bytes | None] | None:
    """A TIFF file of a kind that Pillow does not know: float RGB, planar 16 bits and the like.

    Returns:
        The picture in 8 bits, its orientation (1 to 8) and its ICC profile; None where OpenCV cannot read
        it either.

    Raises:
        ImageError: if it has more than `max_pixels`.
    """
    import cv2

    stream.seek(0)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(8))
        stream.seek(tags.next)
        tags.load(stream)
        width, height = int(tags[_WIDTH_TAG]), int(tags[_HEIGHT_TAG])
        orientation = int(tags.get(_ORIENTATION_TAG, 1))
        profile = tags.get(_ICC_TAG)
    except Exception:  # whatever a broken directory provokes: it is no TIFF that can be read
        return None
    # From the header, before OpenCV takes memory for it.
    check_pixels(width, height, max_pixels)
    stream.seek(0)
    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # it would print on stderr what is said better by our own message
    try:
        array = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if array is None or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        return None
    if array.ndim == 3:  # blue first; cvtColor takes only some types
        array = array[:, :, ::-1] if array.shape[2] == 3 else array[:, :, [2, 1, 0, 3]]
    if array.dtype == np.uint32:
        array = _in_bands(array, lambda rows: rows >> 24)
    if array.dtype in (np.float32, np.float64):
        scale = DeepScale(0.0, level_of_white(_bands(array), FLOAT_WHITES))
        array = _in_bands(array, scale.to_levels)
    if array.dtype not in (np.uint8, np.uint16):
        return None
    return image_from_array(array), orientation, profile if isinstance(profile, bytes) else None


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise ImageError if a picture has more than `max_pixels`."""
    if width * height > max_pixels:
        raise ImageError(
            f"{width}x{height} is {round(width * height / 1e6, 1):.15g} megapixels, over the limit of "
            f"{max_pixels / 1e6:g}",
            hint="raise the limit with --max-pixels if the file is to be trusted",
        )


def _bands(array: np.ndarray) -> Iterator[np.ndarray]:
    for top in range(0, len(array), _ROWS_AT_ONCE):
        yield array[top : top + _ROWS_AT_ONCE]


def _in_bands(array: np.ndarray, to_levels: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    result = np.empty(array.shape, np.uint8)
    for source, target in zip(_bands(array), _bands(result), strict=True):
        target[...] = to_levels(source)
    return result
