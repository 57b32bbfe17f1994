"""A decoded picture, of which small pieces are asked: a region at native scale or the whole reduced.

A 100-megapixel picture is 400 MB decoded, and every whole copy costs that again. So the decoded picture is
kept as it was stored, and orientation, depth, palette, profile and alpha are applied to the pieces that are
asked for.
"""

from __future__ import annotations

from types import TracebackType

import numpy as np
from PIL import Image

from iqa_cli.images.colour import Reading
from iqa_cli.images.lanczos import lanczos_by_torch
from iqa_cli.images.pillow import quiet_pillow

# EXIF orientation: how the stored picture is turned to be displayed.
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = frozenset({5, 6, 7, 8})
# Whether the stored x (y) axis runs against the displayed axis that it became.
_X_REVERSED = frozenset({2, 3, 7, 8})
_Y_REVERSED = frozenset({3, 4, 6, 7})

_KERNELS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "hamming": Image.Resampling.HAMMING,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}
# A strong reduction is done by box averages first, down to this multiple of the final size; by Pillow's
# documentation 3 is hardly to be told from the full kernel.
_REDUCING_GAP = 3.0
_BAND_PIXELS = 2_000_000


class Photo:
    """One decoded picture. Made by `iqa_cli.images.decode.open_photo`; a context manager.

    Args:
        image: The decoded picture, in the mode and orientation it was stored in.
        reading: How its colours are read.
        orientation: EXIF orientation 1 to 8 to apply.
        full_size: Stored (width, height) before any reduced-size decoding; None where `image` is at full
            size.
        owned: Whether `close` may close `image`.

    Attributes:
        width: Full width in pixels as displayed.
        height: Full height in pixels as displayed.
        has_alpha: Whether some pixel is really transparent.
        n_backgrounds: 2 if has_alpha, else 1.
    """

    def __init__(
        self,
        image: Image.Image,
        reading: Reading,
        *,
        orientation: int = 1,
        full_size: tuple[int, int] | None = None,
        owned: bool = True,
    ) -> None:
        self._image = image
        self._reading = reading
        self._orientation = orientation if orientation in _TURN else 1
        self._owned = owned
        self._stored_size = full_size or image.size
        stored_width, stored_height = self._stored_size
        swapped = self._orientation in _SIDES_SWAPPED
        self.width = stored_height if swapped else stored_width
        self.height = stored_width if swapped else stored_height
        self.has_alpha = reading.plain_mode in ("LA", "RGBA")
        self.n_backgrounds = 2 if self.has_alpha else 1

    @property
    def is_reduced(self) -> bool:
        """Whether the picture was decoded at a reduced size, so that no native region can be given."""
        return self._stored_size != self._image.size

    def region(self, x: int, y: int, w: int, h: int, background: int | None = None) -> np.ndarray:
        """A rectangle at native scale, in displayed coordinates.

        Args:
            x: Left edge, 0 <= x and x + w <= width.
            y: Upper edge, 0 <= y and y + h <= height.
            w: Width of the rectangle, at least 1.
            h: Height of the rectangle, at least 1.
            background: Grey level 0..255 under transparent pixels; None takes the stored colours without
                alpha.

        Returns:
            uint8 array [h, w, 3], sRGB.

        Raises:
            ValueError: if the rectangle is not inside the picture, or the picture was decoded at a reduced
                size.
        """
        if w < 1 or h < 1 or x < 0 or y < 0 or x + w > self.width or y + h > self.height:
            raise ValueError(
                f"region {w}x{h} at ({x}, {y}) is outside a picture of {self.width}x{self.height}"
            )
        if self.is_reduced:
            raise ValueError("the picture was decoded at a reduced size and has no native regions")
        stored_width, stored_height = self._stored_size
        if self._orientation in _SIDES_SWAPPED:
            x, y, w, h = y, x, h, w
        if self._orientation in _X_REVERSED:
            x = stored_width - x - w
        if self._orientation in _Y_REVERSED:
            y = stored_height - y - h
        with quiet_pillow():
            piece = self._reading.plain(self._image.crop((x, y, x + w, y + h)))
        return self._finish(piece, background)

    def resized(
        self, w: int, h: int, kernel: str = "lanczos", background: int | None = None, *, quick: bool = False
    ) -> np.ndarray:
        """The whole picture at another size, in displayed orientation.

        Resizing is done on the stored values, before the colour conversion; alpha is weighted in properly.

        Args:
            w: Width of the result, at least 1.
            h: Height of the result, at least 1.
            kernel: "lanczos", "bicubic", "hamming", "bilinear" or "box".
            background: As for `region`.
            quick: Leaves "lanczos" to torch, which rounds otherwise than Pillow: for what is scored with
                torch, not for files that are to be made again byte by byte.

        Returns:
            uint8 array [h, w, 3], sRGB.

        Raises:
            ValueError: for an unknown kernel or a size under 1x1.
        """
        if kernel not in _KERNELS:
            raise ValueError(f"unknown resize kernel {kernel!r}")
        if w < 1 or h < 1:
            raise ValueError(f"cannot resize to {w}x{h}")
        if self._orientation in _SIDES_SWAPPED:
            w, h = h, w
        # A picture decoded at 1/s of its size has ceil(side / s) pixels a side, the last one perhaps only
        # in part inside the picture: measure the box from the true size, or the view would shift by a
        # fraction of a pixel.
        reduced_by = max(1, round(max(self._stored_size) / max(self._image.size))) if self.is_reduced else 1
        box_width = self._stored_size[0] / reduced_by
        box_height = self._stored_size[1] / reduced_by
        factor_x = max(1, int(box_width / w / _REDUCING_GAP))
        factor_y = max(1, int(box_height / h / _REDUCING_GAP))
        with quiet_pillow():
            small = self._shrunk(factor_x, factor_y)
            box = (0.0, 0.0, box_width / factor_x, box_height / factor_y)
            made = None
            if quick and kernel == "lanczos":
                made = lanczos_by_torch(small, w, h, box[2:])
            if made is None:
                made = small.resize((w, h), _KERNELS[kernel], box=box)
        return self._finish(made, background)

    def averaged(self, w: int, h: int) -> Photo:
        """The photo after the box averages with which a reduction to this size begins, for several of them.

        Returns:
            A photo whose `resized` gives views of at most this size as from all pixels; it has no native
            regions and need not be closed. The photo itself where nothing is to be averaged, and where its
            stored values are not those that are averaged.
        """
        if self._orientation in _SIDES_SWAPPED:
            w, h = h, w
        factor = int(min(self._image.width / w, self._image.height / h) / _REDUCING_GAP)
        if factor < 2 or not self._reading.is_plain or self.has_alpha:
            return self
        with quiet_pillow():
            small = self._image.reduce(factor)
        return Photo(small, self._reading, orientation=self._orientation, full_size=self._stored_size)

    def close(self) -> None:
        """Free the decoded picture; harmless when repeated."""
        if self._owned:
            self._image.close()

    def __enter__(self) -> Photo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shrunk(self, factor_x: int, factor_y: int) -> Image.Image:
        """The whole picture in plain mode, reduced by whole factors with box averages."""
        factors = (factor_x, factor_y)
        plain_mode = self._reading.plain_mode
        if self._reading.is_plain and not self.has_alpha:
            return self._image.reduce(factors) if factors != (1, 1) else self._image
        # Band by band, or converting (and for alpha premultiplying) would copy the whole picture.
        width, height = self._image.size
        rows = max(1, _BAND_PIXELS // width // factor_y) * factor_y
        result = Image.new(plain_mode, (-(-width // factor_x), -(-height // factor_y)))
        for top in range(0, height, rows):
            band = self._reading.plain(self._image.crop((0, top, width, min(height, top + rows))))
            result.paste(band.reduce(factors) if factors != (1, 1) else band, (0, top // factor_y))
        return result

    def _finish(self, piece: Image.Image, background: int | None) -> np.ndarray:
        srgb = self._reading.to_srgb(piece, background)
        if self._orientation != 1:
            srgb = srgb.transpose(_TURN[self._orientation])
        # A copy: the caller gets an array of its own that may be written to.
        return np.array(srgb, dtype=np.uint8)
