"""Depth, palettes, profiles, CMYK and transparency, each against a literal statement of the result."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from iqa_cli.images.decode import open_photo

Encoded = Callable[..., bytes]
DARK, LIGHT = 32, 224


def pixels(source: object, background: int | None = None) -> np.ndarray:
    with open_photo(source) as photo:  # type: ignore[arg-type]
        return photo.region(0, 0, photo.width, photo.height, background).astype(int)


# Grey of many depths


def ramp(top: float, kind: type) -> np.ndarray:
    """A grey wedge from black to `top`, and the 8 bits it means."""
    return np.tile(np.linspace(0, top, 256), (32, 1)).astype(kind)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (ramp(65535, np.uint16), "PNG"),
        (ramp(65535, np.uint16), "TIFF"),
        (ramp(65535, np.int32), "TIFF"),
        (ramp(2**31 - 1, np.int32), "TIFF"),
        (ramp(1.0, np.float32), "TIFF"),
        (ramp(65535.0, np.float32), "TIFF"),
        (ramp(255, np.uint8), "PNG"),
    ],
)
def test_grey_is_scaled_and_not_clipped(values: np.ndarray, kind: str, encoded: Encoded) -> None:
    found = pixels(encoded(Image.fromarray(values), kind))
    assert np.abs(found[0, :, 0] - np.arange(256)).max() <= 1
    assert np.array_equal(found[..., 0], found[..., 2])


def test_dark_picture_of_16_bits_stays_dark(encoded: Encoded) -> None:
    dark = Image.fromarray(np.full((32, 32), 2570, np.uint16))
    assert pixels(encoded(dark, "TIFF")).max() == 10
    assert pixels(encoded(dark, "PNG")).max() == 10


def test_tiff_of_16_bits_where_white_is_zero(encoded: Encoded) -> None:
    data = encoded(Image.fromarray(ramp(65535, np.uint16)), "TIFF")
    black_is_zero, white_is_zero = (
        struct.pack("<HHIHH", 262, 3, 1, 1, 0),
        struct.pack("<HHIHH", 262, 3, 1, 0, 0),
    )
    assert data.count(black_is_zero) == 1
    found = pixels(data.replace(black_is_zero, white_is_zero))
    assert np.abs(found[0, :, 0] - np.arange(255, -1, -1)).max() <= 1


def test_not_a_number_is_black(encoded: Encoded) -> None:
    values = ramp(1.0, np.float32)
    values[0, 100] = np.nan
    found = pixels(encoded(Image.fromarray(values), "TIFF"))
    assert found[0, 100].max() == 0
    assert found[1, 255].min() == 255


def test_pil_image_of_integers_up_to_255() -> None:
    assert pixels(Image.new("L", (32, 32), 99).convert("I")).max() == 99


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit(kind: str, encoded: Encoded) -> None:
    board = Image.fromarray((np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)).convert("1")
    data = encoded(board, kind)
    assert np.array_equal(pixels(data)[..., 1], np.asarray(board.convert("L")))
    with open_photo(data) as photo:
        # Black and white must be averaged to grey, which resizing in 1 bit would not do.
        assert np.abs(photo.resized(16, 16).astype(int) - 128).max() < 20


# Palettes and transparency


def test_palette(encoded: Encoded) -> None:
    stripes = Image.new("RGB", (64, 64), (250, 10, 20))
    stripes.paste((20, 10, 250), (0, 0, 64, 32))
    data = encoded(stripes.quantize(2), "PNG")
    assert np.array_equal(pixels(data), np.asarray(stripes))
    with open_photo(data) as photo:
        assert not photo.has_alpha
        # Indices cannot be averaged: the middle row of a reduced copy is a mixture of the two colours.
        assert np.abs(photo.resized(16, 15, "box").astype(int)[7, 7] - (135, 10, 135)).max() <= 2


def half_clear(mode: str) -> Image.Image:
    """Left half fully transparent, right half opaque orange (grey 120 in LA)."""
    colour = {"RGBA": (240, 130, 20, 255), "LA": (120, 255)}[mode]
    clear = {"RGBA": (240, 130, 20, 0), "LA": (120, 0)}[mode]
    picture = Image.new(mode, (64, 64), colour)
    picture.paste(clear, (0, 0, 32, 64))
    return picture


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("RGBA", "TIFF"),
        ("RGBA", "AVIF"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGBA", "GIF"),
    ],
)
def test_transparency_over_dark_and_light(mode: str, kind: str, encoded: Encoded) -> None:
    picture = half_clear("RGBA").quantize(4) if mode == "P" else half_clear(mode)
    options = {"quality": 100} if kind == "AVIF" else {"lossless": True} if kind == "WEBP" else {}
    data = encoded(picture, kind, **options)
    with open_photo(data) as photo:
        assert photo.has_alpha
        assert photo.n_backgrounds == 2
        for background in (DARK, LIGHT):
            region = photo.region(0, 0, 64, 64, background).astype(int)
            assert np.abs(region[:, :24] - background).max() <= 2
            opaque = (120, 120, 120) if mode == "LA" else (240, 130, 20)
            assert np.abs(region[:, 40:] - opaque).max() <= 4
            reduced = photo.resized(16, 16, "lanczos", background).astype(int)
            assert np.abs(reduced[:, 0] - background).max() <= 3


def test_hidden_colours_do_not_bleed_into_a_reduced_picture() -> None:
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    picture.paste((255, 255, 255, 0), (0, 0, 30, 64))
    with open_photo(picture) as photo:
        # White is stored where nothing is to be seen: over black everything is black.
        assert photo.resized(9, 9, "lanczos", 0).max() <= 1


def test_half_transparent_is_mixed(encoded: Encoded) -> None:
    data = encoded(Image.new("RGBA", (32, 32), (200, 100, 0, 128)), "PNG")
    expected = np.array([200, 100, 0]) * 128 / 255 + DARK * 127 / 255
    assert np.abs(pixels(data, DARK) - expected).max() <= 1


@pytest.mark.parametrize(("mode", "key", "other"), [("RGB", (1, 2, 3), (90, 80, 70)), ("L", 7, 80)])
def test_colour_key(
    mode: str, key: int | tuple[int, ...], other: int | tuple[int, ...], encoded: Encoded
) -> None:
    picture = Image.new(mode, (32, 32), other)
    assert not open_photo(encoded(picture, "PNG", transparency=key)).has_alpha  # no pixel has that colour
    picture.paste(key, (0, 0, 16, 32))
    found = pixels(encoded(picture, "PNG", transparency=key), DARK)
    assert (found[:, :16] == DARK).all()
    assert (found[:, 16:] == np.broadcast_to(other, 3)).all()


def test_opaque_alpha_channel_is_no_transparency(dog: Image.Image, encoded: Encoded) -> None:
    with open_photo(encoded(dog.convert("RGBA"), "PNG")) as photo:
        assert not photo.has_alpha
        assert photo.n_backgrounds == 1
        assert np.array_equal(photo.region(0, 0, 432, 536), np.asarray(dog))


# CMYK


def test_cmyk_jpeg_of_adobe_is_not_shown_as_a_negative(encoded: Encoded) -> None:
    # Ink in percent: full cyan, and a light grey by black ink alone.
    inks = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    inks.paste((0, 0, 0, 64), (0, 0, 64, 32))
    data = encoded(inks, "JPEG", quality=98)
    assert b"Adobe" in data
    found = pixels(data)
    assert np.abs(found[:24] - 191).max() <= 4
    assert np.abs(found[40:] - (0, 255, 255)).max() <= 4


def test_ycck_jpeg(encoded: Encoded) -> None:
    """As Photoshop saves CMYK: the inks turned to luma and chroma, black beside them."""
    cyan, magenta, yellow, black = 40, 180, 90, 30
    luma = Image.new("RGB", (32, 32), (cyan, magenta, yellow)).convert("YCbCr").getpixel((0, 0))
    # Pillow inverts what it writes, and names it CMYK in the Adobe marker (0, where YCCK is 2).
    stored = tuple(255 - value for value in (*luma, 255 - black))
    data = encoded(Image.new("CMYK", (32, 32), stored), "JPEG", quality=98)
    at = data.index(b"Adobe") + 11
    data = data[:at] + b"\x02" + data[at + 1 :]
    expected = [(255 - ink) * (255 - black) / 255 for ink in (cyan, magenta, yellow)]
    assert np.abs(pixels(data) - expected).max() <= 4


def test_cmyk_tiff(encoded: Encoded) -> None:
    data = encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "TIFF")
    assert np.abs(pixels(data) - (255, 0, 0)).max() <= 1


# Profiles

_ADOBE_RGB_TO_XYZ = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
_SRGB_TO_XYZ = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def wide_gamut_profile(grey: bool = False, gamma: float = 2.19921875) -> bytes:
    """A minimal ICC profile: the primaries of Adobe RGB (1998) in D50 and its gamma; or only a grey curve."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(79)
    tags = {b"desc": text + bytes(-len(text) % 4), b"wtpt": white}
    if grey:
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"r", b"g", b"b"), _ADOBE_RGB_TO_XYZ.T, strict=True):
            tags[name + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*column)
            tags[name + b"TRC"] = curve
    body, table = b"", struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"lcms", 0x02100000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + table + body


