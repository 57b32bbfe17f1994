"""CMYK with an ICC profile: the inks are what the profile says they are, not what a formula makes of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from PIL import Image

from iqa_cli.images.decode import open_photo

Encoded = Callable[..., bytes]
#: Linear sRGB to XYZ under D50.
_SRGB_TO_XYZ = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
_WHITE = np.array([0.9642, 1.0, 0.8249])
#: What paper and inks are on this press, in L*, a*, b*: weak cyan, pinkish magenta, a grey for black.
_PAPER, _CYAN, _MAGENTA, _YELLOW, _BLACK = (100, 0, 0), (68, -25, -30), (66, 45, -4), (90, -4, 60), (20, 0, 0)


def lab_of(inks: tuple[float, ...]) -> np.ndarray:
    """L*, a*, b* of full or no ink each, 0 or 1: cyan, magenta, yellow and black, one over the other."""
    paper = np.array(_PAPER, dtype=float)
    found = paper.copy()
    for amount, full in zip(inks, (_CYAN, _MAGENTA, _YELLOW), strict=False):
        found += amount * (np.array(full) - paper)
    found[0] = max(found[0], 30)
    return np.array(_BLACK, dtype=float) if inks[3] else found


def press_profile() -> bytes:
    """A minimal ICC profile of a printing press: a table of 2 x 2 x 2 x 2 combinations of inks to Lab."""
    table = [lab_of(inks) for inks in product((0, 1), repeat=4)]
    cells = b"".join(bytes((round(v[0] * 2.55), round(v[1]) + 128, round(v[2]) + 128)) for v in table)
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + 4 * ramp + cells + 3 * ramp
    text = b"desc" + bytes(4) + struct.pack(">I", 6) + b"press\0" + bytes(80)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in _WHITE))
    tags = {b"desc": text, b"wtpt": white, b"A2B0": lut}
    body, entries = b"", struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        entries += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + white[8:]
    return head.ljust(128, b"\0") + entries + body


def to_xyz(lab: np.ndarray) -> np.ndarray:
    f = (lab[0] + 16) / 116 + np.array([lab[1] / 500, 0, -lab[2] / 200])
    return _WHITE * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))


def to_srgb(lab: np.ndarray) -> np.ndarray:
    """Levels of a colour of the press, by the book: its black becomes black (black point compensation, as the
    perceptual intent has it), outside colours are clipped."""
    black = to_xyz(np.array(_BLACK))
    xyz = _WHITE * (to_xyz(lab) - black) / (_WHITE - black)
    linear = np.clip(np.linalg.solve(_SRGB_TO_XYZ, xyz), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def colour(data: bytes) -> np.ndarray:
    with open_photo(data) as photo:
        found = photo.region(0, 0, 32, 32).reshape(-1, 3).astype(float)
        small = photo.resized(16, 16).reshape(-1, 3).astype(float)
    assert np.abs(small.mean(0) - found.mean(0)).max() <= 1
    return found.mean(0)


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {}), ("JPEG", {"quality": 98})])
@pytest.mark.parametrize("inks", [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0.4, 0, 0, 0)])
def test_inks_are_those_of_the_profile(
    kind: str, options: dict[str, int], inks: tuple[float, ...], encoded: Encoded
) -> None:
    picture = Image.new("CMYK", (64, 64), tuple(round(255 * ink) for ink in inks))
    paper, full = lab_of((0, 0, 0, 0)), lab_of(tuple(np.ceil(inks)))
    expected = to_srgb(paper + max(inks) * (full - paper))
    found = colour(encoded(picture, kind, icc_profile=press_profile(), **options))
    assert np.abs(found - expected).max() <= 4
    if any(inks):
        plain = colour(encoded(picture, kind, **options))
        assert np.abs(plain - expected).max() > 14


def test_black_ink_is_dark_and_not_a_negative(encoded: Encoded) -> None:
    picture = Image.new("CMYK", (64, 64), (0, 0, 0, 255))
    for kind in ("TIFF", "JPEG"):
        found = colour(encoded(picture, kind, icc_profile=press_profile()))
        assert found.max() <= 4


def test_a_broken_profile_leaves_the_inks_to_the_formula(encoded: Encoded) -> None:
    picture = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    broken = press_profile().replace(b"mft1", b"mftX")
    assert np.abs(colour(encoded(picture, "TIFF", icc_profile=broken)) - (0, 255, 255)).max() <= 1
