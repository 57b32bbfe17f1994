"""Changes of a picture that nobody sees, or that at least leave its quality as it is. Our own.

flip      mirrored left to right
shift     moved by one pixel, down and to the right: two cuts of the same size, so that the size does not
          change with it. What is compared is the cut without the last row and column with that without
          the first
reencode  written as a PNG, which is lossless, and read again; compared with the file as it is
crop      2 % cut off: its centre with 98 % of the width and of the height
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iqa_cli.images.decode import Source
from iqa_cli.images.photo import Photo

#: [H, W, 3] RGB or [H, W, 4] RGBA, uint8.
Pixels = NDArray[np.uint8]
#: What is compared: before (None for the picture itself) and after.
Pair = tuple["Pixels | None", Source]

#: Share of each side that `crop` takes away.
CROPPED = 0.02
_OPAQUE = 255


def pixels_of(photo: Photo) -> Pixels:
    """The whole of an open photo at native scale, sRGB: RGBA where some pixel is transparent, else RGB."""
    whole = (0, 0, photo.width, photo.height)
    colours = photo.region(*whole, None)
    if not photo.has_alpha:
        return colours
    # Over white a pixel is brighter than over black by just what is missing to its being opaque.
    over_black, over_white = photo.region(*whole, 0)[..., :1], photo.region(*whole, _OPAQUE)[..., :1]
    alpha = _OPAQUE - (over_white - over_black)
    return np.concatenate([colours, alpha], axis=2)


def flip(pixels: Pixels) -> Pair:
    """The picture, and its mirror image."""
    return None, pixels[:, ::-1]


def shift(pixels: Pixels) -> Pair:
    """Two cuts of the picture, one pixel apart in both directions.

    Args:
        pixels: At least 2x2.
    """
    return pixels[1:, 1:], pixels[:-1, :-1]


def reencode(pixels: Pixels) -> Pair:
    """The picture, and the bytes of a PNG with the same pixels and nothing else in it."""
    stream = io.BytesIO()
    # Little effort: the size of the file does not matter.
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=1)
    return None, stream.getvalue()


def crop(pixels: Pixels) -> Pair:
    """The picture, and its centre. A side under 25 pixels stays as it is, since 2 % of it is less than half
    a pixel."""
    height, width = pixels.shape[:2]
    less_y, less_x = round(CROPPED * height), round(CROPPED * width)
    top, left = less_y // 2, less_x // 2
    return None, pixels[top : height - (less_y - top), left : width - (less_x - left)]


VARIANTS: dict[str, Callable[[Pixels], Pair]] = {
    "flip": flip,
    "shift": shift,
    "reencode": reencode,
    "crop": crop,
}
"""Name to function, in the order in which they are reported."""
