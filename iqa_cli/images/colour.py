"""Colour: from whatever a file stores to 8-bit sRGB, on small pieces of a picture.

Nothing here is ever given a whole large picture, so the memory it takes does not grow with the picture. Two
steps: `Reading.plain` brings a piece from its stored mode to 8 bits in L, LA, RGB, RGBA or CMYK, which can
be resized; `Reading.to_srgb` then converts the colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

# Modes of Pillow whose samples have more than 8 bits and are scaled by their white level.
DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
# What white may be where nothing says so: floats, and whole numbers of 32 bits.
FLOAT_WHITES = (1.0, 255.0, 65535.0)
INTEGER_WHITES = (255.0, 65535.0, 2.0**31 - 1)
# The profile's signature of its colour space, and the plain modes it can describe.
_SPACE_MODES = {"GRAY": ("L",), "RGB": ("RGB", "L"), "CMYK": ("CMYK",)}
_PLAIN = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "CMYK": "CMYK",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    **dict.fromkeys(DEEP_MODES, "L"),
}
_WITH_ALPHA = {"L": "LA", "RGB": "RGBA", "LA": "LA", "RGBA": "RGBA"}


@dataclass(frozen=True)
class DeepScale:
    """Which values of a deep grey picture are black and white; black above white means inverted."""

    black: float
    white: float

    def to_levels(self, values: np.ndarray) -> np.ndarray:
        """Values of any shape as 8-bit levels (uint8), rounded; not-a-number becomes black."""
        scaled = (values.astype(np.float64) - self.black) * (255.0 / (self.white - self.black))
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def level_of_white(bands: Iterable[np.ndarray], candidates: Sequence[float]) -> float:
    """The level of white of samples whose file does not tell it: the smallest candidate that covers them.

    A tenth of room is left, because resampling overshoots. Where no candidate covers them: the highest value.
    """
    highest = 0.0
    for band in bands:
        highest = max(highest, float(band[np.isfinite(band)].max(initial=0)))
    return next((white for white in candidates if highest <= 1.1 * white), highest)


class Reading:
    """How the pieces of one picture are read: its mode, transparency, depth and profile.

    Args:
        mode: The stored mode, one of Pillow's.
        transparent: Whether alpha is to be kept (some pixel is really transparent).
        scale: Black and white of a deep grey picture; None for the others.
        profile: The embedded ICC profile, if any. One that is broken or describes another kind of colour
            than the picture has is ignored, as viewers do: the picture is then taken for plain sRGB.

    Raises:
        ValueError: for a mode that is not known.
    """

    def __init__(
        self, mode: str, *, transparent: bool, scale: DeepScale | None, profile: bytes | None
    ) -> None:
        if mode not in _PLAIN:
            raise ValueError(f"colour mode {mode} is not supported")
        self.mode = mode
        self.scale = scale
        plain = _PLAIN[mode]
        if transparent:
            self.plain_mode = _WITH_ALPHA.get(plain, plain)
        else:
            self.plain_mode = {"LA": "L", "RGBA": "RGB"}.get(plain, plain)
        # Converting before resizing is needed where neighbouring stored values cannot be averaged.
        self.is_plain = mode == self.plain_mode
        self._lab = _lab_to_srgb() if mode == "LAB" else None
        self._icc = _icc_transform(profile, self.plain_mode.rstrip("A")) if profile else None

    @property
    def has_profile(self) -> bool:
        """Whether an embedded profile changes the colours."""
        return self._icc is not None

    def plain(self, piece: Image.Image) -> Image.Image:
        """A piece in 8 bits and in `plain_mode`, alpha kept where the picture is transparent."""
        if self.is_plain:
            return piece
        if self.scale is not None:
            piece = Image.fromarray(self.scale.to_levels(np.asarray(piece)))
        elif self._lab is not None:
            piece = _apply(self._lab, piece)
        if piece.mode == "La":
            piece = piece.convert("LA")
        elif piece.mode == "RGBa":
            piece = piece.convert("RGBA")
        elif piece.mode == "P" and self.plain_mode == "RGB":
            # Palette entries with alpha: drop it with the palette, Pillow warns otherwise.
            piece = piece.convert("RGBA") if "transparency" in piece.info else piece
        elif piece.mode == "PA" and self.plain_mode == "RGB":
            piece = piece.convert("RGBA")
        return piece if piece.mode == self.plain_mode else piece.convert(self.plain_mode)

    def to_srgb(self, piece: Image.Image, background: int | None) -> Image.Image:
        """A piece in `plain_mode` as sRGB in mode RGB, over a background.

        Args:
            piece: What `plain` gave, resized or not.
            background: Grey level 0..255 under transparent pixels; None leaves the alpha out of account and
                takes the colours as they are stored.
        """
        alpha = None
        if piece.mode in ("LA", "RGBA"):
            alpha = piece.getchannel("A")
            piece = piece.convert(piece.mode[:-1])
        if self._icc is not None:
            mode, transform = self._icc
            rgb = _apply(transform, piece if piece.mode == mode else piece.convert(mode))
        else:
            rgb = piece.convert("RGB")
        if alpha is None or background is None:
            return rgb
        under = Image.new("RGB", rgb.size, (background, background, background))
        under.paste(rgb, mask=alpha)
        return under


def _apply(transform: ImageCms.ImageCmsTransform, piece: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(piece, transform)
    if converted is None:  # only in place, which is not asked for
        raise RuntimeError("the colour transform gave no picture")
    return converted


def _icc_transform(profile: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode that a profile reads, and its transform to sRGB; None if it is unusable or changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if mode not in _SPACE_MODES.get(space, ()):
            return None
        read_mode = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}[space]
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), read_mode, "RGB", ImageCms.Intent.PERCEPTUAL
        )
        probe = _probe(read_mode)
        change = np.abs(
            np.asarray(_apply(transform, probe)).astype(int) - np.asarray(probe.convert("RGB")).astype(int)
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    # Profiles that mean sRGB move a colour by one level at most, in rounding only: leave those pictures
    # alone.
    if space != "CMYK" and int(change.max()) <= 1:
        return None
    return read_mode, transform


def _probe(mode: str) -> Image.Image:
    """Colours spread over the whole cube, to see what a transform does."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    if mode == "CMYK":
        cube = np.concatenate([cube, np.zeros_like(cube[..., :1])], axis=-1)
    return Image.frombytes(mode, (cube.shape[1], 1), cube.tobytes())


def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