def to_srgb(colour: tuple[int, int, int], gamma: float = 2.19921875) -> np.ndarray:
    """What Adobe RGB means in sRGB, by the book; outside colours clipped."""
    xyz = _ADOBE_RGB_TO_XYZ @ (np.array(colour) / 255.0) ** gamma
    linear = np.clip(np.linalg.solve(_SRGB_TO_XYZ, xyz), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    "colour", [(180, 110, 90), (100, 140, 100), (128, 128, 128), (60, 80, 150), (0, 255, 0)]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_wide_gamut(colour: tuple[int, int, int], kind: str, encoded: Encoded) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    plain = Image.new("RGB", (32, 32), colour)
    data = encoded(plain, kind, icc_profile=wide_gamut_profile(), **options)
    assert np.abs(pixels(data)[0, 0] - to_srgb(colour)).max() <= 2
    with open_photo(data) as photo:
        assert np.abs(photo.resized(8, 8)[0, 0] - to_srgb(colour)).max() <= 2


def test_wide_gamut_under_transparency(encoded: Encoded) -> None:
    picture = Image.new("RGBA", (32, 32), (180, 110, 90, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 16, 32))
    found = pixels(encoded(picture, "PNG", icc_profile=wide_gamut_profile()), DARK)
    assert np.abs(found[0, 20] - to_srgb((180, 110, 90))).max() <= 2
    assert (found[:, :16] == DARK).all()  # the background is sRGB, no colour of the profile's


def test_grey_profile(encoded: Encoded) -> None:
    data = encoded(Image.new("L", (32, 32), 128), "PNG", icc_profile=wide_gamut_profile(grey=True, gamma=1.0))
    light = 128 / 255
    assert np.abs(pixels(data) - 255 * (1.055 * light ** (1 / 2.4) - 0.055)).max() <= 2


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"this is no profile"),
        ("RGB", wide_gamut_profile()[:150]),
        ("RGB", wide_gamut_profile(grey=True)),
        ("CMYK", wide_gamut_profile()),
        ("RGB", b""),
    ],
)
def test_a_broken_or_foreign_profile_is_left_out(mode: str, profile: bytes, encoded: Encoded) -> None:
    picture = Image.new("RGB", (32, 32), (180, 110, 90)).convert(mode)
    assert np.array_equal(
        pixels(encoded(picture, "TIFF", icc_profile=profile)), np.asarray(picture.convert("RGB"))
    )


def test_a_profile_that_means_srgb_changes_nothing(dog: Image.Image, encoded: Encoded) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(pixels(encoded(dog, "PNG", icc_profile=profile)), np.asarray(dog))


def test_lab_tiff(dog: Image.Image, encoded: Encoded) -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(dog, to_lab)
    assert lab is not None
    assert np.abs(pixels(encoded(lab, "TIFF")) - np.asarray(dog)).mean() < 2
